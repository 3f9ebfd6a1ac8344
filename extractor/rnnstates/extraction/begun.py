"""How an unfinished run of an output computes, so that it is resumed alike wherever that is possible."""

from collections.abc import Mapping
from contextlib import suppress
from typing import NamedTuple

from ..errors import CannotCreate, DoesNotMatch
from ..output.journal_file import read_journal
from ..output.names import Names

__all__ = ["NOTHING", "Begun", "begun_at"]


class Begun(NamedTuple):
    """What an unfinished run recorded of its choices; None for what it did not record, or where there is none.

    Parameters
    ----------
    engine : str or None
        The engine that was chosen, or asked for.
    kernel : str or None
        The kind of kernel that the compiled engine uses.
    """

    engine: str | None = None
    kernel: str | None = None


NOTHING = Begun()


def begun_at(names: Names) -> Begun:
    """Look at the journal beside an output; whether it belongs to the same job is seen later, under the lock."""
    journal = None
    # Whoever opens the unfinished file says what is wrong with it or with its journal.
    with suppress(OSError, CannotCreate, DoesNotMatch):
        if names.partial.exists() or names.output.exists():
            journal = read_journal(names.journal)
    if journal is None:
        return NOTHING
    identity = journal.header.identity
    return Begun(_text(identity, "engine"), _text(identity, "arithmetic", "kernel", "kind"))


def _text(about: object, *path: str) -> str | None:
    """Follow names into what a file says, which may be anything."""
    for name in path:
        about = about.get(name) if isinstance(about, Mapping) else None
    return about if isinstance(about, str) else None
