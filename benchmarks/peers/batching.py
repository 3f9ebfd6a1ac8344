"""Ways to cut the sequences into batches, as users of a framework do it.

``whole`` is one batch of everything. ``batches of B`` are B sequences of similar length, so that little padding is
computed. ``side by side`` runs such batches in one thread a core, where the library says that this is safe.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from cases import Data

from .base import Part, Run

Rows = npt.NDArray[np.int64]

SIZES = (64, 256, 4096)
CORES = len(os.sched_getaffinity(0))


class Batching(NamedTuple):
    """One way to cut; ``size`` None is everything at once."""

    size: int | None
    aside: bool

    @property
    def name(self) -> str:
        """What the tables call it."""
        if self.size is None:
            return "whole"
        return f"batches of {self.size}" + (" side by side" if self.aside else "")


def batchings(count: int, *, aside: bool = True) -> list[Batching]:
    """List the ways for ``count`` sequences."""
    sizes = [size for size in SIZES if size < count]
    threads = (False, True) if aside and CORES > 1 else (False,)
    return [Batching(None, False), *(Batching(size, beside) for size in sizes for beside in threads)]


def batches(lengths: Rows, size: int | None) -> list[Rows]:
    """Cut the sequences, the longest first; everything at once stays in its order."""
    if size is None:
        return [np.arange(len(lengths))]
    rows = np.argsort(-lengths, kind="stable")
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def runner(
    data: Data, batching: Batching, one: Callable[[Rows], Part], start_thread: Callable[..., Any] | None = None
) -> Run:
    """Make the function that runs every batch through ``one``; ``start_thread`` is called first in each thread."""

    def in_turn() -> list[Part]:
        return [one(rows) for rows in batches(data.lengths, batching.size)]

    def side_by_side() -> list[Part]:
        return list(threads.map(one, batches(data.lengths, batching.size)))

    if not batching.aside:
        return in_turn
    threads = ThreadPoolExecutor(CORES, initializer=start_thread)
    return side_by_side


def take(data: Data, rows: Rows, multiple: int = 1) -> npt.NDArray[np.float32]:
    """Gather a batch [B, T', I], T' the longest length in it, rounded up to a multiple while T reaches.

    Rounding keeps the shapes few for those who compile for each one.
    """
    longest = int(data.lengths[rows].max())
    steps = min(-(-longest // multiple) * multiple, data.inputs.shape[1])
    if len(rows) == len(data.lengths) and rows[0] == 0 and (np.diff(rows) == 1).all():
        return data.inputs[:, :steps]
    return data.inputs[rows, :steps]


def time_major(batch: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """[B, T, I] to [T, B, I], copied."""
    return np.ascontiguousarray(batch.swapaxes(0, 1))
