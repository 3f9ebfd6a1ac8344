"""Reading .npz archives of unknown origin: arrays of numbers, nothing unpickled, memory bounded by what is stored."""

import contextlib
import io
import math
import os
import tokenize
import warnings
import zipfile
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from ..arrays.axes import Array
from ..errors import BadData
from .zip import check_member, open_zip, read_member, zip_members

__all__ = ["LARGEST_HEADER", "NpzArray", "npy_array", "npy_header", "npz_arrays"]

LARGEST_MEMBER = 4 * 2**30
# What NumPy itself takes for safe to parse.
LARGEST_HEADER = 10_000
MOST_AXES = 32
# Kinds of NumPy's dtypes; of two bytes each, bfloat16 is saved as one without a meaning (V).
NUMBERS, TEXTS = "fiubcV", "US"
# What NumPy raises over a header of nonsense.
NONSENSE = (
    ValueError,
    KeyError,
    EOFError,
    SyntaxError,
    TypeError,
    RecursionError,
    MemoryError,
    OverflowError,
    tokenize.TokenError,
)


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
def npz_arrays(
    path: str | os.PathLike[str], error: type[BadData], *, texts: tuple[str, ...] = ()
) -> Iterator[dict[str, NpzArray]]:
    """Open an archive and describe its arrays by name.

    Parameters
    ----------
    path : str or path
    error : type
    texts : tuple of str
        The arrays that may hold strings.

    Raises
    ------
    error
        It is damaged, or holds something else than arrays of numbers.
    """
    with open_zip(path, error) as archive:
        infos = zip_members(archive, path, error)
        yield {
            name.removesuffix(".npy"): _describe(
                archive, info, path, error, kinds=NUMBERS + TEXTS * (name.removesuffix(".npy") in texts)
            )
            for name, info in infos.items()
            # A member may have no name at all, on which is_dir() of Python 3.11 fails.
            if not name.endswith("/")
        }


def _describe(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: str | os.PathLike[str], error: type[BadData], *, kinds: str
) -> NpzArray:
    where = f"{path}: member {info.filename}"
    check_member(info, path, error, most=LARGEST_MEMBER)
    with archive.open(info) as file:
        start = file.read(LARGEST_HEADER + 16)
    shape, dtype, _ = npy_header(start, info.file_size, where, error, kinds=kinds)

    def read() -> Array:
        return npy_array(read_member(archive, info, path, error, most=LARGEST_MEMBER), where, error, kinds=kinds)

    return NpzArray(shape, dtype, read)


def npy_array(content: bytes, where: str, error: type[BadData], *, kinds: str = NUMBERS) -> Array:
    """Make an array of the content of a .npy file.

    Raises
    ------
    error
        It is none, holds Python objects, or declares another size than it has.
    """
    shape, dtype, fortran = npy_header(content, len(content), where, error, kinds=kinds)
    data = content[len(content) - math.prod(shape) * dtype.itemsize :]
    values: Array = np.frombuffer(data, dtype).reshape(shape, order="F" if fortran else "C")
    return values


def npy_header(
    start: bytes, size: int, where: str, error: type[BadData], *, kinds: str = NUMBERS
) -> "tuple[tuple[int, ...], np.dtype[np.generic], bool]":
    """Read the header of a .npy file: its shape, dtype and whether it is in Fortran's order.

    Parameters
    ----------
    start : bytes
        Its first ``LARGEST_HEADER + 16`` bytes, or all.
    size : int
        Bytes of the whole file; what the header declares must be as large.
    where : str
    error : type
    kinds : str
        Of NumPy's dtypes: those that are taken.

    Raises
    ------
    error
        It is no such file, declares another size, or an array of another kind.
    """
    file = io.BytesIO(start)
    try:
        with warnings.catch_warnings():
            # Headers of Python 2 are read as well, and dtypes that NumPy no longer writes.
            warnings.simplefilter("ignore")
            version = np.lib.format.read_magic(file)
            readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
            shape, fortran, dtype = readers[version](file, max_header_size=LARGEST_HEADER)
    except NONSENSE as reason:
        raise error(f"{where}: is no array that NumPy saved ({reason}); expected .npy members alone.") from reason
    if dtype.hasobject or dtype.fields or dtype.subdtype or dtype.kind not in kinds:
        raise error(f"{where}: has dtype {dtype}; expected numbers. Python objects are never unpickled.")
    if len(shape) > MOST_AXES or any(not 0 <= axis < 2**48 for axis in shape):
        raise error(f"{where}: has a shape of {len(shape)} axes that no array has; it is damaged.")
    if math.prod(shape) * dtype.itemsize != size - file.tell():
        raise error(f"{where}: declares {shape} {dtype} but holds {size - file.tell()} bytes; it is damaged.")
    return shape, dtype, fortran
