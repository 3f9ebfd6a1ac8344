"""Reads parts of the members of a zip archive at offsets; a compressed member is never held whole.

A decompressor only goes forward. Copies of its state are kept at even distances, so that going back costs no more than
one distance.
"""

import os
import zipfile
import zlib
from typing import Any, BinaryIO, NamedTuple, Protocol

from ..errors import BadData, MissingInput

__all__ = ["Bytes", "bytes_of"]

LOCAL_HEADER, SIGNATURE = 30, b"PK\x03\x04"
# Compressed bytes given to the decompressor at a time, and the most that it returns at a time.
PIECE, MOST_UNPACKED = 8 * 2**10, 2**18
# Copies take about 40 KB each. No closer than this, and no more than so many.
LEAST_BETWEEN, MOST_COPIES = 2 * 2**20, 512

# What zlib.decompressobj() returns; its type has no public name.
Decoder = Any


class Bytes(Protocol):
    """The content of a member."""

    @property
    def size(self) -> int:
        """How many bytes there are."""

    def fill(self, raw: memoryview, offset: int) -> None:
        """Fill a buffer with those from an offset on, which must all be there.

        Raises
        ------
        BadData
            The archive is damaged.
        MissingInput
            Its disk fails.
        """


def bytes_of(file: BinaryIO, info: zipfile.ZipInfo, where: str, error: type[BadData]) -> Bytes:
    """Return what reads a member.

    Parameters
    ----------
    file : BinaryIO
        The archive, unbuffered; it must stay open.
    info : ZipInfo
        One that ``zip_members`` returned.
    where : str
    error : type

    Raises
    ------
    error
        It is encrypted, damaged, or compressed in an unusual way.
    """
    if info.flag_bits & 1:
        raise error(f"{where}: is encrypted; expected an unencrypted file. Save it again.")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise error(
            f"{where}: is compressed by method {info.compress_type}; expected 0 (stored) or {zipfile.ZIP_DEFLATED} "
            "(deflated). Save it again with np.savez or np.savez_compressed."
        )
    is_stored = info.compress_type == zipfile.ZIP_STORED
    if is_stored and info.compress_size != info.file_size:
        raise error(
            f"{where}: declares {info.file_size} bytes, and {info.compress_size} that are stored; expected as many of "
            "both. The archive is damaged, make it again."
        )
    packed = _Packed(file, info.header_offset, info.compress_size, where, error)
    return _Stored(packed, info.file_size) if is_stored else _Deflated(packed, info.file_size, info.CRC)


class _Packed:
    """The bytes of a member as they are stored."""

    def __init__(self, file: BinaryIO, header: int, size: int, where: str, error: type[BadData]) -> None:
        self.file, self.size, self.where, self.error = file, size, where, error
        start = self._read(LOCAL_HEADER, header)
        if len(start) < LOCAL_HEADER or not start.startswith(SIGNATURE):
            raise self.damaged(f"its content is not at byte {header}")
        name, extra = (int.from_bytes(start[place : place + 2], "little") for place in (26, 28))
        self.offset = header + LOCAL_HEADER + name + extra

    def read(self, offset: int, most: int) -> bytes:
        """Return bytes from an offset on; none at the end of the member, at least one before."""
        count = min(most, self.size - offset)
        content = self._read(count, self.offset + offset) if count > 0 else b""
        if count > 0 and not content:
            raise self.damaged("the archive ends inside it")
        return content

    def _read(self, count: int, place: int) -> bytes:
        try:
            return os.pread(self.file.fileno(), count, place)
        except OSError as reason:
            raise MissingInput(f"{self.where}: cannot be read at byte {place} ({reason.strerror}).") from reason

    def damaged(self, what: str) -> BadData:
        """Return the error about damage."""
        return self.error(f"{self.where}: {what}. The archive is damaged or changes while it is read; copy it again.")


class _Stored:
    """A member that is not compressed."""

    def __init__(self, packed: _Packed, size: int) -> None:
        self._packed, self.size = packed, size

    def fill(self, raw: memoryview, offset: int) -> None:
        done = 0
        while done < len(raw):
            content = self._packed.read(offset + done, len(raw) - done)
            if not content:
                raise self._packed.damaged(f"it ends at byte {self.size}")
            raw[done : done + len(content)] = content
            done += len(content)


class _Place(NamedTuple):
    """A decompressor, the number of bytes that it has returned, and the place of the next ones that it needs."""

    decoder: Decoder
    unpacked: int
    packed: int


class _Deflated:
    """A compressed member; its checksum is compared when its last byte is reached for the first time."""

    def __init__(self, packed: _Packed, size: int, checksum: int) -> None:
        self._packed, self.size, self._expected = packed, size, checksum
        self._now = _Place(zlib.decompressobj(-zlib.MAX_WBITS), 0, 0)
        self._copies = [self._copy()]
        self._between = max(LEAST_BETWEEN, -(-size // MOST_COPIES))
        self._reached, self._checksum = 0, 0

    def fill(self, raw: memoryview, offset: int) -> None:
        if offset < self._now.unpacked or offset - self._now.unpacked > self._between:
            self._go(offset)
        while self._now.unpacked < offset:
            self._next(offset - self._now.unpacked)
        done = 0
        while done < len(raw):
            content = self._next(len(raw) - done)
            raw[done : done + len(content)] = content
            done += len(content)

    def _go(self, offset: int) -> None:
        """Continue from the last copy at or before an offset."""
        copies = (copy for copy in reversed(self._copies) if copy.unpacked <= offset)
        nearest = next(copies)
        if not nearest.unpacked <= self._now.unpacked <= offset:
            self._now = nearest._replace(decoder=nearest.decoder.copy())

    def _next(self, most: int) -> bytes:
        """Return the next bytes, at least one."""
        decoder, unpacked, place = self._now
        content = b""
        while not content:
            given = decoder.unconsumed_tail
            if not given:
                given = self._packed.read(place, PIECE)
                place += len(given)
            try:
                content = decoder.decompress(given, min(most, MOST_UNPACKED))
            except zlib.error as reason:
                raise self._packed.damaged(f"it cannot be decompressed after {unpacked} bytes ({reason})") from reason
            if not content and (decoder.eof or not given):
                raise self._packed.damaged(f"it is decompressed to {unpacked} bytes; expected {self.size}")
        self._now = _Place(decoder, unpacked + len(content), place)
        self._advance(content, unpacked)
        return content

    def _advance(self, content: bytes, start: int) -> None:
        """Note what is reached for the first time."""
        new = content[max(0, self._reached - start) :]
        if not new:
            return
        self._checksum = zlib.crc32(new, self._checksum)
        self._reached += len(new)
        if self._reached == self.size and self._checksum != self._expected:
            raise self._packed.damaged("its content contradicts its checksum")
        if self._reached - self._copies[-1].unpacked >= self._between:
            self._copies.append(self._copy())

    def _copy(self) -> _Place:
        return self._now._replace(decoder=self._now.decoder.copy())
