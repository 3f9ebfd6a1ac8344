"""Reads the entries of a dataset that is copied into the output, of sequences or of steps."""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

import h5py
import numpy as np

from ..arrays.axes import AllLengths
from ..errors import BadInput
from ..untrusted.hdf5 import reading
from ..untrusted.hdf5_heaps import check_strings
from .base import Source
from .carried import Carried
from .container import Entries, Member, Series
from .hdf5_choice import describe_dtype
from .ids import utf8_of
from .lengths import ValidSteps
from .named import Named
from .selected import Places

__all__ = ["PER_SEQUENCE", "PER_STEP", "entries_of"]

# What entries are of; also the groups of the output.
PER_STEP, PER_SEQUENCE = "per_step", "per_sequence"
ENTRIES_AT_ONCE = 4096
# Attributes of netCDF after which stored values are not what their readers see.
SCALES = ("scale_factor", "add_offset", "_Unsigned")
# Of the longest text; and of what belongs to one sequence.
LONGEST_TEXT, MOST_TOGETHER = 2**22, 2**30


def entries_of(found: Named, source: Source, valid: ValidSteps, role: str) -> Carried:
    """Return what is copied, without its name, after a pass over text.

    Parameters
    ----------
    found : Named
        A dataset or array, or a ``Series``.
    source : Source
    valid : ValidSteps
    role : str
        ``per_step`` or ``per_sequence`` if that is known, else empty.

    Raises
    ------
    BadInput
        It has neither an entry per sequence nor per step.
    """
    is_series = isinstance(found.values, Series)
    carried = _of_series(found, source, valid, role) if is_series else _of_array(found, source, role)
    if role and (role == PER_STEP) != carried.per_step:
        raise BadInput(
            f"{found.where}: has no entry for each {role.removeprefix('per_')}; leave '{role}/' out of carry=."
        )
    _check_size(carried, source.shape[1], found.where)
    return _measured(carried, found)


def _of_series(found: Named, source: Source, valid: ValidSteps, role: str) -> Carried:
    series, where, count = found.values, found.where, source.shape[0]
    if len(series.lengths) != count:
        raise BadInput(f"{where}: has {len(series.lengths)} rows; expected {count}, one per sequence.")
    if series.dtype.kind not in "biufOSU":
        raise BadInput(f"{where}: dtype {series.dtype}; expected numbers or text.")

    def read_row(row: int) -> Entries:
        return _encoded(series.read(row), where)

    wrong = np.flatnonzero(series.lengths != valid.lengths)
    if len(wrong) == 0 and role != PER_SEQUENCE:
        # Sequences that are stored without padding are padded at the end.
        padding = "post" if source.lengths is not None else valid.padding
        read = _padded(read_row, series.dtype, (source.shape[1], *series.tail), padding)
        return Carried("", True, series.tail, series.dtype, read)
    widths = set(series.lengths.tolist())
    if len(widths) == 1:
        tail = (*widths, *series.tail)
        return Carried("", False, tail, series.dtype, _padded(read_row, series.dtype, tail, "post"))
    row = int(wrong[0]) if len(wrong) else 0
    raise BadInput(
        f"{where}: row {row} has {series.lengths[row]} entries, but sequence {row} has {valid.lengths[row]} steps "
        f"(wrong in {len(wrong)} of {count} rows); expected one entry per step, or as many in every row. "
        "Check that they belong to these inputs."
    )


def _of_array(found: Named, source: Source, role: str) -> Carried:
    member, where = found.values, found.where
    kind = describe_dtype(member)
    if kind != "string" and member.dtype.kind not in "biufSU" and not _is_text(member):
        raise BadInput(f"{where}: dtype {kind}; expected numbers or text.")
    if scaled := [name for name in SCALES if isinstance(member, h5py.Dataset) and name in member.attrs]:
        raise BadInput(
            f"{where}: its attribute {scaled[0]} changes what the values mean; expected values to copy as they are. "
            "Save the decoded numbers."
        )
    if isinstance(member, h5py.Dataset) and h5py.check_vlen_dtype(member.dtype):
        check_strings(member, where, BadInput)
    shape, count = tuple(member.shape), source.shape[0]
    lengths, note = source.lengths, ""
    total = None if lengths is None else int(lengths.sum())
    is_packed = total is not None and shape[:1] == (total,)
    per_step = is_packed or shape[:2] == source.shape[:2]
    if per_step and role != PER_STEP and shape[:1] == (count,):
        is_packed, per_step, note = _settled(found, source, role)
    if not is_packed and shape[:1] != (count,):
        steps = f"({count}, {source.shape[1]}, …)" if total is None else f"({total}, …)"
        raise BadInput(
            f"{where}: shape {shape}; expected ({count}, …), one entry per sequence, or {steps}, per step. Check that "
            "it belongs to these inputs."
        )
    if per_step and not is_packed and source.axes.is_turned:
        raise BadInput(f"{where}: the axes of the input are in another order, so its steps are not those of this one.")
    if is_packed and lengths is not None:
        return Carried("", True, shape[1:], member.dtype, _packed(member, where, lengths, source.shape[1]), note=note)
    return Carried("", per_step, shape[2:] if per_step else shape[1:], member.dtype, _whole(member, where), note=note)


