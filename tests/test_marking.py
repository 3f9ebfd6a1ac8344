"""The marks of tests are seen in their source, through what they call; and the source of every test can be read."""

from pathlib import Path

import pytest

from .marking import HERE, MARKS, marks_of
from .reached import reached, reached_at_import

SHOWN = {
    ("cli/test_extract.py", "test_nothing_but_in_and_out_does_the_job_and_says_what_it_assumed"): {"process"},
    ("cli/test_extract.py", "test_json_prints_one_object_to_standard_output"): set(),
    ("cli/test_interrupts.py", "test_a_second_signal_is_obeyed_at_once"): {"process"},
    ("weights/test_keras_states.py", "test_every_state_is_the_one_keras_computes"): {"framework"},
    ("keras/test_states.py", "test_every_state_follows_the_equations"): {"framework"},
    ("faults/test_loop.py", "test_short_and_interrupted_writes_are_not_seen"): {"fault"},
    ("fuzzing/test_fuzzing.py", "test_any_npy_header_is_read_or_refused"): {"fuzz"},
}


@pytest.mark.parametrize(("file", "test"), SHOWN)
def test_marks_follow_from_what_a_test_calls(file, test):
    expected = SHOWN[file, test]
    assert marks_of(HERE / file, test) & set(MARKS) >= expected
    assert expected or not marks_of(HERE / file, test)


def test_an_engine_given_by_a_parameter_counts():
    file, test = HERE / "extraction/test_semantics.py", "test_padding_values_never_reach_a_state"
    assert marks_of(file, test, ["tensorflow"]) == {"framework"}
    assert marks_of(file, test, ["numpy"]) == set()


def test_imports_inside_fixtures_and_of_what_is_skipped_without_are_seen(tmp_path):
    file = Path(tmp_path, "test_it.py")
    file.write_text(
        "import subprocess as s, pytest\n"
        "@pytest.fixture\ndef model():\n    import torch\n    return torch\n\n"
        "def helper():\n    return s.run([])\n\n"
        "def test_model(model): ...\n"
        "def test_helper():\n    helper()\n"
        "def test_skipped():\n    pytest.importorskip('jax')\n"
        "def test_nothing():\n    numpy = torch = 3\n"
    )
    assert "torch" in reached(file, "test_model")
    assert "subprocess.run" in reached(file, "test_helper")
    assert "jax" in reached(file, "test_skipped")
    assert not reached(file, "test_nothing")


def test_what_a_module_tries_to_import_is_seen(tmp_path):
    file = Path(tmp_path, "tried.py")
    file.write_text("try:\n    import torch\nexcept ImportError:\n    import jax\n")
    assert "torch" in reached_at_import(file)
    assert "jax" not in reached_at_import(file)
