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
from rnnstates.extraction import grid, schedule

from ..builders import BUILT_ENGINES
from .running import rnnstates

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]

JOB = ["extract", "long.npy", "out.h5", "--lengths", "lengths.npy", "--units", "6", "--engine", "numpy",
       "--no-timestamps", "--states", "cell", "--threads", "1"]  # fmt: skip
WINDOWS, WINDOW_BYTES = 6, 16000
SHAPE = (120, 10, 5)

# Windows of some sequences, before which the run does what a test says: at the third, the first is finished.
WINDOW_BY_WINDOW = f"""
import os, signal, sys, time
from pathlib import Path
from rnnstates.extraction import grid, schedule
from rnnstates_cli.main import main

grid.WINDOW_BYTES = {WINDOW_BYTES}

def before(window): ...

def wait_for_the_signal(window):
    if window.number == 2:
        Path("waiting").touch()
        time.sleep(60)

def read(job, window, read=schedule.read_window):
    before(window)
    return read(job, window)

schedule.read_window = read
"""


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """An input of six windows, and the bytes that come of it: (directory, bytes)."""
    place = tmp_path_factory.mktemp("long")
    np.save(place / "long.npy", np.random.default_rng(0).normal(size=SHAPE).astype(np.float32))
    np.save(place / "lengths.npy", np.arange(120) % 5 + 6)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grid, "WINDOW_BYTES", WINDOW_BYTES)
        return place, finish(JOB, place)[0]


@pytest.fixture
def long_job(inputs, tmp_path, monkeypatch):
    """The same in a directory of its own: (directory, bytes)."""
    monkeypatch.setattr(grid, "WINDOW_BYTES", WINDOW_BYTES)
    for name in ("long.npy", "lengths.npy"):
        os.link(inputs[0] / name, tmp_path / name)
    return tmp_path, inputs[1]


def start(place, script, job=JOB):
    """Run a job, window by window, in a process of its own with some more lines before it."""
    script = f"{WINDOW_BY_WINDOW}\n{script}\nsys.argv = ['rnnstates', *{job!r}]\nmain()\n"
    # Who runs the tests in the background ignores SIGINT or SIGHUP, and a child would inherit that.
    heed = {"preexec_fn": lambda: [signal.signal(number, signal.SIG_DFL) for number in SIGNALS]}
    return subprocess.Popen([sys.executable, "-c", script], cwd=place, stderr=subprocess.PIPE, **heed)


def start_and_wait(place, script="", job=JOB):
    """Run a job until some of its windows are written."""
    process = start(place, f"before = wait_for_the_signal\n{script}", job)
    wait_for(lambda: (place / "waiting").exists())
    return process


def wait_for(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert condition()


def left(place):
    return sorted(name for name in os.listdir(place) if name.startswith("out"))


def finish(job, place):
    """Run to the end; return the output's bytes and what was printed."""
    done = rnnstates(*job, cwd=place)
    assert done.returncode == 0, done.stderr
    assert left(place) == ["out.h5"]
    return (place / "out.h5").read_bytes(), done.stderr.decode()


@pytest.mark.parametrize("number", [*SIGNALS, signal.SIGKILL])
def test_a_signal_ends_the_run_and_the_same_command_resumes_to_the_same_bytes(long_job, number):
    place, whole = long_job
    process = start_and_wait(place)
    assert not (place / "out.h5").exists()
    process.send_signal(number)
    began = time.monotonic()
    complaint = process.communicate(timeout=30)[1].decode()
    assert time.monotonic() - began < 10
    assert process.returncode == -number
    assert "Traceback" not in complaint
    with h5py.File(place / "out.h5.partial") as file:
        assert file["cell"].shape == (*SHAPE[:2], 6)
    with pytest.raises(library.BadStates, match="unfinished output"):
        library.open(place / "out.h5.partial")
    kept = library.status(place / "out.h5")["windows"]
    if number == signal.SIGKILL:
        assert left(place) == ["out.h5.journal", "out.h5.lock", "out.h5.partial"]
    else:
        assert left(place) == ["out.h5.journal", "out.h5.partial"]
        assert kept > 0
        assert f"note: {kept} of {WINDOWS} windows are finished and kept next to out.h5" in complaint
        assert "To resume:\n  rnnstates extract long.npy out.h5 --lengths lengths.npy" in complaint
    again, reported = finish([*JOB, "--verify"], place)
    assert f"note: out.h5.partial: {kept} of {WINDOWS} windows are finished; the run continues" in reported
    # The option that was added is not in the file: it says what began it.
    assert again == whole


def test_a_second_signal_is_obeyed_at_once(long_job):
    place, whole = long_job
    # Finishing is made slow: what is to be written down waits for a disk that takes 20 seconds.
    process = start_and_wait(
        place, "import rnnstates.output.recorder as r; r.Recorder._record = lambda *a, **b: time.sleep(20)"
    )
    process.send_signal(signal.SIGINT)
    time.sleep(1)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=5)
    assert process.returncode == -signal.SIGTERM
    assert finish(JOB, place)[0] == whole


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_that_python_loses_ends_the_run_all_the_same(long_job, number):
    """What a handler raises while an object is freed is dropped."""
    place, whole = long_job
    script = f"""
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
"""
    process = start(place, script)
    complaint = process.communicate(timeout=60)[1].decode()
    assert process.returncode == -number, complaint
    assert "before the output was finished" in complaint
    assert "Traceback" not in complaint
    assert "Exception ignored" not in complaint
    assert not (place / "out.h5").exists()
    assert finish(JOB, place)[0] == whole


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_that_python_turns_into_another_error_is_a_signal_still(tmp_path, number):
    """As it does, before 3.12, while a class is made: an import may be in the middle of one."""
    script = f"""
import rnnstates

class Field:
    def __set_name__(self, owner, name):
        os.kill(os.getpid(), {int(number)})
        time.sleep(5)

rnnstates.extract = lambda *_, **__: type("Made", (), {{"field": Field()}})
"""
    process = start(tmp_path, script, ["extract", "in.npy", "out.h5"])
    complaint = process.communicate(timeout=30)[1].decode()
    assert process.returncode == -number
    assert "Traceback" not in complaint
    assert complaint.endswith("before the output was finished.\n")


