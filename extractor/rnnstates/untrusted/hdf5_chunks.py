"""Checks the chunks of an HDF5 dataset for what HDF5 itself does not check before reading them.

HDF5 (1.14.6, 2.0.0) assumes that a chunk has its expected length, whatever its filters produce: if that is less, other
memory becomes values, or the process dies; if it is more, all of it is allocated
(https://github.com/HDFGroup/hdf5/pull/6184, https://github.com/HDFGroup/hdf5/issues/6490).
"""

import math
import zlib
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np

from ..errors import BadData

__all__ = ["Chunks", "check_chunks", "check_frames", "check_inflated", "filters_of", "unpacked_chunks"]

# Deflate expands one byte to at most 1032; twice that leaves a margin.
MOST_INFLATED = 2064
CHECKSUM = 4
# The first bytes of a frame of Zstandard, and the longest start of one (bytes).
ZSTD = b"\x28\xb5\x2f\xfd"
LONGEST_START = 18
SIMPLE = (h5py.h5t.INTEGER, h5py.h5t.FLOAT, h5py.h5t.ENUM)


def check_chunks(dataset: h5py.Dataset, where: str, error: type[BadData]) -> None:
    """Refuse chunks that lie outside their file, or are too short for their content; none is read.

    Raises
    ------
    error
    """
    if not dataset.chunks or dataset.shape is None:
        return
    filters, size = set(filters_of(dataset)), dataset.file.id.get_filesize()
    whole = _whole(dataset) or 0
    # A checksum is stripped from the end, whether it is there or not.
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
            f"{where}: its chunk at {found.chunk_offset} has {found.size} bytes at byte {found.byte_offset} of {size}, "
            "which is impossible. The file is damaged, make it again."
        )


def check_frames(dataset: h5py.Dataset, where: str, error: type[BadData]) -> None:
    """Refuse chunks of Zstandard or Blosc whose first bytes announce another size than the chunk's; none is unpacked.

    Their decompressors write what is announced, or fail.

    Raises
    ------
    error
    """
    whole, filters = _whole(dataset), filters_of(dataset)
    announced = FRAMES.get(filters[-1]) if filters else None
    if announced is None or whole is None:
        return
    places: list[tuple[tuple[int, ...], int, int]] = []
    dataset.id.chunk_iter(
        lambda chunk: None if chunk.filter_mask else places.append((chunk.chunk_offset, chunk.byte_offset, chunk.size))
    )
    with Path(dataset.file.filename).open("rb", buffering=0) as raw:
        for place, position, size in places:
            raw.seek(position)
            found = announced(raw.read(min(size, LONGEST_START)))
            if found != whole:
                raise error(
                    f"{where}: its chunk at {place} announces {'no size' if found is None else f'{found} bytes'}; "
                    f"expected {whole}. The file is damaged, make it again."
                )


def _zstd_size(start: bytes) -> int | None:
    """Return the size that a frame of Zstandard announces (RFC 8878, 3.1.1.1); None if it announces none."""
    if start[:4] != ZSTD or len(start) < 5:
        return None
    flags = start[4]
    single = flags >> 5 & 1
    bytes_of_size = (single, 2, 4, 8)[flags >> 6]
    at = 5 + (not single) + (0, 1, 2, 4)[flags & 3]
    if not bytes_of_size or len(start) < at + bytes_of_size:
        return None
    return int.from_bytes(start[at : at + bytes_of_size], "little") + (256 if bytes_of_size == 2 else 0)


def _blosc_size(start: bytes) -> int | None:
    """Return the size that a buffer of Blosc announces in the second of its four words."""
    return int.from_bytes(start[4:8], "little") if len(start) >= 16 else None


# By the filter that was applied last.
FRAMES = {32015: _zstd_size, 32001: _blosc_size}


def check_inflated(dataset: h5py.Dataset, where: str, error: type[BadData]) -> None:
    """Refuse compressed chunks that decompress to the wrong size; decompresses all, so only for small datasets.

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
    """Yield the offset and bytes of each chunk, hardly more than its size; None if a filter is unknown here."""
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
        A chunked one.
    """

    def __init__(self, dataset: h5py.Dataset) -> None:
        self._id, self._filters = dataset.id, filters_of(dataset)
        self._whole = _whole(dataset) or 0
        self._item = self._whole // math.prod(dataset.chunks)

    def unpacked(self, place: tuple[int, ...]) -> bytes | None:
        """Decompress a chunk to hardly more than its size; None if that fails, or a filter is unknown here.

        Parameters
        ----------
        place : tuple of int
            Offset of its first value; the chunk must have been written.
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
            # If it is deflated twice, the intermediate result may be a little longer than the chunk.
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
    """Undo HDF5's shuffle filter, which stores the first bytes of all values, then the second bytes, …."""
    count = len(stored) // item
    planes = np.frombuffer(stored, np.uint8, count * item).reshape(item, count)
    values = np.empty((count, item), np.uint8)
    for number, plane in enumerate(planes):
        values[:, number] = plane
    return values.tobytes() + stored[count * item :]


def filters_of(dataset: h5py.Dataset) -> list[int]:
    """List the HDF5 codes of a dataset's filters, in the order in which they were applied."""
    properties = dataset.id.get_create_plist()
    return [properties.get_filter(number)[0] for number in range(properties.get_nfilters())]


def _whole(dataset: h5py.Dataset) -> int | None:
    """Return the bytes of an unfiltered chunk; None if the dataset is not chunked, or its values are not simple."""
    if not dataset.chunks:
        return None
    kind = dataset.id.get_type()
    kind_of = kind.get_class()
    if kind_of == h5py.h5t.VLEN or (kind_of == h5py.h5t.STRING and kind.is_variable_str()):
        # The string's length, the offset of its heap and its index there.
        return int(math.prod(dataset.chunks) * (8 + dataset.file.id.get_create_plist().get_sizes()[0]))
    simple = kind_of in SIMPLE or kind_of == h5py.h5t.STRING
    return int(math.prod(dataset.chunks) * kind.get_size()) if simple else None
