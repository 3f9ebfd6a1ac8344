"""Decompresses the chunks of deflate-compressed datasets here instead of in HDF5.

HDF5 assumes that a chunk decompresses to its expected length, so a crafted one makes it read other memory as values, or
kills the process (https://github.com/HDFGroup/hdf5/pull/6184). Here the length is checked. Besides, h5py blocks every
thread while HDF5 decompresses; ``zlib`` lets them run.
"""

import math
from typing import Any

import h5py
import numpy as np

from ..arrays.axes import Array
from ..errors import BadData, BadInput
from .hdf5_chunks import Chunks, filters_of
from .kept_chunks import KeptChunks

__all__ = ["InflatedChunks"]

# Filters and types that are handled here; any others are left to HDF5.
KNOWN = {h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE}
NUMBERS = (h5py.h5t.INTEGER, h5py.h5t.FLOAT)


class InflatedChunks:
    """A dataset in compressed chunks of simple values.

    Parameters
    ----------
    dataset : h5py.Dataset
    where : str
    cache : int
        Bytes of chunks to keep, for blocks whose edges lie inside them.
    error : type
        What to raise if a chunk is damaged.
    """

    def __init__(self, dataset: h5py.Dataset, where: str, cache: int, error: type[BadData] = BadInput) -> None:
        self._dataset, self._where, self._error = dataset, where, error
        self._chunks: tuple[int, ...] = dataset.chunks
        self._dtype: np.dtype[Any] = dataset.dtype
        self._type, self._count = dataset.id.get_type(), math.prod(self._chunks)
        self._stored = Chunks(dataset)
        most = cache // (self._count * self._dtype.itemsize)
        self._kept = KeptChunks(self._chunks, most, self._unpacked)

    @staticmethod
    def can_read(dataset: h5py.Dataset) -> bool:
        """Return whether a dataset is read here."""
        used = set(filters_of(dataset)) if dataset.chunks else set()
        return h5py.h5z.FILTER_DEFLATE in used and used <= KNOWN and dataset.id.get_type().get_class() in NUMBERS

    def read_into(self, block: Array, place: tuple[slice, ...]) -> None:
        """Fill an array with the part of the dataset that the slices select, one per axis.

        Raises
        ------
        BadData
            A chunk is damaged.
        """
        self._kept.read_into(block, place)

    def _unpacked(self, first: tuple[int, ...]) -> Array:
        if self._dataset.id.get_chunk_info_by_coord(first).byte_offset is None:
            # Never written.
            return np.broadcast_to(np.asarray(self._dataset.fillvalue, self._dtype), self._chunks)
        content, expected = self._stored.unpacked(first), self._count * self._type.get_size()
        if content is None or len(content) != expected:
            found = "cannot be unpacked" if content is None else f"is unpacked to {len(content)} bytes"
            raise self._error(
                f"{self._where}: its chunk at {first} {found}; expected {expected} bytes. The file is damaged or "
                "its disk fails; copy or make it again."
            )
        return self._converted(content).reshape(self._chunks)

    def _converted(self, content: bytes) -> Array:
        """Return the values of a chunk; HDF5 converts types that NumPy lacks, such as 12-bit integers."""
        meant = h5py.h5t.py_create(self._dtype)
        if meant == self._type:
            return np.frombuffer(content, self._dtype)
        buffer = np.zeros(max(len(content), self._count * self._dtype.itemsize), np.uint8)
        buffer[: len(content)] = np.frombuffer(content, np.uint8)
        h5py.h5t.convert(self._type, meant, self._count, buffer)
        return buffer[: self._count * self._dtype.itemsize].view(self._dtype)
