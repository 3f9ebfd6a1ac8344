"""Reads the ids of the sequences in blocks, as data: an id never names anything in a file."""

import itertools
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from numbers import Integral
from typing import Any, BinaryIO

import h5py
import numpy as np

from ..arrays.axes import Array, Names
from ..errors import BadInput
from ..untrusted.foreign import Wanted
from ..untrusted.given import as_array, plain
from ..untrusted.hdf5 import reading
from ..untrusted.hdf5_chunks import check_inflated
from ..untrusted.hdf5_heaps import check_strings
from ..untrusted.hdf5_packing import whole_numbers
from ..untrusted.npy import MAGIC
from .base import Source
from .content import UTF8_MARK, first_of_list, of_another_kind, open_list, refuse_all_but_text, rest_of_list
from .hdf5_choice import describe_dtype
from .ids_shape import Owner, Read, are_characters, check_shape, listed
from .named import Named, beside, check_open, locate
from .npy import load_npy, read_header

__all__ = ["Ids", "ids_of", "open_ids", "utf8_of"]

EXPECTED = "a .npy file of strings or integers, or text with one id per line"
ACCEPTED = "strings or integers"
MEND = "Save them as strings."
# Read at once from an HDF5 file; variable-length ids may take more.
BLOCK_ROWS = 4096
BLOCK_BYTES = 4 * 2**20


@dataclass(frozen=True)
class Ids:
    """The ids of all sequences, as they will be stored.

    Parameters
    ----------
    count : int
        N.
    dtype : dtype
        int64, or ``S<k>`` for strings, k being the length of the longest in bytes of UTF-8, at least 1.
    read : callable
        (start, stop) -> array [stop - start] of ``dtype``.
    ascii : bool
        Whether every one is ASCII.
    """

    count: int
    dtype: np.dtype[Any]
    read: Read
    ascii: bool = True

    def blocks(self, rows: int) -> Iterator[tuple[int, Names]]:
        """Yield (start, ids [at most ``rows``]) from the first sequence to the last."""
        for start in range(0, self.count, rows):
            yield start, self.read(start, min(start + rows, self.count))


def open_ids(ids: object, source: Source) -> Ids | None:
    """Find the ids.

    Parameters
    ----------
    ids : None, str, path or array [N], [N, 1], [1, N] or of single bytes [N, k]
        None: the names that the sequences are stored under, else the dataset ``ids`` next to the input, found as
        lengths are, if there is one. A name: a dataset of the
        file, else a .npy or text file. Strings, bytes or integers; bytes that are not UTF-8 are kept unchanged. Single
        bytes [N, k] are joined, as netCDF stores strings.
    source : Source
        The input they belong to.

    Returns
    -------
    Ids or None
        None if there are none.

    Raises
    ------
    BadInput
        There are not N of them, or they are neither strings nor integers.
    MissingInput
        The file is absent or unreadable.
    """
    if ids is None:
        ids = beside(source.container, "ids", BadInput) if source.own_ids is None else source.own_ids
        if ids is None:
            return None
    if isinstance(ids, str | os.PathLike):
        ids = locate(ids, source, "ids", BadInput)
    if isinstance(ids, Named):
        return ids_of(ids.values, ids.where, source)
    if isinstance(ids, h5py.Dataset):
        return _from_dataset(ids, source)
    if isinstance(ids, os.PathLike):
        return _from_file(ids, source)
    if isinstance(ids, Iterator):
        # It may never end.
        ids = _objects(itertools.islice(ids, source.shape[0] + 1), "ids")
    return _from_array(plain(ids, "ids", BadInput), "ids", source)


def ids_of(stored: Array | h5py.Dataset, where: str, owner: Owner) -> Ids:
    """Read ids that are already found.

    Raises
    ------
    BadInput
        As ``open_ids``.
    """
    return _from_dataset(stored, owner) if isinstance(stored, h5py.Dataset) else _from_array(stored, where, owner)


