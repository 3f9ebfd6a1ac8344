"""Turns ``rows``, ``units`` and ``datasets`` into what is exported."""

import os
import re
from collections.abc import Iterable, Iterator
from typing import TypeAlias

import numpy as np

from ..arrays.axes import Rows
from ..errors import MissingInput, OptionError
from ..errors.articles import with_article
from ..untrusted.missing import open_file, read_at_most
from .stored import Member, Stored
from .texts import id_blocks

__all__ = ["Places", "members_chosen", "rows_chosen", "units_chosen"]

# What ``rows`` and ``units`` accept.
Places: TypeAlias = str | os.PathLike[str] | int | slice | Iterable[int] | Iterable[str]

_SPANS = re.compile(r"\s*(\d+|\d*\s*:\s*\d*)\s*(,\s*(\d+|\d*\s*:\s*\d*)\s*)*")
MOST_NAMED = 20
# Bytes of a file of ids.
LARGEST_LIST = 2**26


def rows_chosen(given: Places | None, stored: Stored) -> Rows:
    """Return the numbers of the sequences to export, in the order given.

    Parameters
    ----------
    given : None, text, slice, numbers, ids or path
        Text is ``FIRST:LAST`` (LAST is not included), numbers, or several of these with commas, else the name of a
        text file with one id per line (numbers of sequences, if the states have no ids).
    stored : Stored

    Returns
    -------
    int64 [K]

    Raises
    ------
    OptionError
        It is none of these, or names a sequence that is not there.
    MissingInput
        The file cannot be read.
    """
    count = stored.shape.sequences
    if given is None:
        return np.arange(count, dtype=np.int64)
    if isinstance(given, os.PathLike) or (isinstance(given, str) and not _SPANS.fullmatch(given)):
        return _rows_of_ids(_lines(given), stored)
    if isinstance(given, Iterable) and not isinstance(given, str):
        listed: list[object] = list(given)
        names = [one for one in listed if isinstance(one, str)]
        if names and len(names) == len(listed):
            return _rows_of_ids(names, stored)
        return _places("rows", listed, count, "sequences")
    return _places("rows", given, count, "sequences")


def units_chosen(given: Places | None, member: Member) -> Rows | None:
    """Return which units of a dataset to export; None for all.

    Raises
    ------
    OptionError
        It has no such unit, or ``given`` is neither numbers nor ranges.
    """
    if given is None or not member.is_state:
        return None
    what = f"units in '{member.name}'"
    if member.numbers is None or np.array_equal(member.numbers, np.arange(member.item[0])):
        return _each_once(_places("units", given, member.item[0], what))
    # The file has some units only: those are asked for by their numbers in the layer.
    numbers = member.numbers.tolist()
    wanted = _each_once(_places("units", given, max(numbers) + 1, what)).tolist()
    if missing := [unit for unit in wanted if unit not in numbers]:
        shown = ", ".join(map(str, numbers[:MOST_NAMED]))
        raise OptionError(f"units=: the file kept no unit {missing[0]} of '{member.name}'; expected some of {shown}.")
    # Of [cell, hidden] both parts have a unit of that number.
    return np.concatenate([np.flatnonzero(member.numbers == unit) for unit in wanted])


def _each_once(units: Rows) -> Rows:
    numbers, counts = np.unique(units, return_counts=True)
    if np.any(counts > 1):
        raise OptionError(f"units=: names unit {numbers[counts > 1][0]} twice; expected each once.")
    return units


def members_chosen(names: str | Iterable[str] | None, stored: Stored) -> tuple[Member, ...] | None:
    """Return the datasets named; None if none are.

    Raises
    ------
    OptionError
        There is no dataset of numbers with such a name.
    """
    if names is None:
        return None
    listed = [name.strip() for name in names.split(",")] if isinstance(names, str) else list(names)
    chosen = list(dict.fromkeys(name.strip("/") for name in listed if name))
    for name in chosen:
        if name not in stored.members:
            known = ", ".join(list(stored.members)[:MOST_NAMED])
            raise OptionError(f"datasets={name!r}: not in {stored.where}, or not numbers; expected one of {known}.")
    if not chosen:
        raise OptionError(f"datasets=: names nothing; expected some of {', '.join(list(stored.members)[:MOST_NAMED])}.")
    return tuple(stored.members[name] for name in chosen)


def _places(parameter: str, given: object, count: int, what: str) -> Rows:
    """Return numbers below ``count``, in the order given."""
    spans = list(_spans(parameter, given))
    beyond = [stop for start, stop in spans if stop > count or start > count]
    if beyond:
        raise OptionError(f"{parameter}=: reaches {beyond[0] - 1}, but there are {count} {what}, numbered from 0.")
    parts = [np.arange(start, count if stop < 0 else stop, dtype=np.int64) for start, stop in spans]
    places = np.concatenate([*parts, np.empty(0, np.int64)])
    if not len(places):
        raise OptionError(f"{parameter}=: selects none of {count} {what}; expected FIRST:LAST (without LAST).")
    return places


def _spans(parameter: str, given: object) -> Iterator[tuple[int, int]]:
    """Yield (first, one past the last or -1 for the end)."""
    if isinstance(given, str) and _SPANS.fullmatch(given):
        for part in given.split(","):
            first, colon, last = part.partition(":")
            start = int(first) if first.strip() else 0
            yield start, (int(last) if last.strip() else -1) if colon else start + 1
        return
    if isinstance(given, str):
        raise _not_places(parameter, given)
    for one in given if isinstance(given, Iterable) else [given]:
        if isinstance(one, slice) and one.step in (None, 1) and min(one.start or 0, one.stop or 0) >= 0:
            yield one.start or 0, -1 if one.stop is None else one.stop
        elif isinstance(one, int | np.integer) and not isinstance(one, bool) and one >= 0:
            yield int(one), int(one) + 1
        else:
            raise _not_places(parameter, one)


def _not_places(parameter: str, given: object) -> OptionError:
    found = repr(given) if isinstance(given, str | int | np.integer) else with_article(type(given).__name__)
    return OptionError(
        f"{parameter}=: {found} is no number from 0 and no range; expected FIRST:LAST (without LAST), or numbers, with "
        "commas between."
    )


def _lines(path: str | os.PathLike[str]) -> list[str]:
    """Read a text file of ids, one per line."""
    expected = "FIRST:LAST, numbers with commas between, or a text file with one id per line"
    with open_file(path, expected) as file:
        content = read_at_most(file, LARGEST_LIST, os.fspath(path))
    if content is None:
        raise MissingInput(f"{path}: has more than {LARGEST_LIST} bytes; expected {expected}.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as reason:
        raise MissingInput(f"{path}: is not text ({reason}); expected {expected}.") from reason
    return [line.rstrip("\r") for line in text.split("\n") if line.strip()]


def _rows_of_ids(wanted: list[str], stored: Stored) -> Rows:
    """Return the sequences with these ids, in the order of the ids."""
    found: dict[str, list[int]] = {name: [] for name in wanted}
    for first, names in id_blocks(stored):
        for row, name in enumerate(map(str, names), first):
            if name in found:
                found[name].append(row)
    missing = [name for name in found if not found[name]]
    if missing:
        raise OptionError(
            f"rows=: {stored.where} has no sequence {missing[0]!r} ({len(missing)} of {len(found)} ids are missing); "
            "expected ids as they are stored."
        )
    if not wanted:
        raise OptionError("rows=: names no sequence; expected one id per line.")
    return np.array([row for name in found for row in found[name]], np.int64)
