"""What a disk holds after a power loss, made from a trace of all that was asked of the system.

A file's bytes are those of its last sync; each write, and each change of size, after it is there, is not, or (a write)
is there up to some sector. Names are those of the directory's last sync, and of the changes after it the first few.
"""

import os
import random
import threading
from dataclasses import dataclass, field

from .faulty import NOT_MADE, SYNCS, Faulty

__all__ = ["RecordingSystem", "Trace"]

SECTOR = 512


@dataclass
class Trace:
    """Operations in order: what each did, to which file, at which moment.

    Parameters
    ----------
    events : list of (moment, what, which, *more)
        ``which`` is a file's number for ``write``, ``truncate``, ``clear`` and ``sync``; a name for ``create``,
        ``link``, ``rename`` and ``unlink``.
    names, contents : dict
        What was in the directory before: from name to number, from number to bytes.
    """

    events: list[tuple] = field(default_factory=list)
    names: dict[str, int] = field(default_factory=dict)
    contents: dict[int, bytes] = field(default_factory=dict)

    def after_loss(self, operation, seed, place):
        """Write into an empty directory what is left when the power goes after so many events."""
        draw, seen = random.Random(f"{operation} {seed}"), self.events[:operation]
        for name, number in self._names(seen, draw).items():
            # Two names of one file stay two names of one file.
            path, first = place / name, place / f".{number}"
            if not first.exists():
                first.write_bytes(self._bytes(number, seen, draw))
            os.link(first, path)
        for path in place.glob(".[0-9]*"):
            path.unlink()

    def _names(self, seen, draw):
        changes = [event for event in seen if event[1] in ("create", "link", "rename", "unlink", "names synced")]
        synced = max((at for at, event in enumerate(changes) if event[1] == "names synced"), default=-1) + 1
        names = dict(self.names)
        for _, what, which, *more in changes[: draw.randint(synced, len(changes))]:
            if what in ("create", "link"):
                names[which] = more[0] if what == "create" else names[more[0]]
            elif what == "rename":
                names[which] = names.pop(more[0])
            elif what == "unlink":
                del names[which]
        return names

    def _bytes(self, number, seen, draw):
        changes = [event[1:] for event in seen if event[1] in ("write", "truncate", "clear", "sync")]
        mine = [change for change in changes if change[1] == number]
        synced = max((at for at, change in enumerate(mine) if change[0] == "sync"), default=-1)
        data = bytearray(self.contents.get(number, b""))
        for at, (what, _, *more) in enumerate(mine):
            part = 1.0 if at < synced else draw.choice((0.0, 1.0, draw.random()))
            if what == "write":
                _write(data, *more, part, draw)
            elif what == "truncate" and part == 1.0:
                _resize(data, more[0])
            elif what == "clear" and part == 1.0:
                position, count = more
                _write(data, position, bytes(count), 1.0, draw)
        return bytes(data)


def _write(data, position, new, part, draw):
    """Put the sectors of a write that came to the disk; where it made the file longer the rest may be zero."""
    whole = position + len(new)
    stop = whole if part == 1.0 else (position + int(len(new) * part)) // SECTOR * SECTOR
    if stop > position:
        _resize(data, max(len(data), stop))
        data[position:stop] = new[: stop - position]
    # A file may have become longer without what was to be there.
    if whole > len(data) and draw.random() < 0.5:
        _resize(data, whole)


def _resize(data, size):
    if size < len(data):
        del data[size:]
    data.extend(bytes(size - len(data)))


class RecordingSystem(Faulty):
    """A ``Faulty`` that writes down what is done, whether or not it also fails.

    Parameters
    ----------
    place : Path
        The directory, as it is before the run.
    *fault
        Of ``Faulty``.
    """

    def __init__(self, place, *fault, **options):
        super().__init__(*fault, **options)
        self._names, self._files, self._recording = {}, {}, threading.RLock()
        for number, path in enumerate(sorted(place.iterdir())):
            same = [known for known in self._names if path.samefile(place / known)]
            self._names[path.name] = self._names[same[0]] if same else number
        self._next = len(self._names)
        contents = {number: (place / name).read_bytes() for name, number in self._names.items()}
        self.trace = Trace(names=dict(self._names), contents=contents)

    def call(self, operation, *arguments):
        """Do an operation and write it down where it was done."""
        with self._recording:
            result = super().call(operation, *arguments)
            event = self._event(operation, arguments, result)
            if event is not None:
                self.trace.events.append((self.log[-1], *event))
            return result

    def _event(self, operation, arguments, result):
        if operation == "open":
            return self._opened(*arguments, result)
        if operation == "pwrite":
            fd, data, position = arguments
            return "write", self._files[fd], position, bytes(data[:result])
        if operation == "truncate" or (operation == "clear" and result):
            return operation, self._files[arguments[0]], *arguments[1:]
        if operation in SYNCS:
            return "sync", self._files[arguments[0]]
        if operation in ("link", "rename", "unlink"):
            return self._named_otherwise(operation, *(path.name for path in arguments))
        return ("names synced", "") if operation in NOT_MADE else None

    def _opened(self, path, flags, fd):
        if path.name in self._names:
            self._files[fd] = self._names[path.name]
            return ("truncate", self._files[fd], 0) if flags & os.O_TRUNC else None
        self._files[fd] = self._names[path.name] = self._next
        self._next += 1
        return "create", path.name, self._files[fd]

    def _named_otherwise(self, operation, source, target=None):
        number = self._names[source]
        if operation != "link":
            del self._names[source]
        if target is None:
            return operation, source
        self._names[target] = number
        return operation, target, source
