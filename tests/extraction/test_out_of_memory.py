"""A run that the system, or TensorFlow, gives no more memory: it says what would do, and what is finished is kept."""

import os
import re
import subprocess
import sys

import numpy as np
import pytest

import rnnstates
from rnnstates.extraction import grid

from ..builders import one_layer, ragged
from ..cli.running import rnnstates as run_command

SCRIPT = """
import resource, sys
import rnnstates
import rnnstates.extraction.schedule as execution
from rnnstates_cli.main import main

read, windows = execution.read_window, []

def limited(job, window):
    windows.append(window)
    if len(windows) == 4:
        pages = int(open("/proc/self/statm").read().split()[0])
        resource.setrlimit(resource.RLIMIT_AS, (pages * 4096 + 2**20, resource.RLIM_INFINITY))
    return read(job, window)

execution.read_window = limited
sys.argv = ["rnnstates", *sys.argv[1:]]
main()
"""


def test_a_lack_of_memory_is_reported_with_what_suffices_and_the_run_resumes_later(tmp_path):
    np.save(tmp_path / "in.npy", np.ones((4000, 100, 64), np.float32))
    command = ["extract", "in.npy", "out.h5", "--lengths", "full", "--engine", "numpy", "--states", "none"]
    done = subprocess.run([sys.executable, "-c", SCRIPT, *command], cwd=tmp_path, capture_output=True, timeout=60)
    reported = done.stderr.decode()
    assert done.returncode == 71, reported
    assert "rnnstates: out of memory; this job holds about" in reported
    assert "--memory" in reported
    assert "Traceback" not in reported
    assert rnnstates.status(tmp_path / "out.h5")["windows"] >= 1
    done = run_command(*command, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "windows are finished; the run continues" in done.stderr.decode()
    assert sorted(os.listdir(tmp_path)) == ["in.npy", "out.h5"]


def test_what_tensorflow_calls_exhausted_resources_is_out_of_memory(tmp_path, monkeypatch):
    import tensorflow as tf

    from rnnstates.engines.tensorflow.fused import FusedBlock

    monkeypatch.setattr(grid, "WINDOW_BYTES", 2000)
    calls, run = [], FusedBlock.__call__

    def exhausted(self, *arguments):
        calls.append(None)
        if len(calls) == 4:
            raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating a tensor")
        return run(self, *arguments)

    inputs, lengths = ragged(sequences=50)
    options = {"weights": one_layer(), "engine": "tensorflow", "threads": 1, "output": tmp_path / "out.h5"}
    monkeypatch.setattr(FusedBlock, "__call__", exhausted)
    with pytest.raises(rnnstates.MemoryBudgetError, match=r"out of memory; this job holds about \d+ bytes"):
        rnnstates.extract(np.nan_to_num(inputs), lengths, **options)
    assert rnnstates.status(tmp_path / "out.h5")["windows"] >= 1
    rnnstates.extract(np.nan_to_num(inputs), lengths, **options).close()
    assert os.listdir(tmp_path) == ["out.h5"]


def test_the_advice_names_the_least_memory_that_the_job_can_do_with(monkeypatch):
    inputs, lengths = ragged(sequences=50)
    monkeypatch.setattr(grid, "WINDOW_BYTES", 2000)
    options = {"weights": one_layer(), "engine": "numpy"}

    def run_out(*_):
        raise MemoryError

    monkeypatch.setattr("rnnstates.extraction.schedule.read_window", run_out)
    with pytest.raises(rnnstates.MemoryBudgetError) as reported:
        rnnstates.extract(inputs, lengths, threads=4, **options)
    assert 'memory="1M" makes it hold as little as possible' in str(reported.value)
    with pytest.raises(rnnstates.MemoryBudgetError) as refused:
        rnnstates.extract(inputs, lengths, memory=1, **options)
    least = int(re.search(r"holds at least (\d+) bytes", str(refused.value))[1])
    with pytest.raises(rnnstates.MemoryBudgetError, match="which is the least possible; keep fewer with states="):
        rnnstates.extract(inputs, lengths, memory=least, **options)
