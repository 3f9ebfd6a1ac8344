"""Checks the global heaps of an HDF5 file, which hold its variable-length strings, before HDF5 walks through them.

HDF5 (1.14.6, 2.0.0) walks through a heap's objects by their declared sizes; if one is zero, or so large that the sum
wraps around, it loops forever, and nothing in the process can stop it. A string may also declare up to 4 GiB, which
HDF5 allocates.

References
----------
HDF5 File Format Specification 3.0, III.E "Disk Format: Level 1E - Global Heap".
"""

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import h5py
import numpy as np
import numpy.typing as npt

from ..errors import BadData
from .hdf5_chunks import unpacked_chunks

__all__ = [
    "MOST_SEARCHED", "check_heaps", "check_own_heaps", "check_strings", "heaps_checked", "varying_lengths",
]  # fmt: skip

# The signature of a heap, its version, and what is always zero.
SIGNATURE = b"GCOL"
START = SIGNATURE + b"\x01\x00\x00\x00"
HEADER = 16
PIECE = 2**20
# Larger files are not searched for the sake of optional attributes: it takes a second per GiB.
MOST_SEARCHED = 2**30
# A new heap takes at most 64 KiB, with objects of 32 bytes or more, and is larger only for a single longer object.
MOST_OBJECTS = 2**16
# What a dataset stores for a variable-length string: its length, the offset of its heap, its index there. The second
# has as many bytes as the file says, nearly always 8.
REFERENCES = {
    size: np.dtype([("length", "<u4"), ("heap", f"<u{size}"), ("index", "<u4")]) for size in (2, 4, 8)
}  # fmt: skip

# Some of them.
References = Annotated[npt.NDArray[Any], "_"]


def check_heaps(file: BinaryIO, where: str, error: type[BadData]) -> None:
    """Check every heap of a file, which is read from front to back.

    Parameters
    ----------
    file : binary stream
    where : str
    error : type

    Raises
    ------
    error
        HDF5 would walk through one of them forever.
    """
    _check(file, _places(file), where, error)


def check_own_heaps(file: h5py.File, where: str, error: type[BadData]) -> None:
    """Check every heap of an open file, before strings or references among its attributes are read.

    A file read from memory has been checked by whoever had its bytes.

    Raises
    ------
    error
        HDF5 would walk through one of them forever.
    """
    # A file in memory was made or checked by the caller.
    if file.driver not in ("core", "fileobj"):
        with Path(file.filename).open("rb") as raw:
            check_heaps(raw, where, error)


@contextlib.contextmanager
def heaps_checked(path: Path) -> Iterator[h5py.File]:
    """Open a file a second time, to read attributes: only the heaps that HDF5 reads are checked, as it reads them.

    An endless heap is hidden, so HDF5 fails to find it.
    """
    with _CheckedHeaps(path) as raw, h5py.File(raw, "r") as file:
        yield file


class _CheckedHeaps(io.FileIO):
    """A file in which endless heaps have no signature."""

    def readinto(self, buffer: Any, /) -> int:
        place, count = self.tell(), super().readinto(buffer) or 0
        # A signature may be split between two reads.
        first = max(0, place - len(SIGNATURE) + 1)
        self.seek(first)
        seen, size = self.read(place + count + len(SIGNATURE) - 1 - first), self.seek(0, 2)
        start = seen.find(SIGNATURE)
        while start >= 0:
            if _steps(self, first + start, size, MOST_OBJECTS) == MOST_OBJECTS:
                for byte in range(first + start - place, first + start - place + len(SIGNATURE)):
                    if 0 <= byte < count:
                        buffer[byte] = 0
            start = seen.find(SIGNATURE, start + 1)
        self.seek(place + count)
        return count


def check_strings(dataset: h5py.Dataset, where: str, error: type[BadData]) -> None:
    """Check the heaps that hold a dataset's variable-length strings.

    Raises
    ------
    error
        HDF5 would walk through one of them forever, or a string declares more bytes than the file has.
    """
    base = dataset.file.userblock_size
    with Path(dataset.file.filename).open("rb") as file:
        size = file.seek(0, 2)
        for stored in _references(dataset, file, where, error):
            if stored is None:
                check_heaps(file, where, error)
                return
            found = _parsed(stored, dataset, where, error)
            longest = int(found["length"].max(initial=0))
            if longest > size:
                raise error(
                    f"{where}: a string declares {longest} bytes, but the whole file has {size}; it is damaged, make "
                    "it again."
                )
            heaps = np.unique(found["heap"][found["heap"] < size]).tolist()
            _check(file, (base + heap for heap in heaps if heap), where, error)


