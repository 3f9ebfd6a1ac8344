"""Finds the bodies of ONNX control-flow operators, and the branch of an If whose condition is stored."""

import math
from collections.abc import Iterable, Iterator
from typing import Any

from ....errors import BadWeights
from ..base import Tensor
from .tensor import Proto, text

__all__ = ["bodies", "held", "taken"]

# Kinds of attributes by their numbers.
GRAPH, GRAPHS = 5, 10


def held(nodes: Iterable[Any]) -> Iterator[Any]:
    """Yield the operators in the bodies of others."""
    for proto in nodes:
        for _, body in bodies(proto):
            yield from body.node


def bodies(proto: Proto) -> Iterator[tuple[str, Any]]:
    """Yield the bodies of an operator, each with its name."""
    for attribute in proto.attribute:
        if attribute.type == GRAPH:
            yield text(attribute.name), attribute.g
        for body in attribute.graphs if attribute.type == GRAPHS else ():
            yield text(attribute.name), body


def taken(proto: Proto, condition: Tensor | None) -> tuple[str, Any] | None:
    """Return the name and the body of the branch that an If always takes.

    Parameters
    ----------
    proto : onnx.NodeProto
    condition : Tensor or None
        Its stored condition; None if that is computed, or a model input.

    Returns
    -------
    tuple or None
        None if the branch is decided at run time.
    """
    if condition is None or math.prod(condition.shape) != 1:
        return None
    try:
        values = condition.read()
    except BadWeights:
        return None
    wanted = "then_branch" if values.any() else "else_branch"
    return next((found for found in bodies(proto) if found[0] == wanted), None) if values.dtype.kind == "b" else None
