"""What simple operators of an ONNX graph do to constants: ``FOLDED`` names them; done with NumPy, in all versions.

What older versions have as attributes (axes, starts, shapes) newer ones have as inputs; both are read. The sizes of a
shape may be unknown (``Size``): such arrays are of objects, which NumPy rearranges and reckons with as with numbers.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ....arrays import Array
from ...readers.onnx_graph import Node
from .sizes import Size

__all__ = ["FOLDED", "WRONG", "Inputs", "bytes_made", "cast_to", "numbers", "ranges", "sizes_taken", "split_edges"]

# Types by their numbers, and by their names as the first versions have them.
CASTS = {1: "f4", 2: "u1", 3: "i1", 4: "u2", 5: "i2", 6: "i4", 7: "i8", 9: "?", 10: "f2", 11: "f8", 12: "u4", 13: "u8"}
NAMED_CASTS = {
    "FLOAT": 1, "UINT8": 2, "INT8": 3, "UINT16": 4, "INT16": 5, "INT32": 6, "INT64": 7, "BOOL": 9, "FLOAT16": 10,
    "DOUBLE": 11, "UINT32": 12, "UINT64": 13,
}  # fmt: skip
WHOLE = (6, 7, 12, 13)
# What can go wrong where attributes and shapes are anything.
WRONG = (ValueError, IndexError, TypeError, KeyError, OverflowError, AttributeError, MemoryError)
MOST_PARTS = 1000

Inputs = Sequence[Array | None]


def numbers(node: Node, name: str, inputs: Inputs, place: int) -> list[int] | None:
    """Give what is an attribute in older versions and an input in newer ones; None where it is left out.

    Raises
    ------
    ValueError
        It is not made of whole numbers that are known.
    """
    values = inputs[place] if place < len(inputs) else None
    if node.attributes.get(name) is not None:
        values = np.array(node.attributes[name])
    if values is None:
        return None
    known = values.dtype.kind in "iu" or (values.dtype.kind == "O" and not _unknown(values))
    if not known and values.size:
        raise ValueError(f"{name} is not made of whole numbers that are known")
    return [int(value) for value in values.reshape(-1)]


def _unknown(values: Array) -> bool:
    return any(isinstance(value, Size) for value in values.reshape(-1))


def _given(inputs: Inputs, place: int = 0) -> Array:
    values = inputs[place] if place < len(inputs) else None
    if values is None:
        raise ValueError("an input is missing")
    return values


def cast_to(node: Node) -> int:
    """Give the number of the type that a Cast makes."""
    to = node.attributes["to"]
    return NAMED_CASTS[to] if isinstance(to, str) else int(to)


def _cast(node: Node, inputs: Inputs) -> Array:
    values, to = _given(inputs), cast_to(node)
    if values.dtype.kind == "O":
        if to not in WHOLE:
            raise ValueError("a size that is not known is no other number")
        return values
    return values.astype(CASTS[to])


def _joined(node: Node, inputs: Inputs) -> Array:
    # In the first version the axis may be left out.
    axis = node.attributes.get("axis", 1)
    return np.concatenate([_given(inputs, place) for place in range(len(inputs))], axis=axis)


def sizes_taken(node: Node) -> slice:
    """Give which sizes a Shape gives: all in older versions."""
    return slice(node.attributes.get("start", 0), node.attributes.get("end"))


def _slice(node: Node, inputs: Inputs) -> Array:
    return _given(inputs)[tuple(ranges(node, inputs, _given(inputs).ndim))]


def ranges(node: Node, inputs: Inputs, rank: int) -> list[slice]:
    """Give what a Slice takes of each axis."""
    starts, stops = numbers(node, "starts", inputs, 1) or [], numbers(node, "ends", inputs, 2) or []
    axes = numbers(node, "axes", inputs, 3) or list(range(len(starts)))
    steps = numbers(node, "steps", inputs, 4) or [1] * len(starts)
    index = [slice(None)] * rank
    for axis, start, stop, step in zip(axes, starts, stops, steps, strict=True):
        index[axis] = slice(start, stop, step)
    return index


def _split(node: Node, inputs: Inputs) -> tuple[Array, ...]:
    data, axis = _given(inputs), node.attributes.get("axis", 0)
    edges = split_edges(node, inputs, data.shape[axis])
    return tuple(np.split(data, edges[:-1], axis=axis))


def split_edges(node: Node, inputs: Inputs, size: int) -> list[int]:
    """Give where each part of an axis ends that a Split makes."""
    parts = numbers(node, "split", inputs, 1)
    if parts is None:
        each = -(-size // max(len(node.outputs), 1))
        parts = [min(each, size - done) for done in range(0, size, each or 1)]
    if len(parts) != len(node.outputs) or sum(parts) != size or min(parts, default=0) < 0 or len(parts) > MOST_PARTS:
        raise ValueError(f"the parts {parts[:5]} do not make {size}")
    return [int(edge) for edge in np.cumsum(parts)]


def _squeeze(node: Node, inputs: Inputs) -> Array:
    axes = numbers(node, "axes", inputs, 1)
    return np.squeeze(_given(inputs), tuple(axes) if axes else None)


def _unsqueeze(node: Node, inputs: Inputs) -> Array:
    return np.expand_dims(_given(inputs), tuple(numbers(node, "axes", inputs, 1) or ()))


def _reshape(node: Node, inputs: Inputs) -> Array:
    data, shape = _given(inputs), numbers(node, "shape", inputs, 1) or []
    if not node.attributes.get("allowzero"):
        shape = [data.shape[axis] if size == 0 else size for axis, size in enumerate(shape)]
    return data.reshape(shape)


def _flatten(node: Node, inputs: Inputs) -> Array:
    data, axis = _given(inputs), node.attributes.get("axis", 1)
    axis = axis + data.ndim if axis < 0 else axis
    return data.reshape(math.prod(data.shape[:axis]), math.prod(data.shape[axis:]))


def _filled(node: Node, inputs: Inputs) -> Array:
    value = node.attributes.get("value")
    filling = np.zeros(1, np.float32) if value is None else value.read()
    return np.broadcast_to(filling.reshape(()), numbers(node, "", inputs, 0) or ())


def _expanded(node: Node, inputs: Inputs) -> Array:
    data = _given(inputs)
    return np.broadcast_to(data, np.broadcast_shapes(data.shape, tuple(numbers(node, "", inputs, 1) or ())))


def _tiled(node: Node, inputs: Inputs) -> Array:
    return np.tile(_given(inputs), numbers(node, "", inputs, 1) or ())


def _range(_node: Node, inputs: Inputs) -> Array:
    start, limit, delta = (_given(inputs, place).reshape(()) for place in range(3))
    return np.arange(start.item(), limit.item(), delta.item(), dtype=start.dtype)


def _gathered(node: Node, inputs: Inputs) -> Array:
    index = _given(inputs, 1)
    if index.dtype.kind not in "iu":
        raise ValueError("an index is no whole number that is known")
    return np.asarray(np.take(_given(inputs), index.astype(np.int64), axis=node.attributes.get("axis", 0)))


def _where(_node: Node, inputs: Inputs) -> Array:
    condition = _given(inputs)
    if condition.dtype.kind != "b":
        raise ValueError("a condition is not known")
    return np.where(condition, _given(inputs, 1), _given(inputs, 2))


def _equal(_node: Node, inputs: Inputs) -> Array:
    """Compare; a size is no negative number, and is itself."""
    first, second = np.broadcast_arrays(_given(inputs), _given(inputs, 1))
    if first.dtype.kind != "O" and second.dtype.kind != "O":
        return np.asarray(np.equal(first, second))
    pairs = list(zip(first.reshape(-1), second.reshape(-1), strict=True))
    for one, other in pairs:
        unknown = isinstance(one, Size) or isinstance(other, Size)
        if unknown and one != other and not min(_least(one), _least(other)) < 0:
            raise ValueError("it is not known whether sizes are equal")
    return np.array([bool(one == other) for one, other in pairs]).reshape(first.shape)


def _least(value: Any) -> int:
    return 0 if isinstance(value, Size) else int(value)


def _product(node: Node, inputs: Inputs) -> Array:
    values: Any = _given(inputs)
    axes = numbers(node, "axes", inputs, 1)
    kept = bool(node.attributes.get("keepdims", 1))
    return np.asarray(np.prod(values, axis=None if axes is None else tuple(axes), keepdims=kept))


def _elementwise(function: Callable[[Array, Array], Array]) -> Callable[[Node, Inputs], Array]:
    def fold(node: Node, inputs: Inputs) -> Array:
        first, second = _aligned(node, inputs)
        return np.asarray(function(first, second))

    return fold


def _aligned(node: Node, inputs: Inputs) -> tuple[Array, Array]:
    """Give both operands; before version 7 the second one's axes may start at an axis of the first."""
    first, second = _given(inputs), _given(inputs, 1)
    axis = node.attributes.get("axis")
    if node.attributes.get("broadcast") and axis is not None:
        axis = axis + first.ndim if axis < 0 else axis
        second = second.reshape(second.shape + (1,) * (first.ndim - axis - second.ndim))
    return first, second


