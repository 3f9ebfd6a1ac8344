"""The chunks of an HDF5 dataset, checked for what HDF5 itself does not check before it reads them.

HDF5 (1.14.6 and before) takes a chunk for as long as it ought to be, whatever its filters give: where that is less,
what else lies in memory becomes values, or the process ends; where it is more, it is all made
(https://github.com/HDFGroup/hdf5/pull/6184, https://github.com/HDFGroup/hdf5/issues/6490).
"""

import math
import zlib

import h5py

from .errors import BadData

__all__ = ["check_chunks", "check_inflated"]

# Deflate makes at most 1032 bytes of one; twice that is far from it.
MOST_INFLATED = 2064
CHECKSUM = 4
# Filters that leave as many bytes as there were.
SAME_SIZE = (h5py.h5z.FILTER_SHUFFLE,)
SIMPLE = (h5py.h5t.INTEGER, h5py.h5t.FLOAT, h5py.h5t.ENUM)


def check_chunks(dataset: h5py.Dataset, where: str, error: type[BadData]) -> None:
    """Refuse chunks that lie outside of their file, or are too short for what they hold; none is read.

    Raises
    ------
    error
    """
    if not dataset.chunks or dataset.shape is None:
        return
    filters, size = _filters(dataset), dataset.file.id.get_filesize()
    whole = _whole(dataset)
    least, most = (0, None) if filters else (whole or 0, whole)
    if h5py.h5z.FILTER_FLETCHER32 in filters:
        # The checksum is taken off the end, whether it is there or not.
        least = CHECKSUM
    if h5py.h5z.FILTER_DEFLATE in filters:
        least = max(least, (whole or 0) // MOST_INFLATED)

    def wrong(chunk: h5py.h5d.StoreInfo) -> h5py.h5d.StoreInfo | None:
        fits = least <= chunk.size <= (chunk.size if most is None else most)
        return None if fits and chunk.byte_offset + chunk.size <= size else chunk

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
    whole, filters = _whole(dataset), _filters(dataset)
    if whole is None or not {h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_FLETCHER32} & set(filters):
        return
    chunks: list[tuple[int, ...]] = []
    dataset.id.chunk_iter(lambda chunk: chunks.append(chunk.chunk_offset))
    for offset in chunks:
        skipped, stored = dataset.id.read_direct_chunk(offset)
        found = _unpacked(stored, [code for place, code in enumerate(filters) if not skipped >> place & 1], whole)
        if found not in (None, whole):
            raise error(
                f"{where}: its chunk at {offset} is unpacked to {found} bytes{' or more' if found > whole else ''}; "
                f"expected {whole}. The file is damaged, make it again."
            )


def _unpacked(stored: bytes, filters: list[int], whole: int) -> int | None:
    """Count the bytes that the filters give, hardly more than a chunk has; None where one is not known here."""
    for code in reversed(filters):
        if code == h5py.h5z.FILTER_FLETCHER32:
            stored = stored[:-CHECKSUM]
        elif code == h5py.h5z.FILTER_DEFLATE:
            try:
                stored = zlib.decompressobj().decompress(stored, whole + CHECKSUM + 1)
            except zlib.error:
                return None  # HDF5 says so itself
        elif code not in SAME_SIZE:
            return None
    return len(stored)


def _filters(dataset: h5py.Dataset) -> list[int]:
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
