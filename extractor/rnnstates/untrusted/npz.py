"""Reads .npz archives of unknown origin: numeric arrays only, nothing unpickled, memory bounded by what is stored."""

import contextlib
import io
import os
import zipfile
from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

import numpy as np

from ..arrays.axes import Array
from ..errors import BadData
from .npy import NpyHeader, Readable, check_size, parse_header
from .zip import check_member, open_zip, read_member, zip_members

__all__ = ["NpzArray", "npy_array", "npy_header", "npz_arrays"]

LARGEST_MEMBER = 4 * 2**30
# Kinds of NumPy dtypes; NumPy saves bfloat16 as raw two-byte values (V).
NUMBERS, TEXTS = "fiubcV", "US"


class NpzArray(NamedTuple):
    """One array of an archive.

    Parameters
    ----------
    shape : tuple of int
    dtype : dtype
    read : callable
        Returns it; the archive must be open.
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
        It is damaged, or holds anything but numeric arrays.
    """
    with open_zip(path, error) as archive:
        infos = zip_members(archive, path, error)
        yield {
            name.removesuffix(".npy"): _describe(
                archive, info, path, error, kinds=NUMBERS + TEXTS * (name.removesuffix(".npy") in texts)
            )
            for name, info in infos.items()
            # Not is_dir(), which fails in Python 3.11 for a member without a name.
            if not name.endswith("/")
        }


def _describe(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: str | os.PathLike[str], error: type[BadData], *, kinds: str
) -> NpzArray:
    where = f"{path}: member {info.filename}"
    check_member(info, path, error, most=LARGEST_MEMBER)
    with archive.open(info) as file:
        header = npy_header(file, info.file_size, where, error, kinds=kinds)

    def read() -> Array:
        return npy_array(read_member(archive, info, path, error, most=LARGEST_MEMBER), where, error, kinds=kinds)

    return NpzArray(header.shape, header.dtype, read)


def npy_array(content: bytes, where: str, error: type[BadData], *, kinds: str = NUMBERS) -> Array:
    """Return the array in the content of a .npy file.

    Raises
    ------
    error
        It is not a .npy file, holds Python objects, or declares a wrong size.
    """
    header = npy_header(io.BytesIO(content), len(content), where, error, kinds=kinds)
    order: Literal["F", "C"] = "F" if header.fortran_order else "C"
    values: Array = np.frombuffer(memoryview(content)[header.offset :], header.dtype).reshape(header.shape, order=order)
    return values


def npy_header(file: Readable, size: int, where: str, error: type[BadData], *, kinds: str = NUMBERS) -> NpyHeader:
    """Read the header of a .npy file.

    Parameters
    ----------
    file : Readable
        At its start.
    size : int
        Bytes of the whole file, which the header must agree with.
    where : str
    error : type
    kinds : str
        The accepted kinds of NumPy dtypes.

    Raises
    ------
    error
        It is not a .npy file, or declares a wrong size or an array of another kind.
    """
    header = parse_header(file, where, error)
    if header.dtype.kind not in kinds:
        raise error(f"{where}: has dtype {header.dtype}; expected numbers. Save those with np.save.")
    check_size(header, size, where, error)
    return header
