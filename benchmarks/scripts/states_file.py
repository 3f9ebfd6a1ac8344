"""What every script below does at its ends: read the arguments, write zero-padded states and their averages."""

import os
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import h5py
import numpy as np


def read() -> tuple[Any, Any, str, str]:
    """Give inputs [N, T, I], lengths [N], the path of the weights and the path to write."""
    inputs, lengths, weights, output = sys.argv[1:5]
    return np.load(inputs, mmap_mode="r"), np.load(lengths), weights, output


def batches(lengths: Any, size: int) -> Iterator[Any]:
    """Give the numbers of sequences of similar length, the longest first."""
    order = np.argsort(-lengths, kind="stable")
    for start in range(0, len(order), size):
        yield order[start : start + size]


def place(states: Any, rows: Any, lengths: Any, batch: Any) -> None:
    """Copy the valid steps of a batch [B, T', H] into all states [N, T, H]."""
    for row, values in zip(rows, batch, strict=True):
        states[row, : lengths[row]] = values[: lengths[row]]


def write(path: str, states: Mapping[str, Any], lengths: Any) -> None:
    """Write states [N, T, H] that are zero past the lengths, their means and last ones, and wait for the disk."""
    with h5py.File(path, "w") as file:
        for name, values in states.items():
            file[name] = values
            file[f"{name}_mean"] = values.sum(axis=1) / lengths[:, np.newaxis].astype(np.float32)
            file[f"{name}_last"] = values[np.arange(len(values)), lengths - 1]
        file["lengths"] = lengths
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)
