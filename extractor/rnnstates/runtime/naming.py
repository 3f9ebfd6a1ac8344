"""Puts a finished file of any kind under its final name, which must be free: nobody's file is ever overwritten."""

import errno
from collections.abc import Callable
from pathlib import Path

__all__ = ["give_free_name"]

Naming = Callable[[Path, Path], object]


def give_free_name(finished: Path, target: Path, *, link: Naming, rename: Naming) -> None:
    """Give a file its final name; it may keep its old name too.

    Parameters
    ----------
    finished, target : Path
        In the same directory.
    link, rename : callable
        ``link`` gives a file a second name, which must be free; ``rename`` replaces its name.

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