def _divided(first: Array, second: Array) -> Array:
    if first.dtype.kind == "f" or second.dtype.kind == "f":
        return np.divide(first, second)
    if "O" in (first.dtype.kind, second.dtype.kind):
        return np.floor_divide(first, second)
    if not np.all(second):
        raise ValueError("it divides by zero")
    # Towards zero, as in C.
    return np.asarray(np.abs(first) // np.abs(second) * np.sign(first) * np.sign(second), first.dtype)


FOLDED: dict[str, Callable[[Node, Inputs], Array | tuple[Array, ...]]] = {
    "Add": _elementwise(np.add),
    "Cast": _cast,
    "Concat": _joined,
    "ConstantOfShape": _filled,
    "Div": _elementwise(_divided),
    "Equal": _equal,
    "Expand": _expanded,
    "Flatten": _flatten,
    "Gather": _gathered,
    "Identity": lambda _node, inputs: _given(inputs),
    "Mul": _elementwise(np.multiply),
    "Neg": lambda _node, inputs: np.negative(_given(inputs)),
    "Range": _range,
    "ReduceProd": _product,
    "Reshape": _reshape,
    "Shape": lambda node, inputs: np.array(_given(inputs).shape[sizes_taken(node)], np.int64),
    "Size": lambda _node, inputs: np.array(_given(inputs).size, np.int64),
    "Slice": _slice,
    "Split": _split,
    "Squeeze": _squeeze,
    "Sub": _elementwise(np.subtract),
    "Tile": _tiled,
    "Transpose": lambda node, inputs: np.transpose(_given(inputs), node.attributes.get("perm")),
    "Unsqueeze": _unsqueeze,
    "Where": _where,
}
# What only looks at what is there in another way.
LOOKING = ("Identity", "Shape", "Size", "Slice", "Split", "Squeeze", "Transpose", "Unsqueeze")


def bytes_made(node: Node, inputs: Inputs) -> int:
    """Tell how many bytes an operator makes anew, or looks at one by one, before it does.

    Raises
    ------
    ValueError, IndexError, TypeError
    """
    given = [values for values in inputs if values is not None]
    if node.op in LOOKING:
        return 0
    if node.op == "ConstantOfShape":
        count = math.prod(abs(size) for size in numbers(node, "", inputs, 0) or ())
    elif node.op == "Expand":
        count = math.prod(np.broadcast_shapes(given[0].shape, tuple(numbers(node, "", inputs, 1) or ())))
    elif node.op == "Tile":
        count = given[0].size * math.prod(abs(size) for size in numbers(node, "", inputs, 1) or ())
    elif node.op == "Range":
        start, limit, delta = (_given(inputs, place).item() for place in range(3))
        count = max(0, math.ceil((limit - start) / delta)) if delta else 0
    elif node.op == "Gather":
        axis = node.attributes.get("axis", 0)
        count = given[0].size // max(given[0].shape[axis], 1) * _given(inputs, 1).size
    elif node.op in ("Cast", "Concat", "Flatten", "Reshape", "Neg", "ReduceProd"):
        count = sum(values.size for values in given)
    elif node.op == "Where":
        count = math.prod(np.broadcast_shapes(*(values.shape for values in given)))
    else:
        count = math.prod(np.broadcast_shapes(*(values.shape for values in _aligned(node, inputs))))
    return 8 * count
