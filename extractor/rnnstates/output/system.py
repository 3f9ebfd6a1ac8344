"""All that a run asks of the operating system while it writes: one method per call, so that a test can make each fail.

What is read (inputs, weights) does not go through here. A failure is raised as OSError; ``translated`` says what it
means to somebody who wants a file. ``Writeback`` gets bytes on their way to the disk while others are computed.
"""
# ruff: noqa: D102 - the methods of Disk are what System says of them

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

# Of <linux/falloc.h>: give the blocks back and keep the size.
PUNCH_HOLE = 0x02 | 0x01
# A call that signals interrupt so often fails.
MOST_INTERRUPTIONS = 1000
NOT_SUPPORTED = (errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)
# Of <fcntl.h>: start writing what is dirty, wait for nothing.
SYNC_FILE_RANGE_WRITE = 2
# Bytes after which the disk is set to work.
TOGETHER = 16 * 2**20
_LIBRARY = ctypes.CDLL(None, use_errno=True)

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
TOO_MANY = (errno.EMFILE, errno.ENFILE)
_REASONS = {errno.EDQUOT: "the disk quota is used up", errno.EFBIG: "the file is larger than may be written there"}


class System(Protocol):
    """The calls; each raises OSError as the system does. ``fd`` is an open descriptor."""

    def open(self, path: Path, flags: int) -> int:
        """Open a file, never through a symbolic link, closed in children; made for the user's umask."""

    def close(self, fd: int) -> None:
        """Close it."""

    def size(self, fd: int) -> int:
        """Give the file's bytes."""

    def pread(self, fd: int, count: int, position: int) -> bytes:
        """Read up to ``count`` bytes at a position."""

    def pwrite(self, fd: int, data: memoryview, position: int) -> int:
        """Write at a position; gives how many bytes were."""

    def truncate(self, fd: int, size: int) -> None:
        """Set the file's size."""

    def allocate(self, fd: int, position: int, count: int) -> None:
        """Reserve disk for a stretch inside the file, where the file system can; nothing is done elsewhere."""

    def clear(self, fd: int, position: int, count: int) -> bool:
        """Make a stretch read as zero, where the file system can; tells whether it could."""

    def fsync(self, fd: int) -> None:
        """Wait until the file is on disk."""

    def fdatasync(self, fd: int) -> None:
        """Wait until the file's bytes are on disk."""

    def lock(self, fd: int) -> None:
        """Lock the whole file for this process, without waiting."""

    def link(self, source: Path, target: Path) -> None:
        """Give a file a second name, which must be free."""

    def rename(self, source: Path, target: Path) -> None:
        """Give a file another name, in place of what has it."""

    def unlink(self, path: Path) -> None:
        """Take a name away."""

    def sync_directory(self, directory: Path) -> None:
        """Wait until the names in a directory are on disk."""


# What a test can make fail: all of them.
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
        # Not posix_fallocate: where the file system cannot, the C library would write zeros instead.
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
        Another one in tests, whose calls fail.
    """

    names: Names
    system: System = DISK


def write_all(system: System, fd: int, data: memoryview, position: int) -> None:
    """Write bytes, however many calls that takes.

    Raises
    ------
    OSError
        The system's; EIO where it writes nothing and does not say why, EINTR where it is interrupted without end.
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
    """Counts what is written to a file, from any thread, and starts the writing now and then.

    Linux keeps what is written in memory until much has gathered; a run that ends with ``fsync`` would then compute
    first and wait for the disk afterwards. ``sync_file_range`` starts the writing without waiting for it and promises
    nothing: durability remains the affair of ``fsync``.

    Parameters
    ----------
    descriptor : int
        Of a file open for writing.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor, self._waiting, self._lock = descriptor, 0, threading.Lock()

    def wrote(self, count: int) -> None:
        """Tell that some bytes were written."""
        with self._lock:
            self._waiting += count
            if self._waiting < TOGETHER:
                return
            self._waiting = 0
        if hasattr(_LIBRARY, "sync_file_range"):
            # From the first byte to the last: what is on its way already costs nothing.
            first = length = ctypes.c_int64(0)
            _LIBRARY.sync_file_range(self._descriptor, first, length, ctypes.c_uint(SYNC_FILE_RANGE_WRITE))


def translated(reason: OSError, path: Path) -> OutputError:
    """Give the error of ours that an OSError over a file amounts to; of the file that it names, if it names one."""
    number, where = reason.errno, shown(os.fsdecode(reason.filename or path))
    if number in FULL:
        return WriteFailed(
            f"{where}: {_REASONS.get(number, 'the disk is full')}. Free some space, keep less "
            '(states=, dtype="float16", layout="packed"), or choose another place.'
        )
    if number in TOO_MANY:
        return WriteFailed(too_many_files(reason))
    if number in (errno.EACCES, errno.EPERM, errno.EROFS):
        return PermissionDenied(f"{where}: may not be written here ({reason.strerror}); choose another place.")
    if number == errno.ELOOP:
        return CannotCreate(f"{where}: a symbolic link is in the way; remove it.")
    if number in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.EISDIR):
        return CannotCreate(f"{where}: cannot be made there ({reason.strerror}).")
    return WriteFailed(f"{where}: writing failed ({reason.strerror or reason}). Check the disk.")


def too_many_files(reason: OSError) -> str:
    """Say that no file can be opened, whichever it was: the limit is that of the process or of the machine."""
    return f"no more files can be opened ({reason.strerror}); close some, or raise the limit (ulimit -n)."


def _fallocate(fd: int, mode: int, position: int, count: int) -> bool:
    """Ask the file system; False where it cannot."""
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
    """Sync a file. Python's own functions begin an interrupted call again for ever."""
    if hasattr(_LIBRARY, name):
        _call(name, ctypes.c_int(fd))
    else:
        os.fsync(fd)


def _call(name: str, *arguments: Any) -> None:
    """Call the C library, again where a signal interrupts it, but not without end."""
    function = getattr(_LIBRARY, name)
    for _ in range(MOST_INTERRUPTIONS):
        if not function(*arguments):
            return
        number = ctypes.get_errno()
        if number != errno.EINTR:
            raise OSError(number, os.strerror(number))
    raise OSError(errno.EINTR, os.strerror(errno.EINTR))
