"""Keras: its LSTM, and the original answer, an RNN around a cell that puts out [c, h]; with XLA and without.

No mask is given: it would only add work, for the states of valid steps do not depend on what follows them.
Lengths are rounded up to a multiple of 16, so that few shapes are traced or compiled, all before the clock starts.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from cases import Data

from .base import Part, Peer, Run
from .batching import Rows, batchings, runner, take


def prepare(data: Data, make: Callable[[int], Any], split: Callable[[Rows, Any], Part]) -> dict[str, Run]:
    import tensorflow as tf

    layer = make(data.units)
    layer.build((None, None, data.inputs.shape[2]))
    layer.set_weights([data.kernel, data.recurrent_kernel, data.bias])
    runs = {}
    for name, compiled in (("graph", False), ("XLA", True)):
        function = tf.function(layer, jit_compile=compiled, reduce_retracing=False)
        for batching in batchings(len(data.lengths)):
            runs[f"{name}, {batching.name}"] = runner(data, batching, partial(_one, data, function, split))
    return runs


def _one(data: Data, function: Any, split: Callable[[Rows, Any], Part], rows: Rows) -> Part:
    import tensorflow as tf

    return split(rows, function(tf.convert_to_tensor(take(data, rows, 16))).numpy())


def _lstm(units: int) -> Any:
    import keras

    return keras.layers.LSTM(units, return_sequences=True)


def _state_rnn(units: int) -> Any:
    import keras

    class StateCell(keras.layers.LSTMCell):
        """An LSTM cell whose output is [c, h]."""

        def __init__(self, units: int) -> None:
            super().__init__(units)
            self.output_size = 2 * units

        def call(self, inputs: Any, states: Any, training: bool = False) -> Any:
            _, (h, c) = super().call(inputs, states, training=training)
            return keras.ops.concatenate([c, h], axis=-1), [h, c]

    return keras.layers.RNN(StateCell(units), return_sequences=True)


def _hidden(rows: Rows, output: Any) -> Part:
    return Part(rows, output)


def _both(rows: Rows, output: Any) -> Part:
    units = output.shape[-1] // 2
    return Part(rows, output[..., units:], output[..., :units])


DISTRIBUTIONS = ("keras", "tensorflow")
ENVIRONMENT = {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}
LSTM = Peer("h", DISTRIBUTIONS, partial(prepare, make=_lstm, split=_hidden), environment=ENVIRONMENT)
STATE_CELL = Peer("c+h", DISTRIBUTIONS, partial(prepare, make=_state_rnn, split=_both), environment=ENVIRONMENT)
