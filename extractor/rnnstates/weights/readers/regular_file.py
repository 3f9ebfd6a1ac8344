"""Opens files named by a weights file or next to it: regular files only.

A link may lead anywhere, a pipe has no end, and opening a device may have effects.
"""

import os
import stat
from pathlib import Path
from typing import BinaryIO

from ...errors import BadWeights
from ...untrusted.missing import missing_reported

__all__ = ["open_regular", "size_of"]

# No honest file is this much larger than its blocks on disk; a sparse one takes memory for nothing.
SMALL, MOST_HOLES = 64 * 2**20, 2048


def open_regular(path: Path, *, alone: bool = False) -> BinaryIO:
    """Open a file that is neither a link nor anything that blocks or has no end.

    Parameters
    ----------
    path : Path
    alone : bool
        Refuse hard links too, which may expose someone else's file.

    Raises
    ------
    MissingInput, BadWeights
    """
    with missing_reported(path, "a regular file"):
        # Checked before opening: opening a device may have effects.
        status = path.lstat()
        if stat.S_ISREG(status.st_mode):
            # Non-blocking, and checked again: another file may have taken its place meanwhile.
            file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb")
            status = os.fstat(file.fileno())
            if stat.S_ISREG(status.st_mode) and not (alone and status.st_nlink != 1):
                return file
            file.close()
    raise BadWeights(
        f"{path}: {_kind(status.st_mode)}; expected a regular file. Copy the weights themselves into the folder."
    )


def _kind(mode: int) -> str:
    if stat.S_ISREG(mode):
        return "a file with several names (hard links)"
    return "a link" if stat.S_ISLNK(mode) else "a directory" if stat.S_ISDIR(mode) else "a pipe, socket or device"


def size_of(file: BinaryIO, path: Path) -> int:
    """Return the size of an opened file.

    Raises
    ------
    BadWeights
        It is sparse.
    """
    status = os.fstat(file.fileno())
    stored = status.st_blocks * 512
    if status.st_size > SMALL and status.st_size > MOST_HOLES * stored:
        raise BadWeights(f"{path}: declares {status.st_size} bytes but stores {stored}; it is sparse and refused.")
    return status.st_size
