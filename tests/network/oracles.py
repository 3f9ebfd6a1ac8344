"""What others say the states are: TensorFlow 1's own code, Keras' own layers."""

import warnings

import numpy as np


def dynamic_rnn(inputs, lengths, kernel, bias, *, forget_bias=1.0, backward=False):
    """Run TensorFlow 1's ``LSTMCell`` under ``dynamic_rnn``, collecting every state as the original answer does.

    Parameters
    ----------
    inputs : floating [N, T, I]
    lengths : int [N]
    kernel : floating [I + H, 4H]
        Columns in TensorFlow 1's order: input gate, candidate, forget gate, output gate.
    bias : floating [4H]

    Returns
    -------
    dict
        ``outputs`` [N, T, H], ``final_cell`` and ``final_hidden`` [N, H], ``states`` [N, T, 2H] = [c, h] at each step.
    """
    import tensorflow as tf
    from tensorflow.python.keras.layers.legacy_rnn import rnn_cell_impl

    class StateCell(rnn_cell_impl.LSTMCell):
        """The original answer: a cell whose output is its concatenated state."""

        @property
        def output_size(self):
            return 2 * self._num_units

        def call(self, inputs, state):
            _, state = super().call(inputs, state)
            return tf.concat([state.c, state.h], axis=1), state

    def build(cell_class, scope):
        cell = cell_class(bias.shape[0] // 4, forget_bias=forget_bias, dtype=inputs.dtype)
        with tf.compat.v1.variable_scope(scope):
            return tf.compat.v1.nn.dynamic_rnn(cell, inputs, sequence_length=lengths, dtype=inputs.dtype)

    with tf.Graph().as_default(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own deprecation is the reason this project exists
        outputs, final = build(rnn_cell_impl.LSTMCell, "plain")
        states, _ = build(StateCell, "states")
        with tf.compat.v1.Session() as session:
            for variable in tf.compat.v1.global_variables():
                variable.load(kernel if "kernel" in variable.name else bias, session)
            outputs, final_cell, final_hidden, states = session.run([outputs, final.c, final.h, states])
    return {"outputs": outputs, "final_cell": final_cell, "final_hidden": final_hidden, "states": states}


def to_tensorflow1(kernel, recurrent_kernel, bias):
    """Turn our kernels (i, f, c, o) into TensorFlow 1's one kernel and bias (i, c, f, o)."""

    def reorder(array):
        input_gate, forget_gate, candidate, output_gate = np.split(array, 4, axis=-1)
        return np.concatenate([input_gate, candidate, forget_gate, output_gate], axis=-1)

    return reorder(np.concatenate([kernel, recurrent_kernel])), reorder(bias)
