"""Integers that stand for a missing value."""

from typing import Any

import numpy as np

__all__ = ["missing_integer"]

# From this many bytes on the smallest integer stands for a missing value in R.
WIDE = 4


def missing_integer(dtype: np.dtype[Any]) -> int | None:
    """Give the integer that R writes for NA, and that NaN turns into when it is cast; None where there is none.

    Examples
    --------
    >>> missing_integer(np.dtype(np.int32)), missing_integer(np.dtype(np.int16))
    (-2147483648, None)
    """
    return int(np.iinfo(dtype).min) if dtype.kind == "i" and dtype.itemsize >= WIDE else None
