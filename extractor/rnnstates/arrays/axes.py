"""The letters that name axes, and the operations on lengths and padding.

====  =========================================
N     sequences in the whole input
B     sequences in one tile
T     time steps (the padded length)
I     input features of one step
H     hidden units
====  =========================================

Inside the program the valid steps of a tile always come first (padding at the end), whatever the padding of the
input; reading and writing translate.
"""

import math
import mmap

import numpy as np
import numpy.typing as npt

__all__ = ["Array", "clear_padding", "empty_window", "reverse_valid", "valid_mask"]

Array = npt.NDArray[np.generic]


def empty_window(shape: tuple[int, ...], dtype: npt.DTypeLike) -> Array:
    """Allocate an array for a window of the input, in memory that is returned to the system when it is dropped.

    On the heap, windows of ten megabytes between tiles of one megabyte would leave holes: a long run peaked 14 MB
    above a short one (``benchmarks/memory.py``).

    Parameters
    ----------
    shape : tuple of int
    dtype : numpy dtype

    Returns
    -------
    array of that shape and dtype, all zero

    Raises
    ------
    MemoryError
        The system has not enough memory.
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if size == 0:
        return np.empty(shape, dtype)
    try:
        memory = mmap.mmap(-1, size)
    except OSError as reason:
        raise MemoryError(f"{size} bytes for a window of the input ({reason.strerror})") from reason
    return np.frombuffer(memory, dtype).reshape(shape)


def valid_mask(lengths: npt.NDArray[np.int64], steps: int) -> npt.NDArray[np.bool_]:
    """Mark the valid steps.

    Parameters
    ----------
    lengths : int64 [B]
    steps : int
        T, the number of columns of the result.

    Returns
    -------
    bool [B, T]

    Examples
    --------
    >>> valid_mask(np.array([2, 0]), 3).astype(int)
    array([[1, 1, 0],
           [0, 0, 0]])
    """
    mask: npt.NDArray[np.bool_] = np.arange(steps) < lengths[:, np.newaxis]
    return mask


def clear_padding(values: Array, lengths: npt.NDArray[np.int64]) -> None:
    """Zero the steps past each length, in place.

    Parameters
    ----------
    values : [B, T, ...]
    lengths : int64 [B]
    """
    steps = values.shape[1]
    for row, length in enumerate(lengths.tolist()):
        if length < steps:
            values[row, length:] = 0


def reverse_valid(values: Array, lengths: npt.NDArray[np.int64], into: Array | None = None) -> Array:
    """Reverse the valid steps of each sequence; steps past its length become zero.

    Parameters
    ----------
    values : [B, T, ...]
    lengths : int64 [B]
    into : [B, T, ...] or None
        The array to fill; None for a new one.

    Returns
    -------
    [B, T, ...], the same dtype

    Examples
    --------
    >>> reverse_valid(np.array([[1, 2, 3], [4, 5, 9]]), np.array([3, 2]))
    array([[3, 2, 1],
           [5, 4, 0]])
    """
    turned = np.empty_like(values, order="C") if into is None else into
    for row, length in enumerate(lengths.tolist()):
        turned[row, :length] = values[row, :length][::-1]
    clear_padding(turned, lengths)
    return turned
