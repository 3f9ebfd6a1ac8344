"""Plain LSTMs in TensorFlow's own op over many steps, ``BlockLSTM``, with a gradient of our own.

The op's first version adds no forget bias and clips nothing only when it is told so; its gate columns stand in the
order i, c, f, o. Its registered gradient is right (that of ``BlockLSTMV2`` is not, TensorFlow 2.21), but it leaves out
the clip, and it multiplies for the weights step by step. Here the loop backwards computes only what waits for the
step after it; the products for weights and inputs are made once, over all steps.

With ``g`` being what comes from above, for each step from the last one on, R the recurrent kernel and p the peepholes::

    g_hidden  = g.hidden + z_next @ R.T
    z_output  = g_hidden * tanh(cell) * output_gate * (1 - output_gate)
    g_cell    = g.cell + g_cell_next + g_hidden * output_gate * (1 - tanh(cell)**2) + z_output * p_output
    g_cell    = 0 where the cell state was clipped
    z_input   = g_cell * candidate * input_gate * (1 - input_gate)
    z_forget  = g_cell * cell_before * forget_gate * (1 - forget_gate)
    z_candidate = g_cell * input_gate * (1 - candidate**2)
    g_cell_next = g_cell * forget_gate + z_input * p_input + z_forget * p_forget

On a CPU the rows of a batch are computed in as many groups as there are cores, side by side, longest rows first, each
group only as far as its longest row. Not verified on a GPU, where there is one group.
"""

import os
from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

from ..cells.lstm import LSTMParameters, LSTMState
from .steps import Order, permuted

__all__ = ["fused", "is_fused"]

MOST_GROUPS = 8


def is_fused(cell: str, parameters: Any, dtype: Any) -> bool:
    """Tell whether the op computes a cell: an LSTM of tanh and sigmoid in float32, peepholes and clip included."""
    if cell != "lstm" or dtype != "float32" or parameters.projection is not None:
        return False
    functions = (parameters.activation, parameters.output_activation, parameters.recurrent_activation)
    return parameters.preactivation_clip is None and not parameters.coupled and functions == ("tanh", "tanh", "sigmoid")


def fused(tf: Any, parameters: LSTMParameters, inputs: Any, lengths: Any, start: LSTMState) -> LSTMState:
    """Run the op over all steps.

    Parameters
    ----------
    tf : module
    parameters : LSTMParameters
        Of tensors; such that ``is_fused``.
    inputs : float32 [B, T, I]
        Finite past the lengths too.
    lengths : int32 [B] or None
        Steps to run of each row, None for all; states past them are arbitrary, but finite.
    start : LSTMState
        float32 [B, H].

    Returns
    -------
    LSTMState
        float32 [B, T, H].
    """
    rows, steps = tf.unstack(tf.shape(inputs)[:2])
    order = None if lengths is None else _longest_first(tf, lengths)
    inputs, *first = (values if order is None else permuted(tf, values, order, axis=0) for values in (inputs, *start))
    ordered = None if order is None else tf.gather(lengths, order.there)
    inputs, *first = (_even(tf, values, rows) for values in (inputs, *first))
    weights, made = _weights(tf, parameters), []
    for part in _groups(tf, rows + rows % 2):
        last = steps if ordered is None else tf.minimum(steps, tf.maximum(1, tf.reduce_max(ordered[part])))
        states = _run(tf, weights, parameters.cell_clip, inputs[part, :last], *(values[part] for values in first))
        # Time-major, short.
        made.append([tf.pad(tf.transpose(values, [1, 0, 2]), [[0, 0], [0, steps - last], [0, 0]]) for values in states])
    joined = (tf.concat(values, axis=0)[:rows] for values in zip(*made, strict=True))
    back = None if order is None else Order(order.back, order.there)
    return LSTMState(*(values if back is None else permuted(tf, values, back, axis=0) for values in joined))


def _even(tf: Any, values: Any, rows: Any) -> Any:
    """Make the rows an even number: of odd ones the op makes copies, and complains of it in the log."""
    if values.shape[0] is not None and values.shape[0] % 2 == 0:
        return values
    return tf.pad(values, [[0, rows % 2]] + [[0, 0]] * (len(values.shape) - 1))


class _Weights(NamedTuple):
    """What the op reads: columns in its order, inputs' rows before the hidden state's."""

    w: Any
    b: Any
    wci: Any
    wcf: Any
    wco: Any
    use_peephole: bool


def _weights(tf: Any, parameters: LSTMParameters) -> _Weights:
    def reordered(values: Any) -> Any:
        input_gate, forget_gate, candidate, output_gate = tf.split(values, 4, axis=-1)
        return tf.concat([input_gate, candidate, forget_gate, output_gate], axis=-1)

    w = reordered(tf.concat([parameters.kernel, parameters.recurrent_kernel], axis=0))
    peepholes = (parameters.peephole_input, parameters.peephole_forget, parameters.peephole_output)
    if parameters.peephole_input is None:
        peepholes = (tf.zeros([parameters.recurrent_kernel.shape[0]]),) * 3
    return _Weights(w, reordered(parameters.bias), *peepholes, parameters.peephole_input is not None)


def _longest_first(tf: Any, lengths: Any) -> Order:
    there = tf.argsort(-lengths, stable=True)
    return Order(there, tf.argsort(there))


