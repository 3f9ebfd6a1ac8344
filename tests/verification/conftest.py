"""A working directory for tests of ``verify``."""

import functools
import tempfile
from pathlib import Path

import h5py
import pytest

import rnnstates

from ..builders import one_layer
from .making import INPUTS, LENGTHS


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A working directory with in.h5, w.weights.h5 and nothing else."""
    monkeypatch.chdir(tmp_path)
    for name, data in _files().items():
        (tmp_path / name).write_bytes(data)
    return tmp_path


@functools.cache
def _files():
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        with h5py.File(folder / "in.h5", "w") as file:
            file["inputs"], file["lengths"] = INPUTS, LENGTHS
            file["ids"] = [f"seq/{row}" for row in range(9)]
        rnnstates.save_weights(one_layer(), folder / "w.weights.h5")
        return {path.name: path.read_bytes() for path in folder.iterdir()}
