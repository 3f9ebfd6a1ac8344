"""Reading .npz archives of unknown origin: arrays of numbers, nothing unpickled, memory bounded by what is stored."""

import contextlib
import io
import math
import os
import zipfile
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from .arrays import Array
from .errors import BadData
from .zip_guard import check_member, open_zip, read_member, zip_members

__all__ = ["NpzArray", "npy_array", "npz_arrays"]

LARGEST_MEMBER = 4 * 2**30
# What NumPy itself takes for safe to parse.
LARGEST_HEADER = 10_000


class NpzArray(NamedTuple):
    """One array of an archive.

    Parameters
    ----------
    shape : tuple of int
    dtype : dtype
    read : callable
        Gives it; the archive must be open.
    """

    shape: tuple[int, ...]
    dtype: "np.dtype[np.generic]"
    read: Callable[[], Array]


@contextlib.contextmanager
def npz_arrays(path: str | os.PathLike[str], error: type[BadData]) -> Iterator[dict[str, NpzArray]]:
    """Open an archive and describe its arrays by name.

    Raises
    ------
    error
        It is damaged, or holds something else than arrays of numbers.
    """
    with open_zip(path, error) as archive:
        infos = zip_members(archive, path, error)
        yield {
            name.removesuffix(".npy"): _describe(archive, info, path, error)
            for name, info in infos.items()
            if not info.is_dir()
        }


def _describe(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: str | os.PathLike[str], error: type[BadData]
) -> NpzArray:
    where = f"{path}: member {info.filename}"
    check_member(info, path, error, most=LARGEST_MEMBER)
    with archive.open(info) as file:
        start = file.read(LARGEST_HEADER + 16)
    shape, dtype, _ = _header(start, info.file_size, where, error)
    return NpzArray(
        shape, dtype, lambda: npy_array(read_member(archive, info, path, error, most=LARGEST_MEMBER), where, error)
    )


def npy_array(content: bytes, where: str, error: type[BadData]) -> Array:
    """Make an array of the content of a .npy file.

    Raises
    ------
    error
        It is none, holds Python objects, or declares another size than it has.
    """
    shape, dtype, fortran = _header(content, len(content), where, error)
    data = content[len(content) - math.prod(shape) * dtype.itemsize :]
    values: Array = np.frombuffer(data, dtype).reshape(shape, order="F" if fortran else "C")
    return values


def _header(
    start: bytes, size: int, where: str, error: type[BadData]
) -> "tuple[tuple[int, ...], np.dtype[np.generic], bool]":
    file = io.BytesIO(start)
    try:
        version = np.lib.format.read_magic(file)
        readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        shape, fortran, dtype = readers[version](file, max_header_size=LARGEST_HEADER)
    except (ValueError, KeyError, EOFError, SyntaxError, TypeError, RecursionError, MemoryError) as reason:
        raise error(f"{where}: is no array that NumPy saved ({reason}); expected .npy members alone.") from reason
    if dtype.hasobject or dtype.fields or dtype.subdtype or dtype.kind not in "fiubcV":
        raise error(f"{where}: has dtype {dtype}; expected numbers. Python objects are never unpickled.")
    if any(axis < 0 for axis in shape) or math.prod(shape) * dtype.itemsize != size - file.tell():
        raise error(f"{where}: declares {shape} {dtype} but holds {size - file.tell()} bytes; it is damaged.")
    return shape, dtype, fortran
