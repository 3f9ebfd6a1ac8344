"""Parses a TensorFlow checkpoint's table of contents, and the objects that saved it.

A crafted table of contents (a negative axis, 300 axes, a dtype that does not exist) makes TensorFlow's own C++ readers
kill the process, so each entry is checked here before they see it.
"""

import math
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from ....errors import BadWeights
from ..protobuf_size import check_fields, varint

__all__ = [
    "Entry",
    "Object",
    "bundle_entries",
    "is_table",
    "parse_message",
    "read_objects",
    "read_table",
    "slice_entries",
]

# The last eight bytes of a table, a format that TensorFlow took from LevelDB (table/format.h).
MAGIC = struct.pack("<Q", 0xDB4775248B80FB57)
FOOTER = 48
# A block is followed by a byte for its compression and four of its checksum.
TRAILER = 5
# TensorFlow kills the process at 255.
MOST_AXES = 254


def is_table(path: str) -> bool:
    """Return whether a file is a sorted table, by its last bytes."""
    if not Path(path).is_file():
        return False
    with Path(path).open("rb") as file:
        if file.seek(0, 2) < FOOTER:
            return False
        file.seek(-len(MAGIC), 2)
        return file.read() == MAGIC


def read_table(path: str) -> Iterator[tuple[bytes, bytes]]:
    """Read the keys and values of a sorted table, one block in memory at a time.

    Raises
    ------
    BadWeights
        It is cut short, damaged or compressed.
    """
    with Path(path).open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(size - FOOTER, 0))
        footer = file.read(FOOTER)
        try:
            _, place = _handle(footer, 0)
            index, _ = _handle(footer, place)
            for _, value in _pairs(_block(file, index, size, path)):
                yield from _pairs(_block(file, _handle(value, 0)[0], size, path))
        except (IndexError, struct.error) as reason:
            raise BadWeights(
                f"{path}: its {size} bytes are no whole table of contents; expected one as TensorFlow writes it. It is "
                "cut short or damaged, save it again."
            ) from reason


def _block(file: BinaryIO, handle: tuple[int, int], size: int, path: str) -> bytes:
    start, length = handle
    if start + length + TRAILER > size - FOOTER:
        raise BadWeights(f"{path}: points to byte {start + length}, but has {size}; it is damaged, save it again.")
    file.seek(start)
    block = file.read(length + 1)
    if block[-1:] != b"\0":
        raise BadWeights(f"{path}: its table of contents is compressed, which is not read; restore and save it again.")
    return block[:-1]


