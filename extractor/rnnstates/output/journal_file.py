"""The journal's file: read at the start of a run, lengthened while it goes on."""

import os
import time
from pathlib import Path

from ..errors import DoesNotMatch
from .journal import VERSION, Header, Journal, Window, encode, foreign_version, parse
from .ours import open_regular
from .system import System, write_all

__all__ = ["JournalFile", "read_journal"]

# Some millions of windows; what is beyond is taken for torn.
MOST = 2**30


def read_journal(path: Path) -> Journal | None:
    """Read a journal; None where there is none, or not even its first line is whole.

    Raises
    ------
    OSError
        It is there and cannot be read.
    CannotCreate
        It is no regular file.
    DoesNotMatch
        It is there and whole, and another version of rnnstates wrote it.
    """
    try:
        fd = open_regular(path)
    except FileNotFoundError:
        return None
    with os.fdopen(fd, "rb") as file:
        # As much as there is: reading makes room for all that is asked for.
        data = file.read(min(MOST, os.fstat(fd).st_size))
    if (version := foreign_version(data)) is not None:
        raise DoesNotMatch(
            f"{path}: is a journal of version {version}; expected {VERSION}. Continue with the rnnstates that began "
            "it, throw its work away with restart=True, or choose another output."
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
        """Make a new one, in place of any other; not yet on disk."""
        fd = system.open(path, os.O_CREAT | os.O_TRUNC | os.O_RDWR)
        journal = cls(system, fd, 0)
        try:
            journal.append(header, session)
        except BaseException:
            journal.close()
            raise
        return journal

    @classmethod
    def go_on(cls, system: System, path: Path, known: Journal, session: str) -> "JournalFile":
        """Open one that was read, without what stands behind its last whole line."""
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
        """Seconds since this session began, whatever the clock says."""
        return round(time.monotonic() - self._began, 3)

    def append(self, *records: "Header | Window | str | int | None") -> None:
        """Write lines; they are on disk after ``sync``."""
        text = b"".join(map(encode, records))
        write_all(self._system, self._fd, memoryview(text), self._position)
        self._position += len(text)

    def sync(self) -> None:
        """Wait until they are on disk. What fails is not tried again: the system may have forgotten the lines."""
        self._system.fdatasync(self._fd)

    def close(self) -> None:
        """Close the file."""
        self._system.close(self._fd)
