"""Layers without a loop (``unroll=True``) in a SavedModel: every step of the graph is held against the first one."""

import numpy as np
import pytest

import rnnstates
from rnnstates import BadWeights
from rnnstates.runtime.tensorflow_start import import_tensorflow

from .exports import export
from .keras_models import keras_of, randomise
from .test_exported import hidden

INPUTS = np.random.default_rng(0).normal(size=(2, 4, 3)).astype("f4")
ALL = {"return_sequences": True, "unroll": True}

SETTINGS = {
    "LSTM": lambda layers: [layers.LSTM(5, activation="elu", recurrent_activation="hard_sigmoid", **ALL)],
    "GRU": lambda layers: [layers.GRU(5, activation="linear", **ALL)],
    "reset before": lambda layers: [layers.GRU(5, reset_after=False, use_bias=False, **ALL)],
    "only the last state": lambda layers: [layers.LSTM(5, unroll=True)],
    "gate by gate": lambda layers: [layers.LSTM(5, implementation=1, dropout=0.1, recurrent_dropout=0.2, **ALL)],
    "beside loops": lambda layers: [
        layers.LSTM(5, return_sequences=True),
        layers.SimpleRNN(4, activation="swish", **ALL),
        layers.GRU(3, return_sequences=True),
    ],
    "backwards twice": lambda layers: [
        layers.LSTM(5, go_backwards=True, **ALL),
        layers.GRU(4, go_backwards=True, **ALL),
    ],
    "both directions": lambda layers: [
        layers.Masking(0.5),
        layers.Bidirectional(layers.LSTM(5, activation="relu", **ALL)),
        layers.Bidirectional(layers.GRU(2, **ALL), merge_mode="ave"),
        layers.SimpleRNN(3, **ALL),
    ],
    "cells": lambda layers: [layers.RNN([layers.LSTMCell(5), layers.GRUCell(4), layers.SimpleRNNCell(3)], **ALL)],
}


@pytest.mark.parametrize(
    "generation, name", [*((3, name) for name in SETTINGS), *((2, name) for name in ("LSTM", "gate by gate", "cells"))]
)
def test_states_are_those_of_keras(generation, name, tmp_path):
    keras = keras_of(generation)
    model = randomise(keras.Sequential([keras.Input((4, 3)), *SETTINGS[name](keras.layers)]))
    expected = np.array(model(INPUTS))
    found = hidden(export(model, tmp_path / "model"), INPUTS)
    np.testing.assert_allclose(found if expected.ndim == 3 else found[:, -1], expected, rtol=0, atol=2e-6)


def changed_steps(keras, cell, what):
    """A model of steps written one by one, of which the third does something of its own."""
    tf = import_tensorflow()

    class Odd(keras.layers.Layer):
        def build(self, shape):
            self.cell = cell
            self.cell.build((shape[0], shape[2]))

        def call(self, inputs):
            states = [tf.zeros([tf.shape(inputs)[0], 5]) for _ in range(2 if isinstance(cell.state_size, list) else 1)]
            given = []
            for number, step in enumerate(tf.unstack(tf.transpose(inputs, [1, 0, 2]))):
                if number == 2 and what == "state":
                    states = [tf.minimum(states[0], 0.1), *states[1:]]
                if number == 2 and what == "cell state":
                    states = [states[0], states[1] * 0.5]
                if number == 2 and what == "inputs":
                    continue
                output, states = cell(step, states)
                given.append(output)
            return tf.transpose(tf.stack(given), [1, 0, 2])

    return keras.Sequential([keras.Input((4, 3)), Odd()])


@pytest.mark.parametrize(
    "kind, what",
    [
        ("LSTMCell", "state"),
        ("LSTMCell", "cell state"),
        ("LSTMCell", "inputs"),
        ("GRUCell", "state"),
        ("GRUCell", "inputs"),
    ],
)
def test_a_step_unlike_the_others_is_refused(kind, what, tmp_path):
    keras = keras_of(3)
    cell = getattr(keras.layers, kind)(5, name=kind.lower().replace("cell", "_cell"))
    path = export(changed_steps(keras, cell, what), tmp_path / "model")
    with pytest.raises(BadWeights, match="how it is run is unknown"):
        rnnstates.load_weights(path)


def test_steps_written_one_by_one_are_read_where_all_are_alike(tmp_path):
    keras = keras_of(3)
    model = changed_steps(keras, keras.layers.LSTMCell(5, name="lstm_cell"), "nothing")
    path = export(model, tmp_path / "model")
    np.testing.assert_allclose(hidden(path, INPUTS), np.array(model(INPUTS)), rtol=0, atol=1e-6)
    assert rnnstates.load_weights(path).notes == ()
