"""Both states with Keras: ``python keras_cell.py INPUTS LENGTHS WEIGHTS.npz OUTPUT [XLA]``.

The answer given when the question was first asked: an RNN around a cell that puts out its whole state.
"""

import sys
from typing import Any

import keras
import numpy as np
import states_file
import tensorflow as tf

BATCH = 256


class StateCell(keras.layers.LSTMCell):
    """An LSTM cell whose output is [c, h]."""

    def __init__(self, units: int) -> None:
        super().__init__(units)
        self.output_size = 2 * units

    def call(self, inputs: Any, states: Any, training: bool = False) -> Any:
        """Step once."""
        _, (h, c) = super().call(inputs, states, training=training)
        return keras.ops.concatenate([c, h], axis=-1), [h, c]


def main() -> None:
    inputs, lengths, weights, output = states_file.read()
    stored = np.load(weights)
    units = len(stored["recurrent_kernel"])
    layer = keras.layers.RNN(StateCell(units), return_sequences=True)
    layer.build((None, None, inputs.shape[2]))
    layer.set_weights([stored["kernel"], stored["recurrent_kernel"], stored["bias"]])
    run = tf.function(layer, reduce_retracing=True, jit_compile="XLA" in sys.argv)
    hidden, cells = (np.zeros((*inputs.shape[:2], units), np.float32) for _ in range(2))
    for rows in states_file.batches(lengths, BATCH):
        states = run(tf.convert_to_tensor(inputs[rows, : lengths[rows].max()])).numpy()
        states_file.place(cells, rows, lengths, states[..., :units])
        states_file.place(hidden, rows, lengths, states[..., units:])
    states_file.write(output, {"hidden": hidden, "cell": cells}, lengths)


if __name__ == "__main__":
    main()
