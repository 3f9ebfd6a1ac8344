"""The .keras file: a zip with config.json, metadata.json and model.weights.h5. Nothing is ever extracted to disk."""

import contextlib
import io
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import h5py

from ...errors import BadWeights
from .base import Container
from .hdf5 import from_hdf5
from .json_text import LARGEST_JSON, parse_json

__all__ = ["open_keras_zip", "recognise_zip"]

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
# Keras stores its members uncompressed, and weights barely shrink; a bomb does by a thousand.
MOST_COMPRESSION = 100
# The member is held in memory while it is read.
LARGEST_WEIGHTS = 2 * 2**30
MOST_MEMBERS = 10_000


def recognise_zip(path: str) -> bool:
    """Tell whether a file starts as a zip archive does."""
    with Path(path).open("rb") as file:
        return file.read(4) in (b"PK\x03\x04", b"PK\x05\x06")


@contextlib.contextmanager
def open_keras_zip(path: str) -> Iterator[Container]:
    """Open a .keras file.

    Raises
    ------
    BadWeights
        It is damaged, not a .keras file, or made to attack: members twice, encrypted, far larger than they are stored.
    """
    with _archive(path) as archive:
        members = _members(archive, path)
        documents = {
            name: parse_json(_content(archive, members[name], path, LARGEST_JSON), f"{path}: {name}")
            for name in (CONFIG, METADATA)
            if name in members
        }
        weights = io.BytesIO(_content(archive, members[WEIGHTS], path, LARGEST_WEIGHTS))
    with _opened(weights, path) as file:
        yield from_hdf5(file, path, "Keras zip", documents)


@contextlib.contextmanager
def _archive(path: str) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except (zipfile.BadZipFile, EOFError, OSError, NotImplementedError, zlib.error, lzma.LZMAError) as reason:
        raise BadWeights(f"{path}: a zip archive that cannot be read ({reason}); save the model again.") from reason


def _members(archive: zipfile.ZipFile, path: str) -> dict[str, zipfile.ZipInfo]:
    infos = archive.infolist()
    names = [info.filename for info in infos]
    if len(infos) > MOST_MEMBERS or len(set(names)) != len(names):
        raise BadWeights(f"{path}: a zip archive with a member twice, or more than {MOST_MEMBERS}; it is refused.")
    missing = [name for name in (CONFIG, WEIGHTS) if name not in names]
    if missing:
        found = ", ".join(names[:5]) or "nothing"
        raise BadWeights(
            f"{path}: a zip archive without {' and '.join(missing)} (it holds {found}); expected a .keras file, which "
            "model.save('model.keras') makes."
        )
    return dict(zip(names, infos, strict=True))


def _content(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: str, most: int) -> bytes:
    where = f"{path}: member {info.filename}"
    if info.flag_bits & 1:
        raise BadWeights(f"{where}: is encrypted; expected a .keras file as Keras writes it.")
    if info.file_size > MOST_COMPRESSION * max(info.compress_size, 1):
        raise BadWeights(
            f"{where}: unpacks {info.compress_size} bytes to {info.file_size}; weights do not shrink so; it is refused."
        )
    if info.file_size > most:
        raise BadWeights(f"{where}: has {info.file_size} bytes; expected at most {most}; take it out and give it.")
    with archive.open(info) as file:
        return file.read(info.file_size + 1)


@contextlib.contextmanager
def _opened(weights: io.BytesIO, path: str) -> Iterator[h5py.File]:
    try:
        file = h5py.File(weights, "r")
    except OSError as reason:
        raise BadWeights(
            f"{path}: {WEIGHTS}: HDF5 cannot open it ({reason}); the file is damaged, save the model again."
        ) from reason
    with file:
        yield file
