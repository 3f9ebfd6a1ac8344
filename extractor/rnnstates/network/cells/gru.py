"""The gated recurrent unit, with the reset gate applied before or after the recurrent product.

With ``s`` the recurrent activation (sigmoid) and ``t`` the activation (tanh)::

    update_gate = s(x @ kernel_z + h @ recurrent_kernel_z + bias_z)
    reset_gate  = s(x @ kernel_r + h @ recurrent_kernel_r + bias_r)
    candidate   = t(x @ kernel_c + (reset_gate * h) @ recurrent_kernel_c + bias_c)                        before
    candidate   = t(x @ kernel_c + bias_c + reset_gate * (h @ recurrent_kernel_c + recurrent_bias_c))     after
    hidden      = update_gate * hidden + (1 - update_gate) * candidate

References
----------
Cho et al. 2014, "Learning Phrase Representations using RNN Encoder-Decoder for Statistical Machine Translation"; its
first version resets before the product, the later one after it. The update gate keeps the old state, as in Keras,
PyTorch and ONNX; Haiku's does the opposite, which is corrected when its weights are read.
"""

from typing import Annotated, Any, NamedTuple

import numpy as np

from ...arrays.axes import Hidden, OfUnits, Products, StepInputs, Tensor
from ..activations import Activation, Ops, activation_function
from ..model import LayerWeights
from .lstm import clipped

__all__ = ["GRUGates", "GRUParameters", "GRUState", "prepare", "recur", "step"]


class GRUState(NamedTuple):
    """The state of a GRU: ``hidden`` floating [B, H]."""

    hidden: Hidden


class GRUGates(NamedTuple):
    """The gates and the candidate of a step, after their activations: each floating [B, H]."""

    update_gate: OfUnits
    reset_gate: OfUnits
    candidate: OfUnits


class GRUParameters(NamedTuple):
    """The arrays that a step reads, in the computing precision, and its settings."""

    kernel: Annotated[Tensor, "I GH"]
    recurrent_gates: Annotated[Tensor, "H _"]
    recurrent_candidate: Annotated[Tensor, "H H"]
    recurrent_kernel: Annotated[Tensor, "W GH"]
    bias: Annotated[Tensor, "GH"]
    recurrent_bias: Annotated[Tensor, "GH"]
    activation: str
    recurrent_activation: str
    preactivation_clip: float | None
    reset_after: bool


def prepare(weights: LayerWeights, dtype: "np.dtype[Any]") -> GRUParameters:
    """Cast the weights; their columns are in the order update gate, reset gate, candidate.

    Parameters
    ----------
    weights : LayerWeights
    dtype : dtype
        float32 or float64.
    """
    recurrent = np.ascontiguousarray(weights.recurrent_kernel, dtype)
    gates = 2 * weights.units
    apart = weights.reset_after and weights.recurrent_bias is not None
    recurrent_bias = weights.recurrent_bias if apart else np.zeros(weights.bias.shape)
    return GRUParameters(
        np.ascontiguousarray(weights.kernel, dtype),
        np.ascontiguousarray(recurrent[:, :gates]),
        np.ascontiguousarray(recurrent[:, gates:]),
        recurrent,
        np.asarray(weights.bias if apart else weights.whole_bias(), dtype),
        np.asarray(recurrent_bias, dtype),
        weights.activation,
        weights.recurrent_activation,
        weights.preactivation_clip,
        weights.reset_after,
    )


def step(ops: Ops, parameters: GRUParameters, inputs: StepInputs, state: GRUState) -> tuple[GRUState, GRUGates]:
    """Compute one step.

    Parameters
    ----------
    ops : Ops
    parameters : GRUParameters
    inputs : floating [B, I]
    state : GRUState

    Returns
    -------
    GRUState, GRUGates
    """
    return recur(ops, parameters, ops.matmul(inputs, parameters.kernel) + parameters.bias, state)


def recur(ops: Ops, parameters: GRUParameters, projected: Products, state: GRUState) -> tuple[GRUState, GRUGates]:
    """Compute one step, given its input product: ``projected = x @ kernel + bias``, floating [B, 3H]."""
    gate, squash = _activations(ops, parameters)
    input_u, input_r, input_c = ops.split(projected, 3)
    if parameters.reset_after:
        recurrent = ops.matmul(state.hidden, parameters.recurrent_kernel) + parameters.recurrent_bias
        hidden_u, hidden_r, hidden_c = ops.split(recurrent, 3)
        update_gate, reset_gate = gate(input_u + hidden_u), gate(input_r + hidden_r)
        candidate = squash(input_c + reset_gate * hidden_c)
    else:
        hidden_u, hidden_r = ops.split(ops.matmul(state.hidden, parameters.recurrent_gates), 2)
        update_gate, reset_gate = gate(input_u + hidden_u), gate(input_r + hidden_r)
        candidate = squash(input_c + ops.matmul(reset_gate * state.hidden, parameters.recurrent_candidate))
    hidden = update_gate * state.hidden + (1 - update_gate) * candidate
    return GRUState(hidden), GRUGates(update_gate, reset_gate, candidate)


def _activations(ops: Ops, parameters: GRUParameters) -> tuple[Activation, Activation]:
    gate = activation_function(parameters.recurrent_activation)
    squash = activation_function(parameters.activation)
    bound = parameters.preactivation_clip
    return lambda x: gate(ops, clipped(ops, x, bound)), lambda x: squash(ops, clipped(ops, x, bound))
