"""A file for HDF5 that takes every write and tells of a failure afterwards.

HDF5 cannot give up a file that it cannot write: it tries again when it is closed and when the process ends, and may
crash then. So a full disk is kept from it, and told when HDF5 is done.
"""

import io
import os

from .system import System, write_all

__all__ = ["PatientFile"]


class PatientFile(io.RawIOBase):
    """An open descriptor as h5py's ``fileobj`` driver wants it.

    Parameters
    ----------
    system : System
    descriptor : int
        Open for reading and writing; stays open when this object is closed.
    """

    def __init__(self, system: System, descriptor: int) -> None:
        self._system, self._descriptor, self._position = system, descriptor, 0
        self.failure: OSError | None = None

    def readable(self) -> bool:
        """Say yes."""
        return True

    def writable(self) -> bool:
        """Say yes."""
        return True

    def seekable(self) -> bool:
        """Say yes."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to a place of the file."""
        if whence == os.SEEK_END:
            self._position = self._system.size(self._descriptor) + offset
        else:
            self._position = offset + (self._position if whence == os.SEEK_CUR else 0)
        return self._position

    def tell(self) -> int:
        """Give the place."""
        return self._position

    def readinto(self, buffer: "memoryview") -> int:  # type: ignore[override]
        """Fill a buffer from the file, with zeros where the file ends."""
        view = memoryview(buffer).cast("B")
        found = self._system.pread(self._descriptor, len(view), self._position)
        view[:] = found + bytes(len(view) - len(found))
        self._position += len(view)
        return len(view)

    def write(self, data: "memoryview") -> int:  # type: ignore[override]
        """Write, or remember why not."""
        view = memoryview(data).cast("B")
        try:
            if self.failure is None:
                write_all(self._system, self._descriptor, view, self._position)
        except OSError as reason:
            self.failure = reason
        self._position += len(view)
        return len(view)

    def truncate(self, size: int | None = None) -> int:
        """Set the file's size, or remember why not."""
        wanted = self._position if size is None else size
        try:
            if self.failure is None:
                self._system.truncate(self._descriptor, wanted)
        except OSError as reason:
            self.failure = reason
        return wanted
