"""A file object for HDF5 that accepts every call and raises a failure only afterwards.

HDF5 cannot give up a file that it cannot write: it retries when the file is closed and when the process exits, and may
crash then; an exception inside one of its calls, e.g. from a signal, leaves it inconsistent; and it crashes at exit
over what it could not read back. So it is shielded from all three: failures are raised when HDF5 is done, and what it
wrote is read back from memory.
"""

import io
import os
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from .system import System, write_all

__all__ = ["PatientFile", "Remembered"]

PAGE = 4096
# Larger writes are values of datasets, which are never read back; they are kept on disk only (bytes).
LARGEST = 2**16


class Remembered:
    r"""The small writes to an initially empty file; what was never written is zero.

    Parameters
    ----------
    largest : int
        Bytes of a write that is kept; larger ones are on disk only.

    Attributes
    ----------
    end : int
        Size of the file in bytes.

    Examples
    --------
    >>> kept = Remembered()
    >>> kept.wrote(memoryview(b"abc"), 4094)
    >>> kept.read(6, 4093), kept.end
    (b'\x00abc\x00\x00', 4097)
    """

    def __init__(self, largest: int = LARGEST) -> None:
        self._largest = largest
        self._pages: dict[int, bytearray] = {}
        self._elsewhere: list[range] = []
        self.end = 0

    def wrote(self, data: memoryview, position: int) -> None:
        """Record bytes that were written."""
        self.end = max(self.end, position + len(data))
        if len(data) > self._largest:
            before = self._elsewhere.pop() if self._elsewhere else range(position, position)
            if before.stop != position:
                self._elsewhere.append(before)
                before = range(position, position)
            self._elsewhere.append(range(before.start, position + len(data)))
            return
        while data:
            number, inside = divmod(position, PAGE)
            piece = data[: PAGE - inside]
            self._pages.setdefault(number, bytearray(PAGE))[inside : inside + len(piece)] = piece
            data, position = data[len(piece) :], position + len(piece)

    def read(self, count: int, position: int) -> bytes | None:
        """Return bytes, zeros past the end of the file; None if some of them are on disk only."""
        if any(position < there.stop and there.start < position + count for there in self._elsewhere):
            return None
        numbers = range(position // PAGE, -(-(position + count) // PAGE))
        found = b"".join(self._pages.get(number, bytes(PAGE)) for number in numbers)
        start = position - position // PAGE * PAGE
        return found[start : start + count]


T = TypeVar("T")
P = ParamSpec("P")


class PatientFile(io.RawIOBase):
    """An open descriptor as h5py's ``fileobj`` driver expects it.

    Parameters
    ----------
    system : System
    descriptor : int
        Of an empty file, open for reading and writing; stays open when this object is closed.
    largest : int
        Bytes of a write that may be metadata, and is kept in memory.
    """

    def __init__(self, system: System, descriptor: int, largest: int = LARGEST) -> None:
        self._system, self._descriptor, self._position = system, descriptor, 0
        self._written = Remembered(largest)
        self._failure: BaseException | None = None
        self._left = False

    def leave(self) -> None:
        """Ignore all further calls by HDF5, and raise the first failure."""
        self._left = True
        self.check()

    def check(self) -> None:
        """Raise the first failure, if there was one."""
        if self._failure is not None:
            raise self._failure

    def readable(self) -> bool:
        """Return true."""
        return True

    def writable(self) -> bool:
        """Return true."""
        return True

    def seekable(self) -> bool:
        """Return true."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to a position in the file."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._written.end}
        self._position = start[whence] + offset
        return self._position

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def readinto(self, buffer: "memoryview") -> int:  # type: ignore[override]
        """Fill a buffer from the file, with zeros past its end."""
        view = memoryview(buffer).cast("B")
        found = self._written.read(len(view), self._position)
        if found is None:
            found = self._kept(self._system.pread, self._descriptor, len(view), self._position) or b""
        view[:] = found + bytes(len(view) - len(found))
        self._position += len(view)
        return len(view)

    def write(self, data: "memoryview") -> int:  # type: ignore[override]
        """Write, or remember the failure."""
        view = memoryview(data).cast("B")
        self._kept(write_all, self._system, self._descriptor, view, self._position)
        self._written.wrote(view, self._position)
        self._position += len(view)
        return len(view)

    def truncate(self, size: int | None = None) -> int:
        """Set the file's size, or remember the failure."""
        wanted = self._position if size is None else size
        self._kept(self._system.truncate, self._descriptor, wanted)
        self._written.end = wanted
        return wanted

    def _kept(self, call: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T | None:
        """Make a call unless one has failed; keep what it raises for later."""
        try:
            if self._failure is None and not self._left:
                return call(*arguments, **named)
        except BaseException as reason:
            self._failure = reason
        return None
