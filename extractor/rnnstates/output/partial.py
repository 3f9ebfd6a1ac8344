"""Opens the unfinished file: lays out a new one, or resumes what an earlier run of the same job left.

``OUTPUT.partial`` gets its name once it can be opened, and its journal exists before that; so however a run ends,
``.partial`` is always readable and never without its journal, unless somebody removed it.
"""

import errno
import logging
import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from functools import partial as fixed
from typing import Any, NamedTuple

from ..errors import DoesNotMatch, OutputBusy
from ..errors.choices import Compression
from .destination import no_room
from .integrity import REST, SUMS, digest_rest
from .journal import Header, Journal, Window
from .journal_file import JournalFile, read_journal
from .layout import Contents, lay_out
from .lock import holder_of, is_held
from .matching import mismatch
from .names import Names
from .naming import discard
from .ours import check_beside
from .stored import StoredWindows, has_holes
from .system import Place, write_all

__all__ = ["Partial", "Wanted", "check_unfinished", "is_output_of", "open_partial"]

logger = logging.getLogger("rnnstates")


class Wanted(NamedTuple):
    """What a run is to make, and what it does with existing work.

    Parameters
    ----------
    contents : Contents
    identity : mapping
        Everything that the result depends on, in JSON types.
    command : str
        The command, for people.
    session : str
        The process at work, for people.
    restart : bool
        Discard what an earlier run left.
    verify : bool
        Compare its finished windows with their sums before trusting them.
    compression : str
        How the finished states are compressed.
    """

    contents: Contents
    identity: Mapping[str, Any]
    command: str = ""
    session: str = ""
    restart: bool = False
    verify: bool = False
    compression: Compression = "none"


class Partial(NamedTuple):
    """An open unfinished file, with its journal.

    Parameters
    ----------
    fd : int
    header : Header
    journal : JournalFile
    windows : dict
        The windows already finished, by number.
    """

    fd: int
    header: Header
    journal: JournalFile
    windows: dict[int, Window]


def open_partial(place: Place, wanted: Wanted) -> Partial:
    """Resume what an earlier run of the same job left, or begin.

    Raises
    ------
    DoesNotMatch
        The existing work belongs to a different job.
    CannotCreate
        An existing file is not one of ours.
    OSError
        The disk is full or failing.
    """
    names = place.names
    check_beside(names)
    if wanted.restart:
        discard(place)
    known = read_journal(names.journal)
    if not os.path.lexists(names.partial):
        return _begin(place, wanted)
    if known is None:
        logger.warning("%s: its journal is missing or damaged, so nothing in it is known to be finished; the run "
                       "starts over.", names.shown(names.partial))  # fmt: skip
        return _begin(place, wanted)
    check_same_job(names, known, wanted.identity)
    return _resume(place, wanted, known) or _begin(place, wanted)


def check_same_job(names: Names, known: Journal, identity: Mapping[str, Any]) -> None:
    """Refuse to resume what a different job began.

    Raises
    ------
    DoesNotMatch
    """
    if reason := mismatch(known.header.identity, identity):
        raise DoesNotMatch(f"{names.partial}: {reason}")


def check_unfinished(names: Names, identity: Callable[[], Mapping[str, Any]]) -> None:
    """Check what an earlier run left, as a run would; nothing is changed.

    Parameters
    ----------
    names : Names
    identity : callable
        Describes the job; called only if there is something to compare it with.

    Raises
    ------
    OutputBusy
        Another run is writing the same output.
    DoesNotMatch
        The existing work belongs to a different job.
    CannotCreate
        An existing file is not one of ours.
    OSError
    """
    if is_held(names.lock):
        raise OutputBusy(f"{names.output}: is being written by {holder_of(names.lock) or 'another run'}; wait for it.")
    check_beside(names)
    if not os.path.lexists(names.partial):
        return
    known = read_journal(names.journal)
    if known is not None and not known.complete:
        check_same_job(names, known, identity())


def is_output_of(place: Place, known: Journal) -> bool:
    """Return whether the output is the file of a complete journal: renamed, but not tidied up after."""
    names, system = place
    if not known.complete or not names.output.is_file():
        return False
    if names.partial.exists():
        return names.partial.samefile(names.output)
    try:
        fd = system.open(names.output, os.O_RDONLY)
    except OSError:
        return False
    try:
        return known.header.fits_rest(fixed(system.pread, fd), system.size(fd))
    finally:
        system.close(fd)


def _begin(place: Place, wanted: Wanted) -> Partial:
    names, system = place
    discard(place)
    with ExitStack() as opened:
        opened.callback(_discard_quietly, place)
        fd = system.open(names.fresh, os.O_CREAT | os.O_EXCL | os.O_RDWR)
        opened.callback(system.close, fd)
        header = _make(place, fd, wanted)
        journal = JournalFile.create(system, names.journal, header, wanted.session)
        opened.callback(journal.close)
        journal.sync()
        system.rename(names.fresh, names.partial)
        system.sync_directory(names.partial.parent)
        opened.pop_all()
    return Partial(fd, header, journal, {})


