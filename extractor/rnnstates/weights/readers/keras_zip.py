"""Reads .keras files: a zip with config.json, metadata.json and model.weights.h5, never extracted to disk."""

import contextlib
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import h5py

from ...errors import BadWeights
from ...untrusted.hdf5 import DAMAGED
from ...untrusted.json_text import LARGEST_JSON, parse_json
from ...untrusted.zip import open_zip, read_member, zip_members, zip_names
from .base import Container
from .hdf5 import from_hdf5

__all__ = ["is_keras_zip", "open_keras_zip"]

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
# The member is held in memory while it is read.
LARGEST_WEIGHTS = 2 * 2**30


def is_keras_zip(path: str) -> bool:
    """Return whether a file is a zip archive with a member of .keras files, or a damaged archive."""
    names = zip_names(path) if Path(path).is_file() else None
    # Nothing is known of one whose directory is damaged; opening it here says what is wrong.
    return names is not None and (not names or CONFIG in names or WEIGHTS in names)


@contextlib.contextmanager
def open_keras_zip(path: str) -> Iterator[Container]:
    """Open a .keras file.

    Raises
    ------
    BadWeights
        It is damaged, not a .keras file, or malicious: duplicate or encrypted members, or far larger than stored.
    """
    with open_zip(path, BadWeights) as archive:
        members = _members(archive, path)
        documents = {
            name: parse_json(
                read_member(archive, members[name], path, BadWeights, most=LARGEST_JSON), f"{path}: {name}"
            )
            for name in (CONFIG, METADATA)
            if name in members
        }
        weights = io.BytesIO(read_member(archive, members[WEIGHTS], path, BadWeights, most=LARGEST_WEIGHTS))
    with _opened(weights, path) as file:
        yield from_hdf5(file, weights, path, "Keras zip", documents)


def _members(archive: zipfile.ZipFile, path: str) -> dict[str, zipfile.ZipInfo]:
    members = zip_members(archive, path, BadWeights)
    missing = [name for name in (CONFIG, WEIGHTS) if name not in members]
    if missing:
        found = ", ".join(list(members)[:5]) or "nothing"
        raise BadWeights(
            f"{path}: a zip archive without {' and '.join(missing)} (it holds {found}); expected a .keras file, which "
            "model.save('model.keras') writes."
        )
    return members


@contextlib.contextmanager
def _opened(weights: io.BytesIO, path: str) -> Iterator[h5py.File]:
    try:
        file = h5py.File(weights, "r")
    except DAMAGED as reason:
        raise BadWeights(
            f"{path}: {WEIGHTS}: HDF5 cannot open it ({reason}); the file is damaged, save the model again."
        ) from reason
    with file:
        yield file
