"""Recognises kinds by fixed bytes at a fixed place, or by the first numbers of their format."""

import re
import struct
import zlib

__all__ = ["LEGACY_TORCH", "NPY", "kind_of_start"]

NPY = b"\x93NUMPY"
# The first bytes of files of PyTorch before 1.6: a pickled magic number.
LEGACY_TORCH = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."

# Offset in the file, and the bytes there.
_FIXED: tuple[tuple[int, bytes, str], ...] = (
    (0, LEGACY_TORCH, "torch"),
    (0, NPY, "npy"),
    (0, b"\x89HDF\r\n\x1a\n", "hdf5"),
    (4, b"TFL3", "tflite"),
    (4, b"ORTM", "onnx runtime"),
    (0, b"ftrt", "tensorrt"),
    (0, b"GGUF", "gguf"),
    (0, b"lmgg", "ggml"),
    (0, b"tjgg", "ggml"),
    (0, b"fmgg", "ggml"),
    (0, b"algg", "ggml"),
    # kMXAPINDArrayListMagic and a reserved number.
    (0, b"\x12\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0", "mxnet"),
    (0, b"B\0C\0N\0", "cntk"),
    (0, b"\0B<", "kaldi"),
    (0, b"\0BFM ", "kaldi"),
    (0, b"<Nnet3>", "kaldi"),
    (0, b"<TransitionModel>", "kaldi"),
    (0, b"MATLAB 5", "matlab 5"),
    (0, b"CDF\x01", "netcdf 3"),
    (0, b"CDF\x02", "netcdf 3"),
    (0, b"CDF\x05", "netcdf 3"),
    (0, b"SIMPLE  =", "fits"),
    (0, b"PAR1", "parquet"),
    (0, b"ARROW1", "arrow"),
    (0, b"FEA1", "feather 1"),
    (0, b"\xff\xff\xff\xff", "arrow stream"),
    (0, b"Obj\x01", "avro"),
    (0, b"ORC", "orc"),
    (0, b"SQLite format 3\0", "sqlite"),
    (0, b"root", "root"),
    (344, b"n+1\0", "nifti"),
    (128, b"DICM", "dicom"),
    (0, b"\xffBIOSEMI", "edf"),
    (0, b"GRIB", "grib"),
    (0, b"<stata_dta>", "stata"),
    (0, b"$FL2", "spss"),
    (8, b"WAVE", "wav"),
    (8, b"WEBP", "webp"),
    (8, b"AVI ", "video"),
    (8, b"AIFF", "aiff"),
    (0, b"fLaC", "flac"),
    (0, b"ID3", "mp3"),
    (0, b"\xff\xfb", "mp3"),
    (0, b"\xff\xf3", "mp3"),
    (0, b"OggS", "ogg"),
    (0, b"MThd", "midi"),
    (4, b"ftyp", "video"),
    (0, b"\x1aE\xdf\xa3", "video"),
    (0, b"\x89PNG\r\n\x1a\n", "png"),
    (0, b"\xff\xd8\xff", "jpeg"),
    (0, b"GIF8", "gif"),
    (0, b"II*\0", "tiff"),
    (0, b"MM\0*", "tiff"),
    (0, b"%PDF", "pdf"),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "ole"),
    (0, b"{\\rtf", "document"),
    (0, b"X\n\0\0\0", "r"),
    (0, b"RDX", "r"),
    (0, b"RDA", "r"),
    (0, b"A\n2\n", "r"),
    (0, b"\x28\xb5\x2f\xfd", "zstd"),
    (0, b"BZh", "bzip2"),
    (0, b"\xfd7zXZ", "xz"),
    (0, b"\x04\x22\x4d\x18", "lz4"),
    (0, b"7z\xbc\xaf\x27\x1c", "7z"),
    (0, b"Rar!\x1a\x07", "rar"),
    (257, b"ustar", "tar"),
    (0, b"\x7fELF", "executable"),
    (0, b"MZ\x90\0", "executable"),
    (0, b"\xcf\xfa\xed\xfe", "executable"),
    (0, b"\xca\xfe\xba\xbe", "executable"),
    (0, b"\xff\xfe", "utf-16"),
    (0, b"\xfe\xff", "utf-16"),
)
# Version 0.1 or 0.2 of the format, followed by the number of images seen.
_DARKNET = (struct.pack("<ii", 0, 1), struct.pack("<ii", 0, 2))
# The key of an archive's first utterance, and the mark of binary data.
_KALDI_ARCHIVE = re.compile(rb"[!-~]{1,200} \0B[A-Z<]")
# The header has 256 characters and no end of line.
_EDF = re.compile(rb"0       [ -~]{248}")
# A map, as Flax writes it, whose first key is a short string.
_MSGPACK = re.compile(rb"(?:[\x81-\x8f]|\xde..|\xdf....)[\xa1-\xbf][ -~]", re.DOTALL)
_TORCH7 = re.compile(rb"\x04\0\0\0.{4}\x03\0\0\0V \d", re.DOTALL)
_MOST_INFLATED = 512


def kind_of_start(start: bytes) -> str:
    """Return the kind of a file by its first bytes; empty if unknown."""
    for place, magic, kind in _FIXED:
        if start[place : place + len(magic)] == magic:
            return kind
    if start[:2] == b"\x1f\x8b":
        return _inside_gzip(start)
    if start[:2] in (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda") and _inflated(start, zlib.MAX_WBITS):
        return "zlib"
    for pattern, kind in ((_KALDI_ARCHIVE, "kaldi"), (_TORCH7, "torch7"), (_EDF, "edf"), (_MSGPACK, "msgpack")):
        if pattern.match(start):
            return kind
    if start[:8] in _DARKNET and len(start) >= 20:
        return "darknet"
    return _of_records(start)


def _inflated(start: bytes, window: int) -> bytes:
    """Decompress the first bytes of a stream; empty if it is damaged."""
    try:
        return zlib.decompressobj(window).decompress(start, _MOST_INFLATED)
    except zlib.error:
        return b""


def _inside_gzip(start: bytes) -> str:
    inside = _inflated(start, zlib.MAX_WBITS | 16)
    if inside[257:262] == b"ustar":
        return "gzip of tar"
    return "r" if inside.startswith((b"X\n\0\0", b"RDX", b"RDA", b"A\n2\n")) else "gzip"


def _of_records(start: bytes) -> str:
    """Recognise TFRecord by the checksum of the first record's length."""
    if len(start) < 16 or int.from_bytes(start[8:12], "little") != _masked_crc(start[:8]):
        return ""
    return "events" if b"brain.Event" in start[:64] else "tfrecord"


def _masked_crc(data: bytes) -> int:
    """Compute CRC-32C as TFRecord stores it (tensorflow/core/lib/hash/crc32c.h: Mask)."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
