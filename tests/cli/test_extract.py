"""The command: results, messages, streams, exit codes, what is left behind."""

import io
import json
import os
import subprocess
import sys
import time

import h5py
import numpy as np
import pytest

import rnnstates as library

from ..builders import ragged
from ..engines.tensorflow_process import said
from .forking import run_each
from .running import process, rnnstates, text


@pytest.fixture
def place(tmp_path):
    """A directory with in.h5 (inputs, lengths, ids), in.npy and lengths.npy."""
    inputs, lengths = ragged(sequences=9, steps=8, features=3)
    inputs = inputs.astype(np.float32)
    with h5py.File(tmp_path / "in.h5", "w") as file:
        file["inputs"], file["lengths"] = inputs, lengths
        file["ids"] = [f"seq/{row}" for row in range(9)]
    np.save(tmp_path / "in.npy", inputs)
    np.save(tmp_path / "lengths.npy", lengths)
    return tmp_path


def test_nothing_but_in_and_out_does_the_job_and_says_what_it_assumed(place):
    done = process("extract", "in.h5", "out.h5", cwd=place)
    assert done.returncode == 0
    assert done.stdout == b""
    lines = done.stderr.decode().splitlines()
    assert lines[0] == "note: no weights given: a random LSTM of 64 units, seed 0; --weights FILE uses trained ones."
    assert lines[1] == "warning: 1 of 9 sequences have length 0: their states are zero and their pooled values NaN."
    assert lines[2].startswith("out.h5: 9 sequences, ")
    assert len(lines) == 3
    with library.open(place / "out.h5") as states:
        assert set(states.datasets) == {
            "hidden", "cell", "hidden_mean", "hidden_last", "cell_mean", "cell_last", "lengths", "ids",
        }  # fmt: skip
        assert states["hidden"].shape == (9, 8, 64)
        assert states[3].id == "seq/3"
        assert states[3].hidden.shape == (states[3].length, 64)
        assert "rnnstates extract in.h5 out.h5" in states.provenance["command"]
    assert sorted(os.listdir(place)) == ["in.h5", "in.npy", "lengths.npy", "out.h5"]


