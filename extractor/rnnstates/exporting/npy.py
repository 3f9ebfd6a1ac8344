"""Writes ``.npy``: one array."""

from pathlib import Path
from typing import BinaryIO

from numpy.lib import format as npy

from .content import Arrays, LazyArray

__all__ = ["write", "write_array"]


def write(content: Arrays, path: Path) -> None:
    """Write the only array."""
    [array] = content.arrays or [text.as_array() for text in [content.ids] if text]
    with path.open("wb") as file:
        write_array(file, array)


def write_array(file: BinaryIO, array: LazyArray) -> None:
    """Write an array with its header."""
    header = {"descr": npy.dtype_to_descr(array.dtype), "fortran_order": False, "shape": array.shape}
    npy.write_array_header_1_0(file, header)
    for piece in array.pieces():
        file.write(piece)