def _discard_quietly(place: Place) -> None:
    """Remove everything of a run that could not begin; its error says why."""
    with suppress(OSError):
        discard(place)


def _make(place: Place, fd: int, wanted: Wanted) -> Header:
    """Lay out the file, reserve its disk space and sync it; return the journal's header."""
    system = place.system
    contents = wanted.contents
    offsets = lay_out(system, fd, contents)
    sums_at, rest_at = offsets.pop(SUMS), offsets.pop(REST)
    header = Header(
        identity=wanted.identity, offsets=offsets, sums_at=sums_at, rest_at=rest_at, size=system.size(fd), rest="",
        sizes=[spec.nbytes for spec in contents.specs], windows=contents.windows, window_rows=contents.window_rows,
        steps=contents.shape.valid_steps, command=wanted.command,
    )  # fmt: skip
    rest = digest_rest(fixed(system.pread, fd), header.size, header.apart)
    write_all(system, fd, memoryview(bytes.fromhex(rest)), rest_at)
    _reserve(place, fd, {offsets[spec.name]: spec.nbytes for spec in contents.specs if not has_holes(contents, spec)})
    system.fsync(fd)
    return header._replace(rest=rest)


def _reserve(place: Place, fd: int, stretches: Mapping[int, int]) -> None:
    """Reserve disk space for what is written without holes, so that it cannot run out later."""
    try:
        for offset, size in stretches.items():
            place.system.allocate(fd, offset, size)
    except OSError as reason:
        # For a quota or a limit on file sizes, the free space on disk says nothing.
        if reason.errno != errno.ENOSPC:
            raise
        raise no_room(place.names.output, sum(stretches.values()), "the disk is full; ") from reason


def _resume(place: Place, wanted: Wanted, known: Journal) -> Partial | None:
    """Open the existing file; None, with a warning, if it is not intact."""
    names, system = place
    with ExitStack() as opened:
        fd = system.open(names.partial, os.O_RDWR)
        opened.callback(system.close, fd)
        if not _fits(known.header, wanted.contents) or not known.header.fits_rest(
            fixed(system.pread, fd), system.size(fd)
        ):
            logger.warning("%s: is damaged; the run starts over.", names.shown(names.partial))
            return None
        if known.torn:
            logger.warning("%s: its torn end is dropped, and what it recorded is recomputed.",
                           names.shown(names.journal))  # fmt: skip
        journal = JournalFile.resume(system, names.journal, known, wanted.session)
        opened.callback(journal.close)
        found = Partial(fd, known.header, journal, dict(known.windows))
        _make_ready(StoredWindows(system, fd, known.header, wanted.contents), names, wanted, known, found)
        opened.pop_all()
    logger.info("%s: %d of %d windows are finished; the run continues.", names.shown(names.partial), len(found.windows),
                known.header.windows)  # fmt: skip
    return found


def _fits(header: Header, contents: Contents) -> bool:
    """Return whether a journal of the same job has the layout that this run would make."""
    specs = contents.specs
    counts = (header.windows, header.window_rows, header.steps)
    return (
        list(header.offsets) == [spec.name for spec in specs]
        and list(header.sizes) == [spec.nbytes for spec in specs]
        and counts == (contents.windows, contents.window_rows, contents.shape.valid_steps)
    )


def _make_ready(stored: StoredWindows, names: Names, wanted: Wanted, known: Journal, found: Partial) -> None:
    """Clear the padding of windows that are recomputed."""
    # An earlier run may have ended between undoing a damaged window and clearing it.
    unclean = known.undone
    if wanted.verify:
        _verify(stored, names, found)
        unclean = set(range(known.header.windows)) - found.windows.keys()
    else:
        _drop_unknown(stored, names, found)
        unclean = unclean | (known.windows.keys() - found.windows.keys())
    for number in sorted(unclean):
        stored.clear(number)


def _verify(stored: StoredWindows, names: Names, found: Partial) -> None:
    """Drop finished windows that are not as they were written."""
    for number, window in list(found.windows.items()):
        if not (wrong := stored.wrong(window)):
            continue
        rows = stored.sequences(number)
        logger.warning("%s: sequences %d to %d are not as they were written (%s) and are recomputed.",
                       names.shown(names.partial), rows.start, rows.stop - 1, ", ".join(wrong))  # fmt: skip
        _drop(found, number)


def _drop_unknown(stored: StoredWindows, names: Names, found: Partial) -> None:
    """Drop finished windows that the file itself does not know: it or its journal is a copy from a different time."""
    if unknown := [number for number, window in found.windows.items() if not stored.knows(window)]:
        logger.warning("%s: does not know %d of the %d windows that its journal says are finished, because one of the "
                       "two was restored from a copy or is damaged; they are recomputed.",
                       names.shown(names.partial), len(unknown), len(found.windows))  # fmt: skip
        _drop(found, *unknown)


def _drop(found: Partial, *numbers: int) -> None:
    found.journal.append(*numbers)
    found.journal.sync()
    for number in numbers:
        del found.windows[number]
