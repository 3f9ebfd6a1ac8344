"""``Store``: the files of a Zarr store, in a folder or a zip archive; no link is followed."""

import contextlib
import hashlib
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Protocol

from ...errors import BadData, InputChanged, MissingInput
from ..zip import open_zip, zip_members
from ..zip_blocks import bytes_of

__all__ = ["LARGEST_METADATA", "METADATA", "Store", "open_store"]

# The files that describe arrays and groups.
METADATA = ("zarr.json", ".zarray", ".zgroup", ".zattrs", ".zmetadata")
# How deep groups may be, and how many entries of folders are looked at for arrays.
DEEPEST, MOST_ENTRIES = 16, 100_000
SAMPLE_BYTES = 64 * 2**10
# Consolidated metadata are part of the root's.
LARGEST_METADATA = 16 * 2**20


class Store(Protocol):
    """The files of a store, by keys with slashes."""

    path: str

    def read(self, key: str, error: type[BadData], *, most: int, start: int = 0) -> bytes | None:
        """Return at most so many bytes of a file; None if there is none.

        Parameters
        ----------
        start : int
            The first one; if it is negative, it counts from the end.
        """

    def metadata(self) -> Iterator[str]:
        """Yield the keys of files named in ``METADATA``."""

    def known(self, name: str, error: type[BadData], *, samples: tuple[str, ...] = ()) -> dict[str, object]:
        """Return what is known of the files of an array: count, size, time of change and a digest.

        Parameters
        ----------
        name : str
            The key of its folder.
        samples : tuple of str
            The keys of the files whose content counts.
        """

    def close(self) -> None:
        """Close it; safe to call twice."""


@contextlib.contextmanager
def open_store(path: str | os.PathLike[str], error: type[BadData]) -> Iterator[Store]:
    """Open a store; closed again on an error only.

    Raises
    ------
    MissingInput
        It may not be read.
    error
        It is a damaged archive.
    """
    store: Store = _Folder(os.fspath(path)) if Path(path).is_dir() else _Zip(os.fspath(path), error)
    try:
        yield store
    except BaseException:
        store.close()
        raise


class _Folder:
    """A store in a folder."""

    def __init__(self, path: str) -> None:
        self.path = path
        # The folder of an array, and when the last of its files was written.
        self._watched: tuple[str, int] | None = None
        try:
            self._root: int = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as reason:
            raise MissingInput(f"{path}: cannot be opened ({reason.strerror}). Check its permissions.") from reason

    def read(self, key: str, error: type[BadData], *, most: int, start: int = 0) -> bytes | None:
        watched = self._watched and key.startswith(self._watched[0])
        return self._bytes(key, error, most, start, newest=self._watched[1] if self._watched and watched else None)

    def _bytes(
        self, key: str, error: type[BadData], most: int, start: int = 0, *, newest: int | None = None
    ) -> bytes | None:
        descriptor = self._open(key, error)
        if descriptor is None:
            return None
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise error(f"{self.path}: '{key}' is no regular file; expected one. Copy the store again.")
            if newest is not None and status.st_mtime_ns > newest:
                raise InputChanged(
                    f"{self.path}: '{key}' was written to after the store was opened; something changes it while it is "
                    "read. Start again when it is complete."
                )
            place = start if start >= 0 else max(0, status.st_size + start)
            return _all_of(descriptor, place, min(most, status.st_size - place))
        except OSError as reason:
            raise MissingInput(f"{self.path}: '{key}' cannot be read ({reason.strerror}).") from reason
        finally:
            os.close(descriptor)

    def _open(self, key: str, error: type[BadData]) -> int | None:
        """Open a file below the root; each folder on the way is opened itself, so that no link is followed."""
        parts = key.split("/")
        folder = self._root
        try:
            for number, part in enumerate(parts):
                last = number == len(parts) - 1
                kind = os.O_NONBLOCK if last else os.O_DIRECTORY
                inner = os.open(part, os.O_RDONLY | os.O_NOFOLLOW | kind, dir_fd=folder)
                if folder != self._root:
                    os.close(folder)
                folder = inner
        except OSError as reason:
            if folder != self._root:
                os.close(folder)
            if isinstance(reason, FileNotFoundError | NotADirectoryError) and not self._is_link(key):
                return None
            if self._is_link(key):
                raise error(_linked(self.path, key)) from reason
            raise MissingInput(f"{self.path}: '{key}' cannot be opened ({reason.strerror}).") from reason
        return folder

    def _is_link(self, key: str) -> bool:
        parts = key.split("/")
        return any(Path(self.path, *parts[:count]).is_symlink() for count in range(1, len(parts) + 1))

    def metadata(self) -> Iterator[str]:
        left = [MOST_ENTRIES]
        yield from self._metadata("", DEEPEST, left)

    def _metadata(self, folder: str, deep: int, left: list[int]) -> Iterator[str]:
        names, folders = [], []
        with os.scandir(Path(self.path, folder)) as entries:
            for entry in entries:
                left[0] -= 1
                if left[0] < 0:
                    return
                names.append(entry.name)
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.name)
                if entry.name in (".zarray", "zarr.json"):
                    yield f"{folder}/{entry.name}".lstrip("/")
        # The folders inside an array hold its chunks.
        if deep and ".zarray" not in names and not ("zarr.json" in names and self._is_array(folder)):
            for name in sorted(folders):
                yield from self._metadata(f"{folder}/{name}".lstrip("/"), deep - 1, left)

    def _is_array(self, folder: str) -> bool:
        text = self._bytes(f"{folder}/zarr.json".lstrip("/"), BadData, LARGEST_METADATA)
        try:
            parsed = json.loads(text or b"")
        except (ValueError, RecursionError):
            return False
        return isinstance(parsed, dict) and parsed.get("node_type") == "array"

    def known(self, name: str, error: type[BadData], *, samples: tuple[str, ...] = ()) -> dict[str, object]:
        found = _Known()
        self._walk(name, found, error)
        for key in samples:
            found.content.update(self._bytes(key, error, SAMPLE_BYTES) or b"")
        # The first one that is asked for is the input.
        self._watched = self._watched or (f"{name}/", found.newest)
        return found.as_dict()

    def _walk(self, folder: str, found: "_Known", error: type[BadData]) -> None:
        with os.scandir(Path(self.path, folder)) as entries:
            for entry in entries:
                key = f"{folder}/{entry.name}".lstrip("/")
                if entry.is_symlink():
                    raise error(_linked(self.path, key))
                if entry.is_dir():
                    self._walk(key, found, error)
                else:
                    status = entry.stat(follow_symlinks=False)
                    found.add(key, status.st_size, status.st_mtime_ns)

    def close(self) -> None:
        if self._root >= 0:
            os.close(self._root)
            self._root = -1


