"""Checkpoints written byte by byte, so that what they declare can be a lie."""

import struct

import numpy as np

from rnnstates.runtime.tensorflow_start import import_tensorflow

KERNEL, BIAS = "rnn/lstm_cell/kernel", "rnn/lstm_cell/bias"
PREFIX = "model.ckpt-7"


def write(folder, arrays=None, version=2, name=PREFIX):
    """Write a checkpoint of one cell; give its prefix."""
    tf = import_tensorflow()
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {KERNEL: np.ones((8, 20), "f4"), BIAS: np.ones(20, "f4")} | (arrays or {})
    names, values, path = list(arrays), list(arrays.values()), str(folder / name)
    if version == 1:
        tf.raw_ops.Save(filename=path, tensor_names=names, data=values)
    else:
        tf.raw_ops.SaveV2(prefix=path, tensor_names=names, shape_and_slices=[""] * len(names), tensors=values)
    return folder / name


def varint(number):
    number &= 2**64 - 1
    low = bytes([number & 127 | (128 if number > 127 else 0)])
    return low + varint(number >> 7) if number > 127 else low


def field(number, value):
    """One field of a protocol buffer."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def checksum(data):
    """CRC-32C, masked as the format wants it."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def block(entries):
    data = b"".join(varint(0) + varint(len(key)) + varint(len(value)) + key + value for key, value in entries)
    return data + struct.pack("<II", 0, 1)


def table(entries):
    """A sorted table of one block with right checksums."""
    stored, handles = b"", []
    for content in (block(entries), block([])):
        handles.append(varint(len(stored)) + varint(len(content)))
        stored += content + b"\0" + checksum(content + b"\0")
    index = block([(b"\xff", handles[0])])
    footer = handles[1] + varint(len(stored)) + varint(len(index))
    return stored + index + b"\0" + checksum(index + b"\0") + footer.ljust(40, b"\0") + checkpoint_magic()


def checkpoint_magic():
    return struct.pack("<Q", 0xDB4775248B80FB57)


def entry(dtype=1, shape=(3, 20), size=240, start=0, shard=0, more=b""):
    """A BundleEntryProto."""
    axes = b"".join(field(2, field(1, axis)) for axis in shape)
    return field(1, dtype) + field(2, axes) + field(3, shard) + field(4, start) + field(5, size) + more


HEADER = field(1, 1) + field(3, field(1, 1))
GRAPH = b"_CHECKPOINTABLE_OBJECT_GRAPH"
# What makes TensorFlow's own readers raise or end the process, or might cost memory.
CRAFTED = {
    "a negative axis": (entry(shape=(-1, 20)), "which no array has"),
    "two negative axes": (entry(shape=(-3, -20)), "which no array has"),
    "axes whose product is too large": (entry(shape=(2**40, 2**40)), "which no array has"),
    "300 axes": (entry(shape=(1,) * 300, size=4), "which no array has"),
    "no number of axes": (field(1, 1) + field(2, field(3, 1)) + field(5, 240), "which no array has"),
    "a dtype of zero": (entry(dtype=0), "the dtype 0, which TensorFlow does not have"),
    "an unknown dtype": (entry(dtype=99), "the dtype 99, which TensorFlow does not have"),
    "a reference": (entry(dtype=101), "the dtype 101, which TensorFlow does not have"),
    "more than is stored": (entry(shape=(2**30,), size=2**32), "ends before 'a' does"),
    "a shape that is larger than its bytes": (entry(shape=(2**30,)), "declares .* but is not stored so"),
    "a shape that is smaller than its bytes": (entry(shape=(2, 20)), "declares .* but is not stored so"),
    "a negative size": (entry(size=-5), "is in a file that does not exist"),
    "a negative place": (entry(start=-240), "is in a file that does not exist"),
    "a place far away": (entry(start=2**62), "ends before 'a' does"),
    "an absent shard": (entry(shard=7), "is in a file that does not exist"),
    "a negative shard": (entry(shard=-7), "is in a file that does not exist"),
    "a piece outside": (entry(more=field(7, field(1, field(1, 0) + field(2, 99)))), "does not fit its shape"),
    "a piece of nothing": (entry(more=field(7, b"")), "does not fit its shape"),
    "no protocol buffer": (b"\xff\xff\xff", "damaged BundleEntryProto"),
    "wrong bytes": (entry(), "TensorFlow cannot read it|no recurrent layer found"),
}


def craft(folder, *entries, header=HEADER):
    (folder / f"{PREFIX}.index").write_bytes(table([(b"", header), *entries]))
    (folder / f"{PREFIX}.data-00000-of-00001").write_bytes(np.arange(60, dtype="f4").tobytes())
    return folder / PREFIX
