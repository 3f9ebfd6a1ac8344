"""Copies many stretches of rows from one array to another in one call.

Threads take turns for each statement of Python; where the compiled code was built, all stretches of a tile are copied
in one call that releases the interpreter lock.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from .axes import Rows, Table

__all__ = ["copy_rows"]


def copy_rows(source: Table, source_rows: Rows, target: Table, target_rows: Rows, counts: Rows) -> None:
    """Copy stretches of rows.

    Parameters
    ----------
    source, target : [R, W] and [S, W], C-contiguous, of one dtype
    source_rows, target_rows : int64 [k]
        First row of each stretch.
    counts : int64 [k]
        Number of rows in each stretch.

    Raises
    ------
    ValueError
        A stretch does not lie inside its array.

    Examples
    --------
    >>> target = np.zeros((4, 1))
    >>> copy_rows(np.array([[1.0], [2.0], [3.0]]), np.array([1]), target, np.array([2]), np.array([2]))
    >>> target.ravel()
    array([0., 0., 2., 3.])
    """
    _copy(source, source_rows, target, target_rows, counts)


def _copy_in_numpy(source: Table, source_rows: Rows, target: Table, target_rows: Rows, counts: Rows) -> None:
    ends = np.append(source_rows, target_rows) + np.append(counts, counts)
    if (np.concatenate([source_rows, target_rows, counts]) < 0).any() or (
        ends > np.repeat([len(source), len(target)], len(counts))
    ).any():
        raise ValueError("a stretch of rows lies outside its array")
    for start, place, count in zip(source_rows.tolist(), target_rows.tolist(), counts.tolist(), strict=True):
        target[place : place + count] = source[start : start + count]


def _copy_compiled(source: Table, source_rows: Rows, target: Table, target_rows: Rows, counts: Rows) -> None:
    row_bytes = source.shape[1] * source.itemsize
    if row_bytes:
        _rows.copy_rows(source.view(np.uint8), source_rows, target.view(np.uint8), target_rows, counts, row_bytes)


_rows: Any
_copy: Callable[[Table, Rows, Table, Rows, Rows], None]
try:
    from . import _rows  # type: ignore[attr-defined,no-redef]
except ImportError:
    _copy = _copy_in_numpy
else:
    _copy = _copy_compiled
