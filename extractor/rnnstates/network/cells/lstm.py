"""The long short-term memory cell, with every variation that weights formats have.

With ``s`` the recurrent activation (sigmoid), ``t`` the activation and ``u`` the output activation (tanh)::

    z = x @ kernel + h @ recurrent_kernel + bias
    input_gate  = s(z_i + peephole_i * cell)
    forget_gate = s(z_f + forget_bias + peephole_f * cell)        or 1 - input_gate, if they are coupled
    candidate   = t(z_c)
    cell        = clip(forget_gate * cell + input_gate * candidate, cell_clip)
    output_gate = s(z_o + peephole_o * cell)                      the new cell state, already clipped
    hidden      = output_gate * u(cell)                           or clip(that @ projection, projection_clip)

``preactivation_clip``, if given, clips the input to each ``s`` and to ``t``.

References
----------
Hochreiter & Schmidhuber 1997, "Long Short-Term Memory"; forget gate: Gers, Schmidhuber & Cummins 2000, "Learning to
Forget"; peepholes: Gers, Schraudolph & Schmidhuber 2002, "Learning Precise Timing with LSTM Recurrent Networks";
projection: Sak, Senior & Beaufays 2014, "Long Short-Term Memory Recurrent Neural Network Architectures for Large Scale
Acoustic Modeling". Coupled gates and the clip before activations: ONNX' operator LSTM.
"""

from typing import Annotated, Any, NamedTuple, TypeAlias

import numpy as np

from ...arrays.axes import Hidden, OfUnits, Products, StepInputs, Tensor
from ..activations import Activation, Ops, activation_function
from ..model import LayerWeights

__all__ = [
    "LSTMGates",
    "LSTMParameters",
    "LSTMState",
    "clipped",
    "gated_step",
    "is_plain",
    "prepare",
    "recur",
    "step",
]


class LSTMState(NamedTuple):
    """The states of an LSTM.

    Parameters
    ----------
    hidden : floating [B, W]
    cell : floating [B, H]
        With a time axis, [B, T, …], once an unroll has collected them.
    """

    hidden: Hidden
    cell: OfUnits


class LSTMGates(NamedTuple):
    """The gates and the candidate of a step, after their activations: each floating [B, H]."""

    input_gate: OfUnits
    forget_gate: OfUnits
    output_gate: OfUnits
    candidate: OfUnits


class LSTMParameters(NamedTuple):
    """The arrays that a step reads, in the computing precision, and its settings."""

    kernel: Annotated[Tensor, "I GH"]
    recurrent_kernel: Annotated[Tensor, "W GH"]
    bias: Annotated[Tensor, "GH"]
    peephole_input: Annotated[Tensor, "H"] | None
    peephole_forget: Annotated[Tensor, "H"] | None
    peephole_output: Annotated[Tensor, "H"] | None
    projection: Annotated[Tensor, "H W"] | None
    activation: str
    recurrent_activation: str
    output_activation: str
    cell_clip: float | None
    projection_clip: float | None
    preactivation_clip: float | None
    coupled: bool


# LSTMParameters, or those of another cell that have the fields that ``gated_step`` reads.
GatedParameters: TypeAlias = Any


def is_plain(weights: LayerWeights) -> bool:
    """Return whether a layer is an LSTM of tanh and sigmoid, with or without peepholes and a cell clip."""
    activations = (weights.activation, weights.output_activation or weights.activation, weights.recurrent_activation)
    plain = weights.projection is None and weights.preactivation_clip is None and not weights.coupled
    return weights.cell == "lstm" and plain and activations == ("tanh", "tanh", "sigmoid")


def prepare(weights: LayerWeights, dtype: "np.dtype[Any]") -> LSTMParameters:
    """Cast the weights; the biases are summed into one in float64 and then cast.

    Parameters
    ----------
    weights : LayerWeights
        Kernels with columns in the order input gate, forget gate, candidate, output gate.
    dtype : dtype
        float32 or float64.
    """
    peepholes = (None, None, None) if weights.peepholes is None else weights.peepholes.astype(dtype)
    return LSTMParameters(
        kernel=np.ascontiguousarray(weights.kernel, dtype),
        recurrent_kernel=np.ascontiguousarray(weights.recurrent_kernel, dtype),
        bias=weights.whole_bias().astype(dtype),
        peephole_input=peepholes[0],
        peephole_forget=peepholes[1],
        peephole_output=peepholes[2],
        projection=None if weights.projection is None else np.ascontiguousarray(weights.projection, dtype),
        activation=weights.activation,
        recurrent_activation=weights.recurrent_activation,
        output_activation=weights.output_activation or weights.activation,
        cell_clip=weights.cell_clip,
        projection_clip=weights.projection_clip,
        preactivation_clip=weights.preactivation_clip,
        coupled=weights.coupled,
    )


def step(ops: Ops, parameters: LSTMParameters, inputs: StepInputs, state: LSTMState) -> tuple[LSTMState, LSTMGates]:
    """Compute one step.

    Parameters
    ----------
    ops : Ops
        The array library's functions.
    parameters : LSTMParameters
    inputs : floating [B, I]
    state : LSTMState

    Returns
    -------
    LSTMState, LSTMGates
    """
    return recur(ops, parameters, ops.matmul(inputs, parameters.kernel) + parameters.bias, state)


def recur(ops: Ops, parameters: GatedParameters, projected: Products, state: LSTMState) -> tuple[LSTMState, LSTMGates]:
    """Compute one step, given its input product: ``projected = x @ kernel + bias``, floating [B, 4H]."""
    return gated_step(ops, parameters, projected + ops.matmul(state.hidden, parameters.recurrent_kernel), state)


def gated_step(ops: Ops, parameters: GatedParameters, z: Products, state: LSTMState) -> tuple[LSTMState, LSTMGates]:
    """Finish a step from the preactivations ``z``, floating [B, 4H]."""
    gate, squash, out = _activations(ops, parameters)
    input_z, forget_z, candidate_z, output_z = ops.split(z, 4)
    if parameters.peephole_input is not None:
        input_z = input_z + parameters.peephole_input * state.cell
        forget_z = forget_z + parameters.peephole_forget * state.cell
    input_gate, candidate = gate(input_z), squash(candidate_z)
    forget_gate = 1 - input_gate if parameters.coupled else gate(forget_z)
    cell = clipped(ops, forget_gate * state.cell + input_gate * candidate, parameters.cell_clip)
    if parameters.peephole_output is not None:
        output_z = output_z + parameters.peephole_output * cell
    output_gate = gate(output_z)
    hidden = output_gate * out(cell)
    if parameters.projection is not None:
        hidden = clipped(ops, ops.matmul(hidden, parameters.projection), parameters.projection_clip)
    return LSTMState(hidden, cell), LSTMGates(input_gate, forget_gate, output_gate, candidate)


def clipped(ops: Ops, values: Tensor, bound: float | None) -> Tensor:
    """Clip values to plus and minus a bound; None for no bound."""
    return values if bound is None else ops.maximum(ops.minimum(values, bound), -bound)


def _activations(ops: Ops, parameters: GatedParameters) -> tuple[Activation, Activation, Activation]:
    """Return the activations of gates, candidate and cell; ONNX' clip comes before the first two."""
    gate = activation_function(parameters.recurrent_activation)
    squash = activation_function(parameters.activation)
    out = activation_function(parameters.output_activation)
    bound = parameters.preactivation_clip
    return (
        lambda x: gate(ops, clipped(ops, x, bound)),
        lambda x: squash(ops, clipped(ops, x, bound)),
        lambda x: out(ops, x),
    )