def _from_dataset(dataset: h5py.Dataset, source: Owner) -> Ids:
    check_open(dataset, "ids=", BadInput)
    where = f"{dataset.file.filename}: dataset '{dataset.name.strip('/')}'"
    with reading(where, BadInput):
        dtype, called = dataset.dtype, describe_dtype(dataset)
    check_shape(dataset.shape or (), dtype, where, source)
    if dtype.kind not in "iu" and called != "string":
        raise BadInput(f"{where}: dtype {called}; expected {ACCEPTED}. {MEND}")
    with reading(where, BadInput):
        check_inflated(dataset, where, BadInput)
        if h5py.check_vlen_dtype(dtype):
            check_strings(dataset, where, BadInput)
        packing = whole_numbers(dataset, where, BadInput) if dtype.kind in "iu" else None

    rows_of = listed(dataset, source.shape[0])

    def read(start: int, stop: int) -> Names:
        with reading(where, BadInput):
            values = rows_of(start, stop)
        if packing is not None:
            packing.check_present(values, where, BadInput, first=start)
        return values

    row_bytes = dtype.itemsize * (dataset.shape[1] if are_characters(dataset.shape, dtype, source.shape[0]) else 1)
    rows = max(1, min(BLOCK_ROWS, BLOCK_BYTES // max(1, row_bytes)))
    return _measured(read, source.shape[0], where, rows)


def _from_file(path: os.PathLike[str], source: Source) -> Ids:
    where = str(path)
    with open_list(path, EXPECTED, BadInput) as file:
        start = first_of_list(file, path)
        if start.startswith(MAGIC):
            return _from_npy(file, where, source)
        if not start and source.shape[0]:
            raise of_another_kind(path, start, EXPECTED, BadInput, Wanted.LIST)
        if start:
            refuse_all_but_text(path, start, EXPECTED, BadInput)
        content = start + rest_of_list(file, path, source.shape[0], EXPECTED, BadInput)
        lines = content.removeprefix(UTF8_MARK).splitlines()
    while len(lines) > source.shape[0] and not lines[-1]:
        lines.pop()
    return _from_array(lines, where, source)


def _from_npy(file: BinaryIO, where: str, source: Owner) -> Ids:
    header = read_header(file, where, BadInput)
    check_shape(header.shape, header.dtype, where, source)
    return _from_array(load_npy(file, header, where, BadInput), where, source)


def _from_array(ids: object, where: str, source: Owner) -> Ids:
    values = as_array(ids, where, BadInput) if hasattr(ids, "dtype") else _objects(ids, where)
    check_shape(values.shape, values.dtype, where, source)
    values = listed(values, source.shape[0])(0, source.shape[0])
    if values.dtype.kind not in "iuSUOT":
        raise BadInput(f"{where}: dtype {values.dtype}; expected {ACCEPTED}. {MEND}")
    if values.dtype.kind in "OT":
        values = _typed(values, where)
    return _measured(lambda start, stop: values[start:stop], source.shape[0], where, BLOCK_ROWS)


def _objects(ids: Any, where: str) -> Names:
    try:
        items = list(ids)
    except MemoryError:
        raise
    # The object's __iter__ may raise anything.
    except Exception as reason:
        raise BadInput(f"{where}: {reason}; expected one id per sequence, {ACCEPTED}.") from reason
    values = np.empty(len(items), object)
    # One by one: NumPy would turn numbers among strings into strings, and bytes into text.
    for row, item in enumerate(items):
        values[row] = item
    return values


def _typed(values: Names, where: str) -> Names:
    """Convert Python objects [N] to int64 [N], or leave strings as they are."""
    items = values.tolist()
    if items and all(isinstance(item, Integral) and not isinstance(item, bool) for item in items):
        try:
            return np.array(items, np.int64)
        except OverflowError as reason:
            raise BadInput(f"{where}: an id does not fit int64; give the ids as strings.") from reason
    for row, item in enumerate(items):
        if not isinstance(item, str | bytes):
            raise BadInput(
                f"{where}: row {row} is {type(item).__name__} {str(item)[:40]!r}; expected only {ACCEPTED}. {MEND}"
            )
    strings = np.empty(len(items), object)
    strings[:] = items
    return strings


def _measured(read: Read, count: int, where: str, rows: int) -> Ids:
    """Find the dtype to store in one pass over the ids."""
    width, integers, only_ascii = 1, True, True
    for start in range(0, count, rows):
        values = read(start, min(start + rows, count))
        integers = values.dtype.kind in "iu"
        if integers:
            _check_range(values, start, where)
        else:
            encoded = _encode(values, start, where)
            width = max(width, encoded.dtype.itemsize)
            only_ascii = only_ascii and encoded.tobytes().isascii()
    if integers and count:
        return Ids(count, np.dtype(np.int64), lambda start, stop: read(start, stop).astype(np.int64))
    dtype = np.dtype(f"S{width}")
    return Ids(count, dtype, lambda start, stop: _encode(read(start, stop), start, where).astype(dtype), only_ascii)


def _encode(values: Names, start: int, where: str) -> Names:
    """Encode strings [R] as UTF-8 in bytes no wider than the longest."""
    encoded = utf8_of(values, where, start)
    for row, item in enumerate(encoded, start):
        # NumPy and HDF5 pad with null characters, and strip them when reading.
        if item.endswith(b"\0"):
            raise BadInput(f"{where}: row {row} is {item!r}; its last null character would be lost. Leave it out.")
    return np.array(encoded, dtype=np.bytes_)


def utf8_of(values: Names, where: str, start: int = 0) -> list[bytes]:
    """Encode strings [R] as UTF-8; bytes stay as they are.

    Raises
    ------
    BadInput
        A string cannot be encoded; its row is counted from ``start``.
    """
    _check_characters(values, start, where)
    items = enumerate(values.tolist(), start)
    return [item if isinstance(item, bytes) else _to_utf8(item, row, where) for row, item in items]


def _check_characters(values: Names, start: int, where: str) -> None:
    """Refuse code points beyond Unicode, on which NumPy fails."""
    if values.dtype.kind != "U" or not values.size or not values.dtype.itemsize:
        return
    codes = np.ascontiguousarray(values).view(np.dtype(np.uint32).newbyteorder(values.dtype.byteorder))
    wrong = (codes.reshape(len(values), -1) > sys.maxunicode).any(axis=1)
    if wrong.any():
        row = start + int(np.argmax(wrong))
        raise BadInput(f"{where}: row {row} has invalid characters; make the file again.")


def _to_utf8(text: str, row: int, where: str) -> bytes:
    try:
        # Bytes that were not UTF-8 when Python read them are restored.
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as reason:
        raise BadInput(f"{where}: row {row} is {text!r}, which UTF-8 cannot hold; give it as bytes.") from reason


def _check_range(values: Names, start: int, where: str) -> None:
    largest = np.iinfo(np.int64).max
    if values.dtype == np.uint64 and bool((values > np.uint64(largest)).any()):
        row = start + int(np.argmax(values > np.uint64(largest)))
        raise BadInput(f"{where}: row {row} is {values[row - start]}, beyond int64; give the ids as strings.")
