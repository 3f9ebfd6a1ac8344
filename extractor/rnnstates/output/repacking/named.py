"""Rewrites a file under a temporary name, and gives it the output's name when it is on disk."""

import os
from contextlib import suppress

from ..naming import name_fresh
from ..system import Place
from .finished import Finished
from .rewriting import Rewriting, rewrite

__all__ = ["write_named"]


def write_named(old: Finished, place: Place, how: Rewriting, *, force: bool) -> int:
    """Write the output of a place from a finished file; whatever ends this early leaves no file.

    Parameters
    ----------
    old : Finished
    place : Place
        Locked by this run.
    how : Rewriting
    force : bool
        Whether an existing output is replaced.

    Returns
    -------
    int
        Values that were too large for the new dtype.

    Raises
    ------
    FileExistsError
        The output's name was taken meanwhile.
    BadStates, WriteFailed, OSError
        As ``rewrite`` and ``name_fresh``.
    """
    names, system = place
    with suppress(FileNotFoundError):
        system.unlink(names.fresh)
    descriptor = system.open(names.fresh, os.O_CREAT | os.O_EXCL | os.O_RDWR)
    try:
        overflowed = rewrite(old, system, descriptor, how)
        name_fresh(place, descriptor, force=force)
    finally:
        # A file that has its name by now may still have this one too.
        with suppress(OSError):
            system.unlink(names.fresh)
        with suppress(OSError):
            system.close(descriptor)
    return overflowed
