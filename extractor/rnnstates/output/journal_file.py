"""Reads the journal's file at the start of a run, and appends to it during the run."""

import os
import time
from pathlib import Path

from ..errors import DoesNotMatch
from .journal import VERSION, Header, Journal, Window, encode, foreign_version, parse
from .ours import open_regular
from .system import System, write_all

__all__ = ["JournalFile", "read_journal"]

# Enough for some millions of windows; anything beyond is treated as torn (bytes).
MOST = 2**30


def read_journal(path: Path) -> Journal | None:
    """Read a journal; None if there is none, or if not even its first line is intact.

    Raises
    ------
    OSError
        It exists and cannot be read.
    CannotCreate
        It is not a regular file.
    DoesNotMatch
        It is intact and was written by a different version of rnnstates.
    """
    try:
        fd = open_regular(path)
    except FileNotFoundError:
        return None
    with os.fdopen(fd, "rb") as file:
        # No more than its size: reading allocates everything requested.
        data = file.read(min(MOST, os.fstat(fd).st_size))
    if (version := foreign_version(data)) is not None:
        raise DoesNotMatch(
            f"{path}: is a journal of version {version}; expected {VERSION}. Resume with the rnnstates that began it, "
            "discard its work with restart=True, or choose another output."
        )
    return parse(data)


class JournalFile:
    """An open journal.

    Parameters
    ----------
    system : System
    fd : int
        Open for writing.
    position : int
        Where the next line goes.
    """

    def __init__(self, system: System, fd: int, position: int) -> None:
        self._system, self._fd, self._position = system, fd, position
        self._began = time.monotonic()

    @classmethod
    def create(cls, system: System, path: Path, header: Header, session: str) -> "JournalFile":
        """Create a new journal, replacing any other; not yet on disk."""
        fd = system.open(path, os.O_CREAT | os.O_TRUNC | os.O_RDWR)
        journal = cls(system, fd, 0)
        try:
            journal.append(header, session)
        except BaseException:
            journal.close()
            raise
        return journal

    @classmethod
    def resume(cls, system: System, path: Path, known: Journal, session: str) -> "JournalFile":
        """Open a journal that was read, dropping what follows its last complete line."""
        fd = system.open(path, os.O_RDWR)
        journal = cls(system, fd, known.valid)
        try:
            system.truncate(fd, known.valid)
            journal.append(session)
            journal.sync()
        except BaseException:
            journal.close()
            raise
        return journal

    @property
    def elapsed(self) -> float:
        """Seconds since this session began, independent of changes to the clock."""
        return round(time.monotonic() - self._began, 3)

    def append(self, *records: "Header | Window | str | int | None") -> None:
        """Write lines; they are on disk after ``sync``."""
        text = b"".join(map(encode, records))
        write_all(self._system, self._fd, memoryview(text), self._position)
        self._position += len(text)

    def sync(self) -> None:
        """Wait until they are on disk. A failed sync is not retried: the system may have dropped the lines."""
        self._system.fdatasync(self._fd)

    def close(self) -> None:
        """Close the file."""
        self._system.close(self._fd)
