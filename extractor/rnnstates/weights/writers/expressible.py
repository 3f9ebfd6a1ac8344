"""Finds what neither Keras nor PyTorch can express in its own layers or store in a file of arrays."""

from typing import Any

import numpy as np

from ...arrays.axes import Array
from ...network.model import LayerWeights, RecurrentLayer

__all__ = ["layer_problem", "wide"]


def wide(array: Array) -> "np.dtype[Any]":
    """Return the dtype for a sum of biases: the array's own, but at least float32, because half precision rounds."""
    return np.promote_types(array.dtype, np.float32)


def layer_problem(layer: RecurrentLayer) -> str:
    """Return the first property of a layer that a file of arrays cannot express; empty if there is none.

    Such a file holds no activations, clips or merge modes: anything but the framework's default would be read back as
    something else.
    """
    if layer.forward is None:
        return "goes backwards"
    if len(layer.directions) == 2 and layer.merge != "concat":
        return f"merges its directions by {layer.merge}"
    if layer.residual:
        return "adds its inputs to its outputs"
    return next((problem for weights in layer.directions.values() if (problem := _of_weights(weights))), "")


def _of_weights(weights: LayerWeights) -> str:
    gates = "" if weights.cell == "simple_rnn" else weights.recurrent_activation
    used = [name for name in (weights.activation, gates, weights.output_activation) if name]
    if any(name not in ("tanh", "sigmoid") for name in used) or weights.activation != "tanh" or gates == "tanh":
        default = "tanh and sigmoid" if gates else "tanh"
        return f"uses {' and '.join(used)} instead of {default}"
    found = {
        "is a multiplicative LSTM": weights.cell == "mlstm",
        "has peepholes": weights.peepholes is not None,
        "clips its cell state": weights.cell_clip is not None,
        "clips its projection": weights.projection_clip is not None,
        "clips the inputs of its activations": weights.preactivation_clip is not None,
        "couples its input and forget gates": weights.coupled,
        'has trained initial states (initial_state="zero" ignores them)': any(
            values.any() for values in weights.initial.values()
        ),
    }
    return next((problem for problem, there in found.items() if there), "")
