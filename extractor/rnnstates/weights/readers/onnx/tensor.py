"""Checks the declared size of ONNX tensors against what is stored; values are read later."""

import math
from typing import Any, TypeAlias

import numpy as np

from ....arrays.axes import Array
from ....errors import BadWeights
from ..base import Tensor, from_bfloat16
from .external import Beside, Outside, outside

__all__ = ["FLOATING", "HALVES", "Proto", "text", "to_tensor"]

# A message of ONNX; protobuf makes their classes at run time, without types.
Proto: TypeAlias = Any

MOST_AXES = 32
# By type code in the format: the dtype of raw bytes, and the field that may hold single values instead.
DTYPES: dict[int, tuple[str, str]] = {
    1: ("<f4", "float_data"),
    2: ("|u1", "int32_data"),
    3: ("|i1", "int32_data"),
    4: ("<u2", "int32_data"),
    5: ("<i2", "int32_data"),
    6: ("<i4", "int32_data"),
    7: ("<i8", "int64_data"),
    9: ("|b1", "int32_data"),
    10: ("<f2", "int32_data"),
    11: ("<f8", "double_data"),
    12: ("<u4", "uint64_data"),
    13: ("<u8", "uint64_data"),
    16: ("<u2", "int32_data"),
}
FLOAT16, BFLOAT16, EXTERNAL = 10, 16, 1
HALVES = (FLOAT16, BFLOAT16)
FLOATING = (1, 11, *HALVES)


def text(value: str | bytes) -> str:
    """Return a string; raises for what protobuf returns as bytes because it is not UTF-8."""
    return value if isinstance(value, str) else value.decode()


def to_tensor(proto: Proto, path: str, beside: Beside) -> Tensor:
    """Check that a tensor stores what it declares.

    Parameters
    ----------
    proto : onnx.TensorProto
    path : str
        The model, for messages.
    beside : Beside
        The files that may hold its values.

    Raises
    ------
    BadWeights, MissingInput
    """
    name, shape = text(proto.name), tuple(proto.dims[: MOST_AXES + 1])
    where = f"{path}: tensor '{name[:80]}'"
    if proto.HasField("segment") or any(not 0 <= size < 2**31 for size in shape) or len(shape) > MOST_AXES:
        raise BadWeights(f"{where}: is in parts or declares the shape {shape}; it is refused.")
    elsewhere = proto.data_location == EXTERNAL or len(proto.external_data)
    place = _place(proto, where) if elsewhere else None
    if proto.data_type not in DTYPES:
        return Tensor(name, shape, lambda: _unreadable(proto, where))
    dtype, column = DTYPES[proto.data_type]
    expected = math.prod(shape) * np.dtype(dtype).itemsize
    if place is not None:
        beside.claim(place, expected, where)
        return Tensor(name, shape, lambda: _raw(beside.read(place, expected, where), proto, shape))
    raw = proto.HasField("raw_data")
    stored = len(proto.raw_data) if raw else len(getattr(proto, column)) * np.dtype(dtype).itemsize
    if stored != expected:
        raise BadWeights(f"{where}: stores {stored} bytes; expected {expected}, because its shape is {shape}.")
    if raw:
        return Tensor(name, shape, lambda: _raw(proto.raw_data, proto, shape))
    return Tensor(name, shape, lambda: _listed(proto, dtype, column, where))


def _place(proto: Proto, where: str) -> Outside:
    return outside([(text(entry.key), text(entry.value)) for entry in proto.external_data], where)


def _unreadable(proto: Proto, where: str) -> Array:
    raise BadWeights(f"{where}: is of type number {proto.data_type}; expected float64, float32, float16 or bfloat16.")


def _raw(content: bytes, proto: Proto, shape: tuple[int, ...]) -> Array:
    dtype, _ = DTYPES[proto.data_type]
    return _native(np.frombuffer(content, dtype).reshape(shape), proto)


def _listed(proto: Proto, dtype: str, column: str, where: str) -> Array:
    shape = tuple(proto.dims)
    try:
        if proto.data_type in HALVES:
            # Their bits are stored as integers.
            bits = np.array(getattr(proto, column), np.int64).astype("<u2")
            return _native(bits.view(dtype).reshape(shape), proto)
        return _native(np.array(getattr(proto, column)).astype(dtype).reshape(shape), proto)
    except ValueError as reason:
        raise BadWeights(f"{where}: cannot be an array of shape {shape} ({reason}).") from reason


def _native(values: Array, proto: Proto) -> Array:
    if proto.data_type == BFLOAT16:
        return from_bfloat16(values)
    return values.astype(values.dtype.newbyteorder("="), copy=False)
