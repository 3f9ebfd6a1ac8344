"""Compares the stored windows of an unfinished file with their sums, and clears the padding of those to recompute."""

import struct
from collections.abc import Iterator
from functools import partial as fixed

from .format import DatasetSpec
from .integrity import window_slice, window_sums
from .journal import Header, Window
from .layout import Contents
from .system import System, write_all

__all__ = ["StoredWindows", "has_holes", "packed_sums"]

ZEROS = memoryview(bytes(2**20))


class StoredWindows:
    """The windows as stored on disk.

    Parameters
    ----------
    system : System
    fd : int
        Open for reading and writing.
    header : Header
    contents : Contents
    """

    def __init__(self, system: System, fd: int, header: Header, contents: Contents) -> None:
        self._system, self._fd, self._header, self._contents = system, fd, header, contents
        self._read = fixed(system.pread, fd)

    def sequences(self, number: int) -> slice:
        """Return the sequences of a window."""
        return window_slice(self._contents.shape, number, self._contents.window_rows)

    def wrong(self, window: Window) -> list[str]:
        """List what has changed since the window was recorded: datasets, or the sums in the file."""
        found = [
            spec.name
            for spec, sums in zip(self._contents.specs, window.sums, strict=True)
            if window_sums(self._read, self._header.offsets[spec.name], spec, self._rows(spec, window.window)) != sums
        ]
        return found if self.knows(window) else [*found, "their sums"]

    def knows(self, window: Window) -> bool:
        """Return whether the file has the sums of a window, which are written before its line in the journal."""
        expected = packed_sums(window)
        return self._read(len(expected), self._header.sums_at + window.window * len(expected)) == expected

    def clear(self, number: int) -> None:
        """Make the padding of a window read as zero; all other bytes are written when it is computed."""
        for spec in self._contents.specs:
            if has_holes(self._contents, spec):
                begin, end = self._stretch(spec, number)
                if not self._system.clear(self._fd, begin, end - begin):
                    self._fill(begin, end)

    def _fill(self, begin: int, end: int) -> None:
        for start, size in _pieces(begin, end):
            # Holes stay holes.
            if any(self._read(size, start)):
                write_all(self._system, self._fd, ZEROS[:size], start)

    def _stretch(self, spec: DatasetSpec, number: int) -> tuple[int, int]:
        begin, end = self._rows(spec, number)
        row_bytes, offset = spec.width * spec.dtype.itemsize, self._header.offsets[spec.name]
        return offset + begin * row_bytes, offset + end * row_bytes

    def _rows(self, spec: DatasetSpec, number: int) -> tuple[int, int]:
        return self._contents.shape.rows_of(spec, self.sequences(number))


def has_holes(contents: Contents, spec: DatasetSpec) -> bool:
    """Return whether a dataset has padding that is never written."""
    shape = contents.shape
    padded = spec.pooling is None and shape.layout == "padded"
    return padded and shape.stored_valid_steps < shape.sequences * shape.stored_steps


def packed_sums(window: Window) -> bytes:
    """Return a window's sums as stored in the file."""
    numbers = [number for sums in window.sums for number in sums]
    return struct.pack(f"<{len(numbers)}Q", *numbers)


def _pieces(begin: int, end: int) -> Iterator[tuple[int, int]]:
    return ((start, min(len(ZEROS), end - start)) for start in range(begin, end, len(ZEROS)))
