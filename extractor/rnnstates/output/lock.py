"""Locks an output, so that only one run at a time writes it.

``OUTPUT.lock`` is created exclusively and names its maker. The file is also locked (``flock``), which ends with the
process: if a lock was left behind on this machine, whoever gets the file's lock knows that its maker is dead. About a
lock from a different machine nothing can be known; it is left alone.
"""

import errno
import fcntl
import json
import os
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import OutputBusy
from .ours import check_lock, check_regular, has_name, open_regular
from .system import Place, translated, write_all

__all__ = ["Holder", "RunLock", "holder_of", "is_held"]

# A lock's text is about a hundred bytes; no more is read.
MOST = 4096
# Attempts, when the name is created and removed again between two looks each time.
TRIES = 100
# Errors of file systems without flock: there the exclusive creation of the file must suffice.
NO_FLOCK = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)


class Holder(NamedTuple):
    """Who made a lock.

    Parameters
    ----------
    host : str
    boot : str
        The kernel's boot id, different for two machines, or for one machine after a restart.
    pid : int
    began : int
        When the process began, in clock ticks since boot, so that a reused process number is recognised.
    since : str
        UTC, for people.
    """

    host: str
    boot: str
    pid: int
    began: int
    since: str

    def __str__(self) -> str:
        return f"{self.host}:{self.pid} since {self.since}"

    @property
    def is_here(self) -> bool:
        """Whether it was made on this machine, in whatever container, or by this machine before it was restarted."""
        return self.boot == _boot() or self.host == os.uname().nodename

    @property
    def lives(self) -> bool:
        """Whether the process is running, as far as can be seen without the file's lock."""
        return not self.is_here or (self.boot == _boot() and _began(self.pid) == self.began)


class RunLock:
    """The lock of one output; a context manager that releases it.

    Parameters
    ----------
    place : Place
        Of the output.

    Raises
    ------
    OutputBusy
        Somebody else holds it; the message says host, process and since when.
    CannotCreate
        The existing file is not a lock of ours.
    OutputError
        It cannot be created there.
    """

    def __init__(self, place: Place) -> None:
        self._path, self._system = place.names.lock, place.system
        now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        self._me = Holder(os.uname().nodename, _boot(), os.getpid(), _began(os.getpid()), now)
        try:
            self._fd = self._take()
        except OSError as reason:
            raise translated(reason, self._path) from reason

    def release(self) -> None:
        """Remove the lock's file if it is still this lock's, then release it; safe to call twice."""
        if self._fd < 0:
            return
        fd, self._fd = self._fd, -1
        try:
            self._take_name_away(fd)
        finally:
            with suppress(OSError):
                self._system.close(fd)

    def __enter__(self) -> "RunLock":
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def _take(self) -> int:
        for _ in range(TRIES):
            fd, made = self._open()
            ours = self._locked = False
            try:
                ours = self._is_ours(fd, made=made)
                if ours:
                    return self._sign(fd)
            except BaseException:
                # If we created it but could not lock it, another run may have it by now: it takes over dead locks.
                self._drop(fd, ours=ours or (made and self._locked))
                raise
            self._drop(fd, ours=False)
        raise self._busy(holder_of(self._path))

    @property
    def holder(self) -> Holder:
        """The holder: this process."""
        return self._me

    def _open(self) -> tuple[int, bool]:
        """Create the file, or open the existing one; also return whether it was created."""
        while True:
            with suppress(FileExistsError):
                return self._system.open(self._path, os.O_CREAT | os.O_EXCL | os.O_RDWR), True
            # It is gone again: whoever had it has finished.
            with suppress(FileNotFoundError):
                return self._system.open(self._path, os.O_RDWR | os.O_NONBLOCK), False

    def _is_ours(self, fd: int, *, made: bool) -> bool:
        """Lock the open file and check that it still has its name; False if it was removed meanwhile."""
        if not made:
            check_regular(fd, self._path)
        flocked = self._flock(fd)
        if not has_name(fd, self._path):
            return False
        if made:
            return True
        text = self._system.pread(fd, MOST, 0)
        check_lock(text, self._path)
        holder = _holder(text)
        # We hold the file's lock, so its maker on this machine is gone.
        if not flocked and (holder is None or holder.lives):
            raise self._busy(holder)
        if holder is not None and not holder.is_here:
            raise self._busy(holder)
        return True

    def _flock(self, fd: int) -> bool:
        """Lock the open file; False if the file system cannot."""
        try:
            self._system.lock(fd)
        except OSError as reason:
            if reason.errno in (errno.EWOULDBLOCK, errno.EACCES):
                raise self._busy(_holder(self._system.pread(fd, MOST, 0))) from reason
            if reason.errno not in NO_FLOCK:
                raise
            return False
        self._locked = True
        return True

    def _drop(self, fd: int, *, ours: bool) -> None:
        """Clean up after a lock that could not be acquired, unless somebody else has taken it meanwhile."""
        if ours:
            self._take_name_away(fd)
        with suppress(OSError):
            self._system.close(fd)

    def _take_name_away(self, fd: int) -> None:
        with suppress(OSError):
            if has_name(fd, self._path):
                self._system.unlink(self._path)

    def _sign(self, fd: int) -> int:
        text = json.dumps(self._me._asdict()).encode()
        self._system.truncate(fd, 0)
        write_all(self._system, fd, memoryview(text), 0)
        return fd

    def _busy(self, holder: Holder | None) -> OutputBusy:
        if holder is None:
            return OutputBusy(f"{self._path}: another run is writing this output; wait for it, or choose another.")
        if holder.is_here:
            return OutputBusy(f"{self._path}: locked by {holder}; wait for that run, or choose another output.")
        return OutputBusy(
            f"{self._path}: locked by {holder}, on another machine; wait for that run. If it is dead, remove the file."
        )


def holder_of(path: Path) -> Holder | None:
    """Read who made a lock; None if there is none, or if its text cannot be parsed.

    Raises
    ------
    CannotCreate
        It is no regular file.
    """
    try:
        fd = open_regular(path)
    except OSError:
        return None
    with os.fdopen(fd, "rb") as file:
        return _holder(file.read(MOST))


def is_held(path: Path) -> bool:
    """Return whether the maker of a lock is at work; assumed for a lock from a different machine.

    Raises
    ------
    CannotCreate
        It is no regular file.
    """
    try:
        fd = open_regular(path)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        holder = _holder(os.pread(fd, MOST, 0))
        return holder is not None and holder.lives
    else:
        holder = _holder(os.pread(fd, MOST, 0))
        return holder is not None and not holder.is_here
    finally:
        os.close(fd)


def _holder(text: bytes) -> Holder | None:
    try:
        known: Any = json.loads(text)
        holder = Holder(*(known[name] for name in Holder._fields))
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    kinds = (str, str, int, int, str)
    return holder if all(type(value) is kind for value, kind in zip(holder, kinds, strict=True)) else None


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _began(pid: int) -> int:
    """Return when a process began, in clock ticks since boot; 0 if there is none."""
    try:
        # The second field is the name in parentheses, which may contain anything.
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        return int(fields[19])
    except (OSError, ValueError, IndexError):
        return 0
