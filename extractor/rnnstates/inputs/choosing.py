"""Finds which sequences and steps of an input are wanted: ``rows=`` and ``steps=``."""

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import h5py
import numpy as np
import numpy.typing as npt

from ..errors import BadInput, OptionError
from ..errors.articles import with_article
from ..untrusted.given import as_array, plain
from ..untrusted.hdf5 import reading
from ..untrusted.hdf5_chunks import check_inflated
from ..untrusted.hdf5_heaps import check_strings
from ..untrusted.hdf5_packing import whole_numbers
from ..untrusted.npy import MAGIC
from .base import Source
from .content import UTF8_MARK, first_of_list, open_list, refuse_all_but_text, rest_of_list
from .ids import Ids, utf8_of
from .named import Named, locate
from .npy import load_npy, read_header
from .selected import Places

__all__ = ["choose_rows", "choose_steps"]

SLICE = re.compile(r"^(-?\d*):(-?\d*)$")
EXPECTED = "a .npy file or text with one row number or id per line"
MOST_NAMED = 3
ROWS_AT_ONCE = 65536

# What was given for rows: numbers, a mask, or ids.
Given = Annotated[npt.NDArray[Any], "_"]


def choose_rows(rows: object, source: Source, ids: Ids | None) -> Places:
    """Return the numbers of the wanted sequences, in the wanted order.

    Parameters
    ----------
    rows : slice, str, path or array
        ``"FIRST:LAST"`` counts from 0, without LAST; negative numbers count from the end. Whole numbers are places,
        booleans a mask [N], strings ids. A name: a dataset next to the input, else a .npy or text file with one entry
        per line.
    source : Source
    ids : Ids or None
        The ids of its sequences.

    Returns
    -------
    int64 [n]

    Raises
    ------
    OptionError
        A place is outside the input.
    BadInput
        An id is unknown or there twice, or the list cannot be read.
    MissingInput
    """
    count = source.shape[0]
    if isinstance(rows, str) and (found := SLICE.match(rows)):
        rows = slice(*(int(end) if end else None for end in found.groups()))
    if isinstance(rows, slice):
        return np.arange(count, dtype=np.int64)[rows]
    where, given = _read(rows, source)
    if given.dtype.kind == "b":
        if given.shape != (count,):
            raise OptionError(f"{where}: a mask of shape {given.shape}; expected ({count},), one for each sequence.")
        return np.flatnonzero(given).astype(np.int64)
    if given.ndim != 1:
        raise OptionError(f"{where}: shape {given.shape}; expected one row number or id per sequence.")
    if given.dtype.kind in "iu" and _seems_mask(given, count):
        raise OptionError(
            f"{where}: a 0 or 1 for each of {count} sequences; expected their numbers, or truth values for a mask. "
            "Give a mask as booleans."
        )
    return _places(given, count, where) if given.dtype.kind in "iu" else _found(given, ids, where)


def choose_steps(steps: object, source: Source) -> slice:
    """Return the wanted stretch of time.

    Parameters
    ----------
    steps : slice or str
        ``"FIRST:LAST"``, as for ``choose_rows``.
    source : Source

    Raises
    ------
    OptionError
        It is no stretch of at least one step.
    """
    total, given = source.shape[1], steps
    if isinstance(steps, str) and (found := SLICE.match(steps)):
        steps = slice(*(int(end) if end else None for end in found.groups()))
    if not isinstance(steps, slice) or steps.step not in (None, 1):
        shown = repr(given) if isinstance(given, str | int | slice) else with_article(type(given).__name__)
        raise OptionError(f'steps={shown}: expected FIRST:LAST, such as steps="10:20", or a slice without a step.')
    first, last, _ = steps.indices(total)
    if last <= first:
        raise OptionError(f"steps={given!r}: no step of {total} lies between; expected FIRST before LAST.")
    return slice(first, last)


