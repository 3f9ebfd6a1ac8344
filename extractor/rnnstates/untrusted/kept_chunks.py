"""Reads parts of an array that is stored in chunks, and keeps the latest chunks for blocks whose edges lie in them."""

import itertools
from collections import OrderedDict
from collections.abc import Callable

from ..arrays.axes import Array

__all__ = ["KeptChunks"]


class KeptChunks:
    """An array in chunks.

    Parameters
    ----------
    chunks : tuple of int
        The shape of a chunk.
    most : int
        Chunks to keep, at least one.
    unpacked : callable
        Takes the place of a chunk's first value, and returns the whole chunk.
    """

    def __init__(self, chunks: tuple[int, ...], most: int, unpacked: Callable[[tuple[int, ...]], Array]) -> None:
        self._chunks, self._most, self._unpacked = chunks, max(1, most), unpacked
        self._kept: OrderedDict[tuple[int, ...], Array] = OrderedDict()

    def read_into(self, block: Array, place: tuple[slice, ...]) -> None:
        """Fill an array with the part of the whole that the slices select, one per axis."""
        spans = [
            range(part.start // size, -(-part.stop // size)) for part, size in zip(place, self._chunks, strict=True)
        ]
        for numbers in itertools.product(*spans):
            first = tuple(number * size for number, size in zip(numbers, self._chunks, strict=True))
            inside, here = [], []
            for part, start, size in zip(place, first, self._chunks, strict=True):
                begin, end = max(part.start, start), min(part.stop, start + size)
                inside.append(slice(begin - start, end - start))
                here.append(slice(begin - part.start, end - part.start))
            block[tuple(here)] = self._chunk(first)[tuple(inside)]

    def _chunk(self, first: tuple[int, ...]) -> Array:
        kept = self._kept.pop(first, None)
        self._kept[first] = chunk = self._unpacked(first) if kept is None else kept
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)
        return chunk
