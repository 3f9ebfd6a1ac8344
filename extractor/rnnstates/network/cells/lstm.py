"""The long short-term memory cell.

References
----------
Hochreiter & Schmidhuber 1997, "Long Short-Term Memory"; forget gate: Gers, Schmidhuber & Cummins 2000, "Learning to
Forget". Without peepholes this is the cell of Keras, PyTorch and TensorFlow's ``LSTMCell``.
"""

from typing import Any, NamedTuple

import numpy as np

from ...arrays import Array
from ...weights.canonical import LayerWeights
from ..activations import ACTIVATIONS, Ops

__all__ = ["LSTMParameters", "LSTMState", "prepare", "step"]


class LSTMState(NamedTuple):
    """What an LSTM carries from step to step.

    Parameters
    ----------
    hidden, cell : floating [B, H]
        With a time axis, [B, T, H], where an unroll has collected them.
    """

    hidden: Any
    cell: Any


class LSTMParameters(NamedTuple):
    """The arrays a step reads, in the computing precision, and the names of its activations."""

    kernel: Any
    recurrent_kernel: Any
    bias: Any
    activation: str
    recurrent_activation: str


def prepare(weights: LayerWeights, dtype: "np.dtype[Any]") -> LSTMParameters:
    """Cast the weights and fold the run-time forget bias into the bias (summed in float64, then cast).

    Parameters
    ----------
    weights : LayerWeights
        Kernels with columns in the order input gate, forget gate, candidate, output gate.
    dtype : dtype
        float32 or float64.
    """
    bias: Array = weights.bias.astype(np.float64)
    bias[weights.units : 2 * weights.units] += weights.forget_bias  # type: ignore[misc]
    return LSTMParameters(
        np.ascontiguousarray(weights.kernel, dtype),
        np.ascontiguousarray(weights.recurrent_kernel, dtype),
        bias.astype(dtype),
        weights.activation,
        weights.recurrent_activation,
    )


def step(ops: Ops, parameters: LSTMParameters, inputs: Any, state: LSTMState) -> LSTMState:
    """Read one step.

    Parameters
    ----------
    ops : Ops
        The array library's functions.
    parameters : LSTMParameters
    inputs : floating [B, I]
    state : LSTMState
        Each [B, H].

    Returns
    -------
    LSTMState
        Each [B, H].
    """
    gate = ACTIVATIONS[parameters.recurrent_activation]
    squash = ACTIVATIONS[parameters.activation]
    z = ops.matmul(inputs, parameters.kernel) + ops.matmul(state.hidden, parameters.recurrent_kernel) + parameters.bias
    input_z, forget_z, candidate_z, output_z = ops.split(z, 4)
    cell = gate(ops, forget_z) * state.cell + gate(ops, input_z) * squash(ops, candidate_z)
    return LSTMState(hidden=gate(ops, output_z) * squash(ops, cell), cell=cell)
