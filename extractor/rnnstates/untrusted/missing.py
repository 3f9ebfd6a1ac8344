"""Opens files, and reports in one way everything wrong with a file before its content is read."""

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ..errors import MissingInput

__all__ = ["is_no_name", "missing_reported", "names_folder", "open_file", "read_at_most", "shown"]

# Not files: a device may have no end, and opening one may have effects.
DEVICES = {stat.S_IFCHR: "a device", stat.S_IFBLK: "a device", stat.S_IFSOCK: "a socket"}
PIECE = 2**20
# Longer names are cut in messages.
LONGEST_NAME = 1000


def shown(path: str | os.PathLike[str]) -> str:
    """Return a path for a message, cut if it is so long that it would drown the rest."""
    name = os.fspath(path)
    return name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}…"


def is_no_name(path: str | os.PathLike[str]) -> bool:
    """Return whether no file can have this name: it has a null byte, or a character that the system cannot encode."""
    try:
        return b"\0" in os.fsencode(path)
    except UnicodeEncodeError:
        return True


def names_folder(path: str | os.PathLike[str]) -> bool:
    """Return whether a name ends like a folder's, in a slash or slash and dot, which ``Path`` drops."""
    return os.path.basename(os.fspath(path)) in ("", ".")  # noqa: PTH119 - Path drops it


@contextlib.contextmanager
def missing_reported(path: str | os.PathLike[str], expected: str) -> Iterator[None]:
    """Translate Python's exceptions for a file that cannot be opened into our error.

    Parameters
    ----------
    path : str or path
    expected : str
        The kind of file, e.g. ``"a .npy or HDF5 file"``.

    Raises
    ------
    MissingInput
        It is absent, a directory or unreadable, or no file can have that name.
    """
    try:
        yield
    except FileNotFoundError as reason:
        raise MissingInput(f"{path}: no such file; expected {expected}. Check the path.") from reason
    except IsADirectoryError as reason:
        raise MissingInput(f"{path}: a directory; expected {expected}. Name the file itself.") from reason
    except PermissionError as reason:
        raise MissingInput(f"{path}: may not be read; check its permissions.") from reason
    except (OSError, ValueError) as reason:
        why = getattr(reason, "strerror", None) or reason
        raise MissingInput(f"{shown(path)!r}: cannot be opened ({why}); expected {expected}.") from reason


def open_file(path: str | os.PathLike[str], expected: str, *, pipes: bool = False) -> BinaryIO:
    """Open a file for reading, unbuffered.

    Parameters
    ----------
    path : str or path
    expected : str
        The kind of file.
    pipes : bool
        Whether it may be a pipe, as the shell makes for ``<(...)``.

    Raises
    ------
    MissingInput
        It is absent, unreadable, a directory, a device or a socket, or a pipe without ``pipes``.
    """
    with missing_reported(path, expected):
        mode = Path(path).stat().st_mode
        found = DEVICES.get(stat.S_IFMT(mode), "a pipe" if stat.S_ISFIFO(mode) and not pipes else "")
        if found:
            raise MissingInput(f"{path}: {found}; expected {expected}. Save it to a file.")
        return Path(path).open("rb", buffering=0)


def read_at_most(file: BinaryIO, most: int, where: str) -> bytes | None:
    """Read the rest of a file or pipe; None if it is longer than ``most`` bytes.

    Raises
    ------
    MissingInput
        Reading fails.
    """
    pieces, left = [], most
    with missing_reported(where, "a file that can be read to its end"):
        while piece := file.read(min(PIECE, left + 1)):
            pieces.append(piece)
            left -= len(piece)
            if left < 0:
                return None
    return b"".join(pieces)
