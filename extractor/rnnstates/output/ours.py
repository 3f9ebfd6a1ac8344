"""Recognises the files that a run leaves next to an output; anybody else's files are refused and never removed."""

import os
import re
import stat
from pathlib import Path

from ..errors import BadStates, CannotCreate, RnnstatesError
from ..untrusted.hdf5 import DAMAGED, SIGNATURE, open_hdf5
from .journal import LONGEST_LINE, parse
from .names import Names
from .reader import is_states_file

__all__ = [
    "check_beside",
    "check_lock",
    "check_regular",
    "has_name",
    "is_journal",
    "is_unfinished",
    "left_by_a_run",
    "open_regular",
]

# The start of a journal (a checksum and the header's first key) and of a lock (its first field).
_JOURNAL, _ANY_JOURNAL = re.compile(rb'[0-9a-f]{8} \{"journal"'), b'00000000 {"journal"'
_LOCK = b'{"host": "'
# Bytes of a file that are examined.
START = 32


def open_regular(path: Path) -> int:
    """Open a regular file for reading: not a link, and nothing that blocks or never ends.

    Raises
    ------
    CannotCreate
        It is not a regular file, so no run can have left it.
    OSError
        It is absent, a link, or cannot be opened.
    """
    # Checked before opening too: merely opening a device may have an effect.
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
    """Refuse an open file that is not a regular file.

    Raises
    ------
    CannotCreate
    """
    _check(os.fstat(fd).st_mode, path)


def check_beside(names: Names) -> None:
    """Refuse an unfinished file, a journal or a file being laid out that no run can have left.

    A damaged journal counts as ours if a ``.partial`` of ours is next to it.

    Raises
    ------
    CannotCreate
    OSError
        A file cannot be read.
    """
    start = _start_of(names.fresh)
    if not _is_torn(start, SIGNATURE) or _is_states(names.fresh) is False:
        raise _foreign(names.fresh, start, "the start of an HDF5 file of rnnstates")
    unfinished = is_unfinished(names)
    if not unfinished and os.path.lexists(names.partial):
        _start_of(names.partial)  # raises if it is not a regular file
        raise CannotCreate(
            f"{names.partial}: is not an unfinished output of rnnstates, so no run left it. Move it away, or choose "
            "another output."
        )
    start = _start_of(names.journal)
    if not _begins_journal(start) and not unfinished:
        raise _foreign(names.journal, start, "a journal of rnnstates")


def is_unfinished(names: Names) -> bool:
    """Return whether a run can have left the ``.partial``: other programs use this ending too.

    It is a states file, or one that has been damaged or truncated since: its journal knows its original size.

    Raises
    ------
    CannotCreate
        It is no longer a regular file.
    OSError
        It cannot be read.
    """
    if names.partial.is_symlink() or not names.partial.is_file():
        return False
    start = _start_of(names.partial)
    if (known := _is_states(names.partial)) or (size := _recorded_size(names.journal)) is None:
        return bool(known)
    found = names.partial.stat().st_size
    return found == size or (known is None and found < size and _is_torn(start, SIGNATURE))


def left_by_a_run(names: Names) -> list[Path]:
    """List what a run left next to a finished output: the file's other name, and the journal."""
    found = [path for path in (names.partial, names.fresh) if _is_same_file(path, names.output)]
    return [*found, names.journal] if is_journal(names.journal) else found


def is_journal(path: Path) -> bool:
    """Return whether a file is there that begins like our journals, as far as it was written."""
    try:
        return path.is_file() and _begins_journal(_start_of(path))
    except (CannotCreate, OSError):
        return False


def has_name(fd: int, path: Path) -> bool:
    """Return whether an open file still has its name.

    Raises
    ------
    OSError
        The system does not say.
    """
    try:
        return os.path.samestat(path.lstat(), os.fstat(fd))
    except (FileNotFoundError, NotADirectoryError):
        return False


def check_lock(start: bytes, path: Path) -> None:
    """Refuse a lock that no run can have written.

    Parameters
    ----------
    start : bytes
        Its first bytes.
    path : Path

    Raises
    ------
    CannotCreate
    """
    if not _is_torn(start, _LOCK):
        raise _foreign(path, start, "a lock of rnnstates")


def _check(mode: int, path: Path) -> None:
    if not stat.S_ISREG(mode):
        raise CannotCreate(
            f"{path}: not a regular file, so no run left it; remove it by hand, or choose another output."
        )


def _start_of(path: Path) -> bytes:
    """Read the first bytes of a file; empty if there is none."""
    try:
        fd = open_regular(path)
    except FileNotFoundError:
        return b""
    try:
        return os.pread(fd, START, 0)
    finally:
        os.close(fd)


def _begins_journal(start: bytes) -> bool:
    """Return whether a journal can begin like this; a truncated start is completed before it is compared."""
    return bool(_JOURNAL.match(start + _ANY_JOURNAL[len(start) :])) or start.startswith(b"\0")


def _is_states(path: Path) -> bool | None:
    """Return whether a file is a states file; None if HDF5 cannot read it, or if there is none."""
    try:
        with open_hdf5(path, BadStates) as file:
            return is_states_file(file)
    except (RnnstatesError, *DAMAGED):
        return None


def _recorded_size(journal: Path) -> int | None:
    """Return the size that a journal records for its file; None if it does not."""
    try:
        fd = open_regular(journal)
    except (CannotCreate, OSError):
        return None
    with os.fdopen(fd, "rb") as file:
        known = parse(file.read(LONGEST_LINE))
    return None if known is None else known.header.size


def _is_same_file(path: Path, other: Path) -> bool:
    try:
        return os.path.samestat(path.lstat(), other.lstat())
    except OSError:
        return False


def _is_torn(start: bytes, whole: bytes) -> bool:
    """Return whether a file begins like its kind, as far as it was written: power loss leaves nothing, or zeros."""
    return whole.startswith(start[: len(whole)]) or start.startswith(b"\0")


def _foreign(path: Path, start: bytes, expected: str) -> CannotCreate:
    return CannotCreate(
        f"{path}: begins with {start[:START]!r}; expected {expected}, so no run left it. Move it away, or choose "
        "another output."
    )