def _groups(tf: Any, rows: Any) -> list[slice]:
    count = 1 if tf.config.list_physical_devices("GPU") else min(MOST_GROUPS, len(os.sched_getaffinity(0)))
    ends = [rows * number // count // 2 * 2 for number in range(count + 1)]
    return [slice(start, stop) for start, stop in pairwise(ends)]


def _run(tf: Any, weights: _Weights, clip: float | None, inputs: Any, hidden: Any, cell: Any) -> tuple[Any, Any]:
    """Map inputs [R, S, I] and states [R, H] to the hidden and cell states of every step, each [S, R, H]."""

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def run(inputs: Any, w: Any, b: Any, wci: Any, wcf: Any, wco: Any, hidden: Any, cell: Any) -> Any:
        given = _Weights(w, b, wci, wcf, wco, weights.use_peephole)
        made = tf.raw_ops.BlockLSTM(
            seq_len_max=tf.shape(inputs, tf.int64)[0], x=inputs, cs_prev=cell, h_prev=hidden, forget_bias=0.0,
            cell_clip=-1.0 if clip is None else clip, **given._asdict(),
        )  # fmt: skip

        def gradient(g_hidden: Any, g_cell: Any) -> tuple[Any, ...]:
            return _gradient(tf, given, clip, made, (inputs, hidden, cell), (g_hidden, g_cell))

        return (made.h, made.cs), gradient

    return run(tf.transpose(inputs, [1, 0, 2]), *weights[:-1], hidden, cell)  # type: ignore[no-any-return]


def _gradient(
    tf: Any, weights: _Weights, clip: float | None, made: Any, given: tuple[Any, ...], upstream: tuple[Any, ...]
) -> tuple[Any, ...]:
    """Give the gradients of everything that ``run`` takes."""
    inputs, hidden, cell = given
    features = inputs.shape[-1]
    before = [tf.concat([first[tf.newaxis], values[:-1]], axis=0)
              for first, values in ((hidden, made.h), (cell, made.cs))]  # fmt: skip
    z, g_hidden, g_cell = _loop_back(tf, weights, _factors(tf, made, before[1], clip), upstream, features)
    read = tf.concat([inputs, before[0]], axis=2)
    flat_z = tf.reshape(z, [-1, z.shape[-1]])
    g_w = tf.matmul(tf.reshape(read, [-1, read.shape[-1]]), flat_z, transpose_a=True)
    g_inputs = tf.reshape(tf.matmul(flat_z, weights.w[:features], transpose_b=True), tf.shape(inputs))
    z_input, _, z_forget, z_output = tf.split(z, 4, axis=2)
    read_by = ((z_input, before[1]), (z_forget, before[1]), (z_output, made.cs))
    peepholes = [tf.reduce_sum(left * right, axis=[0, 1]) if weights.use_peephole else tf.zeros_like(weights.wci)
                 for left, right in read_by]  # fmt: skip
    return g_inputs, g_w, tf.reduce_sum(flat_z, axis=0), *peepholes, g_hidden, g_cell


class _Factors(NamedTuple):
    """What the loop multiplies with, made for all steps at once: [S, R, H]; see the module's equations."""

    output: Any
    cell: Any
    input: Any
    candidate: Any
    forget: Any
    keep: Any
    unclipped: Any


def _factors(tf: Any, made: Any, cell_before: Any, clip: float | None) -> _Factors:
    i, f, o, candidate, squashed = made.i, made.f, made.o, made.ci, made.co
    return _Factors(
        output=squashed * o * (1 - o),
        cell=o * (1 - squashed * squashed),
        input=candidate * i * (1 - i),
        candidate=i * (1 - candidate * candidate),
        forget=cell_before * f * (1 - f),
        keep=f,
        unclipped=None if clip is None else tf.cast(tf.abs(made.cs) < clip, tf.float32),
    )


def _loop_back(
    tf: Any, weights: _Weights, factors: _Factors, upstream: tuple[Any, ...], features: int
) -> tuple[Any, Any, Any]:
    """Go from the last step to the first; gives z [S, R, 4H] in the op's order, and the gradients of the start."""
    steps, recurrent = tf.shape(upstream[0])[0], weights.w[features:]
    step_back = _step_back(weights, factors, upstream)

    def body(step: Any, g_hidden: Any, g_cell: Any, kept: Any) -> Any:
        parts, g_cell = step_back(step, g_hidden, g_cell)
        z = tf.concat(parts, axis=1)
        return step - 1, tf.matmul(z, recurrent, transpose_b=True), g_cell, kept.write(step, z)

    none = tf.zeros_like(upstream[0][0])
    kept = tf.TensorArray(tf.float32, steps, element_shape=[None, recurrent.shape[1]])
    _, g_hidden, g_cell, kept = tf.while_loop(
        lambda step, *_: step >= 0, body, (steps - 1, none, none, kept), maximum_iterations=steps
    )
    return kept.stack(), g_hidden, g_cell


def _step_back(
    weights: _Weights, factors: _Factors, upstream: tuple[Any, ...]
) -> Callable[[Any, Any, Any], tuple[list[Any], Any]]:
    def step_back(step: Any, g_hidden: Any, g_cell: Any) -> tuple[list[Any], Any]:
        g_hidden = g_hidden + upstream[0][step]
        z_output = g_hidden * factors.output[step]
        g_cell = g_cell + upstream[1][step] + g_hidden * factors.cell[step]
        if weights.use_peephole:
            g_cell = g_cell + z_output * weights.wco
        if factors.unclipped is not None:
            g_cell = g_cell * factors.unclipped[step]
        z_input, z_forget = g_cell * factors.input[step], g_cell * factors.forget[step]
        before = g_cell * factors.keep[step]
        if weights.use_peephole:
            before = before + z_input * weights.wci + z_forget * weights.wcf
        return [z_input, g_cell * factors.candidate[step], z_forget, z_output], before

    return step_back
