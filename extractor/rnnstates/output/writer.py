"""Writing a states file so that the final name is either absent or complete.

The work happens in ``OUTPUT.partial``; states go in by ``os.pwrite`` at offsets known beforehand, from any thread,
without HDF5. Only when everything is on disk does the file get its name, and never over somebody else's file.
"""

import contextlib
import errno
import fcntl
import itertools
import os
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt

from ..arrays import Array
from ..errors import CannotCreate, OutputBusy, OutputError, PermissionDenied, WriteFailed
from .format import PARTIAL, DatasetSpec
from .layout import Contents, lay_out
from .writeback import Writeback

__all__ = ["FileSink", "partial_path"]

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def partial_path(path: Path) -> Path:
    """Name the file the work happens in."""
    return path.with_name(path.name + PARTIAL)


class FileSink:
    """A states file in the making; a context manager that leaves nothing behind unless ``commit`` was called.

    Parameters
    ----------
    path : Path
        The final name.
    contents : Contents
    force : bool
        Whether ``commit`` may replace an existing file.

    Raises
    ------
    OutputBusy
        Another run is writing the same output.
    CannotCreate, PermissionDenied, WriteFailed
        The file cannot be made there.
    """

    def __init__(self, path: Path, contents: Contents, *, force: bool = False) -> None:
        self._path, self._force = path, force
        self._partial = partial_path(path)
        self._fd = _claim(self._partial)
        self._writeback = Writeback(self._fd)
        try:
            self._offsets = lay_out(self._fd, contents)
            os.fsync(self._fd)
        except OSError as reason:
            self._abandon()
            raise _translated(reason, self._partial) from reason
        except BaseException:
            self._abandon()
            raise

    def put(self, spec: DatasetSpec, row: int, values: Array) -> None:
        """Write rows at their place.

        Raises
        ------
        WriteFailed
            The disk is full or failing.
        """
        position = self._offsets[spec.name] + row * spec.width * spec.dtype.itemsize
        self._write(values.reshape(-1).view(np.uint8).data, position)

    def put_sequences(
        self,
        spec: DatasetSpec,
        places: npt.NDArray[np.int64],
        values: Array,
        first: npt.NDArray[np.int64],
        counts: npt.NDArray[np.int64],
    ) -> None:
        """Write several stretches of rows, those that follow each other here and there in one go.

        Raises
        ------
        WriteFailed
            The disk is full or failing.
        """
        apart = (places[1:] != places[:-1] + counts[:-1]) | (first[1:] != first[:-1] + counts[:-1])
        edges = [0, *(np.flatnonzero(apart) + 1).tolist(), len(places)]
        starts, begins, ends = places.tolist(), first.tolist(), (first + counts).tolist()
        for start, stop in itertools.pairwise(edges):
            self.put(spec, starts[start], values[begins[start] : ends[stop - 1]])

    def commit(self) -> None:
        """Make the file durable and give it its name.

        Raises
        ------
        CannotCreate
            The name was taken meanwhile; the finished work stays under ``.partial``.
        WriteFailed
            The disk is full or failing.
        """
        try:
            os.fsync(self._fd)
            self._rename()
            _sync_directory(self._path.parent)
        except CannotCreate:
            # The states are all there: they stay under the unfinished name.
            self._close()
            raise
        except OSError as reason:
            self._abandon()
            raise _translated(reason, self._path) from reason
        self._close()

    def _write(self, data: memoryview, position: int) -> None:
        try:
            while data:
                written = os.pwrite(self._fd, data, position)
                self._writeback.wrote(written)
                data, position = data[written:], position + written
        except OSError as reason:
            raise _translated(reason, self._partial) from reason

    def _rename(self) -> None:
        if self._force:
            self._partial.replace(self._path)
            return
        try:
            self._path.hardlink_to(self._partial)
        except FileExistsError as reason:
            raise CannotCreate(
                f"{self._path}: appeared while this run was computing and is left alone; the finished states are in "
                f"{self._partial}, move them to a name of your choice."
            ) from reason
        except OSError:  # a file system without hard links: look, then rename
            if self._path.exists():
                raise CannotCreate(
                    f"{self._path}: appeared while this run was computing and is left alone; the finished states are "
                    f"in {self._partial}, move them to a name of your choice."
                ) from None
            self._partial.rename(self._path)
            return
        self._partial.unlink()

    def _abandon(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._partial.unlink()
        self._close()

    def _close(self) -> None:
        os.close(self._fd)
        self._fd = -1

    def __enter__(self) -> "FileSink":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._fd >= 0:
            self._abandon()


def _claim(partial: Path) -> int:
    """Create the file and lock it; what a killed run has left behind is thrown away."""
    for _ in range(2):
        try:
            descriptor = os.open(partial, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o666)
        except FileExistsError:
            _remove_leftover(partial)
            continue
        except OSError as reason:
            raise _translated(reason, partial) from reason
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return descriptor
    raise OutputBusy(f"{partial}: another run is writing it; wait for it, or choose another output.")


def _remove_leftover(partial: Path) -> None:
    try:
        descriptor = os.open(partial, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    except OSError as reason:
        raise CannotCreate(f"{partial}: in the way and not a file of ours ({reason.strerror}); remove it.") from reason
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        partial.unlink(missing_ok=True)
    except BlockingIOError as reason:
        raise OutputBusy(f"{partial}: another run is writing it; wait for it, or choose another output.") from reason
    finally:
        os.close(descriptor)


def _translated(reason: Exception, path: Path) -> OutputError:
    number = getattr(reason, "errno", None)
    if number in FULL or "No space left" in str(reason) or "File too large" in str(reason):
        limit = "the file is larger than may be written there" if number == errno.EFBIG else "the disk is full"
        return WriteFailed(
            f"{path}: {limit}; nothing was kept. Free some space, keep less (--states, --dtype float16, "
            "--layout packed), or choose another place."
        )
    if number in (errno.EACCES, errno.EPERM, errno.EROFS):
        return PermissionDenied(f"{path}: may not be written here ({reason}); choose another place.")
    if number in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.EISDIR):
        return CannotCreate(f"{path}: cannot be made there ({getattr(reason, 'strerror', reason)}).")
    return WriteFailed(f"{path}: writing failed ({reason}); the file was not made. Check the disk.")


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
