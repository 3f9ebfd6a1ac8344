"""Digests what a model computes apart from its weights: layer settings, connections, custom code.

The same model has the same digest in every process: it contains no addresses or names, no shapes that depend on the
first batch, and no settings that matter only in training.
"""

import hashlib
import json
import threading
from collections.abc import Iterator
from typing import Any

from ..keras.started import keras
from .code import Code
from .finding import Layer

__all__ = ["architecture_of"]

# Settings that change no state, by the ends of their names.
DROPPED = (
    "trainable", "build_config", "compile_config", "batch_shape", "_object_id", "initializer", "regularizer",
    "constraint",
)  # fmt: skip
# Keras' own names of inputs, with a number that depends on what was created before.
NUMBERED = ("input_layer", "keras_tensor")
_WITHOUT_INITIAL = threading.Lock()


def architecture_of(model: Layer) -> str:
    """Return the digest, in hexadecimal.

    Parameters
    ----------
    model : keras.Model
        The digest includes the code of custom classes, with the numbers, strings, arrays, layers and functions that it
        reads, but not functions of other packages nor the content of other objects.
    """
    inside = list(_inside(model, set()))
    code = Code({id(one): place for place, one in enumerate(inside)})
    described = [[type(one).__name__, _config(one, code), code.of(one), _joined(one, code)] for one in inside]
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()


def _inside(layer: Layer, known: set[int]) -> Iterator[Any]:
    """Yield a model and all layers and operations in it, each once, in order."""
    if id(layer) in known:
        return
    known.add(id(layer))
    yield layer
    layers = layer._flatten_layers(recursive=False, include_self=False) if hasattr(layer, "_flatten_layers") else ()
    for child in (*getattr(layer, "_operations", ()), *layers):
        yield from _inside(child, known)


def _config(one: Any, code: Code) -> Any:
    """Return the settings of a layer or operation; None if its class has none, or its parts describe it fully."""
    if isinstance(one, keras.Sequential) or hasattr(one, "_nodes_by_depth"):
        return None
    own = vars(one)
    # Two threads may collect from one model.
    with _WITHOUT_INITIAL:
        # Otherwise an embedding with a large initial matrix would write it out.
        initial = {name: value for name, value in own.items() if isinstance(value, keras.initializers.Initializer)}
        own.update(dict.fromkeys(initial, keras.initializers.Zeros()))
        try:
            config = one.get_config()
        # A class may lack it, or have one that fails.
        except Exception:
            return None
        finally:
            own.update(initial)
    settings = _tidy(code.value(config))
    if isinstance(one, keras.layers.InputLayer) and not one.name.startswith(NUMBERED):
        # Arrays in a dict are matched to inputs by name.
        settings["name"] = one.name
    return settings


def _tidy(value: Any) -> Any:
    """Drop what changes no state: names, and training settings."""
    if isinstance(value, list):
        return [_tidy(one) for one in value]
    if not isinstance(value, dict):
        return value
    if value.get("class_name") == "__lambda__":
        # Its bytes name the file that it was written in.
        return None
    if str(value.get("class_name")).endswith("Policy"):
        return value
    return {name: _tidy(inner) for name, inner in value.items() if name != "name" and not name.endswith(DROPPED)}


def _joined(layer: Layer, code: Code) -> Any:
    """Describe the connections of a functional model: each call, and the calls whose outputs it reads."""
    listed = [node for _, nodes in sorted(getattr(layer, "_nodes_by_depth", {}).items()) for node in nodes]
    calls = {
        (id(node.operation), node.operation._inbound_nodes.index(node)): place for place, node in enumerate(listed)
    }

    def named(value: Any) -> Any:
        if not isinstance(value, keras.KerasTensor):
            return code.value(value)
        operation, call, number = value._keras_history
        return f"{calls.get((id(operation), call))}.{number}"

    return [
        [code.value(node.operation), keras.tree.map_structure(named, [node.arguments.args, node.arguments.kwargs])]
        for node in listed
    ] + [keras.tree.map_structure(named, getattr(layer, "_inputs_struct", None))]
