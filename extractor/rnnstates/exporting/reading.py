"""Reads boxes of the chosen sequences, steps and units, in any layout; never more than a few blocks at once."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated

import numpy as np

from ..arrays.axes import Array, Mask, Rows
from ..errors import BadStates
from ..output.format import Shape
from ..untrusted.hdf5 import reading
from .runs import runs_of
from .stored import Member

__all__ = ["BLOCK", "Chosen", "Elements", "Reader", "boxes"]

# Bytes that are read, and written, at once.
BLOCK = 16 * 2**20

# Elements of a dataset, one after the other, and those of some rows and steps.
Elements = Annotated[Array, "_ *item"]
Box = Annotated[Array, "R S *item"]


@dataclass(frozen=True, eq=False)
class Chosen:
    """The chosen sequences.

    Parameters
    ----------
    rows : int64 [K]
        Their numbers.
    stored : Shape
        Of the whole file.
    """

    rows: Rows
    stored: Shape

    @cached_property
    def shape(self) -> Shape:
        """The shape of what is exported; packed here are the valid steps of the chosen sequences only."""
        stored = self.stored
        return Shape(stored.lengths[self.rows], stored.steps, stored.layout, stored.padding)

    @cached_property
    def starts(self) -> Rows:
        """The first valid step of each in the padded layout: int64 [K]."""
        lengths = self.shape.lengths
        return self.stored.steps - lengths if self.stored.padding == "pre" else np.zeros_like(lengths)

    def is_valid(self, places: slice, steps: slice) -> Mask:
        """Tell which steps of some sequences are valid: bool [places, steps]."""
        starts, columns = self.starts[places, None], np.arange(steps.start, steps.stop)
        is_valid: Mask = (columns >= starts) & (columns < starts + self.shape.lengths[places, None])
        return is_valid


@dataclass(frozen=True, eq=False)
class Reader:
    """Reads one dataset.

    Parameters
    ----------
    member : Member
    chosen : Chosen
    units : int64 [U] or None
        None for all.
    """

    member: Member
    chosen: Chosen
    units: Rows | None

    @property
    def item(self) -> tuple[int, ...]:
        """The shape of an element."""
        return self.member.item if self.units is None else (len(self.units),)

    def sequences(self, places: slice) -> Elements:
        """Read vectors of chosen sequences: [places, ...]."""
        rows = self.chosen.rows[places]
        parts = [self._at(slice(int(rows[a]), int(rows[b - 1]) + 1)) for a, b in runs_of(rows)]
        return self._joined(parts)

    def packed(self, lines: slice) -> Elements:
        """Read valid steps, numbered through all chosen sequences: [lines, ...]."""
        offsets = self.chosen.shape.offsets
        first = int(np.searchsorted(offsets, lines.start, "right")) - 1
        last = int(np.searchsorted(offsets, lines.stop, "left"))
        parts: list[Array] = []
        for a, b in runs_of(self.chosen.rows[first:last]):
            begin, end = max(lines.start, offsets[first + a]), min(lines.stop, offsets[first + b])
            if begin < end:
                parts += self._valid(slice(first + a, first + b), int(begin), int(end))
        return self._joined(parts)

    def padded(self, places: slice, steps: slice) -> Box:
        """Read chosen sequences with their padding: [places, steps, ...]."""
        rows = self.chosen.rows[places]
        box = np.zeros((len(rows), steps.stop - steps.start, *self.item), self.member.dtype)
        if self.chosen.stored.layout == "padded":
            for a, b in runs_of(rows):
                box[a:b] = self._at(slice(int(rows[a]), int(rows[b - 1]) + 1), steps)
            return box
        offsets, starts = self.chosen.shape.offsets, self.chosen.starts
        is_valid = self.chosen.is_valid(places, steps)
        if steps == slice(0, self.chosen.stored.steps):
            box[is_valid] = self.packed(slice(int(offsets[places.start]), int(offsets[places.stop])))
            return box
        for row, place in enumerate(range(places.start, places.stop)):
            columns = np.flatnonzero(is_valid[row])
            if len(columns):
                first = int(offsets[place] - starts[place]) + steps.start + int(columns[0])
                box[row, columns] = self.packed(slice(first, first + len(columns)))
        return box

    def _valid(self, places: slice, begin: int, end: int) -> Iterator[Elements]:
        """Read valid steps ``begin`` to ``end`` of a run of sequences that are stored one after the other."""
        stored, offsets = self.chosen.stored, self.chosen.shape.offsets
        if stored.layout == "packed":
            shift = int(stored.offsets[self.chosen.rows[places.start]] - offsets[places.start])
            yield self._at(slice(begin + shift, end + shift))
            return
        together = max(1, BLOCK // max(1, stored.steps * _bytes(self.member.item, self.member.dtype)))
        first = int(np.searchsorted(offsets[: places.stop], begin, "right")) - 1
        last = int(np.searchsorted(offsets[: places.stop], end, "left"))
        for start in range(first, last, together):
            yield from self._unpadded(slice(start, min(start + together, last)), begin, end)

    def _unpadded(self, places: slice, begin: int, end: int) -> Iterator[Elements]:
        """Read valid steps ``begin`` to ``end`` of a few sequences of the padded layout."""
        offsets, starts = self.chosen.shape.offsets[places.start : places.stop + 1], self.chosen.starts[places]
        row = int(self.chosen.rows[places.start])
        if len(starts) == 1:
            at = int(starts[0] - offsets[0])
            first, last = max(begin, int(offsets[0])), min(end, int(offsets[1]))
            yield self._at(slice(row, row + 1), slice(first + at, last + at))[0]
            return
        # Only as many steps as the longest of them has.
        lasts = starts + np.diff(offsets)
        steps = slice(int(starts.min()), int(lasts.max()))
        valid = self._at(slice(row, row + len(starts)), steps)[self.chosen.is_valid(places, steps)]
        yield valid[max(0, begin - int(offsets[0])) : end - int(offsets[0])]

    def _at(self, *index: slice) -> Array:
        with reading(f"'{self.member.name}'", BadStates):
            if self.units is None:
                return np.asarray(self.member.values[index])
            first, last = int(self.units.min()), int(self.units.max()) + 1
            between: Array = self.member.values[(*index, slice(first, last))]
            is_range = np.array_equal(self.units, np.arange(first, last))
            return between if is_range else between[..., self.units - first]

    def _joined(self, parts: list[Array]) -> Elements:
        joined = parts[0] if len(parts) == 1 else np.concatenate([np.empty((0, *self.item), self.member.dtype), *parts])
        return np.ascontiguousarray(joined, dtype=self.member.dtype)


def boxes(leading: tuple[int, ...], element_bytes: int, most: int = BLOCK) -> Iterator[tuple[slice, ...]]:
    """Cut an array into boxes of at most ``most`` bytes, or of one element, in the order in which it is stored.

    Parameters
    ----------
    leading : tuple of int
        No axis, one, or rows and steps: the axes that are cut.
    element_bytes : int
        Bytes of all axes behind these.
    most : int

    Examples
    --------
    >>> list(boxes((5,), 8, most=24))
    [(slice(0, 3, None),), (slice(3, 5, None),)]
    >>> list(boxes((2, 3), 8, most=16))[:2]
    [(slice(0, 1, None), slice(0, 2, None)), (slice(0, 1, None), slice(2, 3, None))]
    """
    if not leading:
        yield ()
        return
    count, *behind = leading
    per_row = element_bytes * int(np.prod(behind, dtype=np.int64))
    if behind and per_row > most:
        inner = list(boxes((behind[0],), element_bytes, most))
        yield from ((slice(row, row + 1), *box) for row in range(count) for box in inner)
        return
    together = max(1, most // max(1, per_row))
    for first in range(0, count, together):
        yield (slice(first, min(first + together, count)), *(slice(0, size) for size in behind))


def _bytes(item: tuple[int, ...], dtype: "np.dtype[np.generic]") -> int:
    return int(np.prod(item, dtype=np.int64)) * dtype.itemsize
