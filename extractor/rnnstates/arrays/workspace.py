"""Arrays that a thread reuses from tile to tile, because the system clears every page of fresh memory."""

import math
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt

__all__ = ["Workspace"]

# A cache line, and the widest vector register (bytes).
ALIGNMENT = 64


class Workspace:
    """One thread's memory for the arrays of a tile, by name; the next tile overwrites them."""

    def __init__(self) -> None:
        self._memory: dict[str, npt.NDArray[np.uint8]] = {}
        self._prefix = ""

    def inside(self, part: str) -> "Workspace":
        """Return a view of the same memory in which every name is prefixed by that of a part of the network."""
        view = Workspace()
        view._memory, view._prefix = self._memory, f"{self._prefix}{part}/"
        return view

    def array(self, name: str, shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        """Return the array of this name: uninitialised, C-contiguous, aligned to a cache line.

        Parameters
        ----------
        name : str
        shape : tuple of int
        dtype : numpy dtype

        Returns
        -------
        array of that shape and dtype
            Valid until this name is requested again.

        Examples
        --------
        >>> space = Workspace()
        >>> first = space.array("hidden", (2, 3), "float32")
        >>> np.shares_memory(first, space.array("hidden", (3, 1), "float32"))
        True
        """
        size = math.prod(shape) * np.dtype(dtype).itemsize
        memory = self._memory.get(self._prefix + name)
        if memory is None or len(memory) < size:
            self._memory.pop(self._prefix + name, None)
            memory = self._memory[self._prefix + name] = _aligned(size)
        return memory[:size].view(dtype).reshape(shape)

    def zeros(self, name: str, shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        """Return the array of this name, all zero."""
        array = self.array(name, shape, dtype)
        array[...] = 0
        return array


def _aligned(size: int) -> Annotated[npt.NDArray[np.uint8], "{size}"]:
    memory = np.empty(size + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + size]
