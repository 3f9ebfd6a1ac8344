"""Runs of a job of many small windows that are ended after two of them; tests resume what is left."""

from pathlib import Path

import numpy as np
import pytest

import rnnstates
from rnnstates.extraction import grid, schedule
from rnnstates.output.writer import FileSink

from .builders import one_layer, ragged

INPUTS, LENGTHS = ragged(sequences=50, steps=9, features=3)
INPUTS = np.nan_to_num(INPUTS).astype(np.float32)


class End(Exception):
    """What ends a run in these tests."""


@pytest.fixture
def many_windows(monkeypatch, tmp_path):
    """Windows of a few sequences, one after the other."""
    monkeypatch.setattr(grid, "WINDOW_BYTES", 1000)
    monkeypatch.chdir(tmp_path)
    np.save("in.npy", INPUTS)
    np.save("lengths.npy", LENGTHS)


def extract(inputs="in.npy", lengths="lengths.npy", **options):
    """Run the job, and give the bytes of its output."""
    options = {"weights": one_layer(), "output": "out.h5", "threads": 1, "engine": "numpy"} | options
    with rnnstates.extract(inputs, lengths, provenance={"started": None}, **options):
        pass
    return Path(options["output"]).read_bytes()


def interrupted(*arguments, **options):
    """Begin a run and end it when two windows are finished; gives how many are kept."""
    read, finish, finished = schedule.read_window, FileSink.finish, []

    def ending(job, window):
        if len(finished) >= 2:
            raise End
        return read(job, window)

    def counting(self, *known):
        finish(self, *known)
        finished.append(known)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(End):
        patch.setattr(schedule, "read_window", ending)
        patch.setattr(FileSink, "finish", counting)
        extract(*arguments, **options)
    return rnnstates.status("out.h5")["windows"]


def contents():
    return {path.name: path.read_bytes() for path in Path().iterdir()}