@pytest.mark.parametrize("engine", BUILT_ENGINES)
def test_a_wide_layer_is_left_in_the_middle_of_its_sequences(tmp_path, engine):
    """Sequences of 5000 steps and 1024 units take a core minutes; nothing waits for the end of one."""
    header = {"descr": "<f4", "fortran_order": False, "shape": (64, 5000, 64)}
    with (tmp_path / "wide.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        file.truncate(file.tell() + 4 * 64 * 5000 * 64)
    job = ["extract", "wide.npy", "out.h5", "--lengths", "full", "--units", "1024", "--states", "none",
           "--threads", "1", "--engine", engine]  # fmt: skip
    process = start(tmp_path, "grid.WINDOW_BYTES = 16 * 2**20", job)
    wait_for(lambda: (tmp_path / "out.h5.partial").exists())
    time.sleep(0.5)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    # It is a matter of tenths of a second; this is for a machine that does much else.
    _, complaint = process.communicate(timeout=10)
    assert process.returncode == -signal.SIGINT
    # Nor does TensorFlow's start say anything.
    note, error = complaint.decode().splitlines()
    assert note.startswith("note: no weights given: a random LSTM of 1024 units")
    assert error == "rnnstates: interrupted before the output was finished."
    # No window was finished, so there is nothing to keep.
    assert os.listdir(tmp_path) == ["wide.npy"]


def test_a_run_stops_at_its_time_limit_and_resumes_the_next_time(long_job, monkeypatch):
    place, whole = long_job
    # The first run's command is the one that is recorded.
    process = start_and_wait(place, job=[*JOB, "--max-runtime", "1h"])
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    kept = [library.status(place / "out.h5")["windows"]]
    assert 0 < kept[0] < WINDOWS
    monkeypatch.setattr(schedule, "read_window", slowly)
    while not (place / "out.h5").exists():
        done = rnnstates(*JOB, "--max-runtime", "1s", cwd=place)
        reported = done.stderr.decode()
        assert done.returncode in (0, 75)
        assert len(kept) <= 15
        if done.returncode == 75:
            # No window is begun after its time, but those begun are finished.
            kept.append(library.status(place / "out.h5")["windows"])
            assert f"out.h5: time limit reached; {kept[-1]} of {WINDOWS} windows are finished and kept" in reported
            assert "To resume:\n  rnnstates extract long.npy out.h5" in reported
    assert len(set(kept)) > 1
    (place / "expected.h5").write_bytes(whole)
    with h5py.File(place / "out.h5") as file, h5py.File(place / "expected.h5") as expected:
        for name in ("cell", "cell_mean", "cell_last", "lengths", "integrity/sums"):
            assert (file[name][()] == expected[name][()]).all()
        assert json.loads(file.attrs["provenance"])["command"].endswith("--max-runtime 1h")


def slowly(job, window, read=schedule.read_window):
    time.sleep(0.6)
    return read(job, window)
