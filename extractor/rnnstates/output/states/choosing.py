"""Chooses sequences by slice, numbers or mask, and reads the chosen rows of a dataset when they are asked for."""

import operator
from typing import Any

import numpy as np
import numpy.typing as npt

from ...arrays.axes import Flat
from ...errors import OptionError
from ...errors.articles import with_article
from .whole import Dataset, Numbers

__all__ = ["Chosen", "index_of", "merged", "places_of", "read_runs"]

EXPECTED = (
    "expected the number of a sequence, a slice of them, a list of numbers, a mask of all, or the name of a dataset"
)


def index_of(key: object) -> int | None:
    """Return the number that a key is, None if it is none; True is none, although Python treats it as 1."""
    try:
        return None if isinstance(key, bool | np.bool_) else operator.index(key)  # type: ignore[arg-type]
    except TypeError:
        return None


def places_of(key: object, count: int, what: str = "sequence") -> Numbers:
    """Return the places that a slice, numbers or a mask choose among ``count``.

    Parameters
    ----------
    key : slice, integer [K] (negative: from the end) or bool [count]
    count : int
    what : str
        What is chosen, for messages.

    Returns
    -------
    int64 [K]

    Raises
    ------
    IndexError
        A number is out of range, or a mask has another length.
    OptionError
        It is something else.

    Examples
    --------
    >>> places_of(slice(None, None, -2), 5), places_of([-1, 0], 5), places_of([False, True, True], 3)
    (array([4, 2, 0]), array([4, 0]), array([1, 2]))
    """
    if isinstance(key, slice):
        return np.arange(*key.indices(count))
    chosen = _one_dimensional(key)
    if chosen.dtype == bool:
        if len(chosen) != count:
            raise IndexError(f"a mask of {len(chosen)} for {count} {what}s; expected one value each.")
        return np.flatnonzero(chosen)
    if wrong := [place for place in chosen.tolist() if not -count <= place < count]:
        raise IndexError(f"{what} {wrong[0]} of {count}; expected 0 to {count - 1}.")
    places = chosen.astype(np.int64)
    return np.where(places < 0, places + count, places)


def _one_dimensional(key: object) -> Flat:
    """Return numbers or a mask as an array."""
    # A tuple is several axes to NumPy; text and mappings have numbers only by chance.
    if not isinstance(key, str | bytes | dict | tuple) and hasattr(key, "__len__"):
        try:
            chosen = np.asarray(key)
        # A ragged list.
        except ValueError:
            chosen = np.asarray(None)
        if chosen.ndim == 1 and (chosen.dtype.kind in "biu" or not chosen.size):
            return chosen if chosen.size else chosen.astype(np.int64)
    raise OptionError(f"states[...]: {with_article(type(key).__name__)} is no index; {EXPECTED}.")


def merged(starts: Numbers, counts: Numbers) -> tuple[Numbers, Numbers]:
    """Join runs of rows that follow each other, and drop empty ones.

    Examples
    --------
    >>> merged(np.array([5, 7, 7, 0]), np.array([2, 0, 3, 1]))
    (array([5, 0]), array([5, 1]))
    """
    starts, counts = starts[counts > 0], counts[counts > 0]
    if not len(starts):
        return starts, counts
    first = np.concatenate([[0], np.flatnonzero(starts[1:] != starts[:-1] + counts[:-1]) + 1])
    return starts[first], np.add.reduceat(counts, first)


def read_runs(stored: Dataset, starts: Numbers, counts: Numbers, rest: tuple[Any, ...] = ()) -> Dataset:
    """Read runs of rows one after the other; ``rest`` indexes the other axes. A view where one run of an array is all.

    Returns
    -------
    [sum of counts, ...]
    """
    starts, counts = merged(starts, counts)
    if len(starts) < 2:
        start, count = (int(starts[0]), int(counts[0])) if len(starts) else (0, 0)
        return stored[(slice(start, start + count), *rest)]
    ends = np.cumsum(counts)
    rows: Dataset = None
    for start, count, end in zip(starts.tolist(), counts.tolist(), ends.tolist(), strict=True):
        run = stored[(slice(start, start + count), *rest)]
        if rows is None:
            rows = np.empty((int(ends[-1]), *run.shape[1:]), run.dtype)
        rows[end - count : end] = run
    return rows


class Chosen:
    """Chosen rows of a stored dataset, as a dataset: nothing is read until it is indexed.

    Parameters
    ----------
    stored : array or h5py dataset
    starts, counts : int64 [K]
        The first row of each run, and its number of rows.

    Examples
    --------
    >>> chosen = Chosen(np.arange(10), np.array([7, 2]), np.array([2, 3]))
    >>> chosen.shape, chosen[1:4], chosen[[0, -1]]
    ((5,), array([8, 2, 3]), array([7, 4]))
    """

    def __init__(self, stored: Dataset, starts: Numbers, counts: Numbers) -> None:
        self._stored, self._starts, self._counts = stored, starts, counts
        self._ends = np.cumsum(counts)
        self.shape = (int(self._ends[-1]) if len(counts) else 0, *stored.shape[1:])
        self.dtype, self.ndim = stored.dtype, stored.ndim

    def __len__(self) -> int:
        return int(self.shape[0])

    def __getitem__(self, key: object) -> Dataset:
        first, rest = _split(key, self.ndim)
        index = index_of(first)
        places = places_of([index] if index is not None else first, len(self), "row")
        run = np.searchsorted(self._ends, places, "right")
        rows = self._starts[run] + places - (self._ends - self._counts)[run]
        values = read_runs(self._stored, rows, np.ones(len(rows), np.int64), rest)
        return values if index is None else values[0]

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> Dataset:
        return np.array(self[()], dtype, copy=True if copy is None else copy)

    def __repr__(self) -> str:
        return f"<chosen rows of a dataset, shape {self.shape}, type {self.dtype}>"


def _split(key: object, axes: int) -> tuple[object, tuple[Any, ...]]:
    """Split an index into that of the first axis and those of the others."""
    parts = list(key) if isinstance(key, tuple) else [key]
    dots = [place for place, part in enumerate(parts) if part is Ellipsis]
    if dots:
        parts[dots[0] : dots[0] + 1] = [slice(None)] * (axes - len(parts) + 1)
    return (parts[0], tuple(parts[1:])) if parts else (slice(None), ())
