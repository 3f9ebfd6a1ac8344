"""Parses the header of a .npy file, versions 1 to 3, as data; bounded and checked before anything is allocated.

References
----------
NumPy Enhancement Proposal 1, and ``numpy.lib.format``: magic, version, length of the header, then a Python dict literal
with the keys ``descr``, ``fortran_order`` and ``shape``.
"""

import ast
import math
import re
import warnings
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from ..errors import BadData

__all__ = ["MAGIC", "NpyHeader", "Readable", "check_size", "parse_header"]

MAGIC = b"\x93NUMPY"

# Version: bytes of the length field, encoding of the dict.
VERSIONS = {(1, 0): (2, "latin-1"), (2, 0): (4, "latin-1"), (3, 0): (4, "utf-8")}
# Only structured dtypes, which are refused, need more than a few hundred bytes; the bound keeps the parser safe.
MOST_HEADER = 2**16
# NumPy cannot make a larger array, not even if another axis is 0.
MOST_VALUES = 2**56
# A plain dtype such as '<f4'; lists (structured) and subarrays do not match.
PLAIN_DESCR = re.compile(r"[<>|=]?[?a-zA-Z][0-9]{0,9}(\[\w{1,8}\])?")
# Python 2 on Windows wrote (10L, 20L).
LONG = re.compile(r"(?<=[0-9])L\b")


class Readable(Protocol):
    """Anything that bytes can be read from."""

    def read(self, size: int, /) -> bytes | None:
        """Return up to ``size`` bytes; nothing at the end."""


@dataclass(frozen=True)
class NpyHeader:
    """The content of a .npy header.

    Parameters
    ----------
    shape : tuple of int
    dtype : dtype
        Never one that holds Python objects.
    fortran_order : bool
        The first axis is the fastest.
    offset : int
        Bytes before the data.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fortran_order: bool
    offset: int

    @property
    def nbytes(self) -> int:
        """Bytes of the data."""
        return math.prod(self.shape) * self.dtype.itemsize


def parse_header(file: Readable, where: str, error: type[BadData]) -> NpyHeader:
    """Read the header from the start of a file or stream, and not one byte more.

    Raises
    ------
    error
        It is truncated, too long, of an unknown version, not a header, or declares pickled objects.
    """
    start = _take(file, 8, where, error)
    if not start.startswith(MAGIC):
        raise error(f"{where}: does not begin like a .npy file; expected one. Save it again with np.save.")
    version = tuple(start[6:])
    if version not in VERSIONS:
        known = ", ".join(f"{major}.{minor}" for major, minor in VERSIONS)
        raise error(f"{where}: .npy version {'.'.join(map(str, version))}; known: {known}. Save it again with np.save.")
    width, encoding = VERSIONS[version]
    length = int.from_bytes(_take(file, width, where, error), "little")
    if length > MOST_HEADER:
        raise error(
            f"{where}: its .npy header claims {length} bytes; expected at most {MOST_HEADER}, which only structured "
            "arrays exceed. Save a plain array of numbers."
        )
    text = _take(file, length, where, error).decode(encoding, "replace")
    fields = _parse_fields(text, where, error)
    dtype = _parse_dtype(fields["descr"], where, error)
    return NpyHeader(fields["shape"], dtype, fields["fortran_order"], offset=8 + width + length)


def check_size(header: NpyHeader, size: int, where: str, error: type[BadData]) -> None:
    """Compare the size that the header declares with that of the file.

    Raises
    ------
    error
        The file is shorter or longer.
    """
    expected = header.offset + header.nbytes
    if size == expected:
        return
    fault = "cut short" if size < expected else f"has {size - expected} trailing bytes"
    raise error(
        f"{where}: {fault}; shape {header.shape} of {header.dtype} takes {expected} bytes, found {size}. "
        "Copy or make the file again."
    )


def _take(file: Readable, count: int, where: str, error: type[BadData]) -> bytes:
    taken = b""
    while len(taken) < count:
        more = file.read(count - len(taken))
        if not more:
            raise error(
                f"{where}: ends inside its .npy header: {count} bytes expected, {len(taken)} found. "
                "Copy or make the file again."
            )
        taken += more
    return taken


def _parse_fields(text: str, where: str, error: type[BadData]) -> dict[str, Any]:
    try:
        fields = ast.literal_eval(LONG.sub("", text).strip())
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError) as reason:
        raise error(f"{where}: its .npy header is damaged: {text[:60]!r}. Save it again with np.save.") from reason
    if not isinstance(fields, dict) or set(fields) != {"descr", "fortran_order", "shape"}:
        raise error(
            f"{where}: its .npy header is {text[:60]!r}; expected the keys descr, fortran_order and shape. "
            "Save it again with np.save."
        )
    if not isinstance(fields["fortran_order"], bool) or not _is_shape(fields["shape"]):
        raise error(
            f"{where}: its .npy header says shape {repr(fields['shape'])[:60]} and fortran_order "
            f"{repr(fields['fortran_order'])[:20]}; expected whole numbers from 0 and True or False. "
            "Save it again with np.save."
        )
    if math.prod(max(1, axis) for axis in fields["shape"]) >= MOST_VALUES:
        raise error(
            f"{where}: its .npy header claims shape {repr(fields['shape'])[:60]}, more than any memory holds, so it is "
            "damaged. Copy or make the file again."
        )
    return fields


def _is_shape(shape: object) -> bool:
    if not isinstance(shape, tuple) or len(shape) > 32:
        return False
    return all(type(axis) is int and axis >= 0 for axis in shape)


def _parse_dtype(descr: object, where: str, error: type[BadData]) -> np.dtype[Any]:
    if not isinstance(descr, str) or not PLAIN_DESCR.fullmatch(descr):
        raise error(
            f"{where}: a structured dtype, {repr(descr)[:60]}; expected plain numbers. Save one field with np.save."
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            dtype = np.dtype(descr)
    except (TypeError, ValueError, DeprecationWarning) as reason:
        raise error(f"{where}: dtype '{descr}' is unknown to NumPy; save plain numbers with np.save.") from reason
    if dtype.hasobject:
        raise error(
            f"{where}: holds pickled Python objects (dtype {dtype}), which are never loaded because they can run any "
            "code. Make one array of numbers, sequences padded to one length, and save that with np.save."
        )
    if dtype.itemsize == 0:
        raise error(f"{where}: dtype '{descr}' has no width; save plain values with np.save.")
    return dtype
