"""``status()`` and ``clean()``: how far an unfinished output is and which run is at work, and removing it."""

import os
from typing import Any

from ..errors import CannotCreate, MissingInput
from ..errors.arguments import check_arguments
from .journal import Journal
from .journal_file import read_journal
from .lock import RunLock, holder_of, is_held
from .names import Names, names_of
from .naming import discard
from .ours import check_beside, is_unfinished
from .reader import open_states
from .system import Place, translated

__all__ = ["clean", "status"]


def status(output: str | os.PathLike[str]) -> dict[str, Any]:
    """Return how far the run that makes an output is; only what is on disk counts, up to half a minute behind.

    Parameters
    ----------
    output : str or path
        As ``extract`` was given it.

    Returns
    -------
    dict
        In JSON types: ``output``; ``state`` (``finished``, ``running``, ``stopped`` or ``absent``); for an unfinished
        run with a readable journal ``windows`` and ``windows_in_all``, ``steps`` and ``steps_in_all`` (valid ones),
        ``rate`` (steps per second of its last session; None if that finished nothing), ``bytes`` (on disk) and
        ``command``; for a running one ``holder``.

    Raises
    ------
    MissingInput
        The journal, or the output, cannot be read.
    BadStates
        The file with the output's name is not a states file.
    CannotCreate
        The journal or the lock is not a regular file.

    Examples
    --------
    >>> status("nowhere.h5")
    {'output': 'nowhere.h5', 'state': 'absent'}
    """
    check_arguments(locals(), required=("output",))
    names = names_of(output)
    about: dict[str, Any] = {"output": os.fspath(output), "state": "absent"}
    if is_held(names.lock):
        about |= {"state": "running", "holder": _holder(names)}
    journal, unfinished = _looked_at(names)
    if unfinished:
        about["state"] = "running" if "holder" in about else "stopped"
        if journal is not None:
            about |= _progress(journal) | {"bytes": names.partial.stat().st_blocks * 512}
    elif names.output.exists() and "holder" not in about:
        open_states(names.output).close()
        about["state"] = "finished"
    return about


def clean(output: str | os.PathLike[str]) -> list[str]:
    """Remove what an unfinished run left next to an output; the output itself is not touched.

    Parameters
    ----------
    output : str or path
        As ``extract`` was given it.

    Returns
    -------
    list of str
        The files that were removed.

    Raises
    ------
    OutputBusy
        A run is at work.
    CannotCreate
        A file that no run leaves is in the way.
    PermissionDenied, WriteFailed
        A file cannot be removed.
    """
    check_arguments(locals(), required=("output",))
    names = names_of(output)
    there = [path for path in (*names.leftovers, names.lock) if os.path.lexists(path)]
    if not there:
        return []
    for path in there:
        if not path.is_file() or path.is_symlink():
            raise CannotCreate(f"{path}: not a regular file, so no run left it; remove it by hand.")
    place = Place(names)
    with RunLock(place):
        try:
            check_beside(names)
            discard(place)
        except OSError as reason:
            raise translated(reason, names.partial) from reason
    return [names.shown(path) for path in there]


def _holder(names: Names) -> str | None:
    holder = holder_of(names.lock)
    return None if holder is None else str(holder)


def _looked_at(names: Names) -> tuple[Journal | None, bool]:
    """Return the journal, and whether there is an unfinished file."""
    try:
        return read_journal(names.journal), is_unfinished(names)
    except OSError as reason:
        raise MissingInput(f"{reason.filename or names.journal}: cannot be read ({reason.strerror}).") from reason


def _progress(journal: Journal) -> dict[str, Any]:
    header, last = journal.header, journal.last
    seconds = max((window.elapsed for window in last), default=0.0)
    steps = sum(window.steps for window in last)
    return {
        "windows": len(journal.windows),
        "windows_in_all": header.windows,
        "steps": sum(window.steps for window in journal.windows.values()),
        "steps_in_all": header.steps,
        "rate": round(steps / seconds) if seconds else None,
        "command": header.command,
    }
