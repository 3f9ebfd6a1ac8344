"""A file for HDF5 that takes every write and tells of a failure afterwards.

HDF5 cannot give up a file that it cannot write: it tries again when it is closed and when the process ends, and may
crash then. So a full disk is kept from it, and told when HDF5 is done.
"""

import io
import os

__all__ = ["PatientFile"]


class PatientFile(io.RawIOBase):
    """An open descriptor as h5py's ``fileobj`` driver wants it.

    Parameters
    ----------
    descriptor : int
        Open for reading and writing; stays open when this object is closed.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor, self._position = descriptor, 0
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
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: os.fstat(self._descriptor).st_size}
        self._position = start[whence] + offset
        return self._position

    def tell(self) -> int:
        """Give the place."""
        return self._position

    def readinto(self, buffer: "memoryview") -> int:  # type: ignore[override]
        """Fill a buffer from the file, with zeros where the file ends."""
        view = memoryview(buffer).cast("B")
        got = os.preadv(self._descriptor, [view], self._position)
        view[got:] = bytes(len(view) - got)
        self._position += len(view)
        return len(view)

    def write(self, data: "memoryview") -> int:  # type: ignore[override]
        """Write, or remember why not."""
        view = memoryview(data).cast("B")
        try:
            done = 0 if self.failure is None else len(view)
            while done < len(view):
                done += os.pwrite(self._descriptor, view[done:], self._position + done)
        except OSError as reason:
            self.failure = reason
        self._position += len(view)
        return len(view)

    def truncate(self, size: int | None = None) -> int:
        """Set the file's size, or remember why not."""
        wanted = self._position if size is None else size
        try:
            if self.failure is None:
                os.ftruncate(self._descriptor, wanted)
        except OSError as reason:
            self.failure = reason
        return wanted
