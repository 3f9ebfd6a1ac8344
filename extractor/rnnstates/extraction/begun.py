"""Reads from its journal which engine and kernel an unfinished run used, so that it is resumed with the same ones."""

from collections.abc import Mapping
from contextlib import suppress
from typing import NamedTuple

from ..errors import CannotCreate, DoesNotMatch
from ..output.journal_file import read_journal
from ..output.names import Names

__all__ = ["NOTHING", "Begun", "begun_at"]


class Begun(NamedTuple):
    """The choices that an unfinished run recorded; None for what it did not record, or if there is no such run.

    Parameters
    ----------
    engine : str or None
        The engine that was chosen or requested.
    kernel : str or None
        The kind of kernel that the compiled engine used.
    """

    engine: str | None = None
    kernel: str | None = None


NOTHING = Begun()


def begun_at(names: Names) -> Begun:
    """Read the journal next to an output; whether it belongs to the same job is checked later, under the lock."""
    journal = None
    # Opening the unfinished file will report what is wrong with it or its journal.
    with suppress(OSError, CannotCreate, DoesNotMatch):
        if names.partial.exists() or names.output.exists():
            journal = read_journal(names.journal)
    if journal is None:
        return NOTHING
    identity = journal.header.identity
    return Begun(_text(identity, "engine"), _text(identity, "arithmetic", "kernel", "kind"))


def _text(about: object, *path: str) -> str | None:
    """Follow names into data from a file, which may be anything; None unless they lead to a str."""
    for name in path:
        about = about.get(name) if isinstance(about, Mapping) else None
    return about if isinstance(about, str) else None
