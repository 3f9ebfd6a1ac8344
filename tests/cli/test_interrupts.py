"""A run that is interrupted: nothing looks complete, and the next one finishes."""

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


@pytest.fixture
def long_job(tmp_path):
    """An input that takes some seconds: (command, directory)."""
    np.save(tmp_path / "long.npy", np.random.default_rng(0).normal(size=(3000, 100, 16)).astype(np.float32))
    command = [sys.executable, "-m", "rnnstates_cli.main", "extract", "long.npy", "out.h5", "--lengths", "full",
               "--units", "256", "--engine", "numpy"]  # fmt: skip
    return command, tmp_path


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_an_interrupted_run_leaves_no_result_file_and_the_next_one_finishes(long_job, number):
    command, place = long_job
    # Who runs the tests in the background ignores SIGINT or SIGHUP, and a child would inherit that.
    heed = {"preexec_fn": lambda: signal.signal(number, signal.SIG_DFL)} if number != signal.SIGKILL else {}
    process = subprocess.Popen(command, cwd=place, stderr=subprocess.PIPE, **heed)
    deadline = time.monotonic() + 30
    while not (place / "out.h5.partial").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.3)
    process.send_signal(number)
    _, complaint = process.communicate(timeout=30)
    assert process.returncode == -number
    assert b"Traceback" not in complaint
    left = [name for name in os.listdir(place) if name.startswith("out")]
    assert left == (["out.h5.partial"] if number == signal.SIGKILL else [])
    if number == signal.SIGKILL:
        with h5py.File(place / "out.h5.partial") as file:
            assert file["hidden"].shape == (3000, 100, 256)
        with pytest.raises(library.BadStates, match="unfinished output"):
            library.open(place / "out.h5.partial")
        np.save(place / "long.npy", np.ones((2, 3, 4), np.float32))
        assert subprocess.run(command, cwd=place, capture_output=True, timeout=60).returncode == 0
        assert sorted(os.listdir(place)) == ["long.npy", "out.h5"]


@pytest.mark.parametrize("engine", BUILT_ENGINES)
def test_a_wide_layer_is_left_in_the_middle_of_its_sequences(tmp_path, engine):
    """Sequences of 5000 steps and 1024 units take a core minutes; nothing waits for the end of one."""
    np.save(tmp_path / "wide.npy", np.zeros((64, 5000, 64), np.float32))
    command = [sys.executable, "-m", "rnnstates_cli.main", "extract", "wide.npy", "out.h5", "--lengths", "full",
               "--units", "1024", "--states", "none", "--engine", engine]  # fmt: skip
    heed = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)}
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, **heed)
    deadline = time.monotonic() + 60
    while not (tmp_path / "out.h5.partial").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(1)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    # It is a matter of tenths of a second; this is for a machine that does much else.
    _, complaint = process.communicate(timeout=10)
    assert process.returncode == -signal.SIGINT
    assert complaint.endswith(b"rnnstates: interrupted; no output was made.\n")
    assert os.listdir(tmp_path) == ["wide.npy"]