class _Known:
    """What is known of many files, in no order; not one of their names is kept."""

    def __init__(self) -> None:
        self.files, self.size, self.newest, self._listed = 0, 0, 0, 0
        self.content = hashlib.sha256()

    def add(self, key: str, size: int, changed: int) -> None:
        self.newest = max(self.newest, changed)
        self.size += size
        self.files += key.rpartition("/")[2] not in METADATA
        one = hashlib.sha256(f"{key} {size}".encode("utf-8", "surrogateescape")).digest()
        self._listed = (self._listed + int.from_bytes(one[:16], "little")) % 2**128

    def as_dict(self) -> dict[str, object]:
        self.content.update(self._listed.to_bytes(16, "little"))
        known = {"size": self.size, "mtime_ns": self.newest, "sample_sha256": self.content.hexdigest()}
        return {**known, "files": self.files}


class _Zip:
    """A store in a zip archive."""

    def __init__(self, path: str, error: type[BadData]) -> None:
        self.path = path
        with open_zip(path, error) as archive:
            self._members = zip_members(archive, path, error)
            if archive.fp is None:
                raise ValueError("closed")
            # The same file, even if another one has its name by now.
            self._file: BinaryIO = os.fdopen(os.dup(archive.fp.fileno()), "rb", buffering=0)

    def read(self, key: str, error: type[BadData], *, most: int, start: int = 0) -> bytes | None:
        info = self._members.get(key)
        if info is None:
            return None
        content = bytes_of(self._file, info, f"{self.path}: member {key}", error)
        place = start if start >= 0 else max(0, content.size + start)
        taken = bytearray(max(0, min(most, content.size - place)))
        content.fill(memoryview(taken), place)
        return bytes(taken)

    def metadata(self) -> Iterator[str]:
        yield from (key for key in self._members if key.rpartition("/")[2] in (".zarray", "zarr.json"))

    def known(self, name: str, error: type[BadData], *, samples: tuple[str, ...] = ()) -> dict[str, object]:
        found, status = _Known(), os.fstat(self._file.fileno())
        for key, info in self._members.items():
            if key.startswith(f"{name}/" if name else "") and not key.endswith("/"):
                found.add(f"{key} {info.CRC}", info.file_size, 0)
        for key in samples:
            found.content.update(self.read(key, error, most=SAMPLE_BYTES) or b"")
        return found.as_dict() | {"size": status.st_size, "mtime_ns": status.st_mtime_ns}

    def close(self) -> None:
        self._file.close()


def _all_of(descriptor: int, place: int, most: int) -> bytes:
    pieces = []
    while most > 0 and (piece := os.pread(descriptor, most, place)):
        pieces.append(piece)
        place, most = place + len(piece), most - len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _linked(path: str, key: str) -> str:
    return f"{path}: '{key}' is a link; nothing outside a store is read. Copy the files that are meant (cp -rL)."
