"""The checksums of a states file: sums of each window of each dataset, and a digest of all the rest.

Both are stored in the file, in the group ``integrity``, and together cover every byte: ``sums`` the datasets of states,
including padding, window by window; ``rest`` everything except those datasets and ``integrity`` itself.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arrays.checksums import Sums, add, sums
from .format import DatasetSpec, Shape

__all__ = [
    "CONTENT",
    "INTEGRITY",
    "MEANING",
    "MEANING_BY_VALUE",
    "PLACES",
    "REST",
    "REST_BYTES",
    "SUMS",
    "Read",
    "digest_rest",
    "window_slice",
    "window_sums",
]

INTEGRITY = "integrity"
SUMS, REST, CONTENT, PLACES = (f"{INTEGRITY}/{name}" for name in ("sums", "rest", "content", "places"))
REST_BYTES = 32
_OF_SUMS = (
    "sums[window, dataset] = (sum of w, sum of (i + 1) * w) modulo 2**64 over the elements of the dataset that belong "
    "to the window's sequences, padding included; w: an element's bits as an unsigned little-endian integer, i: its "
    "place in the whole dataset, from 0. "
)
_OF_CONTENT = (
    "content = SHA-256 of names, attributes, shapes and types, and of the values of all other datasets but sums and "
    "rest."
)
MEANING = (
    _OF_SUMS + "rest = SHA-256 of all bytes of the file outside the datasets listed, sums and rest, in their order. "
    "places = where the datasets listed begin, unless another program has rewritten the file. " + _OF_CONTENT
)
MEANING_BY_VALUE = _OF_SUMS + _OF_CONTENT
# Bytes read at a time.
AT_ONCE = 2**22

# Called with (count, position); returns fewer bytes at the end of the file.
Read = Callable[[int, int], bytes]


def window_slice(shape: Shape, window: int, window_rows: int) -> slice:
    """Return the sequences of a window."""
    return slice(window * window_rows, min((window + 1) * window_rows, shape.sequences))


def window_sums(read: Read, offset: int, spec: DatasetSpec, rows: tuple[int, int]) -> Sums:
    """Compute the sums of some rows of a dataset from the bytes of the file.

    Parameters
    ----------
    read : callable
    offset : int
        Position of the dataset's first byte.
    spec : DatasetSpec
    rows : (int, int)
        The first and one past the last, in the dataset seen as [rows, width].
    """
    item = spec.dtype.itemsize
    total: Sums = (0, 0)
    begin, end = (row * spec.width * item for row in rows)
    for start in range(begin, end, AT_ONCE):
        data = read(min(AT_ONCE, end - start), offset + start)
        whole: npt.NDArray[Any] = np.frombuffer(data, f"<u{item}", len(data) // item)
        total = add(total, sums(whole, start // item))
    return total


def digest_rest(read: Read, size: int, stretches: Iterable[tuple[int, int]]) -> str:
    """Digest a file except for some stretches.

    Parameters
    ----------
    read : callable
    size : int
        Bytes of the file.
    stretches : iterable of (int, int)
        First byte and length of each omitted stretch, in any order; they do not overlap.
    """
    digest = hashlib.sha256()
    for start, stop in _outside(size, stretches):
        for at in range(start, stop, AT_ONCE):
            digest.update(read(min(AT_ONCE, stop - at), at))
    return digest.hexdigest()


def _outside(size: int, stretches: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield what is in a file outside some stretches: (first byte, one past the last)."""
    at = 0
    for start, length in sorted((start, length) for start, length in stretches if length):
        if start > at:
            yield at, start
        at = max(at, start + length)
    if at < size:
        yield at, size
