"""Finds, reads and checks the lengths of the sequences."""

import itertools
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, BinaryIO, NamedTuple

import h5py
import numpy as np
import numpy.typing as npt

from ..arrays.axes import AllLengths
from ..errors import BadLengths
from ..untrusted.foreign import Wanted
from ..untrusted.given import as_array
from ..untrusted.hdf5 import reading
from ..untrusted.hdf5_chunks import check_inflated
from ..untrusted.hdf5_packing import whole_numbers
from ..untrusted.npy import MAGIC
from .axes import transposed
from .base import Source
from .content import UTF8_MARK, first_of_list, of_another_kind, open_list, refuse_all_but_text, rest_of_list
from .hdf5_choice import describe_dtype
from .layout import KINDS, is_numeric
from .named import Inside, Named, beside, check_open, locate, places
from .npy import load_npy, read_header

__all__ = ["Counted", "find_lengths", "read_counts", "read_lengths"]

EXPECTED = "a .npy file or text with one whole number per line"
MASK = "If they are a mask, sum it along the steps."


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


def read_lengths(lengths: object, source: Source, *, inputs_path: str | os.PathLike[str] | None = None) -> AllLengths:
    """Read and check the lengths.

    Parameters
    ----------
    lengths : None, str, path or array [N] or [N, 1]
        None: those that the sequences are stored with, else the dataset ``lengths`` next to the input: in its group,
        else in the nearest enclosing one. ``full``: every step counts. A name: a dataset of the file, else a .npy or
        text file. Whole numbers of any dtype.
    source : Source
        The input they belong to.
    inputs_path : str, path or None
        The input's path; a file of lengths next to it is suggested, never used unasked.

    Returns
    -------
    int64 [N], each from 0 to T

    Raises
    ------
    BadLengths
        None are given, or they do not fit this input.
    MissingInput
        The file is absent or unreadable.
    """
    is_full = isinstance(lengths, str) and lengths == "full"
    if source.lengths is not None and (lengths is None or is_full):
        return source.lengths
    counted = None if is_full else find_lengths(lengths, source, source.shape[0])
    if counted is None and (is_full or source.axes.is_one_sequence):
        return np.full(source.shape[0], source.shape[1], np.int64)
    if counted is None:
        raise _missing(source, inputs_path)
    _check_form(counted, source)
    found = _check_values(counted.values, counted.where, source)
    if source.lengths is not None:
        _check_agreement(found, source.lengths, counted.where, source)
    return found


def find_lengths(lengths: object, source: Inside, most: int) -> Counted | None:
    """Find given lengths, without comparing them with the sequences.

    Parameters
    ----------
    lengths : None, str, path or array
        As for ``read_lengths``, except ``full``.
    source : Inside
        The input they belong to.
    most : int
        The number of sequences, or more; a file may not be much longer.

    Returns
    -------
    Counted or None
        None if none are given and none are next to the input.

    Raises
    ------
    BadLengths, MissingInput
        They cannot be read.
    """
    if lengths is None:
        found = beside(source.container, "lengths", BadLengths)
        return None if found is None else read_counts(found)
    if isinstance(lengths, str | os.PathLike):
        lengths = locate(lengths, source, "lengths", BadLengths)
    if isinstance(lengths, h5py.Dataset):
        check_open(lengths, "lengths=", BadLengths)
        lengths = Named(f"{lengths.file.filename}: dataset '{lengths.name.strip('/')}'", lengths)
    if isinstance(lengths, Named):
        return read_counts(lengths)
    if isinstance(lengths, os.PathLike):
        return _from_file(lengths, most)
    return _from_array(lengths)


def _missing(source: Source, inputs_path: str | os.PathLike[str] | None) -> BadLengths:
    missing = f"{source.name}: no lengths given"
    if source.container is not None:
        listed = " or ".join(f"'{place}'" for place in places(source.container, "lengths"))
        missing = f"{source.container.path}: no dataset {listed}"
    return BadLengths(
        f"{missing}; expected one length per sequence. Name them with lengths={_beside(source, inputs_path)}, or pass "
        'lengths="full" if every step counts.'
    )