def test_the_command_and_the_library_give_the_same_bits(place):
    done = rnnstates(
        "extract", "in.npy", "out.h5", "--lengths", "lengths.npy", "--units", 7, "--seed", 3, "--states", "cell,state",
        "--pool", "max,std", "--layout", "packed", "--precision", "float64", "--dtype", "float32", cwd=place,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    memory = library.extract(
        place / "in.npy", place / "lengths.npy", units=7, seed=3, states=("cell", "state"), pool=("max", "std"),
        layout="packed", precision="float64", dtype="float32",
    )  # fmt: skip
    with library.open(place / "out.h5") as states:
        assert set(states.datasets) == set(memory.datasets)
        for name in memory.datasets:
            np.testing.assert_array_equal(states[name][()], memory[name])


def test_no_chatter_of_tensorflow_reaches_the_user():
    """That its start says nothing is asserted where a wide layer is left, in ``test_interrupts``."""
    done = said().command
    assert done.returncode == 0
    for line in done.stderr.splitlines():
        assert line.startswith(("note: no weights given", "warning: 1 of 9 sequences", "out.h5: 9 sequences"))
    assert done.stdout == ""


def test_a_npy_comes_through_a_pipe(place):
    data = (place / "in.npy").read_bytes()
    done = rnnstates("extract", "-", "piped.h5", "--lengths", "lengths.npy", cwd=place, stdin=data)
    assert done.returncode == 0, done.stderr
    rnnstates("extract", "in.npy", "file.h5", "--lengths", "lengths.npy", cwd=place)
    with library.open(place / "piped.h5") as piped, library.open(place / "file.h5") as file:
        np.testing.assert_array_equal(piped["cell"][()], file["cell"][()])


def test_json_prints_one_object_to_standard_output(place):
    done = rnnstates("extract", "in.h5", "out.h5", "--json", cwd=place)
    summary = json.loads(done.stdout)
    assert summary["output"] == "out.h5"
    assert summary["sequences"] == 9
    assert summary["datasets"]["cell"] == {"shape": [9, 8, 64], "dtype": "float32"}


def test_dry_run_says_what_would_be_written_and_writes_nothing(place):
    before = sorted(os.listdir(place))
    done = rnnstates("extract", "in.h5", "out.h5", "--dry-run", "--units", 5, cwd=place)
    assert done.returncode == 0
    assert sorted(os.listdir(place)) == before
    printed = done.stdout.decode()
    with h5py.File(place / "in.h5") as file:
        steps = file["lengths"][()].sum()
    assert f"9 sequences, {steps} valid steps of 72" in printed
    assert "layer /: 'lstm', 5 units" in printed
    assert "dataset hidden: (9, 8, 5) float32, 1.4 kB" in printed
    assert "free there: " in printed
    plan = json.loads(rnnstates("extract", "in.h5", "out.h5", "--dry-run", "--json", cwd=place).stdout)
    # The states of a sequence are so few that its padding is written with them.
    assert plan["bytes_to_write"] == 72 * 2 * 64 * 4 + 4 * 9 * 64 * 4
    assert plan["bytes_free"] > 0
    plan = json.loads(rnnstates("extract", "in.h5", "out.h5", "--dry-run", "--json", "--units", 200, cwd=place).stdout)
    assert plan["bytes_to_write"] == int(steps) * 2 * 200 * 4 + 4 * 9 * 200 * 4


def test_the_same_command_twice_gives_the_same_bytes(place):
    command = ("extract", "in.h5", "out.h5", "--force", "--no-timestamps", "--layout")
    for layout in ("padded", "packed"):
        rnnstates(*command, layout, cwd=place)
        first = (place / "out.h5").read_bytes()
        time.sleep(1.1)  # a clock of whole seconds must have moved on
        process(*command, layout, cwd=place)
        assert (place / "out.h5").read_bytes() == first


def test_source_date_epoch_sets_the_recorded_time(place):
    rnnstates("extract", "in.h5", "out.h5", cwd=place, env={"SOURCE_DATE_EPOCH": "86400"})
    with library.open(place / "out.h5") as states:
        assert states.provenance["started"] == "1970-01-02T00:00:00Z"


@pytest.mark.parametrize("epoch", ["soon", "-5", "1_0", "253402300800", "9" * 20, "9" * 5000])
def test_a_source_date_epoch_that_is_no_time_is_refused(place, epoch):
    wrong = rnnstates("extract", "in.h5", "b.h5", cwd=place, env={"SOURCE_DATE_EPOCH": epoch})
    assert wrong.returncode == 2
    assert b"expected whole seconds since 1970" in wrong.stderr


def test_saved_weights_give_the_same_states_again(place):
    rnnstates("extract", "in.h5", "a.h5", "--units", 6, "--seed", 4, "--save-weights", "w.weights.h5", cwd=place)
    done = rnnstates("extract", "in.h5", "b.h5", "--weights", "w.weights.h5", cwd=place)
    assert done.returncode == 0, done.stderr
    with library.open(place / "a.h5") as first, library.open(place / "b.h5") as second:
        np.testing.assert_array_equal(first["cell"][()], second["cell"][()])


WRONG = {
    "a missing input": (["extract", "no.h5", "out.h5"], 66, "no.h5: no such file"),
    "a directory": (["extract", ".", "out.h5"], 66, "a directory"),
    "a pipe as output": (["extract", "in.h5", "-"], 2, "must seek"),
    "an existing output": (["extract", "in.h5", "taken.h5"], 73, "taken.h5: exists; replace it with --force"),
    "the input as output": (["extract", "in.h5", "in.h5", "--force"], 73, "is also read by this run"),
    "the input as output by a link": (["extract", "in.h5", "link.h5", "--force"], 73, "is also read by this run"),
    "a missing directory": (["extract", "in.h5", "no/out.h5"], 73, "does not exist; make it first"),
    "a file as directory": (["extract", "in.h5", "in.npy/out.h5"], 73, "is not a directory"),
    "a directory as output": (["extract", "in.h5", "sub", "--force"], 73, "a directory; name a file in it"),
    "a named pipe as output": (["extract", "in.h5", "fifo", "--force"], 73, "a device, pipe or socket"),
    "a device as output": (["extract", "in.h5", "device", "--force"], 73, "a device, pipe or socket"),
    "no lengths": (["extract", "in.npy", "out.h5"], 65, "--lengths full"),
    "an unknown state": (["extract", "in.h5", "out.h5", "--states", "hiden"], 2, "Did you mean 'hidden'?"),
    "an unknown pooling": (["extract", "in.h5", "out.h5", "--pool", "median"], 2, "unknown; known are mean, last"),
    "nothing to compute": (
        ["extract", "in.h5", "out.h5", "--states", "none", "--pool", "none"], 2, "nothing to compute"),
    "units of a weights file": (
        ["extract", "in.h5", "out.h5", "--weights", "in.h5", "--units", "3"], 2, "leave one out"),
    "a layer of no file": (["extract", "in.h5", "out.h5", "--layer", "x"], 2, "pass --weights"),
    "too little memory": (["extract", "in.h5", "out.h5", "--memory", "1K"], 71, "give at least --memory"),
    "a size that is none": (["extract", "in.h5", "out.h5", "--memory", "lots"], 2, "write 512M or 2G"),
    "an unknown option": (["extract", "in.h5", "out.h5", "--unit", "3"], 2, "--units"),
    "an unknown command": (["extrct"], 2, "No such command 'extrct'"),
    "tokens without an embedding": (["extract", "tokens.npy", "out.h5", "--lengths", "full"], 65, "embedding"),
}  # fmt: skip


@pytest.fixture
def terminal_device():
    """A device of our own, which nobody misses if the program should replace it after all."""
    leader, follower = os.openpty()
    yield os.ttyname(follower)
    os.close(leader)
    os.close(follower)


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_call_says_what_to_do_exits_as_tabled_and_leaves_nothing(place, name, terminal_device):
    (place / "taken.h5").write_text("precious")
    (place / "link.h5").hardlink_to(place / "in.h5")
    (place / "sub").mkdir()
    os.mkfifo(place / "fifo")
    (place / "device").symlink_to(terminal_device)
    np.save(place / "tokens.npy", np.ones((2, 3), int))
    before = {path: path.read_bytes() for path in place.iterdir() if path.is_file()}
    arguments, code, message = WRONG[name]
    done = rnnstates(*arguments, cwd=place)
    complaint = done.stderr.decode()
    assert message in complaint
    assert "Traceback" not in complaint
    assert done.returncode == code
    assert done.stdout == b""
    assert {path: path.read_bytes() for path in place.iterdir() if path.is_file()} == before


def test_force_replaces_an_existing_output(place):
    (place / "out.h5").write_text("old")
    assert rnnstates("extract", "in.h5", "out.h5", "--force", cwd=place).returncode == 0
    assert h5py.is_hdf5(place / "out.h5")


def test_an_existing_output_survives_a_run_that_fails_with_force(place):
    (place / "out.h5").write_text("precious")
    done = rnnstates("extract", "in.npy", "out.h5", "--lengths", "full", "--force", cwd=place)
    assert done.returncode == 65
    assert b"--allow-nonfinite" in done.stderr
    assert (place / "out.h5").read_text() == "precious"


def test_an_output_that_is_a_symbolic_link_is_written_where_it_points(place):
    (place / "elsewhere").mkdir()
    (place / "out.h5").symlink_to(place / "elsewhere" / "real.h5")
    assert rnnstates("extract", "in.h5", "out.h5", cwd=place).returncode == 0
    assert (place / "out.h5").is_symlink()
    assert os.listdir(place / "elsewhere") == ["real.h5"]


def test_a_file_too_large_for_its_place_is_refused_with_the_bytes(place, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 10})())
    with pytest.raises(library.WriteFailed, match=r"needs \d+ bytes, but 10 are free there"):
        library.extract(place / "in.h5", output=place / "out.h5")
    assert not (place / "out.h5").exists()


