"""Runs any cell in one loop of ordinary TensorFlow ops: TensorFlow derives the gradient, and XLA can compile it.

The product with the inputs does not depend on the states, so it is computed for all steps at once, before the loop.
"""

from collections.abc import Callable
from typing import Any

from ...arrays.axes import Tensor
from ...network.cells import gru, lstm, simple_rnn
from ...runtime.tensorflow_start import TensorFlow
from ..tensorflow.ops import TensorFlowOps, narrow_matmul

__all__ = ["looped", "stacked"]

# ``recur(ops, parameters, projected, state)``, by cell.
RECUR: dict[str, Callable[..., tuple[Any, Any]]] = {
    "lstm": lstm.recur,
    "gru": gru.recur,
    "simple_rnn": simple_rnn.recur,
}
# Parameters that are factors of products; all others stay as precise as the states.
FACTORS = ("kernel", "recurrent_kernel", "recurrent_gates", "recurrent_candidate", "projection")


def looped(
    tf: TensorFlow, cell: str, parameters: Any, inputs: Tensor, start: Any, *, factors: Any, live: Tensor | None = None
) -> Any:
    """Run a cell over all steps.

    Parameters
    ----------
    tf : module
    cell : str
        ``lstm``, ``gru`` or ``simple_rnn``.
    parameters : NamedTuple
        The parameters of the cell's ``recur``, as tensors of the states' dtype.
    inputs : floating [S, R, I]
        Time first.
    start : NamedTuple
        The states before the first step, floating [R, W]; float32 where ``factors`` are narrower.
    factors : DType
        Dtype of the factors of products, e.g. ``bfloat16`` or ``float16``; that of the states for exact products.
    live : bool [S, R, 1] or None
        Where a sequence has a step; past its last step the states are kept, lest they grow without bound.

    Returns
    -------
    NamedTuple
        The states, floating [S, R, W] of the dtype of ``start``.
    """
    dtype = start[0].dtype
    ops = TensorFlowOps(tf, None if factors == dtype else narrow_matmul(tf, factors))
    parameters = _rounded(tf, parameters, factors)
    steps, rows, _ = tf.unstack(tf.shape(inputs))
    projected = _projected(tf, ops, parameters, inputs, dtype, (steps, rows))
    waiting = tf.TensorArray(dtype, steps).unstack(projected)
    arrays = tuple(tf.TensorArray(dtype, steps, element_shape=state.shape) for state in start)

    def body(step: Tensor, state: Any, arrays: Any) -> Any:
        after, _ = RECUR[cell](ops, parameters, waiting.read(step), state)
        if live is not None:
            has_step = tf.gather(live, step)
            after = type(state)(*(tf.where(has_step, *pair) for pair in zip(after, state, strict=True)))
        state = after
        return step + 1, state, tuple(array.write(step, values) for array, values in zip(arrays, state, strict=True))

    *_, arrays = tf.while_loop(
        lambda step, *_: step < steps, body, (tf.constant(0), start, arrays), maximum_iterations=steps
    )
    return type(start)(*(stacked(tf, array, state) for array, state in zip(arrays, start, strict=True)))


def stacked(tf: TensorFlow, array: Tensor, first: Tensor) -> Tensor:
    """Stack what a loop collected, possibly nothing, each of the shape of ``first`` [R, W]: [S, R, W]."""
    made = tf.raw_ops.TensorListStack(
        input_handle=array.flow, element_shape=tf.shape(first), element_dtype=first.dtype, num_elements=-1
    )
    made.set_shape([None, *first.shape])
    return made


def _projected(
    tf: TensorFlow, ops: TensorFlowOps, parameters: Any, inputs: Tensor, dtype: Any, shape: tuple[Tensor, Tensor]
) -> Tensor:
    """Multiply inputs [S, R, I] by the kernel and add the bias: [S, R, G * H]."""
    features, columns = parameters.kernel.shape
    product = ops.matmul(tf.reshape(inputs, [-1, features]), parameters.kernel)
    return tf.reshape(tf.cast(product, dtype) + parameters.bias, [*shape, columns])


def _rounded(tf: TensorFlow, parameters: Any, factors: Any) -> Any:
    given = ((name, getattr(parameters, name, None)) for name in FACTORS)
    return parameters._replace(**{name: tf.cast(values, factors) for name, values in given if values is not None})
