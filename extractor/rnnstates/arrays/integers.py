"""Integers that stand for a missing value."""

from typing import Any

import numpy as np

__all__ = ["missing_integer"]

# In R the smallest integer of this many bytes or more stands for a missing value.
WIDE = 4


def missing_integer(dtype: np.dtype[Any]) -> int | None:
    """Return the integer that R writes for NA, and that NaN becomes when cast; None if there is none.

    Examples
    --------
    >>> missing_integer(np.dtype(np.int32)), missing_integer(np.dtype(np.int16))
    (-2147483648, None)
    """
    return int(np.iinfo(dtype).min) if dtype.kind == "i" and dtype.itemsize >= WIDE else None
