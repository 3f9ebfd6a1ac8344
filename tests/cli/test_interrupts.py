"""A run that is interrupted: nothing looks complete, what is finished is kept, and the same command goes on."""

import json
import os
import signal
import subprocess
import sys
import time

import h5py
import numpy as np
import pytest

import rnnstates as library

from ..builders import BUILT_ENGINES

EXTRACT = [sys.executable, "-m", "rnnstates_cli.main", "extract"]
SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


COMMAND = [*EXTRACT, "long.npy", "out.h5", "--lengths", "lengths.npy", "--units", "64", "--engine", "numpy",
           "--no-timestamps", "--states", "cell"]  # fmt: skip
WINDOWS = 6


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """An input of six windows that takes some seconds, and the bytes that come of it: (directory, bytes)."""
    place = tmp_path_factory.mktemp("long")
    np.save(place / "long.npy", np.random.default_rng(0).normal(size=(3000, 100, 200)).astype(np.float32))
    # Not all of one length: their disk is not reserved, and shows how far a run is.
    np.save(place / "lengths.npy", np.arange(3000) % 41 + 60)
    return place, finish(COMMAND, place)[0]


@pytest.fixture
def long_job(inputs, tmp_path):
    """The same in a directory of its own: (directory, bytes)."""
    for name in ("long.npy", "lengths.npy"):
        os.link(inputs[0] / name, tmp_path / name)
    return tmp_path, inputs[1]


def half_done(place):
    """Whether some windows have been written, and it is far from the end."""
    partial = place / "out.h5.partial"
    return partial.exists() and partial.stat().st_blocks * 512 > 25e6


def start(command, place, heeded=SIGNALS, **environment):
    # Who runs the tests in the background ignores SIGINT or SIGHUP, and a child would inherit that.
    heed = {"preexec_fn": lambda: [signal.signal(number, signal.SIG_DFL) for number in heeded]}
    return subprocess.Popen(command, cwd=place, stderr=subprocess.PIPE, env={**os.environ, **environment}, **heed)


