"""A plain LSTM with products in bfloat16 and a cell, compiled by XLA, in float32.

XLA fuses the element-wise part of a step, but its products are slow on a CPU, so that the cell is compiled and the
loop is not. It compiles once for each number of rows (about 0.1 s), of which there are few.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...arrays.axes import Array
from ...network.cells.lstm import LSTMGates, LSTMParameters, LSTMState, gated_step, prepare
from ...network.model import LayerWeights
from .ops import TensorFlowOps

__all__ = ["MixedBlock"]

# The fewest rows that are computed.
FEWEST = 16


class MixedBlock:
    """Computes a block of steps in one loop; both factors of a product, and the product, are rounded to bfloat16.

    Parameters
    ----------
    tf : module
    weights : LayerWeights
        One that ``lstm.is_plain`` takes.
    gates : sequence of str
        Which to give beside the states.
    """

    executor = "mixed"

    def __init__(self, tf: Any, weights: LayerWeights, gates: Sequence[str]) -> None:
        self._tf, self._gates = tf, tuple(gates)
        self._names = (*LSTMState._fields, *gates)
        self.made = len(self._names)
        self._parameters, units = _constants(tf, weights), weights.units
        kernels = np.concatenate([weights.kernel, weights.recurrent_kernel]).astype(np.float32)
        self._kernels = tf.cast(tf.constant(kernels), tf.bfloat16)
        state = tf.TensorSpec([None, units], tf.float32)
        self._cell = tf.function(
            self._compiled,
            input_signature=(tf.TensorSpec([None, 4 * units], tf.bfloat16), state),
            jit_compile=True,
            autograph=False,
        ).get_concrete_function()
        inputs = tf.TensorSpec([None, None, weights.features], tf.float32)
        signature = (inputs, state, state)
        # Concrete: TensorFlow would warn of functions that are made often and called rarely.
        self._loop = tf.function(self._steps, input_signature=signature, autograph=False).get_concrete_function()

    def rows(self, live: int) -> int:
        """Round up to a power of two or one and a half of it, so that XLA meets few shapes.

        They depend on the number of live rows only: were they those of the tiles met so far, the order in which
        threads take the tiles could change a result.
        """
        power = max(FEWEST, 1 << (live - 1).bit_length())
        return power * 3 // 4 if power > FEWEST and live <= power * 3 // 4 else power

    def __call__(self, inputs: Array, state: Mapping[str, Array]) -> Mapping[str, Array]:
        """Map inputs float32 [S, R, I] and states [R, H] by name to states and gates float32 [S, R, H] by name."""
        made = self._loop(*map(self._tf.constant, (inputs, state["hidden"], state["cell"])))
        return {name: np.asarray(values) for name, values in zip(self._names, made, strict=True)}

    def _compiled(self, z: Any, cell: Any) -> tuple[Any, LSTMState, LSTMGates]:
        """Finish a step from products bfloat16 [R, 4H]; gives the next one's factor bfloat16 [R, H] too."""
        tf = self._tf
        whole = tf.cast(z, tf.float32) + self._parameters.bias
        state, gates = gated_step(TensorFlowOps(tf), self._parameters, whole, LSTMState(None, cell))
        return tf.cast(state.hidden, tf.bfloat16), state, gates

    def _steps(self, inputs: Any, hidden: Any, cell: Any) -> list[Any]:
        tf = self._tf
        inputs, steps = tf.cast(inputs, tf.bfloat16), tf.shape(inputs)[0]
        shape = tf.TensorShape([None, cell.shape[1]])
        arrays = tuple(tf.TensorArray(tf.float32, steps, element_shape=shape) for _ in self._names)

        def body(step: Any, factor: Any, cell: Any, arrays: Any) -> Any:
            z = tf.matmul(tf.concat([inputs[step], factor], axis=1), self._kernels)
            factor, state, gates = self._cell(z, cell)
            kept = (*state, *(getattr(gates, name) for name in self._gates))
            written = (array.write(step, values) for array, values in zip(arrays, kept, strict=True))
            return step + 1, factor, state.cell, tuple(written)

        *_, arrays = tf.while_loop(
            lambda step, *_: step < steps,
            body,
            (tf.constant(0), tf.cast(hidden, tf.bfloat16), cell, arrays),
            parallel_iterations=1,
        )
        return [array.stack() for array in arrays]


def _constants(tf: Any, weights: LayerWeights) -> LSTMParameters:
    """Give what the cell reads as tensors; not the kernels, which the products have."""
    prepared = prepare(weights, np.dtype(np.float32))._replace(kernel=None, recurrent_kernel=None)
    arrays = {name: tf.constant(v) for name, v in prepared._asdict().items() if isinstance(v, np.ndarray)}
    return prepared._replace(**arrays)