def _read(rows: object, source: Source) -> tuple[str, Given]:
    if isinstance(rows, str) and ":" in rows and not Path(rows).exists():
        raise OptionError(
            f'rows={rows!r}: expected FIRST:LAST, such as rows="10:20"; a list of row numbers or ids is given as a '
            "dataset or file."
        )
    if isinstance(rows, str | os.PathLike):
        located = locate(rows, source, "rows", BadInput)
        if isinstance(located, Named):
            return located.where, _of_member(located)
        return str(located), _of_file(located, source.shape[0])
    values = plain(rows, "rows", OptionError, "row numbers, a mask or ids")
    if isinstance(values, list | tuple) and not all(isinstance(one, str | bytes) for one in values):
        values = as_array(values, "rows", BadInput)
    array = np.asarray(values)
    # An empty list has no dtype of its own.
    return "rows", array.astype(np.int64) if not array.size else array


def _of_member(located: Named) -> Given:
    member = located.values
    if not isinstance(member, h5py.Dataset):
        return np.asarray(member)
    with reading(located.where, BadInput):
        check_inflated(member, located.where, BadInput)
        if h5py.check_vlen_dtype(member.dtype):
            check_strings(member, located.where, BadInput)
        given = np.asarray(member[()])
        if given.dtype.kind in "iuf" and (packing := whole_numbers(member, located.where, BadInput)) is not None:
            packing.check_present(given.reshape(-1), located.where, BadInput)
    return given


def _of_file(path: os.PathLike[str], count: int) -> Given:
    with open_list(path, EXPECTED, BadInput) as file:
        start = first_of_list(file, path)
        if start.startswith(MAGIC):
            header = read_header(file, str(path), BadInput)
            return load_npy(file, header, str(path), BadInput)
        if start:
            refuse_all_but_text(path, start, EXPECTED, BadInput)
        lines = (start + rest_of_list(file, path, count, EXPECTED, BadInput)).removeprefix(UTF8_MARK).splitlines()
    while lines and not lines[-1].strip():
        lines.pop()
    if all(re.fullmatch(rb"\s*-?\d{1,18}\s*", line) for line in lines):
        return np.array([int(line) for line in lines], np.int64)
    return np.array(lines, object)


def _places(given: Given, count: int, where: str) -> Places:
    wrong = (given < -count) | (given >= count)
    if wrong.any():
        raise OptionError(f"{where}: row {given[wrong][0]} is not there; expected 0 to {count - 1}.")
    places = given.astype(np.int64)
    return np.where(places < 0, places + count, places)


def _seems_mask(given: Given, count: int) -> bool:
    """Return whether numbers, some of them twice, may be meant as a mask."""
    return len(given) == count > 1 and bool(np.isin(given, (0, 1)).all()) and len(np.unique(given)) < count


def _found(given: Given, ids: Ids | None, where: str) -> Places:
    if given.dtype.kind not in "SUOT":
        raise OptionError(f"{where}: dtype {given.dtype}; expected row numbers, a mask or ids.")
    if ids is None:
        raise OptionError(f"{where}: are ids, but the sequences have none; give their numbers, or the ids with ids=.")
    if given.dtype.kind == "O":
        given = np.array([one if isinstance(one, bytes) else str(one) for one in given.tolist()], object)
    wanted = utf8_of(given, where)
    places, twice = _index(ids, wanted)
    if missing := [one for one in wanted if one not in places]:
        raise BadInput(f"{where}: {_named(missing)} not among the ids of the sequences ({len(missing)} in all).")
    if several := [one for one in wanted if one in twice]:
        raise BadInput(f"{where}: {_named(several)} stand there more than once; give row numbers.")
    return np.array([places[one] for one in wanted], np.int64)


def _index(ids: Ids, wanted: Sequence[bytes]) -> tuple[dict[bytes, int], set[bytes]]:
    """Find the first place of each wanted id, and those that are there more than once."""
    asked, twice = set(wanted), set[bytes]()
    places: dict[bytes, int] = {}
    for start, block in ids.blocks(ROWS_AT_ONCE):
        for row, one in enumerate(block.astype(np.bytes_).tolist(), start):
            if one in asked:
                if one in places:
                    twice.add(one)
                places.setdefault(one, row)
    return places, twice


def _named(ids: Iterable[bytes]) -> str:
    return ", ".join(repr(one.decode("utf-8", "replace")) for one in list(ids)[:MOST_NAMED])