def _settled(found: Named, source: Source, role: str) -> tuple[bool, bool, str]:
    """Decide what entries are of that may be of sequences or of steps: packed, per step, and what was assumed."""
    shape, lengths = tuple(found.values.shape), source.lengths
    # A row of a table is a sequence.
    is_table = source.container is not None and source.container.noun == "column"
    if role == PER_SEQUENCE or is_table or (lengths is not None and (lengths == 1).all()):
        return False, False, ""
    if lengths is not None and shape[0] == lengths.sum() and shape[:2] != source.shape[:2]:
        raise BadInput(
            f"{found.where}: shape {shape}; there are as many sequences as steps, so its entries may be of either. Say "
            "so: carry='per_step/NAME' or 'per_sequence/NAME'."
        )
    return False, True, (
        f"{found.where}: shape {shape} is taken as one entry per step; carry='per_sequence/NAME' copies it as one per "
        "sequence."
    )  # fmt: skip


def _is_text(member: Member) -> bool:
    """Return whether an array of objects holds nothing but text, as tables and lists have it."""
    return (
        isinstance(member, np.ndarray)
        and member.dtype.kind == "O"
        and all(isinstance(one, str | bytes) for one in member.reshape(-1).tolist())
    )


def _check_size(carried: Carried, steps: int, where: str) -> None:
    size = math.prod(carried.tail) * (steps if carried.per_step else 1) * carried.dtype.itemsize
    if size > MOST_TOGETHER:
        raise BadInput(
            f"{where}: {size} bytes for each sequence; expected at most {MOST_TOGETHER}, because they are copied whole."
        )


def _whole(member: Member, where: str) -> Callable[[Places], Entries]:
    """Return what reads entries of sequences, or of padded steps; runs of numbers are read together."""

    def read(places: Places) -> Entries:
        edges = [*np.flatnonzero(np.diff(places, prepend=-2) != 1).tolist(), len(places)]
        runs = [_slice(member, where, int(places[a]), int(places[a]) + b - a) for a, b in pairwise(edges)]
        return np.concatenate(runs) if runs else _slice(member, where, 0, 0)

    return read


def _packed(member: Member, where: str, lengths: AllLengths, steps: int) -> Callable[[Places], Entries]:
    """Return what reads entries of steps that follow one another."""
    offsets = np.concatenate([[0], np.cumsum(lengths)])

    def read(row: int) -> Entries:
        return _slice(member, where, int(offsets[row]), int(offsets[row + 1]))

    return _padded(read, member.dtype, (steps, *member.shape[1:]), "post")


def _padded(
    row_of: Callable[[int], Entries], dtype: "np.dtype[Any]", shape: tuple[int, ...], padding: str
) -> Callable[[Places], Entries]:
    """Return what reads sequences one by one, and pads them to [n, *shape]."""

    def read(places: Places) -> Entries:
        rows = [row_of(place) for place in places.tolist()]
        types = [row.dtype for row in rows if row.size] or [np.dtype("S1") if dtype.kind in "OSU" else dtype]
        block = np.zeros((len(rows), *shape), np.result_type(*types))
        for row, values in zip(block, rows, strict=True):
            first = 0 if padding == "post" else len(row) - len(values)
            row[first : first + len(values)] = values.reshape(len(values), *shape[1:])
        return block

    return read


def _slice(member: Member, where: str, start: int, stop: int) -> Entries:
    with reading(where, BadInput):
        values = np.asarray(member[start:stop])
    return _encoded(values, where)


def _encoded(values: Entries, where: str) -> Entries:
    """Return text as bytes in UTF-8, numbers as they are."""
    if values.dtype.kind not in "OU":
        return values
    return np.array(utf8_of(values.reshape(-1), where), np.bytes_).reshape(values.shape)


def _measured(carried: Carried, found: Named) -> Carried:
    """Find the dtype to store: of text the longest, in one pass over it."""
    if carried.dtype.kind == "b":
        return replace(carried, dtype=np.dtype(np.int8))
    if carried.dtype.kind in "iuf":
        return replace(carried, dtype=carried.dtype.newbyteorder("<"))
    width, is_ascii = 1, True
    for values in _texts(found):
        # As a list: an array takes as much for each as for the longest.
        texts = utf8_of(values.reshape(-1), found.where)
        width, is_ascii = max(width, *map(len, texts), 1), is_ascii and all(map(bytes.isascii, texts))
        if any(text.endswith(b"\0") for text in texts):
            raise BadInput(f"{found.where}: a text ends with a null character, which HDF5 does not keep. Strip it.")
    if width > LONGEST_TEXT:
        raise BadInput(
            f"{found.where}: a text of {width} bytes; expected at most {LONGEST_TEXT}, because all take as much."
        )
    return replace(carried, dtype=np.dtype(f"S{width}"), ascii=is_ascii)


def _texts(found: Named) -> Iterator[Entries]:
    """Yield all texts, a few at a time."""
    member = found.values
    if isinstance(member, Series):
        yield from map(member.read, range(len(member.lengths)))
        return
    rows = max(1, ENTRIES_AT_ONCE // max(1, math.prod(member.shape[1:])))
    for start in range(0, len(member), rows):
        with reading(found.where, BadInput):
            values = np.asarray(member[start : start + rows])
        yield values
