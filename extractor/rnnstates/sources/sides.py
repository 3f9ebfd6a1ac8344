"""Whether padding seems to stand on the other side of the sequences than was said."""

import contextlib
import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..arrays import Array
from ..errors import BadInput
from .base import Source

__all__ = ["seems_turned"]

# Sequences that are looked at, and the steps and bytes of each that are read at a time.
MOST_ROWS, MOST_STEPS, MOST_BYTES = 8, 32, 2**20


class Look(NamedTuple):
    """A sequence as seen from the side on which its valid steps are said to be.

    Parameters
    ----------
    value : scalar or None
        The one value of all steps that padding on this side would take; None where they differ.
    is_followed : bool
        Whether another value stands where the data would begin, and at the far end.
    """

    value: object
    is_followed: bool


def seems_turned(source: Source, lengths: npt.NDArray[np.int64], padding: str) -> bool:
    """Tell whether sequences that are shorter than T look as if their padding stood on the other side.

    Then the first ``T - length`` steps of each hold one and the same value, and the data begin right behind them; a
    sequence that is constant, or begins with silence, changes elsewhere.

    Parameters
    ----------
    source : Source
        One that can be read again; nothing is looked at in a stream.
    lengths : int64 [N]
    padding : str
        ``post`` or ``pre``.

    Returns
    -------
    bool
        Whether all of a few that are looked at begin with the same value, and more than half of them then change.
    """
    short = np.flatnonzero((lengths > 0) & (lengths < source.shape[1]))
    if not len(short) or source.identity["kind"] == "stream":
        return False
    looks: list[Look] = []
    # What is damaged is told by whoever needs it.
    with contextlib.suppress(BadInput):
        for row in short[np.linspace(0, len(short) - 1, min(MOST_ROWS, len(short))).astype(int)].tolist():
            look = _look(source, row, source.shape[1] - int(lengths[row]), padding)
            if look.value is None or (looks and look.value != looks[0].value):
                return False
            looks.append(look)
    return 2 * sum(look.is_followed for look in looks) > len(looks)


def _look(source: Source, row: int, padded: int, padding: str) -> Look:
    """Look at a sequence that has so many padded steps."""
    total = source.shape[1]
    step_bytes = math.prod(source.shape[2:]) * source.dtype.itemsize
    most = max(1, min(MOST_STEPS, MOST_BYTES // max(1, step_bytes)))

    def read(start: int, stop: int) -> Array:
        """Read steps, counted from the side of the valid ones: [S, values]."""
        steps = slice(start, stop) if padding == "post" else slice(total - stop, total - start)
        return np.asarray(source.read(slice(row, row + 1), steps)[0]).reshape(stop - start, -1)

    start, end = read(0, min(most, padded)), read(max(0, padded - most), padded)
    value = start[0, 0].item()
    if not (_same(start, value).all() and _same(end, value).all()):
        return Look(None, False)
    is_followed = not any(_same(read(step, step + 1), value).all() for step in (padded, total - 1))
    return Look("NaN" if math.isnan(value) else value, is_followed)


def _same(values: Array, value: float) -> Array:
    same: Array = np.isnan(values) if math.isnan(value) else values == value
    return same
