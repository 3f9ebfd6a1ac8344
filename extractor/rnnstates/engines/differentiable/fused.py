"""Plain LSTMs with a hand-written gradient, faster than TensorFlow's gradient of a loop.

Layers with few units run in TensorFlow's op over many steps, ``BlockLSTM``; with many units the products dominate, and
a loop of TensorFlow's ordinary products is faster. The op's first version, used here, adds a forget bias and clips
unless both are switched off; its gate columns are in the order i, c, f, o. Its registered gradient is right (that of
``BlockLSTMV2`` is not, TensorFlow 2.21), but multiplies for the weights step by step. Here the backward loop computes
only what depends on the following step: the gates, by TensorFlow's op for one backward step, and one product. The
products for weights and inputs are computed once, over all steps.

With ``z`` the preactivations and R the recurrent kernel::

    for step in reversed(range(S)):
        g_z[step], g_cell = gates_back(states[step], g.hidden[step] + g_hidden, g.cell[step] + g_cell)
        g_hidden = g_z[step] @ R.T
    g_kernel = inputs.T @ g_z, g_recurrent = hidden_before.T @ g_z, g_inputs = g_z @ kernel.T

The backward op has no clip, so a clipped LSTM is left to the loop over its equations.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from ...arrays.axes import Tensor
from ...network.cells.lstm import LSTMParameters, LSTMState
from ...runtime.tensorflow_start import TensorFlow
from .looped import stacked

__all__ = ["Fused", "is_fused", "is_one_op"]

# Measured (``benchmarks/layers.py``): from about this many units a loop of ordinary products is faster than the op.
MOST_UNITS_OF_THE_OP = 96


def is_fused(cell: str, parameters: Any, dtype: Any) -> bool:
    """Return whether the ops compute a cell: an LSTM of tanh and sigmoid in float32, with or without peepholes."""
    if cell != "lstm" or dtype != "float32" or parameters.projection is not None:
        return False
    functions = (parameters.activation, parameters.output_activation, parameters.recurrent_activation)
    clips = (parameters.cell_clip, parameters.preactivation_clip)
    return clips == (None, None) and not parameters.coupled and functions == ("tanh", "tanh", "sigmoid")


def is_one_op(parameters: LSTMParameters) -> bool:
    """Return whether the op over many steps is the faster forward pass."""
    return int(parameters.recurrent_kernel.shape[0]) <= MOST_UNITS_OF_THE_OP


# What the backward op reads in addition to the states: gates, candidate and the squashed cell state.
GATES = ("i", "f", "o", "ci", "co")


class _Forward(NamedTuple):
    """Result of the forward pass: the states [S, R, H], and ``gates(at)``: i, f, o, ci and co by name, [R, H]."""

    hidden: Tensor
    cell: Tensor
    gates: Callable[["_At"], dict[str, Any]]


class _At:
    """Reads a step of tensors [S, ...] as ``values[step]`` does, but computes its bounds only once for all of them."""

    def __init__(self, tf: TensorFlow, step: Tensor) -> None:
        self.step, self._read, begin = step, tf.raw_ops.StridedSlice, step[tf.newaxis]
        self._bounds = {"begin": begin, "end": begin + 1, "strides": tf.ones([1], tf.int32), "shrink_axis_mask": 1}

    def __call__(self, values: Tensor) -> Tensor:
        return self._read(input=values, **self._bounds)


class _Weights(NamedTuple):
    """The weights as the ops read them: columns in their order, rows of the inputs before those of the hidden state."""

    w: Tensor
    b: Tensor
    wci: Tensor
    wcf: Tensor
    wco: Tensor


class Fused:
    """An LSTM whose weights are in the order of the ops.

    Parameters
    ----------
    tf : module
    parameters : LSTMParameters
        Holds tensors, and fulfils ``is_fused``.
    """

    def __init__(self, tf: TensorFlow, parameters: LSTMParameters) -> None:
        self._tf, self._features = tf, parameters.kernel.shape[0]
        self._peepholes = parameters.peephole_input is not None
        none = tf.zeros([parameters.recurrent_kernel.shape[0]])
        peepholes = (parameters.peephole_input, parameters.peephole_forget, parameters.peephole_output)
        w = tf.concat([parameters.kernel, parameters.recurrent_kernel], axis=0)
        self._weights = _Weights(
            self._reordered(w), self._reordered(parameters.bias), *(peepholes if self._peepholes else (none,) * 3)
        )

        self._forward = self._one_op if is_one_op(parameters) else self._loop

    def __call__(self, inputs: Tensor, start: LSTMState) -> LSTMState:
        """Run all steps: float32 [S, R, I] and [R, H] to [S, R, H]."""

        @self._tf.custom_gradient  # type: ignore[untyped-decorator]
        def run(inputs: Tensor, hidden: Tensor, cell: Tensor, *weights: Any) -> Any:
            given = _Weights(*weights)
            made = self._forward(given, inputs, hidden, cell)

            @self._tf.custom_gradient  # type: ignore[untyped-decorator]
            def back(g_hidden: Tensor, g_cell: Tensor, *_given: Any) -> Any:
                return self._gradient(given, made, (inputs, hidden, cell), (g_hidden, g_cell)), _refuse

            # Everything that a second gradient could pass through is an argument, so that it is refused.
            return (made.hidden, made.cell), lambda *upstream: back(
                *upstream, inputs, hidden, cell, made.hidden, made.cell, *weights
            )

        return LSTMState(*run(inputs, *start, *self._weights))

    def _one_op(self, weights: _Weights, inputs: Tensor, hidden: Tensor, cell: Tensor) -> _Forward:
        made = self._tf.raw_ops.BlockLSTM(
            seq_len_max=self._tf.shape(inputs, self._tf.int64)[0], x=inputs, cs_prev=cell, h_prev=hidden,
            forget_bias=0.0, cell_clip=-1.0, use_peephole=self._peepholes, **weights._asdict(),
        )  # fmt: skip
        return _Forward(made.h, made.cs, lambda at: {name: at(getattr(made, name)) for name in GATES})

    def _loop(self, weights: _Weights, inputs: Tensor, hidden: Tensor, cell: Tensor) -> _Forward:
        tf, steps = self._tf, self._tf.shape(inputs)[0]
        names = ("h", "cs", *GATES)
        kept = tuple(tf.TensorArray(tf.float32, steps, clear_after_read=False, element_shape=[None, hidden.shape[-1]])
                     for _ in names)  # fmt: skip

        def body(step: Tensor, hidden: Tensor, cell: Tensor, kept: Tensor) -> Any:
            z = tf.nn.bias_add(tf.matmul(tf.concat([inputs[step], hidden], axis=1), weights.w), weights.b)
            hidden, cell, *gates = self._step(weights, z, cell)
            written = zip(kept, (hidden, cell, *gates), strict=True)
            return step + 1, hidden, cell, tuple(array.write(step, values) for array, values in written)

        *_, kept = tf.while_loop(
            lambda step, *_: step < steps, body, (tf.constant(0), hidden, cell, kept), maximum_iterations=steps
        )
        arrays = dict(zip(names, kept, strict=True))
        # The gates are read one step at a time, never stacked.
        return _Forward(
            stacked(tf, arrays["h"], hidden),
            stacked(tf, arrays["cs"], cell),
            lambda at: {name: arrays[name].read(at.step) for name in GATES},
        )

    def _step(self, weights: _Weights, z: Tensor, cell: Tensor) -> tuple[Any, ...]:
        """Finish a step; return the states, and the gates in the order of ``GATES``."""
        tf = self._tf
        z_input, z_candidate, z_forget, z_output = tf.split(z, 4, axis=1)
        if self._peepholes:
            z_input, z_forget = z_input + weights.wci * cell, z_forget + weights.wcf * cell
        input_gate, forget_gate, candidate = tf.sigmoid(z_input), tf.sigmoid(z_forget), tf.tanh(z_candidate)
        cell = forget_gate * cell + input_gate * candidate
        output_gate = tf.sigmoid(z_output + weights.wco * cell if self._peepholes else z_output)
        squashed = tf.tanh(cell)
        return output_gate * squashed, cell, input_gate, forget_gate, output_gate, candidate, squashed

    def _reordered(self, values: Tensor) -> Tensor:
        input_gate, forget_gate, candidate, output_gate = self._tf.split(values, 4, axis=-1)
        return self._tf.concat([input_gate, candidate, forget_gate, output_gate], axis=-1)

    def _gradient(self, weights: _Weights, made: Tensor, given: tuple[Tensor, ...], upstream: tuple[Any, ...]) -> Any:
        """Return the gradients of all arguments of ``run``."""
        tf, (inputs, hidden, cell) = self._tf, given
        before = tf.concat([cell[tf.newaxis], made.cell[:-1]], axis=0)
        g_z, g_hidden, g_cell = self._loop_back(weights, made, before, inputs, upstream)
        g_inputs = tf.matmul(_flat(tf, g_z), weights.w[: self._features], transpose_b=True)
        g_recurrent = self._product(made.hidden[:-1], g_z[1:]) + self._product(hidden, g_z[0])
        g_w = tf.concat([self._product(inputs, g_z), g_recurrent], axis=0)
        return (
            tf.reshape(g_inputs, tf.shape(inputs)), g_hidden, g_cell, g_w, tf.reduce_sum(g_z, axis=[0, 1]),
            *self._peephole_gradients(weights, g_z, before, made.cell),
        )  # fmt: skip

    def _product(self, left: Tensor, right: Tensor) -> Tensor:
        """Multiply over all steps and rows: [S, R, K] and [S, R, M] to [K, M]."""
        return self._tf.matmul(_flat(self._tf, left), _flat(self._tf, right), transpose_a=True)

    def _peephole_gradients(self, weights: _Weights, g_z: Any, before: Tensor, cell: Tensor) -> list[Any]:
        tf = self._tf
        if not self._peepholes:
            return [tf.zeros_like(weights.wci)] * 3
        z_input, _, z_forget, z_output = tf.split(g_z, 4, axis=2)
        read_by = ((z_input, before), (z_forget, before), (z_output, cell))
        return [tf.reduce_sum(left * right, axis=[0, 1]) for left, right in read_by]

    def _loop_back(
        self, weights: _Weights, made: Tensor, before: Tensor, inputs: Tensor, upstream: tuple[Any, ...]
    ) -> tuple[Any, Any, Any]:
        """Go from the last step to the first; return [S, R, 4H] in the ops' order, and the gradients of the start."""
        tf, steps, recurrent = self._tf, self._tf.shape(inputs)[0], weights.w[self._features :]
        # Only its shape is read.
        first = inputs[0]

        def body(step: Tensor, g_hidden: Tensor, g_cell: Tensor, kept: Tensor) -> Any:
            at = _At(tf, step)
            back = tf.raw_ops.LSTMBlockCellGrad(
                x=first, cs_prev=at(before), h_prev=at(made.hidden), cs=at(made.cell), **made.gates(at),
                cs_grad=g_cell + at(upstream[1]), h_grad=g_hidden + at(upstream[0]),
                use_peephole=self._peepholes, **weights._asdict(),
            )  # fmt: skip
            g_hidden = tf.matmul(back.dicfo, recurrent, transpose_b=True)
            return step - 1, g_hidden, back.cs_prev_grad, kept.write(step, back.dicfo)

        none = tf.zeros_like(upstream[0][0])
        kept = tf.TensorArray(tf.float32, steps, element_shape=[None, recurrent.shape[1]])
        _, g_hidden, g_cell, kept = tf.while_loop(
            lambda step, *_: step >= 0, body, (steps - 1, none, none, kept), maximum_iterations=steps
        )
        return stacked(tf, kept, weights.b[tf.newaxis] * none[:, :1]), g_hidden, g_cell


def _refuse(*_upstream: Any) -> Any:
    raise LookupError(
        "rnnstates: this LSTM has no second derivatives; make the layer with fused=False for gradients of gradients."
    )


def _flat(tf: TensorFlow, values: Tensor) -> Tensor:
    return tf.reshape(values, [-1, values.shape[-1]])
