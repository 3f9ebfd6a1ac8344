"""A working directory for tests of ``verify``."""

import h5py
import pytest

import rnnstates

from ..builders import one_layer
from .making import INPUTS, LENGTHS


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A working directory with in.h5, w.weights.h5 and nothing else."""
    monkeypatch.chdir(tmp_path)
    with h5py.File("in.h5", "w") as file:
        file["inputs"], file["lengths"] = INPUTS, LENGTHS
        file["ids"] = [f"seq/{row}" for row in range(9)]
    rnnstates.save_weights(one_layer(), "w.weights.h5")
    return tmp_path
