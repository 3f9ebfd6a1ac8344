"""Finds what neither Keras nor PyTorch can express in its own layers or store in a file of arrays."""

from typing import Any

import numpy as np

from ...arrays.axes import Array
from ...network.model import LayerWeights, RecurrentLayer

__all__ = ["layer_problem", "wide"]


def wide(array: Array) -> "np.dtype[Any]":
    """Return the dtype of a sum of biases: the array's own, but that half precision would round it."""
    return np.promote_types(array.dtype, np.float32)


def layer_problem(layer: RecurrentLayer) -> str:
    """Say the first thing of a layer that a file of arrays alone cannot express; empty where it can.

    Such a file holds no activations, clips or ways of merging: what is not the framework's default would be read back
    as something else.
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
        "holds its cell state within a clip": weights.cell_clip is not None,
        "holds its projection within a clip": weights.projection_clip is not None,
        "clips what goes into its activations": weights.preactivation_clip is not None,
        "couples its input and forget gates": weights.coupled,
        'brings a state to start from (initial_state="zero" leaves it out)': any(
            values.any() for values in weights.initial.values()
        ),
    }
    return next((problem for problem, there in found.items() if there), "")
