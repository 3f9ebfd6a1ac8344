"""Finds sequences by id, with 16 bytes of memory each, however long the ids are."""

import numpy as np

from ...errors import OptionError
from ...errors.articles import with_article
from .whole import Dataset, Numbers

__all__ = ["IdIndex", "key_of"]

# Ids that are read at once.
BLOCK = 65536
# No more sequences of one id are looked for: a message lists them.
MOST_FOUND = 6


class IdIndex:
    """The sequences in the order of the hashes of their ids.

    Parameters
    ----------
    ids : [N], array or h5py dataset
        Numbers, or text as bytes or ``str``.

    Examples
    --------
    >>> IdIndex(np.array([b"a", b"b", b"a"])).rows_of(b"a")
    [0, 2]
    """

    def __init__(self, ids: Dataset) -> None:
        self._ids = ids
        hashes = np.empty(len(ids), np.int64)
        for start in range(0, len(ids), BLOCK):
            block = ids[start : start + BLOCK].tolist()
            hashes[start : start + BLOCK] = [hash(stored_key(value)) for value in block]
        self._rows = np.argsort(hashes, kind="stable")
        self._hashes = hashes[self._rows]

    def rows_of(self, key: bytes | int, among: Numbers | None = None) -> list[int]:
        """Return the places of the first sequences with this id, among chosen rows or all."""
        first, end = np.searchsorted(self._hashes, hash(key), "left"), np.searchsorted(self._hashes, hash(key), "right")
        alike = self._rows[first:end]
        places = alike if among is None else np.flatnonzero(np.isin(among, alike))
        found: list[int] = []
        for place in places.tolist():
            row = place if among is None else int(among[place])
            if stored_key(self._ids[row]) == key:
                found.append(place)
            if len(found) == MOST_FOUND:
                break
        return found


def stored_key(value: object) -> bytes | int:
    """Return a stored id as it is compared: text as bytes."""
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape")
    return bytes(value) if isinstance(value, bytes) else int(value)  # type: ignore[call-overload]


def key_of(wanted: object, *, are_text: bool) -> bytes | int:
    """Return an id that is looked for as it is compared.

    Raises
    ------
    OptionError
        It is text and the ids are numbers, or the reverse.
    """
    is_number = isinstance(wanted, int | np.integer) and not isinstance(wanted, bool)
    if not (isinstance(wanted, str | bytes) if are_text else is_number):
        raise OptionError(
            f"id={wanted!r}: is {with_article(type(wanted).__name__)}; expected {'text' if are_text else 'a number'}, "
            "as these ids are."
        )
    return stored_key(wanted)
