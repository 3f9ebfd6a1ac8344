"""Says where the rows of one layout lie in the other. Pure."""

from typing import NamedTuple

import numpy as np

from ...arrays.axes import Rows
from ..format import DatasetSpec, Shape

__all__ = ["Stretches", "stretches"]


class Stretches(NamedTuple):
    """Consecutive rows that stay together.

    Parameters
    ----------
    rows : int64 [K]
        The first of each stretch, in the piece that was read.
    places : int64 [K]
        The row of the other dataset where it goes, ascending.
    counts : int64 [K]
    """

    rows: Rows
    places: Rows
    counts: Rows


def stretches(spec: DatasetSpec, before: Shape, after: Shape, first: int, last: int) -> Stretches:
    """Return the valid rows among ``first`` to ``last`` of a dataset, and their places in the other layout.

    Examples
    --------
    >>> lengths = np.array([2, 0, 3])
    >>> spec = DatasetSpec("cell", "", "cell", None, (3, 4, 1), np.dtype("<f4"), ())
    >>> stretches(spec, Shape(lengths, 4), Shape(lengths, 4, "packed"), 0, 12)
    Stretches(rows=array([0, 8]), places=array([0, 2]), counts=array([2, 3]))
    """
    if spec.pooling is not None:
        return Stretches(np.array([0]), np.array([first]), np.array([last - first]))
    which = _sequences(before, first, last)
    starts = before.first_rows[which]
    begins = np.maximum(starts, first)
    counts = np.minimum(starts + before.lengths[which], last) - begins
    some = counts > 0
    places = after.first_rows[which] + begins - starts
    return Stretches((begins - first)[some], places[some], counts[some])


def _sequences(shape: Shape, first: int, last: int) -> slice:
    """Return sequences among which are all that have rows there."""
    if shape.layout == "padded":
        return slice(first // shape.steps, -(-last // shape.steps))
    begin = int(np.searchsorted(shape.offsets, first, "right")) - 1
    return slice(begin, int(np.searchsorted(shape.offsets, last, "left")))