def varying_lengths(dataset: h5py.Dataset, where: str, error: type[BadData]) -> Annotated[npt.NDArray[np.int64], "_"]:
    """Read the lengths of the arrays in a dataset [N] of arrays of varying length, without the arrays.

    Returns
    -------
    int64 [N]

    Raises
    ------
    error
        They cannot be located in the file, or an array is longer than the file.
    """
    lengths = np.zeros(dataset.shape[0], np.int64)
    if not dataset.id.get_storage_size():
        # Nothing was ever written.
        return lengths
    size = Path(dataset.file.filename).stat().st_size
    with Path(dataset.file.filename).open("rb") as file:
        for start, stored in _places_of_references(dataset, file, where, error):
            if stored is None:
                raise error(f"{where}: stored in a way that hides the lengths of its arrays; copy it with h5repack.")
            found = _parsed(stored, dataset, where, error)
            lengths[start : start + len(found)] = found["length"][: len(lengths) - start]
    longest = int(lengths.max(initial=0)) * h5py.check_vlen_dtype(dataset.dtype).itemsize
    if longest > size:
        raise error(
            f"{where}: an array declares {longest} bytes, but the whole file has {size}; it is damaged, make it again."
        )
    return lengths


def _reference(dataset: h5py.Dataset, where: str, error: type[BadData]) -> "np.dtype[Any]":
    """Return the form of a reference in the dataset's file."""
    size, _ = dataset.file.id.get_create_plist().get_sizes()
    if size not in REFERENCES:
        raise error(f"{where}: in a file whose addresses have {size} bytes; expected 8. Copy it with h5repack.")
    return REFERENCES[size]


def _parsed(stored: bytes, dataset: h5py.Dataset, where: str, error: type[BadData]) -> References:
    form = _reference(dataset, where, error)
    return np.frombuffer(stored[: len(stored) // form.itemsize * form.itemsize], form)


def _places_of_references(
    dataset: h5py.Dataset, file: BinaryIO, where: str, error: type[BadData]
) -> Iterator[tuple[int, bytes | None]]:
    """Read a dataset's references, each piece with the number of its first row."""
    if dataset.chunks:
        yield from ((place[0], content) for place, content in unpacked_chunks(dataset))
        return
    row = 0
    for stored in _references(dataset, file, where, error):
        yield row, stored
        row += len(stored or b"") // _reference(dataset, where, error).itemsize


def _references(dataset: h5py.Dataset, file: BinaryIO, where: str, error: type[BadData]) -> Iterator[bytes | None]:
    """Read a dataset's references to its strings, piece by piece; None if they cannot be located."""
    width = _reference(dataset, where, error).itemsize
    offset, total, piece = dataset.id.get_offset(), dataset.size * width, PIECE // width * width
    if dataset.chunks:
        yield from (content for _, content in unpacked_chunks(dataset))
    elif offset is None:
        yield None
    else:
        for start in range(0, total, piece):
            file.seek(offset + start)
            yield file.read(min(piece, total - start))


def _places(file: BinaryIO) -> Iterator[int]:
    """Yield the offsets that look like the start of a heap; the file may be moved meanwhile."""
    before, place = b"", 0
    while True:
        file.seek(place)
        block = file.read(PIECE)
        if not block:
            return
        text = before + block
        start = text.find(START)
        while start >= 0:
            yield place - len(before) + start
            start = text.find(START, start + 1)
        place += len(block)
        before = text[1 - len(START) :]


def _check(file: BinaryIO, places: Iterator[int], where: str, error: type[BadData]) -> None:
    size = file.seek(0, 2)
    # Heaps do not overlap, so all their objects together fit into the file.
    left = size // HEADER + 1
    for place in places:
        left -= _steps(file, place, size, left)
        if left <= 0:
            raise error(f"{where}: the heap of its strings at byte {place} has no end; it is damaged, make it again.")


def _steps(file: BinaryIO, place: int, size: int, most: int) -> int:
    """Count the objects of a heap in a file of that size as HDF5 walks through them, up to ``most``.

    Returns ``most`` too if an object is longer than the heap.
    """
    file.seek(place)
    header = file.read(HEADER)
    if not header.startswith(SIGNATURE):
        return 1
    end = min(place + int.from_bytes(header[8:], "little"), size)
    place += HEADER
    for step in range(1, most):
        if place + HEADER > end:
            return step
        file.seek(place)
        stored = file.read(HEADER)
        length = int.from_bytes(stored[8:], "little")
        if length > end - place:
            # HDF5 adds it to a memory address, which may wrap around.
            return most
        # The free space, number 0, counts its own header.
        place += HEADER + -(-length // 8) * 8 if stored[:2] != b"\0\0" else length
    return most
