"""Checksums of arrays that are written in any order: two sums, one of the values and one weighted by their places.

Of the elements w of an array, their bits read as unsigned little-endian integers, at places i = 0, 1, … in C order::

    first  = sum(w)             modulo 2**64
    second = sum((i + 1) * w)   modulo 2**64

These are Fletcher's two sums [1]_, the running one written out, so that the parts of an array can be added up in
whatever order threads write them. Zeros add nothing: holes need not be read. Any one changed element changes
``first``; elements that changed places change ``second``; and values of up to 32 bits that were lost, and read as
zeros, always make ``first`` smaller, because no window holds so many that it passes 2**64.

References
----------
.. [1] J. Fletcher, "An arithmetic checksum for serial transmissions", IEEE Transactions on Communications 30, 1982.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from .arrays import Array

__all__ = ["MODULUS", "Sums", "add", "sums"]

# first and second.
Sums = tuple[int, int]

MODULUS = 2**64
# Elements widened at once, where there is no compiled kernel.
PIECE = 2**14


def sums(values: Array, start: int = 0) -> Sums:
    """Give the two sums of some elements of an array.

    Parameters
    ----------
    values : C-contiguous, elements of 1, 2, 4 or 8 bytes
        As they are stored.
    start : int
        Place of the first of them in the array.

    Examples
    --------
    >>> sums(np.array([3, 4], np.uint8)), sums(np.array([4], np.uint8), start=1)
    ((7, 11), (4, 8))
    """
    first, second = _sums(values.reshape(-1))
    return first, (second + start * first) % MODULUS


def add(one: Sums, other: Sums) -> Sums:
    """Add the sums of two parts of an array."""
    return (one[0] + other[0]) % MODULUS, (one[1] + other[1]) % MODULUS


def _sums_in_numpy(values: Array) -> Sums:
    words = values.view(np.dtype(f"<u{values.itemsize}"))
    places: npt.NDArray[np.uint64] = np.arange(1, PIECE + 1, dtype=np.uint64)
    total = (0, 0)
    for start in range(0, len(words), PIECE):
        piece = words[start : start + PIECE].astype(np.uint64)
        first = int(piece.sum(dtype=np.uint64))
        second = int(np.dot(piece, places[: len(piece)])) + start * first
        total = add(total, (first, second))
    return total


def _sums_compiled(values: Array) -> Sums:
    found: Sums = _kernel.sums(values.view(np.uint8), values.itemsize)
    return found


_kernel: Any
_sums: Callable[[Array], Sums]
try:
    from .network import _kernel  # type: ignore[attr-defined,no-redef]
except ImportError:
    _sums = _sums_in_numpy
else:
    _sums = _sums_compiled
