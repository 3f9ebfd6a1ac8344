"""Reads the functions of a SavedModel, and the objects whose variables each of them uses."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...errors import BadWeights

__all__ = ["SavedCalls", "read_calls"]

MOST_OBJECTS = 1_000_000


@dataclass(frozen=True)
class SavedCalls:
    """The objects of a SavedModel and its functions.

    Parameters
    ----------
    children : tuple of mapping
        The numbers of the objects that belong to each object, by attribute.
    bound : mapping
        By function name: the numbers of the objects that are its last arguments.
    signatures : tuple of str
        The serving functions of the model, that of the default signature first.
    """

    children: tuple[Mapping[str, int], ...]
    bound: Mapping[str, tuple[int, ...]]
    signatures: tuple[str, ...]


def read_calls(graph: Any, where: str) -> SavedCalls:
    """Read a ``SavedObjectGraph``.

    Raises
    ------
    BadWeights
        It names objects that it does not have.
    """
    count = len(graph.nodes)
    children = tuple({child.local_name: child.node_id for child in node.children} for node in graph.nodes)
    bound = {name: tuple(function.bound_inputs) for name, function in graph.concrete_functions.items()}
    numbers = [number for found in (*(c.values() for c in children), *bound.values()) for number in found]
    if len(numbers) > MOST_OBJECTS or not all(0 <= number < count for number in numbers):
        raise BadWeights(f"{where}: its functions name objects that it does not have; it is damaged, copy it again.")
    signatures = children[children[0]["signatures"]] if children and "signatures" in children[0] else {}
    ordered = sorted(signatures.items(), key=lambda item: item[0] != "serving_default")
    names = [graph.nodes[number].bare_concrete_function.concrete_function_name for _, number in ordered]
    return SavedCalls(children, bound, tuple(name for name in names if name in bound))
