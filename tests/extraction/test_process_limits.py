"""What a process or the caller's own settings limit: threads, open files, NumPy's errors."""

import resource
import subprocess
import sys
import threading

import numpy as np
import pytest

import rnnstates
from rnnstates import errors

INPUTS = np.random.RandomState(0).standard_normal((6, 5, 3)).astype(np.float32)


@pytest.mark.parametrize("output", ["out.h5", None])
def test_threads_that_cannot_be_started_are_a_limit_and_leave_nothing(tmp_path, output, monkeypatch):
    def start(_thread):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    with pytest.raises(rnnstates.MemoryBudgetError, match=r"no more threads .*threads=1"):
        rnnstates.extract(INPUTS, "full", units=4, engine="numpy", output=output and tmp_path / output)
    assert not list(tmp_path.iterdir())


# From too few for Python itself to enough.
@pytest.mark.parametrize("most", [6, 7, 8, 9, 10, 12, 64])
def test_files_that_cannot_be_opened_are_a_limit_of_the_process(tmp_path, most):
    np.save(tmp_path / "in.npy", INPUTS)
    limit = f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, ({most}, {most}))"
    script = f"{limit}; import rnnstates_cli.main as command; command.main()"
    command = [sys.executable, "-c", script, "extract", "in.npy", "out.h5", "--lengths", "full", "--units", "4"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode in {0, *(getattr(getattr(errors, name), "exit_code", 0) for name in errors.__all__)}
    assert "Traceback" not in done.stderr
    assert "Check the disk" not in done.stderr
    if done.returncode:
        assert "no more files can be opened" in done.stderr
        assert not (tmp_path / "out.h5").exists()


def test_a_limit_of_open_files_can_be_set_here():
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[1] > 64


@pytest.mark.parametrize("engine", ["numpy", "auto"])
@pytest.mark.parametrize("scale, dtype", [(1e-300, "float32"), (1e-38, "float16")])
def test_errors_that_the_caller_wants_of_numpy_are_not_for_the_library(tmp_path, scale, dtype, engine):
    given = {"units": 4, "engine": engine, "dtype": dtype, "pool": ["mean", "std"], "precision": "float32"}
    tiny = INPUTS.astype(np.float64) * scale
    usual = rnnstates.extract(tiny, "full", **given)
    with np.errstate(all="raise"):
        rnnstates.extract(tiny, "full", output=tmp_path / "out.h5", **given).close()
        rnnstates.verify(tmp_path / "out.h5", inputs=tiny)
        assert np.geterr()["under"] == "raise"
    with rnnstates.open(tmp_path / "out.h5") as states:
        np.testing.assert_array_equal(states["hidden"][:], usual["hidden"])
