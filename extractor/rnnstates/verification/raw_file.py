"""A file's bytes as they lie, past HDF5; holes are known without being read."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["RawFile", "open_raw"]

# A hole shorter than this is read like data: to ask for the next one takes as long.
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
        """Yield where there is data between two positions, as (first byte, one past the last); the rest is zero."""
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
                    # The file system does not know: all of it may be data.
                    yield begin, end
                return
            if first >= end:
                return
            yield first, min(last, end)
            begin = last


@contextmanager
def open_raw(path: str) -> Iterator[RawFile]:
    """Open a file for reading, until the end of the ``with`` block."""
    fd = os.open(Path(path), os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield RawFile(fd)
    finally:
        os.close(fd)
