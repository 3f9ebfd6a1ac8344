"""Files taken apart and put together again with lengths and checksums that are right: ``FORMS`` names their kinds."""

import io
import re
import struct
import zipfile
import zlib
from collections.abc import Callable
from typing import NamedTuple

__all__ = ["FORMS", "Parts", "pack", "packed_parts"]

# How a folder is one input: this, then name and content of each file, each behind its length.
PACKED = b"\x00folder\x00"
JOURNAL = re.compile(rb"[0-9a-f]{8} \{")
TABLE_END = struct.pack("<Q", 0xDB4775248B80FB57)

Parts = dict[str, bytes]


class Form(NamedTuple):
    """A kind of file: whether these are its bytes, its parts by name, and a file of those."""

    recognise: Callable[[bytes], bool]
    split: Callable[[bytes], Parts]
    join: Callable[[Parts], bytes]


def pack(parts: Parts) -> bytes:
    """Make one input of the files of a folder, by their relative paths."""
    held = [PACKED]
    for name, content in parts.items():
        encoded = name.encode()
        held += [struct.pack("<HI", len(encoded), len(content)), encoded, content]
    return b"".join(held)


def packed_parts(content: bytes) -> Parts:
    """Take such an input apart; what is damaged of it is left out."""
    parts, place = {}, len(PACKED)
    while place + 6 <= len(content):
        name, size = struct.unpack_from("<HI", content, place)
        place += 6
        parts[content[place : place + name].decode("utf-8", "replace")] = content[place + name : place + name + size]
        place += name + size
    return parts


def _unzipped(content: bytes) -> Parts:
    """Take an archive apart; by hand where its members are stored, since ``zipfile`` takes longer than the parsers."""
    parts, place = {}, 0
    while content[place : place + 4] == b"PK\3\4":
        flags, method = struct.unpack_from("<HH", content, place + 6)
        size, called, more = struct.unpack_from("<IHH", content, place + 22)
        if method or flags & 8:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                return {info.filename: archive.read(info) for info in archive.infolist() if info.file_size < 2**20}
        start = place + 30 + called + more
        parts[content[place + 30 : place + 30 + called].decode("utf-8", "replace")] = content[start : start + size]
        place = start + size
    return parts


def _zipped(parts: Parts) -> bytes:
    """Write an archive whose members are stored; by hand, since ``zipfile`` takes longer than the parsers."""
    held, directory = [], []
    place = 0
    for name, content in parts.items():
        called = name.encode("utf-8", "surrogatepass")[:65_535]
        # Version, names in UTF-8, stored; day and time; checksum and sizes.
        fields = struct.pack(
            "<HHHHHIIIHH", 20, 0x800, 0, 0, 33, zlib.crc32(content), *[len(content)] * 2, len(called), 0
        )
        held += [b"PK\3\4", fields, called, content]
        directory += [b"PK\1\2\x14\3", fields, struct.pack("<HHHII", 0, 0, 0, 0, place), called]
        place += 30 + len(called) + len(content)
    size = sum(map(len, directory))
    end = struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, len(parts), len(parts), size, place, 0)
    return b"".join([*held, *directory, end])


def _npy_parts(content: bytes) -> Parts:
    width = 2 if content[6] == 1 else 4
    end = 8 + width + int.from_bytes(content[8 : 8 + width], "little")
    return {"version": content[6:8], "header": content[8 + width : end], "data": content[end:]}


def _npy(parts: Parts) -> bytes:
    version, header = parts.get("version", b"\1\0"), parts.get("header", b"")
    width = 2 if version[:1] == b"\1" else 4
    size = min(len(header), 256**width - 1).to_bytes(width, "little")
    return b"\x93NUMPY" + version + size + header + parts.get("data", b"")


def _safetensors_parts(content: bytes) -> Parts:
    end = 8 + int.from_bytes(content[:8], "little")
    return {"header": content[8:end], "data": content[end:]}


def _safetensors(parts: Parts) -> bytes:
    header = parts.get("header", b"")
    return len(header).to_bytes(8, "little") + header + parts.get("data", b"")


def _crc_table() -> list[int]:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = (byte >> 1) ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


CRC = _crc_table()


def _checksum(data: bytes) -> bytes:
    """CRC-32C, masked as TensorFlow wants it."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = (crc >> 8) ^ CRC[(crc ^ byte) & 255]
    crc ^= 0xFFFFFFFF
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def _varint(number: int) -> bytes:
    held = bytearray()
    while number > 127:
        held.append(number & 127 | 128)
        number >>= 7
    return bytes([*held, number])


def _number(content: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte, place = content[place], place + 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, place


def _table_parts(content: bytes) -> Parts:
    """Read the entries of a sorted table; keys become text that gives the bytes back."""
    footer = content[-48:]
    _, place = _number(footer, 0)
    _, place = _number(footer, place)
    start, place = _number(footer, place)
    size, _ = _number(footer, place)
    entries = {}
    for _, handle in _block_parts(content[start : start + size]):
        first, place = _number(handle, 0)
        length, _ = _number(handle, place)
        entries.update(_block_parts(content[first : first + length]))
    return {key.decode("latin-1"): value for key, value in entries.items()}


def _block_parts(block: bytes) -> list[tuple[bytes, bytes]]:
    (restarts,) = struct.unpack("<I", block[-4:])
    place, end, key, found = 0, len(block) - 4 - 4 * restarts, b"", []
    while place < end:
        shared, place = _number(block, place)
        own, place = _number(block, place)
        size, place = _number(block, place)
        key = key[:shared] + block[place : place + own]
        found.append((key, block[place + own : place + own + size]))
        place += own + size
    return found


def _block(entries: list[tuple[bytes, bytes]]) -> bytes:
    held = b"".join(_varint(0) + _varint(len(key)) + _varint(len(value)) + key + value for key, value in entries)
    return held + struct.pack("<II", 0, 1)


def _table(parts: Parts) -> bytes:
    entries = sorted((name.encode("latin-1", "replace"), value) for name, value in parts.items())
    stored, handles = b"", []
    for content in (_block(entries), _block([])):
        handles.append(_varint(len(stored)) + _varint(len(content)))
        stored += content + b"\0" + _checksum(content + b"\0")
    index = _block([(b"\xff" * 40, handles[0])])
    footer = handles[1] + _varint(len(stored)) + _varint(len(index))
    return stored + index + b"\0" + _checksum(index + b"\0") + footer.ljust(40, b"\0") + TABLE_END


def _journal_parts(content: bytes) -> Parts:
    return {str(number): line[9:] for number, line in enumerate(content.splitlines())}


def _journal(parts: Parts) -> bytes:
    return b"".join(b"%08x %s\n" % (zlib.crc32(text), text) for text in parts.values())


FORMS: dict[str, Form] = {
    "journal": Form(lambda content: JOURNAL.match(content) is not None, _journal_parts, _journal),
    "folder": Form(lambda content: content.startswith(PACKED), packed_parts, pack),
    "zip": Form(lambda content: content.startswith(b"PK\3\4"), _unzipped, _zipped),
    "npy": Form(lambda content: content.startswith(b"\x93NUMPY") and len(content) > 12, _npy_parts, _npy),
    "table": Form(lambda content: content.endswith(TABLE_END), _table_parts, _table),
    "safetensors": Form(lambda content: content[8:9] == b"{", _safetensors_parts, _safetensors),
}
