"""Sequences that follow one another in one array, without padding: [sum of lengths, I], or token ids [sum of lengths].

Packed outputs are stored so, and ragged tensors of most frameworks.
"""

from collections.abc import Iterator
from contextlib import suppress
from typing import Annotated, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..arrays.axes import AllLengths, Stored, empty_window
from ..errors import BadData, BadInput, BadLengths, MissingInput
from .axes import Doubt
from .base import Source
from .container import Container
from .counts import Counted, find_lengths, no_numbers, read_counts
from .layout import is_numeric
from .lengths import FULL, is_word
from .mask import Marks
from .named import Inside, beside

__all__ = ["PackedSource", "cut", "is_packed"]

# Bytes read at a time, in addition to the block that is made of them.
PIECE = 4 * 2**20

# Where each sequence begins, and where the last one ends.
Offsets = Annotated[npt.NDArray[np.int64], "_"]


class PackedSource:
    """Sequences in one array, padded with zeros block by block as they are read; see ``Source`` for the attributes.

    Parameters
    ----------
    whole : Source
        The array as one sequence: (1, sum of lengths, I) or (1, sum of lengths). It is closed with this source.
    offsets : int64 [N + 1]
        Never decreasing, from 0 to the sum of the lengths.
    """

    def __init__(self, whole: Source, offsets: Offsets) -> None:
        self._whole, self._offsets = whole, offsets
        self.lengths: AllLengths | None = np.diff(offsets)
        self.name, self.dtype, self.axes = whole.name, whole.dtype, whole.axes
        self.shape = (len(offsets) - 1, max(1, int(self.lengths.max(initial=0))), *whole.shape[2:])
        self.doubt: Doubt | None = whole.doubt
        self.container, self.own_ids = whole.container, whole.own_ids
        # A stream is read once, so each sequence is read whole.
        self.rows_together = 1
        self.steps_together = self.shape[1] if whole.steps_together >= whole.shape[1] > 1 else 1
        self.notes = whole.notes
        self.identity = {**whole.identity, "shape": list(self.shape), "packed": True}

    def read(self, rows: slice, steps: slice) -> Stored:
        """Return rows and steps as an array [rows, steps, ...], zero after each sequence."""
        shape = (rows.stop - rows.start, steps.stop - steps.start, *self.shape[2:])
        block = empty_window(shape, self.dtype.newbyteorder("="))
        begins = np.minimum(self._offsets[rows] + steps.start, self._offsets[rows.start + 1 : rows.stop + 1])
        ends = np.minimum(begins + (steps.stop - steps.start), self._offsets[rows.start + 1 : rows.stop + 1])
        most = max(1, PIECE // max(1, int(np.prod(self.shape[2:])) * self.dtype.itemsize))
        for first, last in _groups(begins, ends, most):
            if last - first == 1:
                self._fill(block[first], int(begins[first]), int(ends[first]), most)
                continue
            piece = self._read(slice(int(begins[first]), int(ends[last - 1])))
            for row in range(first, last):
                start = int(begins[row] - begins[first])
                count = int(ends[row] - begins[row])
                block[row, :count] = piece[start : start + count]
        return block

    def _fill(self, row: Stored, begin: int, end: int, most: int) -> None:
        for start in range(begin, end, most):
            piece = self._read(slice(start, min(start + most, end)))
            row[start - begin : start - begin + len(piece)] = piece

    def _read(self, steps: slice) -> Stored:
        values: Stored = self._whole.read(slice(0, 1), steps)[0]
        return values

    def check_unchanged(self) -> None:
        """Raise ``InputChanged`` if the file has changed since it was opened."""
        self._whole.check_unchanged()

    def close(self) -> None:
        """Close the file; safe to call twice."""
        self._whole.close()


def _groups(begins: Offsets, ends: Offsets, most: int) -> Iterator[tuple[int, int]]:
    """Yield (first, last) of rows whose steps adjoin; several have no more than ``most`` steps together."""
    first = 0
    for row in range(1, len(begins) + 1):
        if row == len(begins) or begins[row] != ends[row - 1] or ends[row] - begins[first] > most:
            if ends[row - 1] > begins[first]:
                yield first, row
            first = row


def cut(source: Source, lengths: object) -> Source:
    """Cut an array without an axis of sequences at their lengths; any other source is returned as it is.

    Parameters
    ----------
    source : Source
    lengths : None, word, str, path or array [N]
        As for ``read_lengths``: they sum to the steps of the array. Offsets [N + 1] do too. None: ``offsets`` or
        ``lengths`` next to the input; one sequence if there are none, or with ``"full"`` or a mask.

    Raises
    ------
    BadLengths
        They do not sum to the steps of the array.
    MissingInput
    """
    if not source.axes.is_one_sequence or source.lengths is not None:
        return source
    steps = source.shape[1]
    found = None if _is_full(lengths) else _find(None if is_word(lengths) else lengths, source, steps)
    if found is None or _is_padded(found, steps):
        if not steps:
            raise BadInput(f"{source.name}: one sequence of 0 steps (T); expected at least 1. Make the file again.")
        return source
    return PackedSource(source, _offsets(found, steps, source))


def is_packed(lengths: object, container: Container | None, rows: int) -> bool:
    """Return whether offsets are next to an array, or the lengths sum to its rows.

    Parameters
    ----------
    lengths : None, str, path or array
        As for ``read_lengths``.
    container : Container or None
        The file around the array.
    rows : int
    """
    # What cannot be read is reported by whoever needs it.
    with suppress(BadData, MissingInput):
        if _is_full(lengths):
            return False
        found = _find(None if is_word(lengths) else lengths, _Around("inputs", container), rows)
        if found is not None:
            counts = found.counted
            return found.is_offsets or (_are_whole(counts) and _sum(counts) == rows != counts.values.size)
    return False


def _is_full(lengths: object) -> bool:
    return isinstance(lengths, str) and lengths == FULL


class _Around(NamedTuple):
    name: str
    container: Container | None


class _Found(NamedTuple):
    """Lengths or offsets."""

    counted: Counted
    is_offsets: bool


def _find(lengths: object, source: Inside, steps: int) -> _Found | None:
    if lengths is None and (named := beside(source.container, "offsets", BadLengths)) is not None:
        return _Found(read_counts(named), True)
    counted = find_lengths(lengths, source, steps)
    if counted is None or isinstance(counted, Marks):
        return None
    values = counted.values.reshape(-1)
    are_offsets = _are_whole(counted) and _sum(counted) != steps and _is_rising(values, steps)
    return _Found(counted, are_offsets)


def _are_whole(counted: Counted) -> bool:
    values = counted.values
    if values.dtype.kind == "f" and values.dtype.itemsize > 1:
        with np.errstate(invalid="ignore"):
            return bool((np.isfinite(values) & (values == np.trunc(values))).all())
    return values.dtype.kind in "iu"


def _sum(counted: Counted) -> int:
    return int(counted.values.sum(dtype=object)) if counted.values.size else 0


def _is_rising(values: Annotated[npt.NDArray[Any], "_"], steps: int) -> bool:
    return len(values) > 1 and values[0] == 0 and values[-1] == steps and bool((values[1:] >= values[:-1]).all())


def _is_padded(found: _Found, steps: int) -> bool:
    """Return whether there is one length, of one padded sequence."""
    return not found.is_offsets and found.counted.values.size == 1 and _sum(found.counted) < steps


def _offsets(found: _Found, steps: int, source: Source) -> Offsets:
    where = found.counted.where
    values: npt.NDArray[Any] = found.counted.values
    if not is_numeric(values.dtype):
        raise no_numbers(values.dtype, found.counted.called, where)
    if values.ndim > 2 or (values.ndim == 2 and 1 not in values.shape):
        raise BadLengths(f"{where}: shape {values.shape}; expected one length per sequence. Reshape them.")
    if found.is_offsets:
        if not _are_whole(found.counted) or not _is_rising(values.reshape(-1), steps):
            raise BadLengths(
                f"{where}: are offsets that do not rise from 0 to {steps}, the steps of {source.name}; expected where "
                "each sequence begins, and last where the last one ends. Give lengths instead."
            )
        return values.reshape(-1).astype(np.int64)
    if not _are_whole(found.counted) or (values < 0).any():
        row = next(row for row, value in enumerate(values.reshape(-1).tolist()) if not (value >= 0 and value % 1 == 0))
        raise BadLengths(
            f"{where}: row {row} is {values.reshape(-1)[row]}; expected whole numbers, which sum to the {steps} steps "
            f"of {source.name}."
        )
    if _sum(found.counted) != steps:
        raise BadLengths(
            f"{where}: {values.size} lengths that sum to {_sum(found.counted)}, but {source.name} has {steps} "
            f'steps that follow one another; expected lengths that sum to them, or lengths="full" for one '
            "sequence."
        )
    return np.concatenate([[0], np.cumsum(values.reshape(-1).astype(np.int64))])
