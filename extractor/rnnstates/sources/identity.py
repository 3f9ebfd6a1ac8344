"""What tells one input from another, without reading all of it."""

import hashlib
import os
from typing import Any, BinaryIO

import numpy as np

from ..arrays import Array

__all__ = ["identify", "sample_array", "sample_file"]

SAMPLE_BYTES = 64 * 2**10


def identify(kind: str, shape: tuple[int, ...], dtype: np.dtype[Any], **known: object) -> dict[str, object]:
    """Gather an identity in JSON types; what a kind of source does not have stays None.

    Parameters
    ----------
    **known
        Any of path, size, mtime_ns, sample_sha256, dataset.
    """
    nothing: dict[str, object] = {"path": None, "size": None, "mtime_ns": None, "sample_sha256": None}
    return {"kind": kind, **nothing, "shape": list(shape), "dtype": dtype.str, **known}


def sample_file(file: BinaryIO) -> dict[str, object]:
    """Give size and time of change of an open file, and a digest of its start, middle and end."""
    status = os.fstat(file.fileno())
    digest = hashlib.sha256()
    for offset in _offsets(status.st_size, SAMPLE_BYTES):
        digest.update(os.pread(file.fileno(), SAMPLE_BYTES, offset))
    return {"size": status.st_size, "mtime_ns": status.st_mtime_ns, "sample_sha256": digest.hexdigest()}


def sample_array(array: Array) -> dict[str, object]:
    """Give the bytes of an array [...], and a digest of its shape, dtype, first, middle and last values."""
    digest = hashlib.sha256(f"{array.shape} {array.dtype.str}".encode())
    items = max(1, SAMPLE_BYTES // array.dtype.itemsize)
    for start in _offsets(array.size, items):
        digest.update(array.flat[start : start + items].tobytes())
    return {"size": array.nbytes, "sample_sha256": digest.hexdigest()}


def _offsets(size: int, piece: int) -> list[int]:
    return [0, max(0, (size - piece) // 2), max(0, size - piece)]
