"""What is written: arrays that are read piece by piece, and tables of them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays.axes import Array
from .reading import BLOCK, boxes

__all__ = ["Arrays", "Block", "Column", "LazyArray", "Table", "TextArray"]


@dataclass(frozen=True, eq=False)
class LazyArray:
    """An array that is read in boxes.

    Parameters
    ----------
    name : str
    shape : tuple of int
    dtype : dtype
        Little-endian.
    axes : tuple of str
        The name of each axis.
    leading : int
        How many axes can be cut: 1, or 2 for rows and steps.
    read : callable
        Gives the box of as many slices.
    """

    name: str
    shape: tuple[int, ...]
    dtype: "np.dtype[Any]"
    axes: tuple[str, ...]
    leading: int
    read: Callable[..., Array]

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        return self.element_bytes * int(np.prod(self.shape[: self.leading], dtype=np.int64))

    @property
    def element_bytes(self) -> int:
        """Bytes behind the axes that can be cut."""
        return self.dtype.itemsize * int(np.prod(self.shape[self.leading :], dtype=np.int64))

    def pieces(self, most: int = BLOCK) -> Iterator[memoryview]:
        """Yield all bytes in the order of the array, in pieces of about ``most`` bytes."""
        for box in boxes(self.shape[: self.leading], self.element_bytes, most):
            piece = np.ascontiguousarray(self.read(*box), dtype=self.dtype)
            if piece.size:
                yield piece.reshape(-1).view(np.uint8).data


@dataclass(frozen=True, eq=False)
class TextArray:
    """Texts [N], read in blocks.

    Parameters
    ----------
    name : str
    count : int
    width : int
        Most characters of one.
    axes : tuple of str
    read : callable
        Gives the texts of a slice as a list.
    """

    name: str
    count: int
    width: int
    axes: tuple[str, ...]
    read: Callable[[slice], list[str]]

    def blocks(self) -> Iterator[list[str]]:
        """Yield the texts in blocks."""
        return (self.read(box) for [box] in boxes((self.count,), 4 * max(1, self.width)))

    def as_array(self) -> LazyArray:
        """Return the same as an array of NumPy's texts of fixed width."""
        dtype = np.dtype(f"<U{max(1, self.width)}")
        return LazyArray(
            self.name, (self.count,), dtype, self.axes, 1, lambda places: np.array(self.read(places), dtype)
        )


@dataclass(frozen=True, eq=False)
class Arrays:
    """What a file of arrays holds.

    Parameters
    ----------
    arrays : tuple of LazyArray
    ids : TextArray or None
        Ids that are texts; those that are numbers are among the arrays.
    provenance : str
        One JSON object; empty where it is written elsewhere.
    """

    arrays: tuple[LazyArray, ...]
    ids: TextArray | None
    provenance: str

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return sum(array.nbytes for array in self.arrays)


@dataclass(frozen=True)
class Column:
    """A column of a table: its name, and its type or ``"text"``."""

    name: str
    dtype: "np.dtype[Any] | str"


@dataclass(frozen=True, eq=False)
class Block:
    """Some rows of a table.

    Parameters
    ----------
    keys : list of lists
        For each key its values in these rows.
    values : list of arrays [rows, W]
        For each dataset its columns.
    """

    keys: list[list[Any]]
    values: list[Array]


@dataclass(frozen=True, eq=False)
class Table:
    """A table that is read in blocks of rows.

    Parameters
    ----------
    keys, columns : tuple of Column
        Ids and steps, then the values.
    count : int
        The number of rows.
    row_bytes : int
    read : callable
        Gives the block of a slice of rows.
    provenance : str
        One JSON object; empty where it is written elsewhere.
    """

    keys: tuple[Column, ...]
    columns: tuple[Column, ...]
    count: int
    row_bytes: int
    read: Callable[[slice], Block]
    provenance: str

    @property
    def nbytes(self) -> int:
        """Bytes of all values."""
        return self.count * sum(np.dtype(column.dtype).itemsize for column in self.columns)

    def blocks(self, most: int = BLOCK) -> Iterator[Block]:
        """Yield all rows in blocks of about ``most`` bytes."""
        return (self.read(rows) for [rows] in boxes((self.count,), self.row_bytes, most))
