"""Reads the settings of ONNX operators, which are attributes in older versions and inputs in newer ones."""

from collections.abc import Sequence

import numpy as np

from ....arrays.axes import Array
from ...readers.onnx.graph import Node
from .sizes import Size

__all__ = ["WRONG", "Inputs", "cast_to", "given", "numbers", "ranges", "sizes_taken", "split_edges"]

# Exceptions to expect if attributes and shapes can be anything.
WRONG = (ValueError, IndexError, TypeError, KeyError, ArithmeticError, AttributeError, MemoryError)
# Numbers of types by their names, which the first versions use.
NAMED_CASTS = {
    "FLOAT": 1, "UINT8": 2, "INT8": 3, "UINT16": 4, "INT16": 5, "INT32": 6, "INT64": 7, "BOOL": 9, "FLOAT16": 10,
    "DOUBLE": 11, "UINT32": 12, "UINT64": 13,
}  # fmt: skip
MOST_PARTS, MOST_NUMBERS = 1000, 2**16

Inputs = Sequence[Array | None]


def numbers(node: Node, name: str, inputs: Inputs, place: int) -> list[int] | None:
    """Return a setting that is an attribute in older versions and an input in newer ones; None if omitted.

    Raises
    ------
    ValueError
        It does not consist of known whole numbers.
    """
    values = inputs[place] if place < len(inputs) else None
    if node.attributes.get(name) is not None:
        values = np.array(node.attributes[name])
    if values is None:
        return None
    if values.size > MOST_NUMBERS:
        raise ValueError(f"{name or 'a shape'} has {values.size} numbers")
    known = values.dtype.kind in "iu" or (values.dtype.kind == "O" and not _unknown(values))
    if not known and values.size:
        raise ValueError(f"{name} does not consist of known whole numbers")
    return [int(value) for value in values.reshape(-1)]


def _unknown(values: Array) -> bool:
    return any(isinstance(value, Size) for value in values.reshape(-1))


def given(inputs: Inputs, place: int = 0) -> Array:
    """Return an input. Raises ValueError if it is omitted."""
    values = inputs[place] if place < len(inputs) else None
    if values is None:
        raise ValueError("an input is missing")
    return values


def cast_to(node: Node) -> int:
    """Return the number of the type that a Cast makes."""
    to = node.attributes["to"]
    return NAMED_CASTS[to] if isinstance(to, str) else int(to)


def sizes_taken(node: Node) -> slice:
    """Return which sizes a Shape outputs: all of them in older versions."""
    return slice(node.attributes.get("start", 0), node.attributes.get("end"))


def ranges(node: Node, inputs: Inputs, rank: int) -> list[slice]:
    """Return what a Slice takes of each axis."""
    starts, stops = numbers(node, "starts", inputs, 1) or [], numbers(node, "ends", inputs, 2) or []
    axes = numbers(node, "axes", inputs, 3) or list(range(len(starts)))
    steps = numbers(node, "steps", inputs, 4) or [1] * len(starts)
    index = [slice(None)] * rank
    for axis, start, stop, step in zip(axes, starts, stops, steps, strict=True):
        index[axis] = slice(start, stop, step)
    return index


def split_edges(node: Node, inputs: Inputs, size: int) -> list[int]:
    """Return where each part of an axis made by a Split ends."""
    parts = numbers(node, "split", inputs, 1)
    if parts is None:
        each = -(-size // max(len(node.outputs), 1))
        parts = [min(each, size - done) for done in range(0, size, each or 1)]
    if len(parts) != len(node.outputs) or sum(parts) != size or min(parts, default=0) < 0 or len(parts) > MOST_PARTS:
        raise ValueError(f"the parts {parts[:5]} do not add up to {size}")
    return [int(edge) for edge in np.cumsum(parts)]
