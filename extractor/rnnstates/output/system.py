"""The system calls of a run that writes, one method per call so that tests can make each fail, and ``Place``.

Reading inputs and weights does not go through here. A failure is raised as OSError, which ``translated`` turns into an
error of ours. ``Writeback`` starts writing bytes to disk while others are computed.
"""
# ruff: noqa: D102 - the methods of Disk are described in System

import ctypes
import errno
import fcntl
import os
import threading
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from ..errors import CannotCreate, OutputError, PermissionDenied, WriteFailed
from ..untrusted.missing import shown
from .names import Names

__all__ = [
    "DISK", "FULL", "OPERATIONS", "TOO_MANY", "Disk", "Place", "System", "Writeback", "too_many_files", "translated",
    "write_all",
]  # fmt: skip

# From <linux/falloc.h>: release the blocks and keep the size.
PUNCH_HOLE = 0x02 | 0x01
# After this many interrupts by signals a call fails.
MOST_INTERRUPTIONS = 1000
NOT_SUPPORTED = (errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)
# From <fcntl.h>: start writing dirty pages without waiting.
SYNC_FILE_RANGE_WRITE = 2
# Bytes after which writing to disk is started.
TOGETHER = 16 * 2**20
_LIBRARY = ctypes.CDLL(None, use_errno=True)

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
TOO_MANY = (errno.EMFILE, errno.ENFILE)
_REASONS = {errno.EDQUOT: "the disk quota is used up", errno.EFBIG: "the file is larger than may be written there"}


class System(Protocol):
    """The system calls; each raises OSError as the system does. ``fd`` is an open descriptor."""

    def open(self, path: Path, flags: int) -> int:
        """Open a file, never through a symbolic link, closed in child processes; created with the user's umask."""

    def close(self, fd: int) -> None:
        """Close a file."""

    def size(self, fd: int) -> int:
        """Return the file's size in bytes."""

    def pread(self, fd: int, count: int, position: int) -> bytes:
        """Read up to ``count`` bytes at a position."""

    def pwrite(self, fd: int, data: memoryview, position: int) -> int:
        """Write at a position; return how many bytes were written."""

    def truncate(self, fd: int, size: int) -> None:
        """Set the file's size."""

    def allocate(self, fd: int, position: int, count: int) -> None:
        """Reserve disk space for a stretch of the file, if the file system can; else do nothing."""

    def clear(self, fd: int, position: int, count: int) -> bool:
        """Make a stretch read as zero, if the file system can; return whether it could."""

    def fsync(self, fd: int) -> None:
        """Wait until the file is on disk."""

    def fdatasync(self, fd: int) -> None:
        """Wait until the file's bytes are on disk."""

    def lock(self, fd: int) -> None:
        """Lock the whole file for this process, without waiting."""

    def link(self, source: Path, target: Path) -> None:
        """Give a file a second name, which must be free."""

    def rename(self, source: Path, target: Path) -> None:
        """Rename a file, replacing whatever has the new name."""

    def unlink(self, path: Path) -> None:
        """Remove a name."""

    def sync_directory(self, directory: Path) -> None:
        """Wait until the names in a directory are on disk."""


# The calls that a test can make fail: all of them.
OPERATIONS = (
    "open", "close", "size", "pread", "pwrite", "truncate", "allocate", "clear", "fsync", "fdatasync", "lock", "link",
    "rename", "unlink", "sync_directory",
)  # fmt: skip


class Disk:
    """The operating system itself; see ``System``."""

    def open(self, path: Path, flags: int) -> int:
        return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)

    def close(self, fd: int) -> None:
        os.close(fd)

    def size(self, fd: int) -> int:
        return os.fstat(fd).st_size

    def pread(self, fd: int, count: int, position: int) -> bytes:
        return os.pread(fd, count, position)

    def pwrite(self, fd: int, data: memoryview, position: int) -> int:
        return os.pwrite(fd, data, position)

    def truncate(self, fd: int, size: int) -> None:
        os.ftruncate(fd, size)

    def allocate(self, fd: int, position: int, count: int) -> None:
        # Not posix_fallocate: if the file system cannot, the C library would write zeros instead.
        _fallocate(fd, 0, position, count)

    def clear(self, fd: int, position: int, count: int) -> bool:
        return _fallocate(fd, PUNCH_HOLE, position, count)

    def fsync(self, fd: int) -> None:
        _sync("fsync", fd)

    def fdatasync(self, fd: int) -> None:
        _sync("fdatasync", fd)

    def lock(self, fd: int) -> None:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def link(self, source: Path, target: Path) -> None:
        os.link(source, target)

    def rename(self, source: Path, target: Path) -> None:
        source.replace(target)

    def unlink(self, path: Path) -> None:
        path.unlink()

    def sync_directory(self, directory: Path) -> None:
        fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            _sync("fsync", fd)
        finally:
            os.close(fd)


