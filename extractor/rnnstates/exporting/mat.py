"""Writes ``.mat`` (version 5, uncompressed), which MATLAB, GNU Octave and SciPy read.

https://www.mathworks.com/help/pdf_doc/matlab/matfile_format.pdf. Arrays have the same axes in the same order there; the
file has them first axis fastest, so boxes are written to many places of it.
"""

import os
import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ..errors import OptionError
from .content import Arrays, LazyArray, TextArray
from .reading import BLOCK, boxes

__all__ = ["write"]

# By NumPy's type: the class of an array, and the type of its values; truth values are marked as such.
CLASSES = {
    "f4": (7, 7), "f8": (6, 9), "i1": (8, 1), "u1": (9, 2), "i2": (10, 3), "u2": (11, 4), "i4": (12, 5), "u4": (13, 6),
    "i8": (14, 12), "u8": (15, 13), "b1": (9, 2),
}  # fmt: skip
CELL, CHAR, LOGICAL = 1, 4, 0x200
INT8, INT32, UINT32, MATRIX, UTF8 = 1, 5, 6, 14, 16
# Sequences that are written together at least.
SHORTEST = 64
# Bytes of a variable, and characters of its name.
MOST, LONGEST_NAME = 2**31 - 1, 63


def write(content: Arrays, path: Path) -> None:
    """Write every array as a variable; ids that are text become a cell array.

    Raises
    ------
    OptionError
        A variable is too large for the format, or its name would be that of another.
    """
    names = _variables(content)
    with path.open("w+b") as file:
        file.write(b"MATLAB 5.0 MAT-file, written by rnnstates".ljust(124) + struct.pack("<H", 0x100) + b"IM")
        for array in content.arrays:
            _write_array(file, array, names[array.name])
        if content.ids:
            _write_cells(file, content.ids)
        if content.provenance:
            file.write(_text("provenance", content.provenance))


def _variables(content: Arrays) -> dict[str, str]:
    """Give each array a name that MATLAB accepts: ``layer0/forward/hidden`` becomes ``layer0_forward_hidden``."""
    names: dict[str, str] = {}
    for array in content.arrays:
        name = re.sub(r"[^A-Za-z0-9_]", "_", array.name)
        name = name if name[:1].isalpha() else f"x{name}"
        if name in names.values() or len(name) > LONGEST_NAME:
            raise OptionError(
                f"datasets=: '{array.name}' gets no name of its own in MATLAB (letters, digits, _, up to "
                f"{LONGEST_NAME} of them); export it alone, or to .npz."
            )
        names[array.name] = name
        if array.nbytes * _stored(array).itemsize // array.dtype.itemsize > MOST:
            raise OptionError(
                f"datasets=: '{array.name}' has {array.nbytes} bytes, and a variable of a .mat file at most {MOST}; "
                "export fewer rows= or units=, or let MATLAB read the states file itself (h5read)."
            )
    return names


def _stored(array: LazyArray) -> "np.dtype[np.generic]":
    # MATLAB has no numbers of 16 bits: single has all of their values.
    return np.dtype("<f4") if array.dtype.str[1:] == "f2" else array.dtype


def _write_array(file: BinaryIO, array: LazyArray, name: str) -> None:
    dtype = _stored(array)
    kind, values = CLASSES[dtype.str[1:]]
    # A vector is a column.
    shape = (*array.shape, 1, 1)[: max(2, len(array.shape))]
    size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    flags = kind | (LOGICAL if dtype.kind == "b" else 0)
    header = _header(flags, shape, name) + struct.pack("<2I", values, size)
    whole = len(header) + size + -size % 8
    file.write(struct.pack("<2I", MATRIX, whole) + header)
    begin = file.tell()
    file.flush()
    for position, piece in _runs(array, dtype):
        _write_all(file.fileno(), piece, begin + position)
    file.truncate(begin + size + -size % 8)
    file.seek(0, os.SEEK_END)


def _runs(array: LazyArray, dtype: "np.dtype[np.generic]") -> Iterator[tuple[int, memoryview]]:
    """Yield stretches of the array in Fortran's order, with their positions in bytes."""
    leading = array.shape[: array.leading]
    count = int(np.prod(leading, dtype=np.int64))
    # All steps of some sequences, unless these were so few that the runs would be short.
    together = BLOCK // max(1, array.element_bytes * int(np.prod(leading[1:], dtype=np.int64)))
    by_steps = (reverse[::-1] for reverse in boxes(leading[::-1], array.element_bytes))
    for box in boxes(leading, array.element_bytes) if together >= SHORTEST else by_steps:
        values = np.asarray(array.read(*box)).astype(dtype, copy=False)
        # One line per unit, its steps and sequences in Fortran's order.
        lines = np.ascontiguousarray(values.T.reshape(-1, *(one.stop - one.start for one in box[::-1])))
        is_whole = len(box) < 2 or box[0].stop - box[0].start == leading[0]
        first = sum(one.start * scale for one, scale in zip(box, (1, *leading[:1]), strict=False))
        for number, line in enumerate(lines):
            for step, run in enumerate([line] if is_whole else line):
                at = number * count + first + step * leading[0]
                if run.size:
                    yield at * dtype.itemsize, run.reshape(-1).view(np.uint8).data


def _write_all(descriptor: int, data: memoryview, position: int) -> None:
    while data:
        written = os.pwrite(descriptor, data, position)
        data, position = data[written:], position + written


def _write_cells(file: BinaryIO, texts: TextArray) -> None:
    begin = file.tell()
    file.write(struct.pack("<2I", MATRIX, 0) + _header(CELL, (texts.count, 1), texts.name))
    for names in texts.blocks():
        file.writelines(_text("", name) for name in names)
    size = file.tell() - begin - 8
    if size > MOST:
        raise OptionError(
            f"rows=: the ids take {size} bytes, and a variable of a .mat file at most {MOST}; export fewer."
        )
    file.seek(begin + 4)
    file.write(struct.pack("<I", size))
    file.seek(0, os.SEEK_END)


def _text(name: str, text: str) -> bytes:
    content = _element(UTF8, text.encode("utf-8", "backslashreplace"))
    body = _header(CHAR, (1 if text else 0, len(text)), name) + content
    return struct.pack("<2I", MATRIX, len(body)) + body


def _header(flags: int, shape: tuple[int, ...], name: str) -> bytes:
    return (
        _element(UINT32, struct.pack("<2I", flags, 0))
        + _element(INT32, struct.pack(f"<{len(shape)}i", *shape))
        + _element(INT8, name.encode("ascii"))
    )


def _element(kind: int, content: bytes) -> bytes:
    return struct.pack("<2I", kind, len(content)) + content + b"\0" * (-len(content) % 8)
