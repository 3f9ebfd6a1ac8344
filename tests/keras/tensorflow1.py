"""TensorFlow 1's own LSTMCell with all that it can do, under its own ``dynamic_rnn``."""

import warnings

import numpy as np

from ..network.oracles import to_tensorflow1
from ..weights.tensorflow1_models import session


def every_state(weights, inputs, lengths, *, forget_bias, cell_clip, projection_clip):
    """Run the cell and collect every state, as the original answer does.

    Parameters
    ----------
    weights : dict
        Our arrays by name, perhaps with ``peepholes`` and ``projection``.
    inputs : float32 [B, T, I]
    lengths : int [B]

    Returns
    -------
    hidden [B, T, W], cell [B, T, H]
    """
    import tensorflow as tf
    from tensorflow.python.keras.layers.legacy_rnn import rnn_cell_impl

    units = weights["kernel"].shape[1] // 4
    projection, peepholes = weights.get("projection"), weights.get("peepholes")

    class StateCell(rnn_cell_impl.LSTMCell):
        @property
        def output_size(self):
            return sum(self.state_size)

        def call(self, inputs, state):
            _, state = super().call(inputs, state)
            return tf.concat([state.c, state.h], axis=1), state

    kernel, bias = to_tensorflow1(weights["kernel"], weights["recurrent_kernel"], weights["bias"])
    values = {"projection/kernel": projection, "kernel": kernel, "bias": bias}
    if peepholes is not None:
        values |= dict(zip(("w_i_diag", "w_f_diag", "w_o_diag"), peepholes, strict=True))
    with tf.Graph().as_default(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own deprecation is the reason this project exists
        cell = StateCell(
            units, use_peepholes=peepholes is not None, forget_bias=forget_bias, cell_clip=cell_clip,
            num_proj=None if projection is None else projection.shape[1], proj_clip=projection_clip, dtype=inputs.dtype,
        )  # fmt: skip
        made, _ = tf.compat.v1.nn.dynamic_rnn(cell, inputs, sequence_length=lengths, dtype=inputs.dtype)
        with session() as running:
            for variable in tf.compat.v1.global_variables():
                name = variable.op.name
                variable.load(next(values[end] for end in values if name.endswith(end)), running)
            states = running.run(made)
    return np.split(states, [units], axis=2)[::-1]
