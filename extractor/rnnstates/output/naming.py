"""Renames ``OUTPUT.partial`` to the output once it is complete, and removes the temporary files next to it."""

from contextlib import suppress
from pathlib import Path

from ..errors import CannotCreate, WriteFailed
from ..runtime.naming import give_free_name
from .names import Names
from .ours import has_name, is_journal, is_unfinished, left_by_a_run
from .system import Place

__all__ = ["discard", "name_fresh", "name_output", "remove_unfinished", "replaced", "taken", "tidy", "tidy_compressed"]


def name_output(place: Place, fd: int, *, force: bool) -> None:
    """Rename ``OUTPUT.partial``, which is on disk, to the output; the new name is on disk afterwards.

    Parameters
    ----------
    place : Place
    fd : int
        The finished file, open.
    force : bool
        Whether to replace an existing file.

    Raises
    ------
    CannotCreate
        The name was taken meanwhile; the finished work stays in ``.partial``.
    WriteFailed
        ``.partial`` is not the file that was written.
    OSError
        The disk is failing.
    """
    try:
        _name(place, fd, place.names.partial, force=force)
    except FileExistsError as reason:
        raise taken(place.names) from reason


def name_fresh(place: Place, fd: int, *, force: bool) -> None:
    """Rename ``OUTPUT.partial.new``, a finished copy that is on disk, in the same way.

    Raises
    ------
    FileExistsError
        The name was taken meanwhile.
    WriteFailed
        It is not the file that was written.
    OSError
        The disk is failing.
    """
    _name(place, fd, place.names.fresh, force=force)


def tidy(place: Place) -> None:
    """Remove what runs have left next to a finished output; what cannot be removed does no harm.

    This happens without the checks at the start of a run, so somebody else's files may be there.
    """
    names, system = place
    with suppress(OSError):
        for path in left_by_a_run(names):
            system.unlink(path)


def tidy_compressed(place: Place) -> None:
    """Remove what a run has left that compressed its ``.partial`` into the output, ``.partial`` included."""
    names, system = place
    with suppress(OSError):
        if is_unfinished(names):
            system.unlink(names.partial)
    tidy(place)


def discard(place: Place) -> None:
    """Remove what an unfinished run left, except the lock."""
    names, system = place
    for path in names.leftovers:
        with suppress(FileNotFoundError):
            system.unlink(path)


def remove_unfinished(place: Place, fd: int) -> None:
    """Remove the unfinished file if it still has its name, and its journal in any case."""
    names, system = place
    if has_name(fd, names.partial):
        system.unlink(names.partial)
    if is_journal(names.journal):
        system.unlink(names.journal)


def _name(place: Place, fd: int, finished: Path, *, force: bool) -> None:
    names, system = place
    if not has_name(fd, finished):
        raise replaced(names, finished)
    if force:
        system.rename(finished, names.output)
    else:
        give_free_name(finished, names.output, link=system.link, rename=system.rename)
    system.sync_directory(names.output.parent)


def replaced(names: Names, finished: Path) -> WriteFailed:
    """Return the error for a finished file that no longer has its name."""
    return WriteFailed(
        f"{finished}: was moved, removed or replaced while this run was computing, so it may not hold the states "
        f"that were written; {names.output} is not made. Keep other programs (synchronisation, backups) away "
        "from it and repeat the run."
    )


def taken(names: Names) -> CannotCreate:
    """Return the error for an output that appeared meanwhile."""
    return CannotCreate(
        f"{names.output}: appeared while this run was computing and is left alone; the finished states are in "
        f"{names.partial}. Move {names.output} away and repeat the run."
    )
