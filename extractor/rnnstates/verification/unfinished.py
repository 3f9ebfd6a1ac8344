"""What ``verify`` reports about an unfinished output: how far it is, and whether its finished windows are undamaged."""

from pathlib import Path
from typing import NoReturn

from ..errors import BadStates, MissingInput
from ..inputs.hdf5 import reading
from ..output.journal import Header, Journal
from ..output.journal_file import read_journal
from ..output.lock import holder_of, is_held
from ..output.names import PARTIAL, Names, names_of
from ..output.ours import is_unfinished
from ..output.reader import open_unfinished
from ..untrusted.hdf5 import open_hdf5
from .digests import ELSEWHERE, Damage, Grid, Located, damaged_windows, described, located, open_raw
from .promised import read_promise

__all__ = ["refuse_unfinished"]

CONTINUE = "Repeat the run to continue with the others."
LAST = "Repeat the run to finish it."
AGAIN = "Repeat the run with verify=True, which recomputes those and continues."
OVER = "Repeat the run; it starts over."


def refuse_unfinished(where: str, *, quick: bool) -> None:
    """Compare the finished windows of an unfinished output with the journal; ignore a finished or absent output.

    Parameters
    ----------
    where : str
        The output, or its ``.partial``.
    quick : bool
        Report how far it is without reading any states.

    Raises
    ------
    BadStates
        It is not finished; the message says what is damaged.
    MissingInput
        The journal cannot be read, or there is no such ``.partial``.
    """
    is_partial = where.endswith(PARTIAL) and Path(where).name != PARTIAL
    names = names_of(where.removesuffix(PARTIAL) if is_partial else where)
    if is_partial and not names.partial.exists():
        raise MissingInput(f"{where}: no such file; expected a states file.")
    try:
        if not is_unfinished(names) or (names.output.exists() and not is_partial):
            return
        journal = read_journal(names.journal)
    except OSError as reason:
        raise MissingInput(f"{reason.filename or where}: cannot be read ({reason.strerror}).") from reason
    if journal is None:
        raise BadStates(
            f"{names.output}: not finished: {names.partial} is there, but its journal is missing or damaged, so "
            f"nothing in it is known to be finished. {OVER}"
        )
    _refuse(names, journal, quick=quick)


def _refuse(names: Names, journal: Journal, *, quick: bool) -> NoReturn:
    header, count = journal.header, len(journal.windows)
    damage, elsewhere = ({}, False) if quick else _damage(names, journal)
    far = f"{names.output}: not finished: {count} of {header.windows} windows are"
    if is_held(names.lock):
        holder = holder_of(names.lock)
        advice = f"A run is at work{f' ({holder})' if holder else ''}; wait for it."
    elif elsewhere:
        advice = OVER
    elif damage:
        advice = AGAIN
    else:
        advice = LAST if count == header.windows else CONTINUE
    if damage or elsewhere:
        raise BadStates(f"{far}, but {'; '.join([*described(damage), *[ELSEWHERE] * elsewhere])}. {advice}")
    raise BadStates(f"{far}{'' if quick or not count else ', each as it was written'}. {advice}")


def _damage(names: Names, journal: Journal) -> tuple[Damage, bool]:
    """Check every byte known to be written; return the damaged windows, and whether there is damage elsewhere."""
    where, header = str(names.partial), journal.header
    with reading(where, BadStates), open_raw(where) as raw:
        if not header.fits_rest(raw.read, raw.size):
            return {}, True
        with open_unfinished(where) as states, open_hdf5(where, BadStates) as file:
            promise = read_promise(states, file, where)
            datasets, grid = located(states, promise), Grid(promise.shape, header.window_rows)
        if isinstance(datasets, str) or not _fits(header, datasets, grid):
            return {}, True
        finished = journal.windows
        return damaged_windows(raw, datasets, grid, sorted(finished), lambda n, at: finished[n].sums[at]), False


def _fits(header: Header, datasets: list[Located], grid: Grid) -> bool:
    """Return whether a journal belongs to this file."""
    windows = -(-grid.shape.sequences // grid.window_rows)
    found = [(spec.name, offset, spec.nbytes) for spec, offset in datasets]
    said = [(name, offset, size) for (name, offset), size in zip(header.offsets.items(), header.sizes, strict=True)]
    return found == said and windows == header.windows
