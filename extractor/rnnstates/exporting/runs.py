"""Cuts chosen rows into runs of consecutive ones, which are read at once."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from ..arrays.axes import Rows

__all__ = ["runs_of"]


def runs_of(rows: Rows) -> Iterator[tuple[int, int]]:
    """Yield (first place, one past the last) of every stretch of ``rows`` in which each is one more than the last.

    Examples
    --------
    >>> list(runs_of(np.array([4, 5, 6, 2, 8, 9])))
    [(0, 3), (3, 4), (4, 6)]
    """
    breaks = np.flatnonzero(np.diff(rows) != 1) + 1
    edges = [0, *breaks.tolist(), len(rows)]
    return ((first, last) for first, last in pairwise(edges) if last > first)
