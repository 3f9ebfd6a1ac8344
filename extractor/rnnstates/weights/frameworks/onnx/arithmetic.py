"""Applies arithmetic operators of ONNX to constants; ``ARITHMETIC`` lists them.

Before version 7 the axes of a second operand may start at an axis of the first one.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from ....arrays.axes import Array
from ...readers.onnx.graph import Node
from .settings import Inputs, given, numbers
from .sizes import Size

__all__ = ["ARITHMETIC", "aligned"]


def _range(_node: Node, inputs: Inputs) -> Array:
    start, limit, delta = (given(inputs, place).reshape(()) for place in range(3))
    return np.arange(start.item(), limit.item(), delta.item(), dtype=start.dtype)


def _where(_node: Node, inputs: Inputs) -> Array:
    condition = given(inputs)
    if condition.dtype.kind != "b":
        raise ValueError("a condition is unknown")
    return np.where(condition, given(inputs, 1), given(inputs, 2))


def _equal(_node: Node, inputs: Inputs) -> Array:
    """Compare; an unknown size equals itself, and no negative number."""
    first, second = np.broadcast_arrays(given(inputs), given(inputs, 1))
    if first.dtype.kind != "O" and second.dtype.kind != "O":
        return np.asarray(np.equal(first, second))
    pairs = list(zip(first.reshape(-1), second.reshape(-1), strict=True))
    for one, other in pairs:
        unknown = isinstance(one, Size) or isinstance(other, Size)
        if unknown and one != other and not min(_least(one), _least(other)) < 0:
            raise ValueError("it is unknown whether sizes are equal")
    return np.array([bool(one == other) for one, other in pairs]).reshape(first.shape)


def _least(value: Any) -> int:
    return 0 if isinstance(value, Size) else int(value)


def _product(node: Node, inputs: Inputs) -> Array:
    values: Any = given(inputs)
    axes = numbers(node, "axes", inputs, 1)
    kept = bool(node.attributes.get("keepdims", 1))
    return np.asarray(np.prod(values, axis=None if axes is None else tuple(axes), keepdims=kept))


def _elementwise(function: Callable[[Array, Array], Array]) -> Callable[[Node, Inputs], Array]:
    def fold(node: Node, inputs: Inputs) -> Array:
        first, second = aligned(node, inputs)
        return np.asarray(function(first, second))

    return fold


def aligned(node: Node, inputs: Inputs) -> tuple[Array, Array]:
    """Return both operands; before version 7 the second one's axes may start at an axis of the first."""
    first, second = given(inputs), given(inputs, 1)
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
    # Rounded towards zero, as in C.
    return np.asarray(np.abs(first) // np.abs(second) * np.sign(first) * np.sign(second), first.dtype)


ARITHMETIC: dict[str, Callable[[Node, Inputs], Array]] = {
    "Add": _elementwise(np.add),
    "Div": _elementwise(_divided),
    "Equal": _equal,
    "Mul": _elementwise(np.multiply),
    "Neg": lambda _node, inputs: np.negative(given(inputs)),
    "Range": _range,
    "ReduceProd": _product,
    "Sub": _elementwise(np.subtract),
    "Where": _where,
}
