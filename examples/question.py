"""The question that began it, in today's TensorFlow.

It was asked of TensorFlow 1::

    X = np.random.randn(2, 10, 8)
    X[1, 6:] = 0
    X_lengths = [10, 6]
    cell = tf.nn.rnn_cell.LSTMCell(num_units=64, state_is_tuple=True)
    outputs, last_states = tf.nn.dynamic_rnn(cell=cell, dtype=tf.float64, sequence_length=X_lengths, inputs=X)

``last_states`` holds the cell state after the last step only. How to get all the intermediate ones, hidden and cell,
average them over the real lengths, and use the average in a layer behind?
"""

import keras
import numpy as np

from rnnstates.keras import LengthAwareMean, StateLSTM


def main() -> None:
    """Get all states, average them, use the average."""
    inputs = np.random.randn(2, 10, 8)
    inputs[1, 6:] = 0

    states = StateLSTM(64)(inputs, lengths=[10, 6])
    mean = LengthAwareMean(state="state")(states)  # Of [cell, hidden]; state="cell" takes the cell states alone.
    outputs = keras.layers.Dense(3)(mean)

    print("hidden states of every step:", states.hidden.shape)
    print("cell states of every step:  ", states.cell.shape)
    print("cell and hidden in one:     ", states.concatenated.shape)
    print("mean over the real lengths: ", mean.shape)
    print("behind a Dense(3):          ", outputs.shape)
    print("cell states of sequence 1 are zero from step 6 on:", not np.any(states.cell[1, 6:]))
    real_steps = np.mean(states.concatenated[1, :6], axis=0)
    print("its mean is the one over its 6 real steps:", np.allclose(mean[1], real_steps, atol=1e-6))


if __name__ == "__main__":
    main()