def _pairs(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the pairs of a block: each key shares a prefix with the one before it."""
    (restarts,) = struct.unpack_from("<I", block, max(len(block) - 4, 0))
    end, place, key = len(block) - 4 - 4 * restarts, 0, b""
    while place < end:
        shared, place = varint(block, place)
        own, place = varint(block, place)
        length, place = varint(block, place)
        if shared > len(key) or place + own + length > end:
            raise IndexError("an entry runs over its end")
        key = key[:shared] + block[place : place + own]
        yield key, block[place + own : place + own + length]
        place += own + length


def _handle(stored: bytes, place: int) -> tuple[tuple[int, int], int]:
    start, place = varint(stored, place)
    length, place = varint(stored, place)
    return (start, length), place


@dataclass(frozen=True)
class Entry:
    """One array in a table of contents.

    Parameters
    ----------
    name : str
    dtype : int
        A number of TensorFlow's ``DataType``.
    shape : tuple of int
    shard, start, size : int
        Where its bytes are, in version 2.
    sliced : bool
        It is stored in pieces.
    """

    name: str
    dtype: int
    shape: tuple[int, ...]
    shard: int = 0
    start: int = 0
    size: int = 0
    sliced: bool = False


def parse_message(message: Any, stored: bytes, where: str) -> Any:
    """Parse a protocol buffer as a message class.

    Raises
    ------
    BadWeights
        It is damaged, or larger than that of any model.
    """
    check_fields(message, stored, where)
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    try:
        return message.FromString(stored)
    except DecodeError as reason:
        raise BadWeights(f"{where}: has a damaged {message.DESCRIPTOR.name} ({reason}); save it again.") from reason


def bundle_entries(table: Mapping[bytes, bytes], path: str) -> tuple[int, dict[bytes, Entry]]:
    """Read the table of version 2.

    Parameters
    ----------
    table : mapping
        The stored ``BundleEntryProto`` by key; the pieces of a partitioned array have keys that begin with a zero
        byte, a ``BundleHeaderProto`` has the empty key.
    path : str

    Returns
    -------
    int, dict
        The number of shards and the entries by key.

    Raises
    ------
    BadWeights
        It is damaged, or an entry is one that TensorFlow does not write.
    """
    from tensorflow.core.protobuf import tensor_bundle_pb2

    header = parse_message(tensor_bundle_pb2.BundleHeaderProto, table.get(b"", b""), path)
    entries = {}
    for key in filter(None, table):
        stored = parse_message(tensor_bundle_pb2.BundleEntryProto, table[key], path)
        name = key.decode("utf-8", "replace")
        if "\ufffd" in name and not key.startswith(b"\0"):
            raise BadWeights(f"{path}: an array's name {key[:40]!r} is no text; it is damaged, save it again.")
        shape, dtype = _checked(name, stored.shape, stored.dtype, stored.slices, path)
        place = stored.shard_id, stored.offset, stored.size
        entries[key] = Entry(name, dtype, shape, *place, sliced=bool(stored.slices))
    return header.num_shards, entries


def slice_entries(stored: bytes, path: str) -> list[Entry]:
    """Read the array entries of a version 1 file, a ``SavedTensorSlices``.

    Raises
    ------
    BadWeights
        It is damaged, or an entry is one that TensorFlow does not write.
    """
    from tensorflow.core.util import saved_tensor_slice_pb2

    tensors = parse_message(saved_tensor_slice_pb2.SavedTensorSlices, stored, path).meta.tensor
    checked = [_checked(tensor.name, tensor.shape, tensor.type, tensor.slice, path) for tensor in tensors]
    return [
        Entry(tensor.name, dtype, shape, sliced=True) for tensor, (shape, dtype) in zip(tensors, checked, strict=True)
    ]


def _checked(name: str, axes: Any, dtype: int, pieces: Any, path: str) -> tuple[tuple[int, ...], int]:
    """Refuse impossible shapes, dtypes and pieces; sizes in bytes are compared with the files elsewhere."""
    from tensorflow.core.framework import types_pb2

    shape = tuple(axis.size for axis in axes.dim)
    if axes.unknown_rank or len(shape) > MOST_AXES or any(axis < 0 for axis in shape) or math.prod(shape) >= 2**62:
        raise BadWeights(f"{path}: '{name}' has shape {shape[:8]}, which no array has; it is refused.")
    # From 100 on: references to variables, which are never saved.
    if not 0 < dtype < 100 or dtype not in types_pb2.DataType.values():
        raise BadWeights(f"{path}: '{name}' has the dtype {dtype}, which TensorFlow does not have; it is refused.")
    if not all(_fits(piece, shape) for piece in pieces):
        raise BadWeights(f"{path}: a piece of '{name}' does not fit its shape {shape[:8]}; it is refused.")
    return shape, dtype


def _fits(piece: Any, shape: tuple[int, ...]) -> bool:
    """Return whether a piece fits into a shape; an extent without a length is the whole axis."""
    if len(piece.extent) != len(shape):
        return False
    lengths = [extent.length if extent.HasField("length") else None for extent in piece.extent]
    return all(
        extent.start == 0 if length is None else extent.start >= 0 and 0 <= length <= axis - extent.start
        for extent, length, axis in zip(piece.extent, lengths, shape, strict=True)
    )


@dataclass(frozen=True)
class Object:
    """One object of the program that saved a checkpoint.

    Parameters
    ----------
    children : mapping
        The numbers of the objects that belong to it, by attribute.
    key : str
        The name of its array in the checkpoint; empty if it is not a variable.
    full_name : str
        The program's name for the variable.
    """

    children: Mapping[str, int]
    key: str = ""
    full_name: str = ""


def read_objects(graph: bytes, where: str) -> tuple[Object, ...]:
    """Read a ``TrackableObjectGraph``.

    Raises
    ------
    BadWeights
        It is damaged.
    """
    from tensorflow.core.protobuf import trackable_object_graph_pb2

    nodes = parse_message(trackable_object_graph_pb2.TrackableObjectGraph, graph, where).nodes
    objects = []
    for node in nodes:
        children = {child.local_name: child.node_id for child in node.children}
        if any(not 0 <= number < len(nodes) for number in children.values()):
            raise BadWeights(f"{where}: its object graph names an object that it does not have; it is damaged.")
        values = [attribute for attribute in node.attributes if attribute.name == "VARIABLE_VALUE"]
        objects.append(Object(children, *([values[0].checkpoint_key, values[0].full_name] if values else [])))
    return tuple(objects)
