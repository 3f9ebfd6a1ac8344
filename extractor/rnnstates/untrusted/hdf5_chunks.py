"""Checks the chunks of an HDF5 dataset for what HDF5 itself does not check before reading them.

HDF5 (1.14.6, 2.0.0) takes a chunk for as long as it ought to be, whatever its filters give: where that is less,
what else lies in memory becomes values, or the process ends; where it is more, it is all made
(https://github.com/HDFGroup/hdf5/pull/6184, https://github.com/HDFGroup/hdf5/issues/6490).
"""

import math
import zlib
from collections.abc import Iterator

import h5py
import numpy as np

from ..errors import BadData

__all__ = ["Chunks", "check_chunks", "check_inflated", "filters_of", "unpacked_chunks"]

# Deflate makes at most 1032 bytes of one; twice that is far from it.
MOST_INFLATED = 2064
CHECKSUM = 4
SIMPLE = (h5py.h5t.INTEGER, h5py.h5t.FLOAT, h5py.h5t.ENUM)


def check_chunks(dataset: h5py.Dataset, where: str, error: type[BadData]) -> None:
    """Refuse chunks that lie outside of their file, or are too short for what they hold; none is read.

    Raises
    ------
    error
    """
    if not dataset.chunks or dataset.shape is None:
        return
    filters, size = set(filters_of(dataset)), dataset.file.id.get_filesize()
    whole = _whole(dataset) or 0
    # A checksum is taken off the end, whether it is there or not.
    least = CHECKSUM if h5py.h5z.FILTER_FLETCHER32 in filters else 0
    if filters <= {h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32}:
        least = max(least, whole)
    elif h5py.h5z.FILTER_DEFLATE in filters:
        least = max(least, whole // MOST_INFLATED)

    def wrong(chunk: h5py.h5d.StoreInfo) -> h5py.h5d.StoreInfo | None:
        return None if least <= chunk.size and chunk.byte_offset + chunk.size <= size else chunk

    found = dataset.id.chunk_iter(wrong)
    if found is not None:
        raise error(
            f"{where}: its chunk at {found.chunk_offset} has {found.size} bytes at byte {found.byte_offset} of {size}; "
            "no chunk lies so. The file is damaged, make it again."
        )


def check_inflated(dataset: h5py.Dataset, where: str, error: type[BadData]) -> None:
    """Refuse compressed chunks that do not give as many bytes as a chunk has; each is unpacked, for small datasets.

    Raises
    ------
    error
    """
    whole, filters = _whole(dataset), set(filters_of(dataset))
    if whole is None or not {h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_FLETCHER32} & filters:
        return
    for offset, content in unpacked_chunks(dataset):
        if content is not None and len(content) != whole:
            raise error(
                f"{where}: its chunk at {offset} is unpacked to {len(content)} bytes"
                f"{' or more' if len(content) > whole else ''}; expected {whole}. The file is damaged, make it again."
            )


def unpacked_chunks(dataset: h5py.Dataset) -> Iterator[tuple[tuple[int, ...], bytes | None]]:
    """Yield the place and the bytes of each chunk, hardly more than it has; None where a filter is not known here."""
    places: list[tuple[int, ...]] = []
    dataset.id.chunk_iter(lambda chunk: places.append(chunk.chunk_offset))
    chunks = Chunks(dataset)
    for place in places:
        yield place, chunks.unpacked(place)


class Chunks:
    """The chunks of a dataset, one by one as bytes.

    Parameters
    ----------
    dataset : h5py.Dataset
        In chunks.
    """

    def __init__(self, dataset: h5py.Dataset) -> None:
        self._id, self._filters = dataset.id, filters_of(dataset)
        self._whole = _whole(dataset) or 0
        self._item = self._whole // math.prod(dataset.chunks)

    def unpacked(self, place: tuple[int, ...]) -> bytes | None:
        """Unpack a chunk to hardly more bytes than it has; None where it cannot be, or a filter is not known here.

        Parameters
        ----------
        place : tuple of int
            Of its first value; it was written.
        """
        skipped, stored = self._id.read_direct_chunk(place)
        used = [code for number, code in enumerate(self._filters) if not skipped >> number & 1]
        return _unpacked(stored, used, self._whole, self._item)


def _unpacked(stored: bytes, filters: list[int], whole: int, item: int) -> bytes | None:
    deflated = filters.count(h5py.h5z.FILTER_DEFLATE)
    for code in reversed(filters):
        if code == h5py.h5z.FILTER_FLETCHER32:
            stored = stored[:-CHECKSUM]
        elif code == h5py.h5z.FILTER_DEFLATE:
            deflated -= 1
            # What is deflated once more may be a little longer than the chunk.
            most = whole + CHECKSUM + 1 + (whole // 64 + 1024 if deflated else 0)
            try:
                stored = zlib.decompressobj().decompress(stored, most)
            except zlib.error:
                return None  # HDF5 says so itself
        elif code == h5py.h5z.FILTER_SHUFFLE and item:
            stored = _unshuffled(stored, item)
        else:
            return None
    return stored


def _unshuffled(stored: bytes, item: int) -> bytes:
    """Put the bytes of each value side by side again: the first ones of all come first, then the second ones, …."""
    count = len(stored) // item
    planes = np.frombuffer(stored, np.uint8, count * item).reshape(item, count)
    values = np.empty((count, item), np.uint8)
    for number, plane in enumerate(planes):
        values[:, number] = plane
    return values.tobytes() + stored[count * item :]


def filters_of(dataset: h5py.Dataset) -> list[int]:
    """Name the filters of a dataset by HDF5's numbers, in the order in which they were applied."""
    properties = dataset.id.get_create_plist()
    return [properties.get_filter(number)[0] for number in range(properties.get_nfilters())]


def _whole(dataset: h5py.Dataset) -> int | None:
    """Count the bytes of a chunk before the filters; None where nothing is in chunks, or its values are not simple."""
    if not dataset.chunks:
        return None
    kind = dataset.id.get_type()
    kind_of = kind.get_class()
    if kind_of == h5py.h5t.VLEN or (kind_of == h5py.h5t.STRING and kind.is_variable_str()):
        # Its length, the place of its heap and its number there.
        return int(math.prod(dataset.chunks) * (8 + dataset.file.id.get_create_plist().get_sizes()[0]))
    simple = kind_of in SIMPLE or kind_of == h5py.h5t.STRING
    return int(math.prod(dataset.chunks) * kind.get_size()) if simple else None