def _beside(source: Source, inputs_path: str | os.PathLike[str] | None) -> str:
    path = inputs_path or source.identity["path"]
    if not isinstance(path, str | os.PathLike):
        return ""
    stem = Path(path).with_suffix("")
    for candidate in (f"{stem}_lengths.npy", f"{stem}.lengths.npy", f"{stem}_lengths.txt"):
        if Path(candidate).is_file():
            return f" (such as {candidate}, which is next to it)"
    return ""


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
            raise _no_numbers(dataset.dtype, called, where)
        check_inflated(dataset, where, BadLengths)
        values: npt.NDArray[Any] = dataset[()]
        if (packing := whole_numbers(dataset, where, BadLengths)) is not None:
            packing.check_present(values.reshape(-1), where, BadLengths)
    return Counted(values, where, called)


def _from_file(path: os.PathLike[str], most: int) -> Counted:
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


def _from_npy(file: BinaryIO, where: str) -> Counted:
    header = read_header(file, where, BadLengths)
    if not is_numeric(header.dtype):
        raise _no_numbers(header.dtype, str(header.dtype), where)
    return Counted(load_npy(file, header, where, BadLengths), where, str(header.dtype))


def _from_array(lengths: object) -> Counted:
    values = as_array(lengths, "lengths", BadLengths, "Give one whole number per sequence.")
    if values.dtype.kind != "b" and isinstance(lengths, list | tuple):
        _refuse_bools(lengths)
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


def _no_numbers(dtype: np.dtype[Any], called: str, where: str) -> BadLengths:
    mend = MASK if dtype.kind == "b" else "Save them as integers."
    kind = KINDS.get(dtype.kind, "no numbers")
    return BadLengths(f"{where}: dtype {called} ({kind}); expected whole numbers. {mend}")


def _check_form(counted: Counted, source: Source) -> None:
    values, where, count = counted.values, counted.where, source.shape[0]
    if not is_numeric(values.dtype):
        raise _no_numbers(values.dtype, counted.called, where)
    # One row too: programs that reverse axes write a column so.
    shape = values.shape
    if len(shape) == 2 and 1 in shape:
        shape = shape[:1] if shape[1] == 1 else shape[1:]
    if len(shape) != 1:
        mend = MASK if shape == source.shape[:2] else "Reshape them."
        raise BadLengths(f"{where}: shape {shape}; expected ({count},), one length per sequence. {mend}")
    if shape[0] != count:
        raise BadLengths(
            f"{where}: {shape[0]} lengths, but {source.name} has {count} sequences; give one length per sequence."
            f"{transposed(source, 'N', shape[0])}"
        )


def _check_agreement(given: AllLengths, own: AllLengths, where: str, source: Source) -> None:
    """Refuse lengths that contradict those of sequences without padding."""
    if (given != own).any():
        row = int(np.argmax(given != own))
        raise BadLengths(
            f"{where}: row {row} is {given[row]}, but sequence {row} of {source.name} has {own[row]} steps, which all "
            "count, because it is stored without padding. Leave the lengths out, or cut the sequences."
        )


def _check_values(values: Annotated[npt.NDArray[Any], "*one_axis"], where: str, source: Source) -> AllLengths:
    steps = source.shape[1]
    values = values.reshape(-1)
    if values.dtype.kind == "f":
        # T may exceed float16.
        with np.errstate(invalid="ignore"):
            values = values.astype(np.promote_types(values.dtype, np.float64))
    with np.errstate(invalid="ignore"):  # NaN, which is reported below
        valid = (values >= 0) & (values <= steps) & (values == np.trunc(values))
    if not valid.all():
        row = int(np.argmin(valid))
        raise BadLengths(
            f"{where}: row {row} has length {_plain(values[row])}, but {source.name} has {steps} steps "
            f"(wrong in {np.count_nonzero(~valid)} of {len(values)} rows). Lengths must be whole numbers from 0 to "
            f"{steps}; check that they were made for these inputs.{_other_steps(values, source)}"
        )
    return values.astype(np.int64)


def _other_steps(values: Annotated[npt.NDArray[Any], "N"], source: Source) -> str:
    """Suggest swapped axes if there are as many features as the longest sequence has steps."""
    longest = values.max(initial=0)
    return transposed(source, "T", int(longest)) if np.isfinite(longest) and longest > source.shape[1] else ""


def _plain(value: Any) -> str:
    return str(int(value)) if np.isfinite(value) and value == int(value) else str(value)
