"""Whether padding seems to stand on the other side of the sequences than was said."""

import numpy as np
import numpy.typing as npt

from ..arrays import Array
from .base import Source

__all__ = ["seems_turned"]

# Sequences that are looked at, and the most bytes that are read for each.
MOST_ROWS, MOST_BYTES = 16, 2**24


def seems_turned(source: Source, lengths: npt.NDArray[np.int64], padding: str) -> bool:
    """Tell whether what is to be padding varies where what counts does not, in some sequences that are shorter than T.

    Read with the wrong side, the steps of a sequence that overlap the real padding all hold the value that pads.

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
        Whether all of them look so.
    """
    steps = source.shape[1]
    row_bytes = int(np.prod(source.shape[1:])) * source.dtype.itemsize
    if source.identity["kind"] == "stream" or row_bytes > MOST_BYTES:
        return False
    short = np.flatnonzero((lengths > 0) & (lengths < steps))[:MOST_ROWS]
    values: set[float] = set()
    for row in short.tolist():
        block = source.read(slice(row, row + 1), slice(0, steps))[0]
        block = block if padding == "post" else block[::-1]
        if block[int(lengths[row]) :].size == 1:
            # One number is always constant.
            continue
        pads = _constant_start(block, int(lengths[row]))
        if pads is None:
            return False
        values.add(pads)
    return len(values) == 1


def _constant_start(block: Array, length: int) -> float | None:
    """Give the value that a sequence [T, ...] begins with throughout as many steps as it would be padded with.

    None where these steps hold several values, or where all that follows the valid steps is one value, as padding is.
    """
    steps = len(block)
    start, behind = block[: min(length, steps - length)], block[length:]
    first = start.flat[0]
    if not (start == first).all() or not np.isfinite(behind).any():
        return None
    return None if (behind == behind.flat[0]).all() else float(first)
