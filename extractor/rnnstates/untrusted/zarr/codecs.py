"""Unpacks chunks of Zarr: the codecs that are known, each to a size that is known before."""

import bz2
import lzma
import zlib
from collections.abc import Callable, Mapping
from importlib import import_module
from types import ModuleType
from typing import Any, NamedTuple, Protocol

from ...errors import EngineUnavailable

__all__ = ["KNOWN", "Codec", "Unfit", "unpack"]

CRC_BYTES = 4


class Decoder(Protocol):
    """A decompressor of the standard library."""

    def decompress(self, content: bytes, most: int, /) -> bytes:
        """Return at most so many bytes."""


class Codec(NamedTuple):
    """A step from bytes to bytes: its name without a prefix, and how it was configured."""

    name: str
    configuration: Mapping[str, Any]


class Unfit(Exception):  # noqa: N818 - never seen outside; becomes the error about a chunk
    """Why bytes cannot be unpacked."""


def unpack(codecs: tuple[Codec, ...], raw: bytes, size: int | None, most: int) -> bytes:
    """Undo codecs, the last one first.

    Parameters
    ----------
    codecs : tuple of Codec
        In the order in which they were applied.
    raw : bytes
    size : int or None
        The size of the result; None if only ``most`` is known.
    most : int
        The largest size of any step.

    Raises
    ------
    Unfit
        The result has another size, or cannot be made.
    EngineUnavailable
        zarr is not installed.
    """
    for number in range(len(codecs) - 1, -1, -1):
        wanted = size
        for before in codecs[:number]:
            if before.name == "crc32c" and wanted is not None:
                wanted += CRC_BYTES
            elif before.name != "shuffle":
                wanted = None
        try:
            raw = KNOWN[codecs[number].name](raw, codecs[number].configuration, wanted, most)
        except (ValueError, RuntimeError, EOFError, zlib.error, lzma.LZMAError, OSError) as reason:
            raise Unfit(f"{codecs[number].name} cannot unpack it ({reason})") from reason
    if size is not None and len(raw) != size:
        raise Unfit(f"it has {len(raw)} bytes, expected {size}")
    return raw


def _bounded(decoder: Decoder, raw: bytes, wanted: int | None, most: int) -> bytes:
    """Unpack with a decoder of the standard library, to hardly more than is wanted."""
    return decoder.decompress(raw, (most if wanted is None else wanted) + 1)


def _zlib(raw: bytes, _: Mapping[str, Any], wanted: int | None, most: int) -> bytes:
    return _bounded(zlib.decompressobj(zlib.MAX_WBITS | 32), raw, wanted, most)


def _bz2(raw: bytes, _: Mapping[str, Any], wanted: int | None, most: int) -> bytes:
    return _bounded(bz2.BZ2Decompressor(), raw, wanted, most)


def _lzma(raw: bytes, configuration: Mapping[str, Any], wanted: int | None, most: int) -> bytes:
    if configuration.get("filters") is not None:
        raise Unfit("lzma with filters of its own is not read")
    return _bounded(lzma.LZMADecompressor(memlimit=2**28), raw, wanted, most)


def _declared(codec: str, raw: bytes) -> int | None:
    """Return the size that the first bytes declare; None if they do not."""
    if codec == "blosc":
        return int.from_bytes(raw[4:8], "little") if len(raw) >= 16 else 0
    if codec == "lz4":
        return int.from_bytes(raw[:4], "little")
    # https://www.rfc-editor.org/rfc/rfc8878#name-frame-header
    descriptor = raw[4] if len(raw) > 4 else 0
    single, code = descriptor >> 5 & 1, descriptor >> 6
    width = (single, 2, 4, 8)[code]
    place = 5 + (1 - single) + (0, 1, 2, 4)[descriptor & 3]
    number = int.from_bytes(raw[place : place + width], "little") + (256 if code == 1 else 0)
    return number if width else None


def _numcodecs(codec: str, module: str) -> Callable[[bytes, Mapping[str, Any], int | None, int], bytes]:
    def unpacked(raw: bytes, _: Mapping[str, Any], wanted: int | None, most: int) -> bytes:
        declared = _declared(codec, raw)
        size = wanted if wanted is not None else declared
        if size is None or size > most or (declared is not None and declared != size):
            raise Unfit(f"it declares {declared} bytes, expected {wanted if wanted is not None else f'up to {most}'}")
        if codec == "blosc" and int.from_bytes(raw[12:16], "little") != len(raw):
            raise Unfit("it is cut short")
        if not size:
            return b""
        target = bytearray(size)
        _import(module).decompress(raw, target)
        return bytes(target)

    return unpacked


def _crc32c(raw: bytes, _: Mapping[str, Any], _wanted: int | None, _most: int) -> bytes:
    content, checksum = raw[:-CRC_BYTES], raw[-CRC_BYTES:]
    if _import("google_crc32c").value(content) != int.from_bytes(checksum, "little"):
        raise Unfit("its checksum is wrong")
    return content


def _shuffle(raw: bytes, configuration: Mapping[str, Any], _wanted: int | None, _most: int) -> bytes:
    """Undo the filter that stores the first bytes of all values, then the second bytes, ….

    Bytes that do not fill a value are last, unchanged.
    """
    item = configuration.get("elementsize", 4)
    if not isinstance(item, int) or not 1 <= item <= 64:
        raise Unfit(f"shuffle has element size {item!r:.40}")
    count = len(raw) // item
    planes = memoryview(raw)[: count * item]
    values = bytearray(count * item)
    for number in range(item):
        values[number::item] = planes[number * count : (number + 1) * count]
    return bytes(values) + raw[count * item :]


def _import(name: str) -> ModuleType:
    try:
        return import_module(name)
    except ImportError as reason:
        raise EngineUnavailable(
            f"this Zarr store needs zarr ({reason}); pip install 'rnnstates[zarr]', or save the array with np.save."
        ) from reason


# From the name of a codec to what undoes it.
KNOWN: dict[str, Callable[[bytes, Mapping[str, Any], int | None, int], bytes]] = {
    "zlib": _zlib,
    "gzip": _zlib,
    "bz2": _bz2,
    "lzma": _lzma,
    "blosc": _numcodecs("blosc", "numcodecs.blosc"),
    "zstd": _numcodecs("zstd", "numcodecs.zstd"),
    "lz4": _numcodecs("lz4", "numcodecs.lz4"),
    "crc32c": _crc32c,
    "shuffle": _shuffle,
}
