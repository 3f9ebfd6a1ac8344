"""Finds and reads lengths or offsets as they were given: an array, a dataset, a .npy or text file."""

import itertools
import os
from collections.abc import Sequence
from typing import Annotated, Any, BinaryIO, NamedTuple

import h5py
import numpy as np
import numpy.typing as npt

from ..errors import BadLengths
from ..untrusted.foreign import Wanted
from ..untrusted.given import as_array
from ..untrusted.hdf5 import reading
from ..untrusted.hdf5_chunks import check_inflated
from ..untrusted.hdf5_packing import whole_numbers
from ..untrusted.npy import MAGIC
from .content import UTF8_MARK, first_of_list, of_another_kind, open_list, refuse_all_but_text, rest_of_list
from .hdf5_choice import describe_dtype
from .layout import KINDS, is_numeric
from .mask import MASK, Marks, may_be_mask
from .named import Inside, Named, beside, check_open, locate
from .npy import load_npy, read_header

__all__ = ["Counted", "find_lengths", "no_numbers", "read_counts"]

EXPECTED = "a .npy file or text with one whole number per line"


class Counted(NamedTuple):
    """Whole numbers as they were given, before they are compared with the sequences.

    Parameters
    ----------
    values : numeric, of any shape
    where : str
        For messages.
    called : str
        Their dtype, for messages.
    """

    values: Annotated[npt.NDArray[Any], "..."]
    where: str
    called: str


def find_lengths(lengths: object, source: Inside, most: int) -> Counted | Marks | None:
    """Find given lengths, without comparing them with the sequences; a mask is not read yet.

    Parameters
    ----------
    lengths : None, str, path or array
        As for ``read_lengths``, except its words.
    source : Inside
        The input they belong to.
    most : int
        The number of sequences, or more; a file may not be much longer.

    Returns
    -------
    Counted, Marks or None
        None if none are given and none are next to the input.

    Raises
    ------
    BadLengths, MissingInput
        They cannot be read.
    """
    if lengths is None:
        found = beside(source.container, "lengths", BadLengths)
        return None if found is None else _read_named(found)
    if isinstance(lengths, str | os.PathLike):
        lengths = locate(lengths, source, "lengths", BadLengths)
    if isinstance(lengths, h5py.Dataset):
        check_open(lengths, "lengths=", BadLengths)
        lengths = Named(f"{lengths.file.filename}: dataset '{lengths.name.strip('/')}'", lengths)
    if isinstance(lengths, Named):
        return _read_named(lengths)
    if isinstance(lengths, os.PathLike):
        return _from_file(lengths, most)
    return _from_array(lengths)


def _read_named(found: Named) -> Counted | Marks:
    values = found.values
    with reading(found.where, BadLengths):
        shape, dtype = values.shape, values.dtype
    return Marks(found.where, shape, dtype, values) if may_be_mask(shape, dtype) else read_counts(found)


def read_counts(found: Named) -> Counted:
    """Read an array of whole numbers next to the input.

    Raises
    ------
    BadLengths
        It cannot be read, or values are missing.
    """
    dataset, where = found.values, found.where
    if not isinstance(dataset, h5py.Dataset):
        return Counted(dataset, where, str(dataset.dtype))
    with reading(where, BadLengths):
        called = describe_dtype(dataset)
        if not is_numeric(dataset.dtype):
            raise no_numbers(dataset.dtype, called, where)
        check_inflated(dataset, where, BadLengths)
        values: npt.NDArray[Any] = dataset[()]
        if (packing := whole_numbers(dataset, where, BadLengths)) is not None:
            packing.check_present(values.reshape(-1), where, BadLengths)
    return Counted(values, where, called)


def _from_file(path: os.PathLike[str], most: int) -> Counted | Marks:
    with open_list(path, EXPECTED, BadLengths) as file:
        start = first_of_list(file, path)
        if start.startswith(MAGIC):
            return _from_npy(file, str(path))
        if not start and most:
            raise of_another_kind(path, start, EXPECTED, BadLengths, Wanted.LIST)
        if start:
            refuse_all_but_text(path, start, EXPECTED, BadLengths)
        content = start + rest_of_list(file, path, most, EXPECTED, BadLengths)
        values = _parse(content, str(path), most)
    return Counted(values, str(path), "")


def _from_npy(file: BinaryIO, where: str) -> Counted | Marks:
    header = read_header(file, where, BadLengths)
    if may_be_mask(header.shape, header.dtype):
        return Marks(where, header.shape, header.dtype)
    if not is_numeric(header.dtype):
        raise no_numbers(header.dtype, str(header.dtype), where)
    return Counted(load_npy(file, header, where, BadLengths), where, str(header.dtype))


def _from_array(lengths: object) -> Counted | Marks:
    values = as_array(lengths, "lengths", BadLengths, "Give one whole number per sequence.")
    if values.dtype.kind != "b" and isinstance(lengths, list | tuple):
        _refuse_bools(lengths)
    if may_be_mask(values.shape, values.dtype):
        return Marks("lengths", values.shape, values.dtype, values)
    return Counted(values, "lengths", str(values.dtype))


def _refuse_bools(lengths: Sequence[Any]) -> None:
    """Refuse True and False among numbers, which NumPy converts to 1 and 0."""
    rows = (length if isinstance(length, list | tuple) else (length,) for length in lengths)
    for row, length in enumerate(itertools.chain.from_iterable(rows)):
        if isinstance(length, bool | np.bool_) or (isinstance(length, np.ndarray) and length.dtype == bool):
            raise BadLengths(f"lengths: row {row} is {bool(length)}; expected whole numbers. {MASK}")


def _parse(text: bytes, where: str, count: int) -> Annotated[npt.NDArray[np.float64], "_"]:
    """Read one number per line; lines beyond the sequences are only counted."""
    lines = text.removeprefix(UTF8_MARK).splitlines()
    while lines and not lines[-1].strip():
        lines.pop()
    values = np.zeros(len(lines))
    values[:count] = [_number(line, row, where) for row, line in enumerate(lines[:count])]
    return values


def _number(line: bytes, row: int, where: str) -> float:
    # Python would take 1_0 for 10.
    text = line[:40].decode("utf-8", "replace").replace("_", "?")
    try:
        return float(text)
    except ValueError as reason:
        raise BadLengths(f"{where}: row {row} is {text!r}; expected {EXPECTED}.") from reason


def no_numbers(dtype: np.dtype[Any], called: str, where: str) -> BadLengths:
    """Return the error about values that are no numbers."""
    mend = MASK if dtype.kind == "b" else "Save them as integers."
    kind = KINDS.get(dtype.kind, "no numbers")
    return BadLengths(f"{where}: dtype {called} ({kind}); expected whole numbers. {mend}")
