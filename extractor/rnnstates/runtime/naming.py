"""Giving a finished file a name that is free, never over somebody else's file."""

import errno
from collections.abc import Callable
from pathlib import Path

__all__ = ["give_free_name"]

Naming = Callable[[Path, Path], object]


def give_free_name(finished: Path, target: Path, *, link: Naming, rename: Naming) -> None:
    """Name a file; it may keep its old name too.

    Parameters
    ----------
    finished, target : Path
        In one directory.
    link, rename : callable
        What gives a file a second name, which must be free, and what gives it another one.

    Raises
    ------
    FileExistsError
        The name is taken.
    OSError
        The file cannot be named there.
    """
    try:
        link(finished, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links: look, then rename
        if target.exists():
            raise FileExistsError(errno.EEXIST, "exists", str(target)) from None
        rename(finished, target)
