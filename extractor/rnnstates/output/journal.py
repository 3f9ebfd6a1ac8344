"""The journal's format: encodes and parses its records, one per line, each preceded by its checksum. Pure.

::

    1f0e2c9a {"journal": 1, ...}                                     the header: which job this is
    7b81d0c4 {"session": "host:pid since ...", ...}                  a run began or was resumed
    90aa3e55 {"window": 12, "sums": [[...], ...], ...}               window 12 is on disk
    08c4d9f1 {"undone": 12}                                          it was found damaged and is recomputed
    c2b7f1d3 {"complete": true}                                      all windows are on disk

The checksum is the CRC-32 of the JSON text, as eight hexadecimal digits. Reading stops at the first incomplete line: a
crash truncates the last line, and what follows a damaged one is not trusted.
"""

import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..arrays.checksums import MODULUS, Sums
from .integrity import REST_BYTES, Read, digest_rest

__all__ = ["VERSION", "Header", "Journal", "Window", "encode", "foreign_version", "parse"]

VERSION = 1
# A header holds the provenance, which HDF5 limits to 64 KiB, and the offsets of the datasets.
LONGEST_LINE = 2**20
# Some thirty thousand years (seconds).
LONGEST_TIME = 1e12


class Window(NamedTuple):
    """A window of rows that is finished.

    Parameters
    ----------
    window : int
        Its number.
    steps : int
        Valid steps in it.
    overflowed : int
        Values in it that were too large for the stored dtype.
    elapsed : float
        Seconds since its session began.
    sums : tuple of (int, int)
        Sums of each dataset, in the header's order.
    read : (int, int) or None
        Sums of what was read, if nothing else identifies the input.
    """

    window: int
    steps: int
    overflowed: int
    elapsed: float
    sums: tuple[Sums, ...]
    read: Sums | None = None


class Header(NamedTuple):
    """The job that a journal belongs to, and the positions of its datasets.

    Parameters
    ----------
    identity : mapping
        Everything that the result depends on, in JSON types.
    offsets : mapping
        Position of each dataset's first byte in the file by name, in the order of their sums; 0 for a dataset without
        bytes.
    sizes : list of int
        Bytes of each dataset, in the same order.
    sums_at, rest_at : int
        Positions in the file of the sums of all windows and of the digest of the rest.
    size : int
        Bytes of the file.
    rest : str
        SHA-256 of all bytes of the file except the states and their sums, hexadecimal.
    windows, window_rows, steps : int
        Number of windows, rows in each, and valid steps in all.
    command : str
        The command that began it, for people; may be empty.
    """

    identity: Mapping[str, Any]
    offsets: Mapping[str, int]
    sizes: Sequence[int]
    sums_at: int
    rest_at: int
    size: int
    rest: str
    windows: int
    window_rows: int
    steps: int
    command: str

    @property
    def apart(self) -> list[tuple[int, int]]:
        """The stretches of the file that its digest omits: (first byte, length)."""
        sums = self.windows * len(self.sizes) * 16
        states = list(zip(self.offsets.values(), self.sizes, strict=True))
        return [*states, (self.sums_at, sums), (self.rest_at, REST_BYTES)]

    def fits_rest(self, read: Read, size: int) -> bool:
        """Return whether a file of ``size`` bytes is, except for states and sums, the one that was laid out."""
        if size != self.size:
            return False
        stored = read(REST_BYTES, self.rest_at).hex()
        return stored == self.rest == digest_rest(read, size, self.apart)


@dataclass
class Journal:
    """What could be read from a journal.

    Parameters
    ----------
    header : Header
    windows : dict
        The finished windows by number.
    sessions : list of str
        The processes that were at work, the most recent last.
    last : list of Window
        The windows that the last session finished.
    complete : bool
    valid : int
        Bytes up to the end of the last complete line.
    torn : bool
        Whether more bytes follow them.
    undone : set of int
        Windows that were found damaged and have not been recomputed since.
    """

    header: Header
    windows: dict[int, Window] = field(default_factory=dict)
    sessions: list[str] = field(default_factory=list)
    last: list[Window] = field(default_factory=list)
    complete: bool = False
    valid: int = 0
    torn: bool = False
    undone: set[int] = field(default_factory=set)


