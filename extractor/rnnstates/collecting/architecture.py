"""Digests what a model computes apart from its weights: layer settings, connections, custom code.

The same model has the same digest in every process: no addresses and names are in it, no shapes that follow from a
first batch, and no settings that matter in training alone.
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
# How Keras itself names inputs, with a number that depends on what was made before.
NUMBERED = ("input_layer", "keras_tensor")
_WITHOUT_INITIAL = threading.Lock()


def architecture_of(model: Layer) -> str:
    """Return the digest, in hexadecimal.

    Parameters
    ----------
    model : keras.Model
        Of classes that are not Keras' own, the code that runs is in it, with the numbers, texts, arrays, layers and
        functions that it reads; functions of other packages, and what other objects hold, are not looked into.
    """
    inside = list(_inside(model, set()))
    code = Code({id(one): place for place, one in enumerate(inside)})
    described = [[type(one).__name__, _config(one, code), code.of(one), _joined(one, code)] for one in inside]
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()


def _inside(layer: Layer, known: set[int]) -> Iterator[Any]:
    """Go through a model and all layers and operations in it, each once, in their order."""
    if id(layer) in known:
        return
    known.add(id(layer))
    yield layer
    layers = layer._flatten_layers(recursive=False, include_self=False) if hasattr(layer, "_flatten_layers") else ()
    for child in (*getattr(layer, "_operations", ()), *layers):
        yield from _inside(child, known)


def _config(one: Any, code: Code) -> Any:
    """Return the settings of a layer or operation; None where its class does not tell, or what is inside tells all."""
    if isinstance(one, keras.Sequential) or hasattr(one, "_nodes_by_depth"):
        return None
    own = vars(one)
    # Two threads may collect from one model.
    with _WITHOUT_INITIAL:
        # An embedding that begins with a large matrix would write that out.
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
        # Arrays in a dict go to the inputs by their names.
        settings["name"] = one.name
    return settings


def _tidy(value: Any) -> Any:
    """Leave out what changes no state: names, and settings of training."""
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
    """Describe how the operations of a functional model are joined: which is called, on what of which others."""
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
