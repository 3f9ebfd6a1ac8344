"""Checksums of arrays written in any order: one sum of the elements and one weighted by their positions.

For the elements w of an array, read as unsigned little-endian integers, at positions i = 0, 1, … in C order::

    first  = sum(w)             modulo 2**64
    second = sum((i + 1) * w)   modulo 2**64

These are Fletcher's two sums [1]_ with the running sum written out, so that the parts of an array can be added in any
order in which threads write them. Zeros add nothing, so holes need not be read. A single changed element changes
``first``; swapped elements change ``second``; and values of up to 32 bits that were lost, and read as zeros, always
make ``first`` smaller, because no window holds enough of them to reach 2**64.

References
----------
.. [1] J. Fletcher, "An arithmetic checksum for serial transmissions", IEEE Transactions on Communications 30, 1982.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from .axes import Array, Flat, Rows, Table

__all__ = ["MODULUS", "Sums", "add", "sums", "sums_of_rows"]

# (first, second)
Sums = tuple[int, int]

MODULUS = 2**64
# Elements widened at a time, without compiled code.
PIECE = 2**14


def sums(values: Array, start: int = 0) -> Sums:
    """Return the two sums of consecutive elements of an array.

    Parameters
    ----------
    values : C-contiguous, elements of 1, 2, 4 or 8 bytes
        As they are stored.
    start : int
        Position of the first of them in the array.

    Examples
    --------
    >>> sums(np.array([3, 4], np.uint8)), sums(np.array([4], np.uint8), start=1)
    ((7, 11), (4, 8))
    """
    flat = values.reshape(-1, 1)
    return sums_of_rows(flat, np.zeros(1, np.int64), np.array([start]), np.array([len(flat)]))


def sums_of_rows(values: Table, rows: Rows, places: Rows, counts: Rows) -> Sums:
    """Return the two sums over stretches of rows.

    Parameters
    ----------
    values : [k, W], C-contiguous, elements of 1, 2, 4 or 8 bytes
    rows : int64 [n]
        First row of each stretch in ``values``.
    places : int64 [n]
        Index of that row in the whole array, seen as [R, W].
    counts : int64 [n]
        Number of rows in each stretch.

    Raises
    ------
    ValueError
        A stretch does not lie inside ``values``.
    """
    return _sums(values, rows, places, counts) if values.size else (0, 0)


def add(one: Sums, other: Sums) -> Sums:
    """Add the sums of two parts of an array."""
    return (one[0] + other[0]) % MODULUS, (one[1] + other[1]) % MODULUS


def _sums_in_numpy(values: Table, rows: Rows, places: Rows, counts: Rows) -> Sums:
    if (np.concatenate([rows, counts]) < 0).any() or (counts > len(values) - rows).any():
        raise ValueError("a stretch of rows lies outside its array")
    total, width = (0, 0), values.shape[1]
    for row, place, count in zip(rows.tolist(), places.tolist(), counts.tolist(), strict=True):
        total = add(total, _stretch(values[row : row + count].reshape(-1), place * width))
    return total


def _stretch(values: Flat, start: int) -> Sums:
    words = values.view(np.dtype(f"<u{values.itemsize}"))
    places: npt.NDArray[np.uint64] = np.arange(1, PIECE + 1, dtype=np.uint64)
    total = (0, 0)
    for at in range(0, len(words), PIECE):
        piece = words[at : at + PIECE].astype(np.uint64)
        first = int(piece.sum(dtype=np.uint64))
        total = add(total, (first, int(np.dot(piece, places[: len(piece)])) + (start + at) * first))
    return total


def _sums_compiled(values: Table, rows: Rows, places: Rows, counts: Rows) -> Sums:
    # One feature sliced out of several is not contiguous, and an array behind a header may start at any byte.
    values = np.require(values, requirements=["C", "A"])
    found: Sums = _rows.sums(values.view(np.uint8), values.itemsize, values.shape[1], rows, places, counts)
    return found


_rows: Any
_sums: Callable[[Table, Rows, Rows, Rows], Sums]
try:
    from . import _rows  # type: ignore[attr-defined,no-redef]
except ImportError:
    _sums = _sums_in_numpy
else:
    _sums = _sums_compiled