def encode(record: "Header | Window | str | int | None") -> bytes:
    r"""Encode a line: a header, a finished window, a session (str), an undone window (int), or None for completion.

    Examples
    --------
    >>> encode(None)
    b'd2d6c090 {"complete": true}\n'
    """
    text = json.dumps(_as_dict(record), ensure_ascii=True).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def _as_dict(record: "Header | Window | str | int | None") -> dict[str, Any]:
    if isinstance(record, Header):
        return {"journal": VERSION, **record._asdict()}
    if isinstance(record, Window):
        return record._asdict()
    if isinstance(record, str):
        return {"session": record}
    return {"complete": True} if record is None else {"undone": record}


def parse(data: bytes) -> Journal | None:
    """Parse a journal as far as it is intact.

    Parameters
    ----------
    data : bytes
        Anything.

    Returns
    -------
    Journal or None
        None if not even the header is intact, or if it has a different version.
    """
    lines = _lines(data)
    first = next(lines, None)
    header = None if first is None else _header(first[0])
    if first is None or header is None:
        return None
    journal = Journal(header, valid=first[1])
    for record, end in lines:
        if not _take(journal, record):
            break
        journal.valid = end
    journal.torn = journal.valid < len(data)
    return journal


def foreign_version(data: bytes) -> int | None:
    """Return the version of a journal written by a different version of rnnstates; None for anything else."""
    first, _ = next(_lines(data), ({}, 0))
    version = first.get("journal")
    return version if _is_count(version) and version != VERSION else None


def _lines(data: bytes) -> Iterator[tuple[dict[str, Any], int]]:
    """Yield each record with the position after its line, as long as checksums are right."""
    start = 0
    while True:
        end = data.find(b"\n", start, start + LONGEST_LINE)
        if end < 0:
            return
        record = _record(data[start:end])
        if record is None:
            return
        yield record, end + 1
        start = end + 1


def _record(line: bytes) -> dict[str, Any] | None:
    text = line[9:]
    if line[:9] != b"%08x " % zlib.crc32(text):
        return None
    try:
        record = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def _header(record: dict[str, Any]) -> Header | None:
    known = dict(record)
    if known.pop("journal", None) != VERSION or set(known) != set(Header._fields):
        return None
    header = Header(**known)
    if not isinstance(header.offsets, dict) or not isinstance(header.sizes, list):
        return None
    places = (*header.offsets.values(), *header.sizes, header.sums_at, header.rest_at, header.size)
    counts = (header.windows, header.window_rows, header.steps)
    good = (
        isinstance(header.identity, dict)
        and len(header.offsets) == len(header.sizes)
        and all(map(_is_count, (*places, *counts)))
        and header.window_rows > 0
        and isinstance(header.rest, str)
        and isinstance(header.command, str)
    )
    return header if good else None


def _take(journal: Journal, record: dict[str, Any]) -> bool:
    """Add a record to the journal; False if it is not allowed there."""
    if record.keys() == {"session"} and isinstance(record["session"], str):
        journal.sessions.append(record["session"])
        journal.last = []
        return True
    if record == {"complete": True}:
        journal.complete = len(journal.windows) == journal.header.windows
        return journal.complete
    if record.keys() == {"undone"}:
        return _undo(journal, record["undone"])
    window = _window(record, journal.header)
    if window is None:
        return False
    journal.windows[window.window] = window
    journal.undone.discard(window.window)
    journal.last.append(window)
    return True


def _undo(journal: Journal, number: object) -> bool:
    # E.g. a list: neither a window's number nor a possible key of a dict.
    if not _is_count(number) or number not in journal.windows:
        return False
    del journal.windows[number]
    journal.undone.add(number)
    journal.complete = False
    return True


def _window(record: dict[str, Any], header: Header) -> Window | None:
    if record.keys() != set(Window._fields):
        return None
    sums, read, elapsed = record["sums"], record["read"], record["elapsed"]
    good = (
        all(_is_count(record[name]) for name in ("window", "steps", "overflowed"))
        and record["window"] < header.windows
        and type(elapsed) in (int, float)
        and 0 <= elapsed < LONGEST_TIME
        and isinstance(sums, list)
        and len(sums) == len(header.offsets)
        and all(map(_is_sums, sums))
        and (read is None or _is_sums(read))
    )
    if not good:
        return None
    return Window(**record | {"sums": tuple(map(tuple, sums)), "read": None if read is None else tuple(read)})


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value < 2**63


def _is_sums(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(type(v) is int and 0 <= v < MODULUS for v in value)