def wait_for(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert condition()


def left(place):
    return sorted(name for name in os.listdir(place) if name.startswith("out"))


def finish(command, place):
    """Run to the end; gives the output's bytes and what was told."""
    done = subprocess.run(command, cwd=place, capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert left(place) == ["out.h5"]
    return (place / "out.h5").read_bytes(), done.stderr.decode()


@pytest.mark.parametrize("number", [*SIGNALS, signal.SIGKILL])
def test_a_signal_ends_the_run_and_the_same_command_goes_on_to_the_same_bytes(long_job, number):
    place, whole = long_job
    process = start(COMMAND, place)
    wait_for(lambda: half_done(place))
    assert not (place / "out.h5").exists()
    process.send_signal(number)
    began = time.monotonic()
    complaint = process.communicate(timeout=30)[1].decode()
    assert time.monotonic() - began < 10
    assert process.returncode == -number
    assert "Traceback" not in complaint
    with h5py.File(place / "out.h5.partial") as file:
        assert file["cell"].shape == (3000, 100, 64)
    with pytest.raises(library.BadStates, match="unfinished output"):
        library.open(place / "out.h5.partial")
    kept = library.status(place / "out.h5")["windows"]
    if number == signal.SIGKILL:
        assert left(place) == ["out.h5.journal", "out.h5.lock", "out.h5.partial"]
    else:
        assert left(place) == ["out.h5.journal", "out.h5.partial"]
        assert kept > 0
        assert f"note: {kept} of {WINDOWS} windows are finished and kept beside out.h5" in complaint
        assert "To go on:\n  rnnstates extract long.npy out.h5 --lengths lengths.npy" in complaint
    again, told = finish([*COMMAND, "--verify"], place)
    assert f"note: out.h5.partial: {kept} of {WINDOWS} windows are finished; the run goes on" in told
    # The option that was added is not in the file: it says what began it.
    assert again == whole


def test_a_second_signal_is_obeyed_at_once(long_job):
    place, whole = long_job
    # Finishing is made slow: what is to be written down waits for a disk that takes 20 seconds.
    script = (
        "import sys, time, rnnstates.output.recorder as r; r.Recorder._record = lambda *a, **b: time.sleep(20);"
        f"sys.argv = ['rnnstates', *{COMMAND[3:]!r}]; from rnnstates_cli.main import main; main()"
    )
    process = start([sys.executable, "-c", script], place)
    wait_for(lambda: half_done(place))
    process.send_signal(signal.SIGINT)
    time.sleep(1)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=5)
    assert process.returncode == -signal.SIGTERM
    assert finish(COMMAND, place)[0] == whole


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_that_python_loses_ends_the_run_all_the_same(long_job, number):
    """What a handler raises while an object is freed is dropped."""
    place, whole = long_job
    script = f"""
import os, sys, time
from rnnstates_cli.main import main
from rnnstates_cli.reporting import Reporter

class Freed:
    def __del__(self):
        os.kill(os.getpid(), {int(number)})
        time.sleep(1)

def update(self, done, total, shown=Reporter.update):
    if not hasattr(Freed, "made"):
        Freed.made = True
        Freed()
    shown(self, done, total)

Reporter.update = update
sys.argv = ["rnnstates", *{COMMAND[3:]!r}]
main()
"""
    process = start([sys.executable, "-c", script], place)
    complaint = process.communicate(timeout=60)[1].decode()
    assert process.returncode == -number, complaint
    assert "before the output was finished" in complaint
    assert "Traceback" not in complaint
    assert "Exception ignored" not in complaint
    assert not (place / "out.h5").exists()
    assert finish(COMMAND, place)[0] == whole


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_that_python_turns_into_another_error_is_a_signal_still(tmp_path, number):
    """As it does, before 3.12, while a class is made: an import may be in the middle of one."""
    script = f"""
import os, sys, time
import rnnstates
from rnnstates_cli.main import main

class Field:
    def __set_name__(self, owner, name):
        os.kill(os.getpid(), {int(number)})
        time.sleep(5)

rnnstates.extract = lambda *_, **__: type("Made", (), {{"field": Field()}})
sys.argv = ["rnnstates", "extract", "in.npy", "out.h5"]
main()
"""
    process = start([sys.executable, "-c", script], tmp_path)
    complaint = process.communicate(timeout=30)[1].decode()
    assert process.returncode == -number
    assert "Traceback" not in complaint
    assert complaint.endswith("before the output was finished.\n")


@pytest.mark.parametrize("engine", BUILT_ENGINES)
def test_a_wide_layer_is_left_in_the_middle_of_its_sequences(tmp_path, engine):
    """Sequences of 5000 steps and 1024 units take a core minutes; nothing waits for the end of one."""
    np.save(tmp_path / "wide.npy", np.zeros((64, 5000, 64), np.float32))
    command = [*EXTRACT, "wide.npy", "out.h5", "--lengths", "full", "--units", "1024", "--states", "none",
               "--engine", engine]  # fmt: skip
    process = start(command, tmp_path)
    wait_for(lambda: (tmp_path / "out.h5.partial").exists())
    time.sleep(1)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    # It is a matter of tenths of a second; this is for a machine that does much else.
    _, complaint = process.communicate(timeout=10)
    assert process.returncode == -signal.SIGINT
    assert complaint.endswith(b"rnnstates: interrupted before the output was finished.\n")
    # No window was finished, so there is nothing to keep.
    assert os.listdir(tmp_path) == ["wide.npy"]


def test_a_run_stops_when_its_time_is_over_and_goes_on_the_next_time(long_job):
    place, whole = long_job
    # The first run's command is the one that is recorded.
    started = [*COMMAND, "--max-runtime", "1h"]
    process = start(started, place)
    wait_for(lambda: half_done(place))
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    kept, runs = library.status(place / "out.h5")["windows"], 0
    assert 0 < kept < WINDOWS
    while not (place / "out.h5").exists():
        command = [*COMMAND, "--max-runtime", "1s"]
        done = subprocess.run(command, cwd=place, capture_output=True, timeout=60)
        told, runs = done.stderr.decode(), runs + 1
        assert done.returncode in (0, 75)
        assert runs <= 15
        if done.returncode == 75:
            # No window is begun after its time, but those begun are finished.
            kept = library.status(place / "out.h5")["windows"]
            assert f"out.h5: time limit reached; {kept} of {WINDOWS} windows are finished and kept" in told
            assert "To go on:\n  rnnstates extract long.npy out.h5" in told
    with h5py.File(place / "out.h5") as file, h5py.File(inputs_again(place, whole)) as expected:
        for name in ("cell", "cell_mean", "cell_last", "lengths", "integrity/sums"):
            assert (file[name][()] == expected[name][()]).all()
        assert json.loads(file.attrs["provenance"])["command"].endswith("--max-runtime 1h")


def inputs_again(place, whole):
    (place / "expected.h5").write_bytes(whole)
    return place / "expected.h5"
