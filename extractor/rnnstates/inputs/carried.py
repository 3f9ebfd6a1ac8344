"""Datasets of the input that are copied into the output: labels, tokens, text; one value per sequence, or per step."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Annotated, Any

import h5py
import numpy as np
import numpy.typing as npt

from ..errors import BadInput
from ..untrusted.given import as_array
from ..untrusted.hdf5 import reading
from ..untrusted.hdf5_heaps import check_strings
from .base import Source
from .container import Member
from .hdf5_choice import describe_dtype, guess, listing
from .named import Named, beside
from .selected import Places

__all__ = ["Carried", "joined", "open_carried", "some_rows", "some_steps"]

ROWS_AT_ONCE = 4096
BYTES_AT_ONCE = 2**22

# One entry per sequence, or one row of steps.
Values = Annotated[npt.NDArray[Any], "..."]


@dataclass(frozen=True)
class Carried:
    """A dataset that is copied into the output.

    Parameters
    ----------
    name : str
    per_step : bool
        Whether it has an entry for each step; else one for each sequence.
    tail : tuple of int
        The axes of an entry.
    dtype : dtype
        Numbers, or ``S<k>`` for text in UTF-8.
    read : callable
        From the numbers of sequences [n] to [n, ...], or [n, T, ...] with steps at the places of the input's steps.
    ascii : bool
        Whether all text is ASCII.
    """

    name: str
    per_step: bool
    tail: tuple[int, ...]
    dtype: np.dtype[Any]
    read: Callable[[Places], Values]
    ascii: bool = True


def open_carried(given: object, source: Source) -> tuple[Carried, ...]:
    """Find datasets to copy.

    Parameters
    ----------
    given : None, names or mapping
        Names of datasets next to the input, in one text with commas or a list; or arrays by name.
    source : Source
        The input, whole: its sequences and steps are those of the arrays.

    Raises
    ------
    BadInput
        There is none of this name, or it has neither an entry per sequence nor per step.
    """
    if given is None:
        return ()
    if isinstance(given, Mapping):
        return tuple(
            _opened(str(name), Named(f"carry['{name}']", _array(values, str(name))), source)
            for name, values in given.items()
        )
    names = given.split(",") if isinstance(given, str) else given
    if not isinstance(names, Sequence) or not all(isinstance(name, str) for name in names):
        raise BadInput("carry=: expected names of datasets next to the input, or a dict of arrays.")
    return tuple(_opened(name.strip().strip("/"), _beside(name.strip(), source), source) for name in names)


def _array(values: object, name: str) -> Values:
    return as_array(values, f"carry['{name}']", BadInput, "Give one value for each sequence or step.")


def _beside(name: str, source: Source) -> Named:
    container = source.container
    if container is None:
        raise BadInput(
            f"carry={name!r}: {source.name} has no datasets; give arrays by name: carry={{'{name}': array}}."
        )
    found = beside(container, name, BadInput)
    if found is None:
        present = container.present(BadInput)
        raise BadInput(
            f"carry={name!r}: no such {container.noun} in {container.path}; present: {listing(present)}."
            f"{guess(name, present)}"
        )
    return found


def _opened(name: str, found: Named, source: Source) -> Carried:
    member, where = found.values, found.where
    kind = describe_dtype(member)
    if kind != "string" and member.dtype.kind not in "biufSU":
        raise BadInput(f"{where}: dtype {kind}; expected numbers or text.")
    if isinstance(member, h5py.Dataset) and h5py.check_vlen_dtype(member.dtype):
        check_strings(member, where, BadInput)
    shape, count = tuple(member.shape), source.shape[0]
    total = None if source.lengths is None else int(source.lengths.sum())
    is_packed = total is not None and total != count and shape[:1] == (total,)
    per_step = is_packed or shape[:2] == source.shape[:2]
    if not is_packed and shape[:1] != (count,):
        steps = f"({count}, {source.shape[1]}, …)" if total is None else f"({total}, …)"
        raise BadInput(f"{where}: shape {shape}; expected ({count}, …), one entry per sequence, or {steps}, per step.")
    if per_step and not is_packed and source.axes.is_turned:
        raise BadInput(f"{where}: the axes of the input are in another order, so its steps are not those of this one.")
    read = _reader(member, where, source if is_packed else None)
    tail = shape[1:] if is_packed or not per_step else shape[2:]
    return _measured(Carried(name.rpartition("/")[2], per_step, tail, member.dtype, read), count, where)


def _reader(member: Member, where: str, packed: Source | None) -> Callable[[Places], Values]:
    """Return what reads the entries of sequences by number; runs of numbers are read together."""
    offsets = None
    if packed is not None and packed.lengths is not None:
        offsets = np.concatenate([[0], np.cumsum(packed.lengths)])

    def read(places: Places) -> Values:
        if offsets is None or packed is None:
            edges = [*np.flatnonzero(np.diff(places, prepend=-2) != 1).tolist(), len(places)]
            runs = [_slice(member, where, int(places[a]), int(places[a]) + b - a) for a, b in pairwise(edges)]
            return np.concatenate(runs) if runs else _slice(member, where, 0, 0)
        rows = [_slice(member, where, int(offsets[place]), int(offsets[place + 1])) for place in places]
        dtype = np.result_type(*rows) if rows else member.dtype
        block = np.zeros((len(rows), packed.shape[1], *member.shape[1:]), dtype)
        for row, values in enumerate(rows):
            block[row, : len(values)] = values
        return block

    return read


def _slice(member: Member, where: str, start: int, stop: int) -> Values:
    with reading(where, BadInput):
        values = np.asarray(member[start:stop])
    if values.dtype.kind == "O":
        # Variable-length text: bytes in an HDF5 file, str in memory.
        encoded = [one if isinstance(one, bytes) else str(one).encode() for one in values.reshape(-1).tolist()]
        return np.array(encoded, np.bytes_).reshape(values.shape)
    return np.char.encode(values, "utf-8") if values.dtype.kind == "U" else values


def _measured(carried: Carried, count: int, where: str) -> Carried:
    """Find the dtype to store: of text the longest, in one pass over it."""
    if carried.dtype.kind == "b":
        return replace(carried, dtype=np.dtype(np.int8))
    if carried.dtype.kind in "iuf":
        return replace(carried, dtype=carried.dtype.newbyteorder("<"))
    width, is_ascii = 1, True
    for start in range(0, count, ROWS_AT_ONCE):
        values = carried.read(np.arange(start, min(start + ROWS_AT_ONCE, count)))
        width, is_ascii = max(width, values.dtype.itemsize), is_ascii and values.tobytes().isascii()
    if width > BYTES_AT_ONCE:
        raise BadInput(f"{where}: a text of {width} bytes; expected at most {BYTES_AT_ONCE}, because all take as much.")
    return replace(carried, dtype=np.dtype(f"S{width}"), ascii=is_ascii)


def some_rows(carried: Carried, rows: Places) -> Carried:
    """Return the entries of some sequences."""
    return replace(carried, read=lambda places: carried.read(rows[places]))


def some_steps(carried: Carried, steps: slice) -> Carried:
    """Return the entries of a stretch of time."""
    return replace(carried, read=lambda places: carried.read(places)[:, steps]) if carried.per_step else carried


def joined(parts: Sequence[Carried], sources: Sequence[Source], padding: str) -> Carried:
    """Return one dataset of those of several inputs, one after another.

    Raises
    ------
    BadInput
        They differ in what an entry is.
    """
    first = parts[0]
    for other, source in zip(parts, sources, strict=True):
        if (other.per_step, other.tail) != (first.per_step, first.tail):
            raise BadInput(f"{source.name}: carry={first.name!r}: has other axes than in {sources[0].name}.")
    starts = np.concatenate([[0], np.cumsum([source.shape[0] for source in sources])])
    steps, dtype = max(source.shape[1] for source in sources), np.result_type(*(part.dtype for part in parts))

    def read(places: Places) -> Values:
        shape = (len(places), steps, *first.tail) if first.per_step else (len(places), *first.tail)
        block = np.zeros(shape, dtype)
        for part, source, start, stop in zip(parts, sources, starts[:-1], starts[1:], strict=True):
            here = (places >= start) & (places < stop)
            if not here.any():
                continue
            values = part.read(places[here] - start)
            if first.per_step:
                shift = steps - source.shape[1] if padding == "pre" else 0
                block[here, shift : shift + source.shape[1]] = values
            else:
                block[here] = values
        return block

    return replace(first, dtype=dtype, read=read, ascii=all(part.ascii for part in parts))
