"""The multiplicative LSTM: in its gates a product of projected input and hidden state replaces the hidden state.

::

    m = (x @ first_factor) * (hidden @ second_factor)
    z = x @ kernel + m @ recurrent_kernel + bias

then as in ``lstm``. Weight normalisation is undone when the weights are read.

References
----------
Krause, Murray, Renals & Lu 2017, "Multiplicative LSTM for sequence modelling"; as in UniRep: Alley et al. 2019,
"Unified rational protein engineering with sequence-based deep representation learning".
"""

from typing import Annotated, Any, NamedTuple

import numpy as np

from ...arrays.axes import StepInputs, Tensor
from ..activations import Ops
from ..model import LayerWeights
from . import lstm

__all__ = ["MLSTMParameters", "prepare", "step"]


class MLSTMParameters(NamedTuple):
    """The arrays that a step reads, in the computing precision, and its settings."""

    kernel: Annotated[Tensor, "I GH"]
    recurrent_kernel: Annotated[Tensor, "W GH"]
    bias: Annotated[Tensor, "GH"]
    first_factor: Annotated[Tensor, "I H"]
    second_factor: Annotated[Tensor, "H H"]
    activation: str
    recurrent_activation: str
    output_activation: str
    cell_clip: float | None
    preactivation_clip: float | None
    peephole_input: None = None
    peephole_output: None = None
    projection: None = None
    coupled: bool = False


def prepare(weights: LayerWeights, dtype: "np.dtype[Any]") -> MLSTMParameters:
    """Cast the weights; their columns are in the order of an LSTM's.

    Parameters
    ----------
    weights : LayerWeights
    dtype : dtype
        float32 or float64.
    """
    plain = lstm.prepare(weights, dtype)
    first, second = weights.factors or (None, None)
    return MLSTMParameters(
        plain.kernel,
        plain.recurrent_kernel,
        plain.bias,
        np.asarray(first, dtype, order="C"),
        np.asarray(second, dtype, order="C"),
        plain.activation,
        plain.recurrent_activation,
        plain.output_activation,
        plain.cell_clip,
        plain.preactivation_clip,
    )


def step(
    ops: Ops, parameters: MLSTMParameters, inputs: StepInputs, state: lstm.LSTMState
) -> tuple[lstm.LSTMState, lstm.LSTMGates]:
    """Compute one step.

    Parameters
    ----------
    ops : Ops
    parameters : MLSTMParameters
    inputs : floating [B, I]
    state : LSTMState

    Returns
    -------
    LSTMState, LSTMGates
    """
    product = ops.matmul(inputs, parameters.first_factor) * ops.matmul(state.hidden, parameters.second_factor)
    z = ops.matmul(inputs, parameters.kernel) + ops.matmul(product, parameters.recurrent_kernel) + parameters.bias
    return lstm.gated_step(ops, parameters, z, state)
