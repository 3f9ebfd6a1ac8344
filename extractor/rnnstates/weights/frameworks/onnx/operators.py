"""Applies simple operators of ONNX, in all their versions, to constants with NumPy; ``FOLDED`` lists them.

The sizes of a shape may be unknown (``Size``): such arrays hold objects, which NumPy rearranges and computes with like
numbers.
"""

import math
from collections.abc import Callable

import numpy as np

from ....arrays.axes import Array
from ...readers.onnx.graph import Node
from .arithmetic import ARITHMETIC, aligned
from .settings import Inputs, cast_to, given, numbers, ranges, sizes_taken, split_edges

__all__ = ["FOLDED", "bytes_made"]

# NumPy types by ONNX's numbers.
CASTS = {1: "f4", 2: "u1", 3: "i1", 4: "u2", 5: "i2", 6: "i4", 7: "i8", 9: "?", 10: "f2", 11: "f8", 12: "u4", 13: "u8"}
WHOLE = (6, 7, 12, 13)


def _cast(node: Node, inputs: Inputs) -> Array:
    values, to = given(inputs), cast_to(node)
    if values.dtype.kind == "O":
        if to not in WHOLE:
            raise ValueError("an unknown size cannot be cast to this type")
        return values
    return values.astype(CASTS[to])


def _joined(node: Node, inputs: Inputs) -> Array:
    # In the first version the axis may be omitted.
    axis = node.attributes.get("axis", 1)
    return np.concatenate([given(inputs, place) for place in range(len(inputs))], axis=axis)


def _slice(node: Node, inputs: Inputs) -> Array:
    return given(inputs)[tuple(ranges(node, inputs, given(inputs).ndim))]


def _split(node: Node, inputs: Inputs) -> tuple[Array, ...]:
    data, axis = given(inputs), node.attributes.get("axis", 0)
    edges = split_edges(node, inputs, data.shape[axis])
    return tuple(np.split(data, edges[:-1], axis=axis))


def _squeeze(node: Node, inputs: Inputs) -> Array:
    axes = numbers(node, "axes", inputs, 1)
    return np.squeeze(given(inputs), tuple(axes) if axes else None)


def _unsqueeze(node: Node, inputs: Inputs) -> Array:
    return np.expand_dims(given(inputs), tuple(numbers(node, "axes", inputs, 1) or ()))


def _reshape(node: Node, inputs: Inputs) -> Array:
    data, shape = given(inputs), numbers(node, "shape", inputs, 1) or []
    if not node.attributes.get("allowzero"):
        shape = [data.shape[axis] if size == 0 else size for axis, size in enumerate(shape)]
    return data.reshape(shape)


def _flatten(node: Node, inputs: Inputs) -> Array:
    data, axis = given(inputs), node.attributes.get("axis", 1)
    axis = axis + data.ndim if axis < 0 else axis
    return data.reshape(math.prod(data.shape[:axis]), math.prod(data.shape[axis:]))


def _filled(node: Node, inputs: Inputs) -> Array:
    value = node.attributes.get("value")
    filling = np.zeros(1, np.float32) if value is None else value.read()
    return np.broadcast_to(filling.reshape(()), numbers(node, "", inputs, 0) or ())


def _expanded(node: Node, inputs: Inputs) -> Array:
    data = given(inputs)
    return np.broadcast_to(data, np.broadcast_shapes(data.shape, tuple(numbers(node, "", inputs, 1) or ())))


def _tiled(node: Node, inputs: Inputs) -> Array:
    return np.tile(given(inputs), numbers(node, "", inputs, 1) or ())


def _gathered(node: Node, inputs: Inputs) -> Array:
    index = given(inputs, 1)
    if index.dtype.kind not in "iu":
        raise ValueError("an index is not a known whole number")
    return np.asarray(np.take(given(inputs), index.astype(np.int64), axis=node.attributes.get("axis", 0)))


FOLDED: dict[str, Callable[[Node, Inputs], Array | tuple[Array, ...]]] = {
    **ARITHMETIC,
    "Cast": _cast,
    "Concat": _joined,
    "ConstantOfShape": _filled,
    "Expand": _expanded,
    "Flatten": _flatten,
    "Gather": _gathered,
    "Identity": lambda _node, inputs: given(inputs),
    "Reshape": _reshape,
    "Shape": lambda node, inputs: np.array(given(inputs).shape[sizes_taken(node)], np.int64),
    "Size": lambda _node, inputs: np.array(given(inputs).size, np.int64),
    "Slice": _slice,
    "Split": _split,
    "Squeeze": _squeeze,
    "Tile": _tiled,
    "Transpose": lambda node, inputs: np.transpose(given(inputs), node.attributes.get("perm")),
    "Unsqueeze": _unsqueeze,
}
# Operators that return only a view of their input.
LOOKING = ("Identity", "Shape", "Size", "Slice", "Split", "Squeeze", "Transpose", "Unsqueeze")


def bytes_made(node: Node, inputs: Inputs) -> int:
    """Return how many bytes an operator will create, or visit one by one.

    Raises
    ------
    ValueError, IndexError, TypeError
    """
    arrays = [values for values in inputs if values is not None]
    if node.op in LOOKING:
        return 0
    if node.op == "ConstantOfShape":
        count = math.prod(abs(size) for size in numbers(node, "", inputs, 0) or ())
    elif node.op == "Expand":
        count = math.prod(np.broadcast_shapes(arrays[0].shape, tuple(numbers(node, "", inputs, 1) or ())))
    elif node.op == "Tile":
        count = arrays[0].size * math.prod(abs(size) for size in numbers(node, "", inputs, 1) or ())
    elif node.op == "Range":
        start, limit, delta = (given(inputs, place).item() for place in range(3))
        count = max(0, math.ceil((limit - start) / delta)) if delta else 0
    elif node.op == "Gather":
        axis = node.attributes.get("axis", 0)
        count = arrays[0].size // max(arrays[0].shape[axis], 1) * given(inputs, 1).size
    elif node.op in ("Cast", "Concat", "Flatten", "Reshape", "Neg", "ReduceProd"):
        count = sum(values.size for values in arrays)
    elif node.op == "Where":
        count = math.prod(np.broadcast_shapes(*(values.shape for values in arrays)))
    else:
        count = math.prod(np.broadcast_shapes(*(values.shape for values in aligned(node, inputs))))
    return 8 * count
