"""Lengths from a mask: which steps of each sequence count, one after another, in front or behind."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import h5py
import numpy as np
import numpy.typing as npt

from ..arrays.axes import AllLengths, Array, ReadMask, Stored
from ..errors import BadData, BadLengths
from ..untrusted.hdf5 import reading
from ..untrusted.hdf5_chunks import check_inflated
from ..untrusted.hdf5_packing import packing_of
from .axes import NUMBERS, Axes
from .base import Source
from .container import Member
from .form import Form
from .npy import NpySource

__all__ = ["MASK", "Marks", "MaskTally", "may_be_mask", "tally_marks"]

MASK = "A mask has one value per sequence and step, in the order of the inputs' axes."
MEND = "Take the masked steps out of the inputs, or give lengths."
# Bytes of a mask that are read at a time.
PIECE = 4 * 2**20


def may_be_mask(shape: tuple[int, ...], dtype: np.dtype[Any]) -> bool:
    """Return whether an array can only be a mask: truth values, or a table that is no column or row of lengths."""
    return len(shape) in (1, 2) and (dtype.kind == "b" or (dtype.kind in "iuf" and len(shape) == 2 and 1 not in shape))


@dataclass(frozen=True, eq=False)
class Marks:
    """A mask as it was given, before it is read.

    Parameters
    ----------
    where : str
        For messages.
    shape : tuple of int
    dtype : dtype
    values : array, h5py.Dataset or None
        None for the array of a .npy file, whose path is ``where``.
    """

    where: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    values: Member | None = None

    def axes_for(self, source: Source) -> Axes | None:
        """Return the order of its axes, which is that of the input; None if it has another shape."""
        steps = source.axes.letters.replace("I", "")
        sizes = dict(zip(NUMBERS, source.shape, strict=False))
        for letters in (steps, "NT") if source.axes.is_one_sequence else (steps,):
            if self.shape == tuple(sizes[letter] for letter in letters):
                return Axes(letters, self.shape, ids=True)
        return None

    def blocks(self, axes: Axes) -> Iterator[tuple[int, Stored]]:
        """Yield some rows at a time, stored in this order: the number of the first one, and their values [R, T]."""
        sequences, steps = axes.shape
        count = max(1, PIECE // max(1, steps * self.dtype.itemsize))
        if isinstance(self.values, h5py.Dataset):
            with reading(self.where, BadLengths):
                check_inflated(self.values, self.where, BadLengths)
            if (place := axes.stored_axis("N")) is not None and self.values.chunks:
                # Whole chunks, so that few are unpacked twice.
                count = max(count - count % self.values.chunks[place], min(count, self.values.chunks[place]))
        opened = self._open(axes)
        try:
            for start in range(0, sequences, count):
                rows = slice(start, min(start + count, sequences))
                yield start, _read(opened, axes, rows, self.where)
        finally:
            if isinstance(opened, NpySource):
                opened.close()

    def _open(self, axes: Axes) -> Member:
        # As one feature per step, which may be a truth value.
        form = Form(univariate=True, axes=axes.letters)
        return NpySource(self.where, form=form) if self.values is None else self.values


def _read(opened: Member, axes: Axes, rows: slice, where: str) -> Stored:
    steps = slice(0, axes.shape[1])
    if isinstance(opened, NpySource):
        return opened.read(rows, steps)[:, :, 0]
    if not isinstance(opened, h5py.Dataset):
        return axes.turn(opened[axes.place(rows, steps)])
    with reading(where, BadLengths):
        packing = packing_of(opened, where, BadLengths)
        block: Array = opened[axes.place(rows, steps)]
        return axes.turn(block if packing is None else packing.decode(block))


def tally_marks(marks: Marks, axes: Axes, sequences: int) -> "MaskTally":
    """Count the steps that a mask marks, in bounded memory.

    Parameters
    ----------
    marks : Marks
    axes : Axes
        The order of its axes.
    sequences : int
        N.

    Raises
    ------
    BadLengths
        It has other values than truth values, zeros and ones, or marks steps that do not follow one another at one
        end of each sequence.
    """
    tally = MaskTally(sequences, f"{marks.where}: ", BadLengths, MEND)
    for first, block in marks.blocks(axes):
        is_marked = block == 1
        wrong = ~(is_marked | (block == 0))
        if wrong.any():
            row, step = (int(places[0]) for places in np.nonzero(wrong))
            raise BadLengths(
                f"{marks.where}: sequence {first + row}, step {step} is {block[row, step]}; expected a mask of "
                "booleans, or of zeros and ones, or one length per sequence."
            )
        tally.add(first, is_marked)
    return tally


class MaskTally:
    """Counts the steps of each sequence that a mask marks, block by block, and finds the side of the others.

    Parameters
    ----------
    sequences : int
        N.
    where : str
        The start of messages.
    error : type
        What to raise.
    mend : str
        What to do about a mask that cannot be used, a sentence.

    Attributes
    ----------
    lengths : int64 [N]
    sides : dict
        From each side on which there is padding, ``post`` or ``pre``, to the first sequence that has it there.
    """

    def __init__(self, sequences: int, where: str, error: type[BadData], mend: str) -> None:
        self.lengths: AllLengths = np.zeros(sequences, np.int64)
        self.sides: dict[str, int] = {}
        self._where, self._error, self._mend = where, error, mend

    @property
    def side(self) -> str | None:
        """The side of the padding; None if every sequence counts whole or not at all."""
        return next(iter(self.sides), None)

    def add(self, first: int, mask: ReadMask) -> None:
        """Count the marked steps of some sequences.

        Parameters
        ----------
        first : int
            The number of the first one.
        mask : bool [R, T]

        Raises
        ------
        error
            They do not follow one another at one end, or the padding of two sequences is on different sides.
        """
        steps, counts = np.arange(mask.shape[1]), mask.sum(axis=1, dtype=np.int64)
        fits = {
            "post": (mask == (steps < counts[:, np.newaxis])).all(axis=1),
            "pre": (mask == (steps >= mask.shape[1] - counts[:, np.newaxis])).all(axis=1),
        }
        either = fits["post"] | fits["pre"]
        if not either.all():
            row = int(np.argmin(either))
            raise self._error(f"{self._where}sequence {first + row} {_described(mask[row])} {self._mend}")
        for side, other in (("post", "pre"), ("pre", "post")):
            if not fits[other].all():
                self.sides.setdefault(side, first + int(np.argmin(fits[other])))
        if len(self.sides) > 1:
            raise self._error(
                f"{self._where}marks the first steps of sequence {self.sides['post']}, but the last ones of sequence "
                f"{self.sides['pre']}; expected all padding on one side. {self._mend}"
            )
        self.lengths[first : first + len(mask)] = counts


def _described(marked: Annotated[npt.NDArray[np.bool_], "T"]) -> str:
    """Say what is wrong with one row of a mask: bool [T]."""
    places = np.flatnonzero(marked)
    first, last = int(places[0]), int(places[-1])
    if last - first + 1 > len(places):
        hole = first + int(np.argmin(marked[first : last + 1]))
        found = f"has a hole at step {hole}: it is masked, but steps before and after it count"
    else:
        found = f"counts from step {first} to step {last} of {len(marked)}, so it is padded on both sides"
    return f"{found}; expected the steps that count to be the first ones, or the last ones, of each sequence."
