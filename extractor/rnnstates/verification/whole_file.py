"""Compares every byte of a finished file with the checksums stored in it."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import h5py
import numpy as np
import numpy.typing as npt

from ..arrays.checksums import Sums
from ..errors import BadStates
from ..inputs.hdf5 import reading
from ..output.content import is_compressed, is_moved
from ..output.integrity import INTEGRITY, REST, REST_BYTES, SUMS, digest_rest
from ..output.states import States
from ..untrusted.hdf5 import check_dataset, find
from ..untrusted.hdf5_attributes import fixed_attributes
from .digests import ELSEWHERE, Grid, Located, RawFile, damaged_windows, described, located, open_raw
from .findings import shortened
from .promised import Promise

__all__ = ["DAMAGED", "Checked", "check_bytes"]

DAMAGED = "The file was damaged or edited after it was made; make it again."
WITHOUT = "{}: has no checksums, because it was made before files had them; only its values were checked."
REWRITTEN = "{}: was rewritten by another program; its bytes are others, but every value is as it was written."
STATES_ONLY = (
    "{}: was rewritten by another program; its states are as they were written, but nothing tells whether lengths, ids "
    "and attributes are."
)
# The ends of the checksum datasets' names, by which a group is recognised although its own name is damaged.
LEAVES = tuple(path.removeprefix(INTEGRITY) for path in (SUMS, REST))


class Checked(NamedTuple):
    """What the checksums of a file that passed say.

    Parameters
    ----------
    checksums : str
        ``right``, ``by value`` or ``absent``.
    notes : list of str
    """

    checksums: str
    notes: list[str]


class _Stored(NamedTuple):
    """The group ``integrity``.

    Parameters
    ----------
    grid : Grid
    sums : uint64 [windows, datasets, 2]
    rest : str
        Hexadecimal.
    places : list of (int, int)
        First byte and length of both datasets in the file.
    """

    grid: Grid
    sums: npt.NDArray[np.uint64]
    rest: str
    places: list[tuple[int, int]]


def check_bytes(where: str, file: h5py.File, states: States, promise: Promise) -> Checked:
    """Compare every byte of a file with its checksums, or every value if its datasets are not contiguous.

    Raises
    ------
    BadStates
        Something has changed (the message names dataset and sequences), or the checksums themselves are damaged.
    """
    with reading(where, BadStates), open_raw(where) as raw:
        found = located(states, promise)
        group = find(file, INTEGRITY, where, BadStates)
        if group is None and not any(name.endswith(LEAVES) for name in states.datasets):
            return Checked("absent", [WITHOUT.format(where)])
        names = [spec.name for spec in promise.specs]
        if (
            isinstance(found, str)
            or _is_compressed(where, file, states)
            or (group is not None and is_moved(file, where, names))
        ):
            return _by_value(where, file, states, promise)
        stored = _read(group, where, found, Grid(promise.shape, 1))
        wrong = _wrong(raw, found, stored)
    if wrong:
        raise BadStates(f"{where}: {'; '.join(wrong)}. {DAMAGED}")
    return Checked("right", [])


def _by_value(where: str, file: h5py.File, states: States, promise: Promise) -> Checked:
    # Only files that were compressed or rewritten need it.
    from .by_value import check_values_by_sums

    wrong, everything = check_values_by_sums(where, file, states, promise)
    if wrong:
        raise BadStates(f"{where}: {'; '.join(wrong)}. {DAMAGED}")
    if _is_compressed(where, file, states):
        return Checked("by value", [])
    return Checked("by value", [(REWRITTEN if everything else STATES_ONLY).format(where)])


def _is_compressed(where: str, file: h5py.File, states: States) -> bool:
    return is_compressed(file, where, states.attributes["format_version"])


def _wrong(raw: RawFile, datasets: list[Located], stored: _Stored) -> list[str]:
    def written(window: int, place: int) -> Sums:
        first, second = stored.sums[window, place].tolist()
        return first, second

    wrong = described(damaged_windows(raw, datasets, stored.grid, range(len(stored.sums)), written))
    if digest_rest(raw.read, raw.size, [*_places(datasets), *stored.places]) != stored.rest:
        wrong.append(ELSEWHERE)
    return wrong


def _places(datasets: list[Located]) -> list[tuple[int, int]]:
    return [(offset, spec.nbytes) for spec, offset in datasets]


def _read(group: object, where: str, datasets: list[Located], grid: Grid) -> _Stored:
    """Read the group if it is as a run writes it.

    Raises
    ------
    BadStates
    """
    if not isinstance(group, h5py.Group):
        raise BadStates(f"{where}: had checksums, but the group '{INTEGRITY}' is gone. {DAMAGED}")
    parts: dict[str, Any] = {path: find(group, path.rpartition("/")[2], where, BadStates) for path in (SUMS, REST)}
    known: dict[str, Any] = {name: group.attrs[name] for name in fixed_attributes(group)}
    rows, names = known.get("window_rows"), np.atleast_1d(known.get("datasets", []))
    called = [name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name) for name in names]
    if wrong := list(_misshapen(parts, rows, called, datasets, grid)):
        raise BadStates(f"{where}: its checksums are damaged: {'; '.join(shortened(wrong))}. {DAMAGED}")
    sums, rest = (parts[path] for path in (SUMS, REST))
    return _Stored(
        grid._replace(window_rows=int(rows or 0)), sums[()], rest[()].tobytes().hex(),
        [(part.id.get_offset() or 0, part.nbytes) for part in (sums, rest)],
    )  # fmt: skip


def _misshapen(
    parts: dict[str, Any], rows: object, called: list[str], datasets: list[Located], grid: Grid
) -> Iterator[str]:
    names = [spec.name for spec, _ in datasets]
    if called != names:
        yield f"they are of {', '.join(called) or 'no datasets'}; expected {', '.join(names)}"
    if not isinstance(rows, np.integer) or rows < 1:
        yield f"window_rows is {rows}; expected 1 or more"
        return
    windows = -(-grid.shape.sequences // int(rows))
    expected = {SUMS: ((windows, len(names), 2), np.dtype("<u8")), REST: ((REST_BYTES,), np.dtype("u1"))}
    for path, (shape, dtype) in expected.items():
        part = parts[path]
        if not isinstance(part, h5py.Dataset):
            yield f"dataset '{path}' is missing"
        elif part.shape != shape or part.dtype != dtype:
            yield f"dataset '{path}' has shape {part.shape} and dtype {part.dtype}; expected {shape} and {dtype}"
        else:
            check_dataset(part, f"'{path}'", BadStates)
            if part.nbytes and part.id.get_offset() is None:
                yield f"dataset '{path}' is not contiguous in the file"
