"""``Source`` for some sequences, or some steps, of another source."""

import hashlib
from itertools import pairwise
from typing import Annotated

import numpy as np
import numpy.typing as npt

from ..arrays.axes import AllLengths, Stored, empty_window
from .base import Bare, Source

__all__ = ["Places", "SomeRows", "SomeSteps", "steps_kept"]

# The number of each chosen sequence in the whole input.
Places = Annotated[npt.NDArray[np.int64], "_"]


class SomeRows(Bare):
    """Some sequences of a source, in any order; see ``Source`` for the attributes.

    Parameters
    ----------
    whole : Source
        It is closed with this source.
    places : int64 [n]
        The number of each sequence in it.
    """

    def __init__(self, whole: Source, places: Places) -> None:
        self._whole, self._places = whole, places
        self.name, self.dtype, self.axes, self.notes = whole.name, whole.dtype, whole.axes, whole.notes
        self.doubt, self.container = whole.doubt, whole.container
        self.shape = (len(places), *whole.shape[1:])
        self.lengths = None if whole.lengths is None else whole.lengths[places]
        self.rows_together, self.steps_together = 1, whole.steps_together
        self.identity = {**whole.identity, "shape": list(self.shape), "rows": _described(places)}

    def read(self, rows: slice, steps: slice) -> Stored:
        """Return rows and steps as an array [rows, steps, ...]; sequences that adjoin are read together."""
        places = self._places[rows]
        shape = (len(places), steps.stop - steps.start, *self.shape[2:])
        block = empty_window(shape, self.dtype.newbyteorder("="))
        edges = np.flatnonzero(np.diff(places, prepend=-2) != 1).tolist()
        for start, stop in pairwise([*edges, len(places)]):
            first = int(places[start])
            block[start:stop] = self._whole.read(slice(first, first + stop - start), steps)
        return block

    def check_unchanged(self) -> None:
        """Raise ``InputChanged`` if the file has changed since it was opened."""
        self._whole.check_unchanged()

    def close(self) -> None:
        """Close the file; safe to call twice."""
        self._whole.close()


def _described(places: Places) -> dict[str, object]:
    """Return what identifies a choice of rows, in JSON types."""
    return {"count": len(places), "sha256": hashlib.sha256(np.asarray(places, "<i8").tobytes()).hexdigest()}


class SomeSteps(Bare):
    """A stretch of time of a source, the same for all sequences; see ``Source`` for the attributes.

    Parameters
    ----------
    whole : Source
        It is closed with this source.
    steps : slice
        From 0 to T, of at least one step.
    """

    def __init__(self, whole: Source, steps: slice) -> None:
        self._whole, self._steps = whole, steps
        self.name, self.dtype, self.axes, self.notes = whole.name, whole.dtype, whole.axes, whole.notes
        self.doubt, self.container = whole.doubt, whole.container
        self.shape = (whole.shape[0], steps.stop - steps.start, *whole.shape[2:])
        self.lengths = None if whole.lengths is None else steps_kept(whole.lengths, steps, whole.shape[1], "post")
        self.rows_together = whole.rows_together
        self.steps_together = min(whole.steps_together, self.shape[1])
        self.identity = {**whole.identity, "shape": list(self.shape), "steps": [steps.start, steps.stop]}

    def read(self, rows: slice, steps: slice) -> Stored:
        """Return rows and steps as an array [rows, steps, ...]."""
        first = self._steps.start
        return self._whole.read(rows, slice(first + steps.start, first + steps.stop))

    def check_unchanged(self) -> None:
        """Raise ``InputChanged`` if the file has changed since it was opened."""
        self._whole.check_unchanged()

    def close(self) -> None:
        """Close the file; safe to call twice."""
        self._whole.close()


def steps_kept(lengths: AllLengths, steps: slice, total: int, padding: str) -> AllLengths:
    """Count the valid steps of each sequence within a stretch of time.

    Parameters
    ----------
    lengths : int64 [N]
    steps : slice
    total : int
        T.
    padding : str
        ``post`` or ``pre``.

    Returns
    -------
    int64 [N]

    Examples
    --------
    >>> lengths = np.array([0, 2, 4, 5])
    >>> steps_kept(lengths, slice(1, 3), 5, "post"), steps_kept(lengths, slice(1, 3), 5, "pre")
    (array([0, 1, 2, 2]), array([0, 0, 2, 2]))
    """
    count = steps.stop - steps.start
    if padding == "post":
        kept: AllLengths = np.clip(lengths - steps.start, 0, count)
        return kept
    left: AllLengths = np.clip(steps.stop - np.maximum(total - lengths, steps.start), 0, count)
    return left
