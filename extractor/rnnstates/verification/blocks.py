"""Reads the states of every step block by block, in either layout, so that memory holds only one block."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..arrays.axes import Array
from ..errors import BadStates
from ..inputs.hdf5 import reading
from ..output.states import States

__all__ = ["Block", "blocks", "read", "steps_of"]

# Values read at a time, before they are widened to float64.
BLOCK_VALUES = 2**19


class Block(NamedTuple):
    """Some consecutive sequences with all their steps, or some steps of one sequence.

    Parameters
    ----------
    rows : slice
        The sequences.
    counts : int64 [R]
        Valid steps of each in this block.
    first_step : int
        The first step of the block within its sequence; above 0 only if R is 1.
    values : floating [sum(counts), W]
        The valid steps of all sequences, concatenated.
    stray : dict
        By sequence: (its first step past the end that is not zero, a value there); padded layout only.
    """

    rows: slice
    counts: npt.NDArray[np.int64]
    first_step: int
    values: Array
    stray: dict[int, tuple[int, float]]


def read(states: States, name: str, place: object) -> Array:
    """Read part of a dataset.

    Raises
    ------
    BadStates
        HDF5 cannot read it.
    """
    with reading(f"'{name}'", BadStates):
        values: Array = np.asarray(states[name][place])
    return values


def blocks(states: States, name: str) -> Iterator[Block]:
    """Yield a per-step dataset in blocks; those of one sequence follow each other.

    Parameters
    ----------
    states : States
        Its lengths (and offsets) must have been checked.
    name : str
    """
    at_once = max(1, BLOCK_VALUES // states[name].shape[-1])
    yield from (_packed if states.attributes["layout"] == "packed" else _padded)(states, name, at_once)


def steps_of(states: States, name: str, row: int, steps: slice) -> Array:
    """Read some valid steps of one sequence.

    Returns
    -------
    floating [steps.stop - steps.start, W]
    """
    if states.attributes["layout"] == "packed":
        first = int(states["offsets"][row])
        return read(states, name, np.s_[first + steps.start : first + steps.stop])
    pre = states.attributes["padding"] == "pre"
    first = states[name].shape[1] - int(states.lengths[row]) if pre else 0
    return read(states, name, np.s_[row, first + steps.start : first + steps.stop])


def _packed(states: States, name: str, at_once: int) -> Iterator[Block]:
    lengths = states.lengths
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    start = 0
    while start < len(lengths):
        fitting = int(np.searchsorted(offsets, offsets[start] + at_once, "right")) - 1
        stop = min(max(start + 1, fitting), start + at_once)
        first, last = int(offsets[start]), int(offsets[stop])
        for begin in range(first, max(last, first + 1), at_once):
            values = read(states, name, np.s_[begin : min(begin + at_once, last)])
            counts = lengths[start:stop] if last - first <= at_once else np.array([len(values)])
            yield Block(slice(start, stop), counts, begin - first, values, {})
        start = stop


def _padded(states: States, name: str, at_once: int) -> Iterator[Block]:
    sequences, steps = states[name].shape[:2]
    rows_at_once = max(1, at_once // steps)
    for start in range(0, sequences, rows_at_once):
        rows = slice(start, min(start + rows_at_once, sequences))
        for first in range(0, steps, at_once):
            yield _from_padded(states, name, rows, slice(first, min(first + at_once, steps)))


def _from_padded(states: States, name: str, rows: slice, steps: slice) -> Block:
    lengths = states.lengths[rows]
    begins = np.zeros_like(lengths)
    if states.attributes["padding"] == "pre":
        begins = states[name].shape[1] - lengths
    step = np.arange(steps.start, steps.stop)
    valid = (step >= begins[:, np.newaxis]) & (step < (begins + lengths)[:, np.newaxis])
    block = read(states, name, np.s_[rows, steps])
    first_step = max(0, steps.start - int(begins[0]))
    return Block(rows, valid.sum(axis=1), first_step, block[valid], _stray(block, valid, rows.start, steps.start))


def _stray(block: Array, valid: npt.NDArray[np.bool_], first_row: int, first_step: int) -> dict[int, tuple[int, float]]:
    if not block[~valid].any():
        return {}
    wrong = (block != 0) & ~valid[:, :, np.newaxis]
    stray = {}
    for row in np.flatnonzero(wrong.any(axis=(1, 2))):
        step, unit = np.argwhere(wrong[row])[0]
        stray[first_row + int(row)] = (first_step + int(step), float(block[row, step, unit]))
    return stray
