"""Compares the bytes of states with the checksums stored for each window of each dataset.

The bytes are read directly from the file, bypassing HDF5; holes are recognised without being read.
"""

import errno
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from ..arrays.checksums import Sums, add
from ..output.format import DatasetSpec, Shape
from ..output.integrity import window_slice, window_sums
from ..output.states import States
from .findings import shortened
from .promised import Promise

__all__ = [
    "ELSEWHERE",
    "Damage",
    "Grid",
    "Located",
    "RawFile",
    "damaged_windows",
    "described",
    "located",
    "note_damage",
    "open_raw",
]  # fmt: skip

# A shorter hole is read like data: asking for the next one takes as long (bytes).
SHORT_HOLE = 2**16


class RawFile:
    """An open file.

    Parameters
    ----------
    fd : int
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self.size = os.fstat(fd).st_size

    def read(self, count: int, position: int) -> bytes:
        """Read ``count`` bytes, fewer only at the end of the file."""
        data = os.pread(self._fd, count, position)
        while len(data) < count and (more := os.pread(self._fd, count - len(data), position + len(data))):
            data += more
        return data

    def stretches(self, begin: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield the stretches of data between two positions, as (first byte, one past the last); the rest is zero."""
        start = stop = begin
        for first, last in self._extents(begin, end):
            if first - stop >= SHORT_HOLE:
                yield from [(start, stop)] if start < stop else []
                start = first
            stop = last
        if start < stop:
            yield start, stop

    def _extents(self, begin: int, end: int) -> Iterator[tuple[int, int]]:
        while begin < end:
            try:
                first = os.lseek(self._fd, begin, os.SEEK_DATA)
                last = os.lseek(self._fd, first, os.SEEK_HOLE)
            except OSError as reason:
                if reason.errno != errno.ENXIO:
                    # The file system does not know about holes: all of it may be data.
                    yield begin, end
                return
            if first >= end:
                return
            yield first, min(last, end)
            begin = last


@contextmanager
def open_raw(path: str) -> Iterator[RawFile]:
    """Open a file for reading inside a ``with`` block."""
    fd = os.open(Path(path), os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield RawFile(fd)
    finally:
        os.close(fd)


# By dataset name, the damaged stretches of sequences: (first, last).
Damage = dict[str, list[tuple[int, int]]]

ELSEWHERE = "something outside the states was changed (attributes, lengths, ids, …)"


class Located(NamedTuple):
    """A dataset and the position of its first byte in the file."""

    spec: DatasetSpec
    offset: int


class Grid(NamedTuple):
    """How sequences are cut into windows."""

    shape: Shape
    window_rows: int


def located(states: States, promise: Promise) -> list[Located] | str:
    """Find each dataset of states in the file; return the name of one that is not contiguous there, if any."""
    found = []
    for spec in promise.specs:
        offset = states[spec.name].id.get_offset()
        if offset is None and spec.nbytes:
            return spec.name
        found.append(Located(spec, offset or 0))
    return found


def damaged_windows(
    raw: RawFile, datasets: Sequence[Located], grid: Grid, windows: Sequence[int], written: Callable[[int, int], Sums]
) -> Damage:
    """Find the windows whose bytes do not match the sums recorded when they were written.

    Parameters
    ----------
    raw : RawFile
    datasets : sequence of Located
    grid : Grid
    windows : sequence of int
        Numbers of the windows to check, ascending.
    written : callable
        ``written(window, place)`` returns the recorded sums of a window of the dataset at that place in ``datasets``.

    Returns
    -------
    dict
        By dataset; only those with damage.
    """
    damage: Damage = {}
    for place, dataset in enumerate(datasets):
        for number in windows:
            sequences = window_slice(grid.shape, number, grid.window_rows)
            found = _sums(raw, dataset, grid.shape.rows_of(dataset.spec, sequences))
            if found != written(number, place):
                note_damage(damage.setdefault(dataset.spec.name, []), sequences)
    return damage


def described(damage: Damage) -> list[str]:
    """Describe which sequences are damaged: one clause per dataset, at most five.

    Examples
    --------
    >>> described({"cell": [(128, 191)], "hidden": [(5, 5), (7, 8)]})
    ["'cell': sequences 128 to 191 are not as they were written", "'hidden': sequences 5, 7 to 8 are not as they were \
written"]
    """
    return shortened((_clause(name, stretches) for name, stretches in damage.items()), "and {} more datasets")


def _sums(raw: RawFile, dataset: Located, rows: tuple[int, int]) -> Sums:
    """Compute the sums of some rows; holes need not be read, because zeros add nothing."""
    width = dataset.spec.width * dataset.spec.dtype.itemsize
    begin, end = (dataset.offset + row * width for row in rows)
    total: Sums = (0, 0)
    done = rows[0]
    for start, stop in raw.stretches(begin, min(end, raw.size)):
        first = max(done, (start - dataset.offset) // width)
        done = min(rows[1], -(-(stop - dataset.offset) // width))
        total = add(total, window_sums(raw.read, dataset.offset, dataset.spec, (first, done)))
    return total


def note_damage(stretches: list[tuple[int, int]], sequences: slice) -> None:
    """Add a window, merging it with the previous stretch if adjacent."""
    first = sequences.start
    if stretches and stretches[-1][1] + 1 == first:
        first = stretches.pop()[0]
    stretches.append((first, sequences.stop - 1))


def _clause(name: str, stretches: list[tuple[int, int]]) -> str:
    shown = ", ".join(
        shortened(
            (f"{first} to {last}" if last > first else f"{first}" for first, last in stretches), "and {} more stretches"
        )
    )
    if len(stretches) == 1 and stretches[0][0] == stretches[0][1]:
        return f"'{name}': sequence {shown} is not as it was written"
    return f"'{name}': sequences {shown} are not as they were written"
