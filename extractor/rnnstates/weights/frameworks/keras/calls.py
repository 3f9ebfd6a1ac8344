"""Reads what each layer of a Functional model is called on: ``inbound_nodes`` of Keras 2 and Keras 3.

Keras 3 writes ``{"args": [tensor, ...], "kwargs": {...}}`` with ``{"class_name": "__keras_tensor__", "config":
{"keras_history": [layer, node, index]}}`` for a tensor; Keras 2 writes ``[[layer, node, index, kwargs], ...]``.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Call", "Reference", "calls", "references"]

# Arguments by which a layer receives something other than its inputs.
BESIDE = {"mask", "lengths", "initial_state", "training", "attention_mask"}


@dataclass(frozen=True)
class Reference:
    """One output of a layer of the same model."""

    layer: str
    index: int


@dataclass(frozen=True)
class Call:
    """One call of a layer: what it reads, whether it is given an initial state, which tensors mask its steps.

    ``training`` says that it always runs in training mode, such as dropout.
    """

    inputs: tuple[Reference, ...]
    initial_state: bool
    masks: tuple[Reference, ...] = ()
    training: bool = False


def calls(inbound_nodes: object) -> list[Call]:
    """Read every call of a layer from its ``inbound_nodes``."""
    nodes = inbound_nodes if isinstance(inbound_nodes, list) else []
    return [_keras3(node) if isinstance(node, Mapping) and "args" in node else _keras2(node) for node in nodes]


def references(value: object) -> list[Reference]:
    """Find every tensor in nested JSON of either Keras."""
    return list(_walk(value))


def _keras3(node: Mapping[str, Any]) -> Call:
    args, kwargs = node.get("args"), node.get("kwargs")
    kwargs = kwargs if isinstance(kwargs, Mapping) else {}
    first = args[:1] if isinstance(args, list) else []
    inputs = references(first) or references([value for name, value in kwargs.items() if name not in BESIDE])
    second = args[1] if isinstance(args, list) and len(args) > 1 else None
    third = args[2:3] if isinstance(args, list) else []
    masks = references([third, kwargs.get("mask")])
    has_start = second is not None or kwargs.get("initial_state") is not None
    return Call(tuple(inputs), has_start, tuple(masks), kwargs.get("training") is True)


def _keras2(node: object) -> Call:
    kwargs = [part[3] for part in _lists(node) if len(part) > 3 and isinstance(part[3], Mapping)]
    masks = references([given.get("mask") for given in kwargs])
    has_start = any(given.get("initial_state") is not None for given in kwargs)
    training = any(given.get("training") is True for given in kwargs)
    return Call(tuple(references(node)), has_start, tuple(masks), training)


def _walk(value: Any) -> Iterator[Reference]:
    if isinstance(value, Mapping):
        if value.get("class_name") == "__keras_tensor__":
            history = value.get("config")
            yield from _walk(history.get("keras_history")) if isinstance(history, Mapping) else ()
        else:
            for inner in value.values():
                yield from _walk(inner)
    elif _is_reference(value):
        yield Reference(value[0], value[2])
    elif isinstance(value, list):
        for inner in value:
            yield from _walk(inner)


def _lists(node: Any) -> list[list[Any]]:
    if _is_reference(node):
        return [node]
    return [part for part in node if _is_reference(part)] if isinstance(node, list) else []


def _is_reference(value: object) -> bool:
    """Detect ``[layer, node, index]``, possibly followed by Keras 2's keyword arguments."""
    return (
        isinstance(value, list)
        and len(value) in (3, 4)
        and isinstance(value[0], str)
        and all(isinstance(number, int) for number in value[1:3])
    )
