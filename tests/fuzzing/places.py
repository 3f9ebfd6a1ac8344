"""Where the parsers find their input: a file or a folder, in memory where there is such a place."""

import atexit
import contextlib
import functools
import os
import shutil
import tempfile
from pathlib import Path

from .forms import packed_parts

__all__ = ["forget", "room", "unpacked", "written"]

MOST_FILES = 64
ROOM = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
# What lies in the folder, by path.
LAST: dict[str, bytes] = {}


@functools.cache
def room():
    """Make a folder for the inputs, in memory where there is such a place; it goes when the process ends."""
    made = tempfile.mkdtemp(dir=os.environ.get("TMPDIR", ROOM))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return Path(made)


def written(content, name):
    """Write the input; a new file, so that no library takes it for the one before it."""
    path = room() / name
    path.unlink(missing_ok=True)
    path.write_bytes(content)
    return path


def unpacked(content, name):
    """Write the files of a packed folder; those that are as they were stay."""
    folder = room() / name
    folder.mkdir(exist_ok=True)
    parts = dict(list(packed_parts(content).items())[:MOST_FILES])
    for member in [member for member in LAST if LAST[member] != parts.get(member)]:
        _remove(folder, member)
    for member, data in parts.items():
        if LAST.get(member) != data:
            _write(folder, member, data)
    LAST.clear()
    LAST.update(parts)
    return folder


def forget(members):
    """Take it that some files of the folder are not there any more."""
    for member in members:
        LAST.pop(member, None)


def _remove(folder, member):
    """Remove a file, or the folder in its place, and the folders it was alone in: what stays is looked at each time."""
    path = folder.joinpath(*_path(member))
    with contextlib.suppress(OSError, ValueError):
        path.unlink()
    for left in (path, *path.parents):
        if left == folder:
            break
        with contextlib.suppress(OSError, ValueError):
            left.rmdir()


def _write(folder, member, data):
    with contextlib.suppress(OSError, ValueError):  # names that no file can have
        folder.joinpath(*_path(member)[:-1]).mkdir(parents=True, exist_ok=True)
        folder.joinpath(*_path(member)).write_bytes(data)


def _path(member):
    """Give the parts of a path that stays inside the folder."""
    return [part for part in member.split("/") if part not in ("", ".", "..")] or ["none"]