LIMITS = [0, 100, 3000, 9000, 12000]


def test_a_limit_on_file_size_is_reported_and_nothing_is_left(place):
    limiting = (
        "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, ({0}, {0}))"
    )
    for done in run_each([(place, ["extract", "in.h5", "out.h5"], limiting.format(limit), {}) for limit in LIMITS]):
        assert done.returncode == 74, done.stderr
        assert "Traceback" not in done.stderr
    assert not [name for name in os.listdir(place) if name.startswith("out")]


def test_help_lists_the_groups_in_order_of_use_every_choice_and_examples_that_can_be_pasted():
    shown = rnnstates("extract", "--help").stdout.decode()
    headings = ("Arguments:", "Input:", "Weights:", "Output:", "Run:", "Rarely needed:", "Examples:")
    places = [shown.index(f"\n{heading}\n") for heading in headings]
    assert places == sorted(places)
    for word in (*library.POOLINGS, *library.STATES, *library.ENGINES, *library.LAYOUTS):
        assert word in shown
    assert "  rnnstates extract in.h5 out.h5\n" in shown


def test_a_big_input_from_a_pipe_in_fortran_order_is_refused_with_advice(place):
    stream = io.BytesIO()
    np.save(stream, np.asfortranarray(np.ones((3, 4, 5))))
    done = rnnstates("extract", "-", "out.h5", "--lengths", "full", cwd=place, stdin=stream.getvalue())
    assert done.returncode == 65
    assert b"C order" in done.stderr


@pytest.mark.parametrize(("given", "expected"), [({}, "1"), ({"TF_NUM_INTRAOP_THREADS": "3"}, "3")])
def test_each_operation_of_tensorflow_has_one_thread_unless_the_user_says_more(place, given, expected):
    script = (
        "import os, sys; from rnnstates_cli import main; main._run = lambda: print(os.environ[sys.argv[1]]) or 0; "
        "main.main()"
    )
    environment = {name: value for name, value in os.environ.items() if name != "TF_NUM_INTRAOP_THREADS"}
    done = subprocess.run(
        [sys.executable, "-c", script, "TF_NUM_INTRAOP_THREADS"], env={**environment, **given}, capture_output=True,
        text=True, check=True,
    )  # fmt: skip
    assert done.stdout == f"{expected}\n"


def test_appending_is_refused_with_the_way_that_works():
    done = rnnstates("extract", "more.h5", "out.h5", "--append")
    assert done.returncode == 2
    assert "Give all inputs at once (rnnstates extract FIRST SECOND OUTPUT)" in " ".join(text(done.stderr).split())
