"""Every program in examples/ runs from any folder, is silent on stderr, and prints what docs/examples.md shows."""

import os
import re
import subprocess
import sys

import pytest

from rnnstates.runtime.tensorflow_start import CHATTER

from .pages import ROOT, sessions

EXAMPLES = sorted(path.name for path in (ROOT / "examples").glob("*.py"))
COMMAND = "python examples/"
PAGE = "docs/examples.md"

# What training and regression round differently elsewhere; all other numbers are counts and shapes.
DECIMAL = re.compile(r"-?\d+\.\d+")
TOLERANCE = 0.03


def shown():
    """What the page shows, by the program's name."""
    return {command.removeprefix(COMMAND): text for command, text in sessions(PAGE)}


def alike(printed, expected):
    """Whether two texts are the same but for decimals that are close."""
    ours, theirs = ([float(number) for number in DECIMAL.findall(text)] for text in (printed, expected))
    return DECIMAL.sub("…", printed) == DECIMAL.sub("…", expected) and ours == pytest.approx(theirs, abs=TOLERANCE)


@pytest.fixture(scope="module", params=EXAMPLES)
def example(request, tmp_path_factory):
    """The name of a program, how it ended, and the folder it ran in, in which there was nothing."""
    folder = tmp_path_factory.mktemp("elsewhere")
    done = subprocess.run(
        [sys.executable, ROOT / "examples" / request.param], cwd=folder, env=os.environ | {"PYTHONUTF8": "1"},
        capture_output=True, encoding="utf-8", timeout=300,
    )  # fmt: skip
    return request.param, done, folder


def test_it_ends_well_and_says_nothing_on_stderr_beside_the_log_of_tensorflow(example):
    _, done, _ = example
    said = [line for line in done.stderr.splitlines() if not re.match(CHATTER, line.encode())]
    assert (done.returncode, said) == (0, [])


def test_it_leaves_no_file_behind(example):
    _, _, folder = example
    assert not list(folder.iterdir())


def test_it_prints_what_the_page_shows(example):
    name, done, _ = example
    assert name in shown(), f"{PAGE} has no console block that starts with '$ {COMMAND}{name}'"
    assert alike(done.stdout, shown()[name]), done.stdout


def test_the_page_shows_no_other_program():
    assert len(EXAMPLES) == 3
    assert set(shown()) <= set(EXAMPLES)


def test_the_readme_beside_them_names_them_all():
    text = (ROOT / "examples" / "README.md").read_text()
    assert sorted(re.findall(r"^    python examples/(\w+\.py) ", text, re.M)) == EXAMPLES


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_short(name):
    assert len((ROOT / "examples" / name).read_text().splitlines()) <= 60


@pytest.mark.parametrize("other", ["R² 0.94\n(2, 10)\n", "R² 0.98\n(2, 11)\n", "R² 0.98\n(2,10)\n", "R² 0.98\n"])
def test_a_difference_would_be_seen(other):
    assert alike("R² 0.96\n(2, 10)\n", "R² 0.98\n(2, 10)\n")
    assert not alike(other, "R² 0.98\n(2, 10)\n")
