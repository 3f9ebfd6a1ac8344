"""Counts the fields of a protocol buffer before it is parsed: two bytes may take a hundred in memory."""

import contextlib
from typing import Any, NamedTuple

from ...errors import BadWeights

__all__ = ["MOST_FIELDS", "check_fields", "varint"]

# A model of ten thousand operators has about two hundred thousand.
MOST_FIELDS = 2_000_000
# The depth limit of parsers, which refuse anything deeper.
DEEPEST = 100
VARINT, LENGTH = 0, 2
# Sizes of fixed-size fields, by wire type.
_SIZES = {1: 8, 5: 4}
# A list of numbers is one field, but each byte of it may become eight of memory.
BYTES_A_FIELD = 8


class _Kind(NamedTuple):
    """What the walk needs to know about a message type: nested messages and packed numbers, by field number."""

    messages: dict[int, Any]
    packed: frozenset[int]


def check_fields(message: Any, stored: bytes, where: str) -> None:
    """Refuse a message with more fields than any model has; a damaged one is left to the parser.

    Parameters
    ----------
    message : type
        The class to parse ``stored`` with.
    stored : bytes
    where : str

    Raises
    ------
    BadWeights
    """
    walk = _Walk(stored)
    with contextlib.suppress(IndexError):
        walk.message(message.DESCRIPTOR, 0, len(stored))
    if walk.count > MOST_FIELDS:
        raise BadWeights(
            f"{where}: has more than {MOST_FIELDS:,} fields; expected at most that many of a model's graph. Export the "
            "recurrent layers alone."
        )


class _Walk:
    """A walk over the fields of a message and of nested ones, up to one more than ``MOST_FIELDS``.

    Attributes
    ----------
    count : int
        The fields so far; kept if the message ends in garbage, because a parser reads everything before that.
    """

    def __init__(self, stored: bytes) -> None:
        self.count = 0
        self._stored = stored
        self._kinds: dict[str, _Kind] = {}

    def message(self, descriptor: Any, place: int, end: int, depth: int = 0) -> None:
        kind = self._kind(descriptor)
        while place < end and self.count <= MOST_FIELDS:
            tag, place = varint(self._stored, place)
            size, place = self._size(tag & 7, place)
            if place + size > end:
                raise IndexError("a field runs over its end")
            number = tag >> 3
            self.count += 1 + (size // BYTES_A_FIELD if number in kind.packed else 0)
            inside = kind.messages.get(number)
            if inside is not None and size and depth < DEEPEST:
                self.message(inside, place, place + size, depth + 1)
            place += size

    def _size(self, wire: int, place: int) -> tuple[int, int]:
        """Return the size of a value in bytes, and where it begins."""
        if wire in _SIZES:
            return _SIZES[wire], place
        if wire not in (VARINT, LENGTH):
            raise IndexError("a field of an obsolete kind")
        size, place = varint(self._stored, place)
        return (size if wire == LENGTH else 0), place

    def _kind(self, descriptor: Any) -> _Kind:
        """Describe a message type, once per type."""
        known = self._kinds.get(descriptor.full_name)
        if known is None:
            messages = {field.number: field.message_type for field in descriptor.fields if field.message_type}
            packed = frozenset(field.number for field in descriptor.fields if field.type in _wide(field))
            known = self._kinds[descriptor.full_name] = _Kind(messages, packed)
        return known


def _wide(field: Any) -> tuple[int, ...]:
    return field.TYPE_INT64, field.TYPE_UINT64, field.TYPE_SINT64, field.TYPE_BOOL, field.TYPE_ENUM


def varint(stored: bytes, place: int) -> tuple[int, int]:
    """Read a varint, seven bits per byte; return it and the position after it.

    Raises
    ------
    IndexError
        It does not end.
    """
    value = stored[place]
    place += 1
    if value < 128:
        return value, place
    value &= 127
    for shift in range(7, 70, 7):
        byte = stored[place]
        place += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, place
    raise IndexError("a number of more than ten bytes")
