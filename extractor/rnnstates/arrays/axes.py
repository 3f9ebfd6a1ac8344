"""The letters that name axes, the types of arrays, and the operations on lengths and padding.

====  =========================================
N     sequences in the whole input
B     sequences in one tile
T     time steps (the padded length)
I     input features of one step
H     hidden units
W     width of a state: H, or the width of a projection
GH    columns of a kernel: H for each gate
V     entries of an embedding
R, S  rows and steps that are read at once
K     any selection of rows
====  =========================================

Each type below gives a dtype and, in the notation of jaxtyping, the axes: within one function a letter always has the
same size, ``_`` may have any size, and ``*others`` are any number of axes. Type checkers see the dtype; the tests check
the axes as well, in whole jobs (``tests/typed.py``). Nothing is checked at run time.

Inside the program the valid steps of a tile always come first (padding at the end), whatever the padding of the
input; reading and writing translate.
"""

import math
import mmap
from typing import Annotated, Any, TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = [
    *("AllLengths", "Array", "Bias", "Embedding", "Factors", "Flat", "Floats", "Hidden", "Ids", "Inputs"),
    *("InputsOrIds", "Kernel", "Lengths", "Mask", "Names", "OfUnits", "Peepholes", "Places", "Products", "Projection"),
    *("ReadIds", "ReadInputs", "ReadLengths", "ReadMask", "RecurrentKernel", "Rows", "Start", "State", "StepInputs"),
    *("StepStates", "Steps", "Stored", "Table", "Tensor", "Vectors", "clear_padding", "empty_window", "reverse_valid"),
    *("valid_mask"),
]

# Any dtype, any axes.
Array = npt.NDArray[np.generic]
# Any axes.
Floats = npt.NDArray[np.floating[Any]]

# A tile.
Lengths = Annotated[npt.NDArray[np.int64], "B"]
# Where each sequence is: its row, or a step in it.
Places = Annotated[npt.NDArray[np.int64], "B"]
Mask = Annotated[npt.NDArray[np.bool_], "B T"]
# One value, or many, for every step.
Steps = Annotated[npt.NDArray[Any], "B T *others"]
Inputs = Annotated[Floats, "B T I"]
Ids = Annotated[npt.NDArray[np.int64], "B T"]
InputsOrIds = Inputs | Ids
# A state at every step, at one step, and pooled over the steps.
StepStates = Annotated[Floats, "B T W"]
State = Annotated[Floats, "B W"]
Vectors = Annotated[Floats, "B W"]

# The whole input.
AllLengths = Annotated[npt.NDArray[np.int64], "N"]

# What is read at once: as stored, then in the computing precision.
Stored = Annotated[Array, "R S *features"]
ReadInputs = Annotated[Floats, "R S I"]
ReadIds = Annotated[npt.NDArray[np.int64], "R S"]
ReadLengths = Annotated[npt.NDArray[np.int64], "R"]
ReadMask = Annotated[npt.NDArray[np.bool_], "R S"]

# Ids of sequences: int64 or bytes, while they are read also strings.
Names = Annotated[Array, "K"]
# Row numbers, or counts of rows.
Rows = Annotated[npt.NDArray[np.int64], "K"]
# An array viewed as rows, and as a single row.
Table = Annotated[Array, "_ C"]
Flat = Annotated[Array, "_"]

# One step of a cell, in the arrays of whichever library an engine computes with; these have no type in common.
Tensor: TypeAlias = Any
StepInputs = Annotated[Tensor, "B I"]
Products = Annotated[Tensor, "B GH"]
Hidden = Annotated[Tensor, "B W"]
OfUnits = Annotated[Tensor, "B H"]

# The weights of a layer.
Kernel = Annotated[Floats, "I GH"]
RecurrentKernel = Annotated[Floats, "W GH"]
Bias = Annotated[Floats, "GH"]
Peepholes = Annotated[Floats, "3 H"]
Projection = Annotated[Floats, "H W"]
Factors = tuple[Annotated[Floats, "I H"], Annotated[Floats, "H H"]]
# Where every sequence starts, in one state.
Start = Annotated[Floats, "_"]
Embedding = Annotated[Floats, "V I"]


def empty_window(shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
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


def valid_mask(lengths: Lengths, steps: int) -> Mask:
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
    mask: Mask = np.arange(steps) < lengths[:, np.newaxis]
    return mask


def clear_padding(values: Steps, lengths: Lengths) -> None:
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


def reverse_valid(values: Steps, lengths: Lengths, into: Steps | None = None) -> Steps:
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
