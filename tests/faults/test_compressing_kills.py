"""Processes that are killed while they compress: the output is absent or complete, and the same call finishes."""

import os
import shutil
import signal
import sys
from pathlib import Path

import numpy as np
import pytest

import rnnstates
from rnnstates.extraction import extract as running
from rnnstates.output import repack as repacking

from ..forking import Run, run_each
from .faulty import Faulty

ROOT = str(Path(__file__).resolve().parents[2])
FIRST = (
    f"import sys\nsys.path.insert(0, {ROOT!r})"
    """
import h5py, numpy as np, rnnstates
from rnnstates.extraction import extract as running
from rnnstates.output import compressing, repack as repacking
from tests.faults.faulty import Faulty

QUIET = {"command": None, "started": None}

def extract():
    inputs = np.random.RandomState(0).normal(size=(6, 5, 2)).astype("f4")
    rnnstates.extract(inputs, [5, 0, 3, 5, 1, 2], output="out.h5", units=4, engine="numpy", threads=1,
                      compression="gzip", provenance=QUIET).close()

def repack():
    rnnstates.repack("old.h5", "out.h5", layout="packed", compression="gzip")
"""
)
MODULES = {"extract": "running", "repack": "repacking"}


def killed_at(job, at):
    return f"{FIRST}\n{MODULES[job]}.SYSTEM = Faulty('SIGKILL', {at})\n{job}()"


def operations(job):
    """Count the operations of a job that nothing disturbs, in this process."""
    where = {"extract": running, "repack": repacking}[job]
    counted = Faulty("SIGKILL")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(where, "SYSTEM", counted)
        patch.setattr("sys.path", [*sys.path])
        space = {}
        exec(FIRST, space)
        space[job]()
    return counted.names


@pytest.mark.slow
@pytest.mark.parametrize("job", MODULES)
def test_a_killed_process_leaves_nothing_half_written(tmp_path, monkeypatch, job):
    monkeypatch.chdir(tmp_path)
    if job == "repack":
        inputs = np.ones((6, 5, 2), np.float32)
        rnnstates.extract(inputs, [5, 0, 3, 5, 1, 2], output="old.h5", units=4, engine="numpy").close()
    names = operations(job)
    whole = Path("out.h5").read_bytes()
    moments = sorted({*range(1, len(names) + 1, 29), *range(len(names) - 4, len(names) + 1)})
    runs = []
    for at in moments:
        place = tmp_path / str(at)
        place.mkdir()
        if job == "repack":
            # Where it lies is recorded.
            (place / "old.h5").symlink_to(tmp_path / "old.h5")
        runs.append(Run(killed_at(job, at), str(place)))
    _, ended = run_each(FIRST, runs)
    assert {run.returncode for run in ended} == {-signal.SIGKILL}
    again = [Run(f"{FIRST}\n{job}()" if not left_whole(run.place, whole) else "", run.place) for run in runs]
    _, ended = run_each(FIRST, again)
    for run, end in zip(runs, ended, strict=True):
        finished = Path(run.place, "out.h5")
        assert end.returncode == 0 or "exists; replace it" in end.stderr, end.stderr
        assert job == "repack" or finished.read_bytes() == whole
        monkeypatch.chdir(run.place)
        rnnstates.clean("out.h5")
        assert sorted(os.listdir()) == (["old.h5", "out.h5"] if job == "repack" else ["out.h5"])
        assert rnnstates.verify("out.h5", sample=0)["checksums"] == "by value"
        shutil.rmtree(run.place)


def left_whole(place, whole):
    """Whether a run was killed when its output had its name: then it is complete."""
    output = Path(place, "out.h5")
    if output.exists():
        assert rnnstates.verify(output, sample=0)["checksums"] == "by value"
    return output.exists() and not Path(place, "out.h5.journal").exists()
