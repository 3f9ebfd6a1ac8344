"""The simple recurrent cell: ``hidden = t(x @ kernel + h @ recurrent_kernel + bias)`` with ``t`` tanh or relu.

References
----------
Elman 1990, "Finding Structure in Time".
"""

from typing import Annotated, Any, NamedTuple

import numpy as np

from ...arrays.axes import Hidden, Products, StepInputs, Tensor
from ..activations import Ops, activation_function
from ..model import LayerWeights
from .lstm import clipped

__all__ = ["RNNGates", "RNNParameters", "RNNState", "prepare", "recur", "step"]


class RNNState(NamedTuple):
    """The state of a simple RNN: ``hidden`` floating [B, H]."""

    hidden: Hidden


class RNNGates(NamedTuple):
    """A simple RNN has no gates."""


class RNNParameters(NamedTuple):
    """The arrays that a step reads, in the computing precision, and its settings."""

    kernel: Annotated[Tensor, "I GH"]
    recurrent_kernel: Annotated[Tensor, "W GH"]
    bias: Annotated[Tensor, "GH"]
    activation: str
    preactivation_clip: float | None


def prepare(weights: LayerWeights, dtype: "np.dtype[Any]") -> RNNParameters:
    """Cast the weights.

    Parameters
    ----------
    weights : LayerWeights
    dtype : dtype
        float32 or float64.
    """
    return RNNParameters(
        np.ascontiguousarray(weights.kernel, dtype),
        np.ascontiguousarray(weights.recurrent_kernel, dtype),
        weights.whole_bias().astype(dtype),
        weights.activation,
        weights.preactivation_clip,
    )


def step(ops: Ops, parameters: RNNParameters, inputs: StepInputs, state: RNNState) -> tuple[RNNState, RNNGates]:
    """Compute one step.

    Parameters
    ----------
    ops : Ops
    parameters : RNNParameters
    inputs : floating [B, I]
    state : RNNState

    Returns
    -------
    RNNState, RNNGates
    """
    return recur(ops, parameters, ops.matmul(inputs, parameters.kernel) + parameters.bias, state)


def recur(ops: Ops, parameters: RNNParameters, projected: Products, state: RNNState) -> tuple[RNNState, RNNGates]:
    """Compute one step, given its input product: ``projected = x @ kernel + bias``, floating [B, H]."""
    z = projected + ops.matmul(state.hidden, parameters.recurrent_kernel)
    squash = activation_function(parameters.activation)
    return RNNState(squash(ops, clipped(ops, z, parameters.preactivation_clip))), RNNGates()
