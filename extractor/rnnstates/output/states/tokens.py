"""The valid steps of all sequences one below the other, for probes: at once, or in batches of bounded memory."""

from collections.abc import Iterator
from itertools import pairwise
from math import prod
from typing import NamedTuple

import numpy as np

from ...arrays.axes import Names, Rows, Table
from ...errors import BadStates, OptionError
from ...errors.articles import with_article
from ...untrusted.hdf5 import reading
from .choosing import index_of, read_runs
from .datasets import Datasets
from .whole import Dataset, Numbers, has_steps

__all__ = ["Tokens", "places_of_steps", "token_batches", "tokens"]

# How much padding and states are read at once (bytes).
BLOCK_BYTES = 16 * 2**20


class Tokens(NamedTuple):
    """Valid steps one below the other, in the order of the sequences and of time.

    Attributes
    ----------
    X : [K, H]
        The states; the dtype is the stored one.
    sequence : int64 [K]
        The place of each step's sequence in the states.
    id : object (text) or integer [K]
        Its id; without ids in the input, its number there.
    step : int64 [K]
        The number of each step in its sequence, from 0 at its first valid step.
    """

    X: Table
    sequence: Rows
    id: Names
    step: Rows


class Stretch(NamedTuple):
    """Steps of consecutive sequences: the place of the first sequence, and of each its first step and their count."""

    start: int
    first: Numbers
    counts: Numbers


def tokens(datasets: Datasets, name: str) -> Tokens:
    """Return the valid steps of a state, all of them in memory."""
    dataset, lengths = _steps_of(datasets, name), datasets.lengths.astype(np.int64)
    return _read(datasets, dataset, name, Stretch(0, np.zeros_like(lengths), lengths), datasets.ids())


def token_batches(datasets: Datasets, name: str, steps: int) -> Iterator[Tokens]:
    """Yield the valid steps of a state, ``steps`` at a time, fewer at the end.

    Beside a batch, the ids and 8 bytes for each sequence are in memory.
    """
    number = index_of(steps)
    if number is None or number < 1:
        raise OptionError(f"steps={steps!r}: {with_article(type(steps).__name__)}; expected a whole number from 1.")
    dataset, ids = _steps_of(datasets, name), datasets.ids()
    ends = np.cumsum(datasets.lengths, dtype=np.int64)
    total = int(ends[-1]) if len(ends) else 0
    return (
        _read(datasets, dataset, name, _stretch(ends, begin, min(begin + number, total)), ids)
        for begin in range(0, total, number)
    )


def _steps_of(datasets: Datasets, name: str) -> Dataset:
    """Return a stored dataset that has steps."""
    path = datasets.path(name)
    stored = datasets.whole.opened()[path]
    if not has_steps(path, stored):
        raise OptionError(
            f"{name}: has one row for each sequence, no steps; expected a state such as 'hidden'. Use "
            f"states[{name!r}], or states.frame({name!r}) for a table."
        )
    datasets.whole.check_shape(path, stored)
    return stored


def _stretch(ends: Numbers, begin: int, end: int) -> Stretch:
    """Return which steps of which sequences stand from one place to another, if all stand one below the other."""
    start, stop = int(np.searchsorted(ends, begin, "right")), int(np.searchsorted(ends, end, "left")) + 1
    starts = np.concatenate([[0], ends])[start:stop]
    first = np.maximum(begin - starts, 0)
    return Stretch(start, first, np.minimum(end, ends[start:stop]) - starts - first)


def _read(datasets: Datasets, stored: Dataset, name: str, stretch: Stretch, ids: Names) -> Tokens:
    start, first, counts = stretch
    rows = datasets.all_rows()[start : start + len(counts)]
    with reading(f"{datasets.whole.where}: '{name}'", BadStates):
        begins = datasets.whole.first_steps(stored, rows) + first
        if datasets.whole.packed:
            values = read_runs(stored, begins, counts)
        else:
            values = _read_padded(stored, rows, begins, counts)
    sequence, step = places_of_steps(counts, first)
    step = datasets.whole.step_numbers(rows[sequence], step)
    sequence += start
    return Tokens(values, sequence, ids[sequence], step)


def places_of_steps(counts: Numbers, first: Numbers | None = None) -> tuple[Numbers, Numbers]:
    """Return the place of each step's sequence, and that of the step in its sequence, of which ``first`` is the first.

    Examples
    --------
    >>> places_of_steps(np.array([2, 0, 1]), np.array([5, 0, 0]))
    (array([0, 0, 2]), array([5, 6, 0]))
    """
    begins = np.cumsum(counts) - counts - (0 if first is None else first)
    return np.repeat(np.arange(len(counts)), counts), np.arange(counts.sum()) - np.repeat(begins, counts)


def _read_padded(stored: Dataset, rows: Numbers, begins: Numbers, counts: Numbers) -> Table:
    """Read steps of a padded dataset: [sum of counts, H]."""
    values = np.empty((int(counts.sum()), *stored.shape[2:]), stored.dtype)
    ends = np.cumsum(counts)
    for block in _blocks(rows, stored):
        low, high = int(begins[block].min()), int((begins[block] + counts[block]).max())
        read = stored[int(rows[block.start]) : int(rows[block.stop - 1]) + 1, low:high]
        step = np.arange(low, high)
        valid = (step >= begins[block, np.newaxis]) & (step < (begins + counts)[block, np.newaxis])
        values[ends[block.start] - counts[block.start] : ends[block.stop - 1]] = read[valid]
    return values


def _blocks(rows: Numbers, stored: Dataset) -> Iterator[slice]:
    """Yield slices of places whose rows follow each other and fill a block at most."""
    at_once = max(1, BLOCK_BYTES // max(1, prod(stored.shape[1:]) * stored.dtype.itemsize))
    cuts = [0, *(np.flatnonzero(np.diff(rows) != 1) + 1).tolist(), len(rows)]
    for begin, end in pairwise(cuts):
        for start in range(begin, end, at_once):
            yield slice(start, min(start + at_once, end))
