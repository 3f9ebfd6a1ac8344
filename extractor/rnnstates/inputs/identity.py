"""Identifies an input (size, time of change, digests) without reading all of it, and detects changes to it."""

import hashlib
import os
from collections.abc import Mapping
from typing import Any, BinaryIO

import numpy as np

from ..arrays.axes import Array
from ..errors import InputChanged

__all__ = ["check_unchanged", "digest_array", "identify", "sample_array", "sample_file"]

SAMPLE_BYTES = 64 * 2**10


def identify(kind: str, shape: tuple[int, ...], dtype: np.dtype[Any], **known: object) -> dict[str, object]:
    """Build an identity in JSON types; what a kind of source lacks is None.

    Parameters
    ----------
    **known
        Any of path, size, mtime_ns, sample_sha256, dataset.
    """
    nothing: dict[str, object] = {"path": None, "size": None, "mtime_ns": None, "sample_sha256": None}
    return {"kind": kind, **nothing, "shape": list(shape), "dtype": dtype.str, **known}


def sample_file(file: BinaryIO) -> dict[str, object]:
    """Return the size and time of change of an open file, and a digest of its start, middle and end."""
    return _status(file.fileno()) | _sample(file.fileno())


def check_unchanged(descriptor: int, identity: Mapping[str, object], where: str, *, sampled: bool = False) -> None:
    """Refuse to continue with a file that was written to since it was opened: its rows would mix two versions.

    Parameters
    ----------
    descriptor : int
        The open file. Replacing it under the same name does no harm.
    identity : mapping
        As returned by ``sample_file``.
    sampled : bool
        Whether to compare the digest too: writing through a memory map may leave the time of change as it was.

    Raises
    ------
    InputChanged
        Its size, time of change or digest differs.
    """
    now = _status(descriptor) | (_sample(descriptor) if sampled else {})
    if all(identity[key] == value for key, value in now.items()):
        return
    found = (
        f"had {identity['size']} bytes when it was opened and has {now['size']} now"
        if identity["size"] != now["size"]
        else f"was written to after it was opened, so its {now['size']} bytes mix two versions"
    )
    raise InputChanged(f"{where}: {found}; something changes it while it is read. Start again when it is complete.")


def sample_array(array: Array) -> dict[str, object]:
    """Return the size of an array [...] in bytes, and a digest of its shape, dtype, first, middle and last values."""
    digest = hashlib.sha256(f"{array.shape} {array.dtype.str}".encode())
    items = max(1, SAMPLE_BYTES // array.dtype.itemsize)
    for start in _offsets(array.size, items):
        digest.update(array.flat[start : start + items].tobytes())
    return {"size": array.nbytes, "sample_sha256": digest.hexdigest()}


def digest_array(array: Array) -> dict[str, object]:
    """Return the size of an array [...] in bytes, and a digest of its shape, dtype and all values."""
    digest = hashlib.sha256(f"{array.shape} {array.dtype.str}".encode())
    digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return {"size": array.nbytes, "sha256": digest.hexdigest()}


def _status(descriptor: int) -> dict[str, object]:
    status = os.fstat(descriptor)
    return {"size": status.st_size, "mtime_ns": status.st_mtime_ns}


def _sample(descriptor: int) -> dict[str, object]:
    digest = hashlib.sha256()
    for offset in _offsets(os.fstat(descriptor).st_size, SAMPLE_BYTES):
        digest.update(os.pread(descriptor, SAMPLE_BYTES, offset))
    return {"sample_sha256": digest.hexdigest()}


def _offsets(size: int, piece: int) -> list[int]:
    return [0, max(0, (size - piece) // 2), max(0, size - piece)]
