"""Writes ``.pt``: a dict of tensors that ``torch.load(path, weights_only=True)`` reads; PyTorch is not needed here.

The file is a zip of uncompressed members: a pickle that names storages by number, and the bytes of each storage.
"""

import pickle
import pickletools
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile, ZipInfo

import numpy as np

from ..errors import OptionError
from .content import Arrays, LazyArray

__all__ = ["write"]

STORAGES = {
    "f2": "HalfStorage", "f4": "FloatStorage", "f8": "DoubleStorage", "i1": "CharStorage", "i2": "ShortStorage",
    "i4": "IntStorage", "i8": "LongStorage", "u1": "ByteStorage", "b1": "BoolStorage",
}  # fmt: skip
CODES = {code.name: code.code.encode("latin-1") for code in pickletools.opcodes}
# Where the bytes of a storage begin, so that they can be mapped into memory.
ALIGNMENT = 64
# Of a local header with one extra field for sizes of 64 bits, without names.
HEADER_BYTES, SIZES_BYTES = 30, 20


def write(content: Arrays, path: Path) -> None:
    """Write a dict of tensors; ids that are text are a list of str, the provenance is a str.

    Raises
    ------
    OptionError
        PyTorch has no such type.
    """
    for array in content.arrays:
        if array.dtype.str[1:] not in STORAGES:
            raise OptionError(
                f"datasets=: '{array.name}' has type {array.dtype}, which PyTorch lacks; export it to .npz."
            )
    with ZipFile(path, "w") as archive:
        _member(archive, "data.pkl", _pickled(content))
        _member(archive, "byteorder", [b"little"])
        for number, array in enumerate(content.arrays):
            _member(archive, f"data/{number}", array.pieces())
        _member(archive, "version", [b"3\n"])


def _member(archive: ZipFile, name: str, pieces: "Iterator[memoryview] | Iterator[bytes] | list[bytes]") -> None:
    info = ZipInfo(f"archive/{name}")
    assert archive.fp is not None
    begin = archive.fp.tell() + HEADER_BYTES + len(info.filename) + SIZES_BYTES + 4
    padding = -begin % ALIGNMENT
    # An extra field that nobody knows, as PyTorch itself writes it.
    info.extra = b"FB" + padding.to_bytes(2, "little") + b"Z" * padding
    with archive.open(info, "w", force_zip64=True) as member:
        for piece in pieces:
            member.write(piece)


def _pickled(content: Arrays) -> Iterator[bytes]:
    """Yield the pickle of the dict in pieces: nothing is pickled from objects, so PyTorch need not be there."""
    yield CODES["PROTO"] + b"\x02" + CODES["EMPTY_DICT"] + CODES["MARK"]
    for number, array in enumerate(content.arrays):
        yield _plain(array.name) + _tensor(number, array)
    if content.ids:
        yield _plain(content.ids.name) + CODES["EMPTY_LIST"]
        for names in content.ids.blocks():
            yield CODES["MARK"] + b"".join(map(_plain, names)) + CODES["APPENDS"]
    if content.provenance:
        yield _plain("provenance") + _plain(content.provenance)
    yield CODES["SETITEMS"] + CODES["STOP"]


def _tensor(number: int, array: LazyArray) -> bytes:
    count = array.nbytes // array.dtype.itemsize
    strides = np.cumprod([1, *array.shape[:0:-1]])[::-1].tolist() if array.shape else []
    storage = _tuple(
        _plain("storage"), _global("torch", STORAGES[array.dtype.str[1:]]), _plain(str(number)), _plain("cpu"),
        _plain(count),
    )  # fmt: skip
    hooks = _global("collections", "OrderedDict") + CODES["EMPTY_TUPLE"] + CODES["REDUCE"]
    arguments = _tuple(
        storage + CODES["BINPERSID"], _plain(0), _tuple(*map(_plain, array.shape)), _tuple(*map(_plain, strides)),
        CODES["NEWFALSE"], hooks,
    )  # fmt: skip
    return _global("torch._utils", "_rebuild_tensor_v2") + arguments + CODES["REDUCE"]


def _tuple(*parts: bytes) -> bytes:
    return CODES["MARK"] + b"".join(parts) + CODES["TUPLE"]


def _global(module: str, name: str) -> bytes:
    return CODES["GLOBAL"] + f"{module}\n{name}\n".encode("ascii")


def _plain(value: int | str) -> bytes:
    """Pickle a number or text, without the beginning and the end of a pickle."""
    return pickle.dumps(value, protocol=2)[2:-1]
