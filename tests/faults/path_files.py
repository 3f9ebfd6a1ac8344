"""Small sound files of every kind that a user may give; the jobs of ``path_jobs`` read them."""

import contextlib
import functools
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import h5py
import numpy as np

import rnnstates
from rnnstates.extraction import grid

from ..fuzzing import keras_seeds, onnx_seeds, tensorflow_seeds, weights_seeds
from ..fuzzing.forms import PACKED, packed_parts

__all__ = ["NEW", "OPTIONS", "WEIGHTS", "Weights", "in_windows", "make", "make_model", "make_weights", "put_unfinished"]

NETWORK = rnnstates.random_network(2, units=3, seed=0)
# What the jobs make.
NEW = "new.h5"
LENGTHS = [3, 2, 3, 1, 0, 3]
OPTIONS = {"units": 2, "engine": "numpy", "provenance": {"started": None}}
ENDINGS = ("partial", "journal")


class Weights(NamedTuple):
    """A kind of weights.

    Parameters
    ----------
    seeds : callable
        Gives small sound files.
    number : int
        Which of them.
    name : str
        What is given of a folder of its own; the folder itself where this is empty.
    config : str
        The name of a configuration beside it that is given, too.
    """

    seeds: Callable[[], list[bytes]]
    number: int
    name: str
    config: str = ""


WEIGHTS = {
    "safetensors": Weights(weights_seeds.safetensors, 1, "w.safetensors"),
    "npz": Weights(weights_seeds.npz, 1, "w.npz"),
    "torch": Weights(weights_seeds.torch, 0, "w.pt"),
    "torch, old form": Weights(weights_seeds.torch, 1, "w.pt"),
    "keras weights": Weights(keras_seeds.plain_hdf5, 0, "w.weights.h5", "model.json"),
    "keras h5": Weights(keras_seeds.plain_hdf5, 1, "w.h5"),
    "keras zip": Weights(keras_seeds.keras, 0, "w.keras"),
    "onnx": Weights(onnx_seeds.onnx, 0, "w.onnx"),
    "onnx in files": Weights(onnx_seeds.onnx_in_files, 0, "m.onnx"),
    "msgpack": Weights(weights_seeds.msgpack, 0, "w.msgpack"),
    "json": Weights(weights_seeds.json_arrays, 0, "w.json"),
    "elmo": Weights(weights_seeds.elmo, 0, "weights.hdf5"),
    "elmo folder": Weights(weights_seeds.elmo, 0, ""),
    "unirep folder": Weights(weights_seeds.unirep, 0, ""),
    "checkpoint 1": Weights(tensorflow_seeds.checkpoints_1, 0, "m"),
    "checkpoint 2": Weights(tensorflow_seeds.checkpoints_2, 0, "m"),
    "checkpoint folder": Weights(tensorflow_seeds.checkpoints_2, 0, ""),
    "saved model": Weights(tensorflow_seeds.saved_models, 1, ""),
}


def make(folder):
    """Make inputs, lengths, ids, weights, states to start from, an output, and what an unfinished run leaves."""
    for name, (content, times) in _made_once().items():
        (folder / name).write_bytes(content)
        # A run that goes on looks at the time of its input.
        os.utime(folder / name, ns=times)
    # In it is the place of its input.
    given, options = _given(folder)
    rnnstates.extract(*given, output=folder / "done.h5", **options).close()


def _given(folder):
    return [str(folder / name) for name in ("in.npy", "lengths.txt")], {"ids": str(folder / "ids.txt"), **OPTIONS}


@functools.cache
def _made_once():
    """Everything but the output: {name: (bytes, times)}."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        _make_given(folder)
        _leave_unfinished(folder, *_given(folder))
        return {path.name: (path.read_bytes(), _times(path.stat())) for path in folder.iterdir()}


def _times(found):
    return found.st_atime_ns, found.st_mtime_ns


def _make_given(folder):
    values = np.ones((len(LENGTHS), 3, 2), np.float32)
    np.save(folder / "in.npy", values)
    np.save(folder / "lengths.npy", LENGTHS)
    np.save(folder / "ids.npy", np.array(list("abcdef")))
    (folder / "lengths.txt").write_text("\n".join(map(str, LENGTHS)))
    (folder / "ids.txt").write_text("\n".join("abcdef"))
    with h5py.File(folder / "in.h5", "w") as file:
        file["inputs"], file["lengths"], file["ids"] = values, LENGTHS, list("abcdef")
    np.savez(folder / "start.npz", hidden=np.ones(3, np.float32))
    rnnstates.save_weights(NETWORK, folder / "w.safetensors")


def make_weights(folder, kind):
    """Make the files of a kind of weights."""
    content = kind.seeds()[kind.number]
    parts = packed_parts(content) if content.startswith(PACKED) else {kind.name: content}
    if kind.config:
        parts[kind.config] = keras_seeds.configurations()[0]
    for name, part in parts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(part)


def make_model(folder):
    """Make a model that Keras runs, and its inputs."""
    np.save(folder / "in.npy", np.ones((2, 3, 2), np.float32))
    (folder / "m.keras").write_bytes(_saved_by_keras())


@functools.cache
def _saved_by_keras():
    from rnnstates.keras.started import keras

    model = keras.Sequential([keras.Input((3, 2)), keras.layers.SimpleRNN(2, return_sequences=True)])
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder, "m.keras"))
        return Path(folder, "m.keras").read_bytes()


class _EndedError(Exception):
    """What ends a run."""


def _leave_unfinished(folder, inputs, options):
    """Keep what a run of several windows leaves under names that no run looks for."""

    def end(*_):
        raise _EndedError

    with contextlib.suppress(_EndedError), in_windows():
        rnnstates.extract(*inputs, output=folder / NEW, progress=end, threads=1, **options)
    for ending in ENDINGS:
        (folder / f"{NEW}.{ending}").rename(folder / f"begun.{ending}")


def put_unfinished(folder):
    """Put the unfinished run beside the output that it is of."""
    for ending in ENDINGS:
        shutil.copyfile(folder / f"begun.{ending}", folder / f"{NEW}.{ending}")


def in_windows():
    """Let runs have a window for each sequence."""
    return mock.patch.multiple(grid, WINDOW_BYTES=40, TILES_TOGETHER=0)
