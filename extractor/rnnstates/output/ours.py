"""Which files beside an output a run can have left: what is anybody else's is refused, and never removed."""

import os
import re
import stat
from pathlib import Path

from ..errors import CannotCreate
from ..hdf5_guard import SIGNATURE
from .names import Names

__all__ = ["check_beside", "check_lock", "check_partial", "check_regular", "left_by_a_run", "open_regular"]

# A journal begins with a checksum and the header's first key, a lock with its first field.
_JOURNAL, _ANY_JOURNAL = re.compile(rb'[0-9a-f]{8} \{"journal"'), b'00000000 {"journal"'
_LOCK = b'{"host": "'
# Bytes of a file that are looked at.
START = 32


def open_regular(path: Path) -> int:
    """Open a file for reading that neither blocks, nor has no end, nor is a link.

    Raises
    ------
    CannotCreate
        It is no regular file, so that no run can have left it.
    OSError
        It is absent, a link, or cannot be opened.
    """
    # Asked before opening too: to open a device may already do something.
    mode = path.lstat().st_mode
    if not stat.S_ISLNK(mode):
        _check(mode, path)
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        check_regular(fd, path)
    except BaseException:
        os.close(fd)
        raise
    return fd


def check_regular(fd: int, path: Path) -> None:
    """Refuse an open file that is no regular one.

    Raises
    ------
    CannotCreate
    """
    _check(os.fstat(fd).st_mode, path)


def check_beside(names: Names) -> None:
    """Refuse a journal, or a file being laid out, that no run can have left.

    A damaged journal is taken for a run's where a ``.partial`` of ours is beside it.

    Raises
    ------
    CannotCreate
    OSError
        A file cannot be read.
    """
    start = _start_of(names.fresh)
    if not _is_torn(start, SIGNATURE):
        raise _foreign(names.fresh, start, "the start of an HDF5 file")
    start = _start_of(names.journal)
    # One that was cut short is completed before it is compared.
    fits = _JOURNAL.match(start + _ANY_JOURNAL[len(start) :]) or start.startswith(b"\0")
    if not fits and not _start_of(names.partial).startswith(SIGNATURE):
        raise _foreign(names.journal, start, "a journal of rnnstates")


def left_by_a_run(names: Names) -> list[Path]:
    """List those files beside an output that a run can have left, where it is known that the journal is a run's."""
    begins = {names.partial: SIGNATURE, names.fresh: SIGNATURE, names.journal: b""}
    return [path for path, start in begins.items() if _begins(path, start)]


def check_partial(names: Names) -> None:
    """Refuse what no run can have left under the unfinished name.

    Raises
    ------
    CannotCreate
    """
    try:
        start = _start_of(names.partial)
    except OSError as reason:
        raise CannotCreate(f"{names.partial}: in the way ({reason.strerror}); remove it.") from reason
    if not start.startswith(SIGNATURE):
        raise CannotCreate(
            f"{names.partial}: in the way and not a file of ours; remove it, or run extract with restart=True."
        )


def check_lock(start: bytes, path: Path) -> None:
    """Refuse a lock that no run can have written.

    Parameters
    ----------
    start : bytes
        What it begins with.
    path : Path

    Raises
    ------
    CannotCreate
    """
    if not _is_torn(start, _LOCK):
        raise _foreign(path, start, "a lock of rnnstates")


def _check(mode: int, path: Path) -> None:
    if not stat.S_ISREG(mode):
        raise CannotCreate(f"{path}: no regular file, so no run left it; remove it by hand, or choose another output.")


def _start_of(path: Path) -> bytes:
    """Read what a file begins with; nothing where there is none."""
    try:
        fd = open_regular(path)
    except FileNotFoundError:
        return b""
    try:
        return os.pread(fd, START, 0)
    finally:
        os.close(fd)


def _begins(path: Path, start: bytes) -> bool:
    """Tell whether a file is there, regular, and begins so, as far as it was written."""
    try:
        return path.is_file() and _is_torn(_start_of(path), start)
    except (CannotCreate, OSError):
        return False


def _is_torn(start: bytes, whole: bytes) -> bool:
    """Tell whether a file begins as its kind does, as far as it was written: power loss leaves nothing, or zeros."""
    return whole.startswith(start[: len(whole)]) or start.startswith(b"\0")


def _foreign(path: Path, start: bytes, expected: str) -> CannotCreate:
    return CannotCreate(
        f"{path}: begins with {start[:START]!r}; expected {expected}, so no run left it. Move it away, or choose "
        "another output."
    )