DISK = Disk()


class Place(NamedTuple):
    """Where an output is made: its names, and the calls that reach them.

    Parameters
    ----------
    names : Names
    system : System
        Replaced in tests by one whose calls fail.
    """

    names: Names
    system: System = DISK


def write_all(system: System, fd: int, data: memoryview, position: int) -> None:
    """Write all bytes, in as many calls as needed.

    Raises
    ------
    OSError
        As raised by the system; EIO if it writes nothing without an error, EINTR if it is interrupted endlessly.
    """
    interrupted = 0
    while data:
        try:
            written = system.pwrite(fd, data, position)
        except InterruptedError:
            interrupted += 1
            if interrupted == MOST_INTERRUPTIONS:
                raise
            continue
        if not written:
            raise OSError(errno.EIO, "nothing was written")
        data, position = data[written:], position + written


class Writeback:
    """Counts the bytes written to a file, from any thread, and regularly starts writing them to disk.

    Linux keeps written data in memory until there is a lot; a run that ends with ``fsync`` would then compute first and
    wait for the disk afterwards. ``sync_file_range`` starts the writing without waiting for it and guarantees nothing:
    durability is still up to ``fsync``.

    Parameters
    ----------
    descriptor : int
        Of a file open for writing.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor, self._waiting, self._lock = descriptor, 0, threading.Lock()

    def wrote(self, count: int) -> None:
        """Report that some bytes were written."""
        with self._lock:
            self._waiting += count
            if self._waiting < TOGETHER:
                return
            self._waiting = 0
        if hasattr(_LIBRARY, "sync_file_range"):
            # The whole file: what is already being written costs nothing.
            first = length = ctypes.c_int64(0)
            _LIBRARY.sync_file_range(self._descriptor, first, length, ctypes.c_uint(SYNC_FILE_RANGE_WRITE))


def translated(reason: OSError, path: Path) -> OutputError:
    """Return the error of ours for an OSError about a file: the file that it names, if any, else ``path``."""
    number, where = reason.errno, shown(os.fsdecode(reason.filename or path))
    if number in FULL:
        return WriteFailed(
            f"{where}: {_REASONS.get(number, 'the disk is full')}. Free some space, keep less "
            '(states=, dtype="float16", layout="packed"), or choose another place.'
        )
    if number in TOO_MANY:
        return WriteFailed(too_many_files(reason))
    if number in (errno.EACCES, errno.EPERM, errno.EROFS):
        return PermissionDenied(f"{where}: cannot be written there ({reason.strerror}); choose another place.")
    if number == errno.ELOOP:
        return CannotCreate(f"{where}: a symbolic link is in the way; remove it.")
    if number in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.EISDIR):
        return CannotCreate(f"{where}: cannot be made there ({reason.strerror}).")
    return WriteFailed(f"{where}: writing failed ({reason.strerror or reason}). Check the disk.")


def too_many_files(reason: OSError) -> str:
    """Word the error that no more files can be opened, by the limit of the process or of the machine."""
    return f"no more files can be opened ({reason.strerror}); close some, or raise the limit (ulimit -n)."


def _fallocate(fd: int, mode: int, position: int, count: int) -> bool:
    """Call fallocate; False if the file system cannot do it."""
    if not hasattr(_LIBRARY, "fallocate") or not count:
        return False
    arguments = ctypes.c_int(fd), ctypes.c_int(mode), ctypes.c_int64(position), ctypes.c_int64(count)
    try:
        _call("fallocate", *arguments)
    except OSError as reason:
        if reason.errno in NOT_SUPPORTED:
            return False
        raise
    return True


def _sync(name: str, fd: int) -> None:
    """Sync a file. Python's own functions retry an interrupted call for ever."""
    if hasattr(_LIBRARY, name):
        _call(name, ctypes.c_int(fd))
    else:
        os.fsync(fd)


def _call(name: str, *arguments: Any) -> None:
    """Call the C library, and retry if a signal interrupts it, but not endlessly."""
    function = getattr(_LIBRARY, name)
    for _ in range(MOST_INTERRUPTIONS):
        if not function(*arguments):
            return
        number = ctypes.get_errno()
        if number != errno.EINTR:
            raise OSError(number, os.strerror(number))
    raise OSError(errno.EINTR, os.strerror(errno.EINTR))
