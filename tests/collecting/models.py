"""Keras models of many shapes, with random weights; what their layers compute is asked of Keras itself."""

import functools

import numpy as np

from rnnstates.keras import LengthAwareMean, StateGRU, StateLSTM
from rnnstates.keras.started import keras

layers = keras.layers

SEQUENCES, STEPS = 6, 8
LENGTHS = np.array([8, 3, 1, 8, 5, 2])
WITHIN = np.arange(STEPS) < LENGTHS[:, None]
TOKENS = np.random.default_rng(0).integers(1, 11, (SEQUENCES, STEPS)) * WITHIN
FEATURES = np.random.default_rng(1).normal(size=(SEQUENCES, STEPS, 3)).astype(np.float32)


def randomise(model, seed=0):
    random = np.random.default_rng(seed)
    for weight in model.weights:
        value = random.normal(size=weight.shape) * 0.4
        weight.assign(abs(value) if "variance" in weight.path else value)
    return model


@functools.cache
def shared(make):
    """A model for all tests that change nothing of it."""
    return randomise(make())


def convolutional():
    """A convolution before an LSTM that gives its last state alone."""
    return keras.Sequential(
        [
            keras.Input((STEPS, 3)),
            layers.Conv1D(4, 3, padding="same", activation="relu"),
            layers.BatchNormalization(),
            layers.LSTM(5, name="lstm", dropout=0.5),
            layers.Dropout(0.5),
            layers.Dense(2),
        ]
    )


def stacked():
    return keras.Sequential(
        [
            keras.Input((None, 3)),
            layers.GRU(5, name="low", return_sequences=True),
            layers.LSTM(4, name="middle", return_sequences=True, return_state=False, activation="relu"),
            layers.SimpleRNN(2, name="high", go_backwards=True),
        ]
    )


def masked():
    """Masks from an embedding, through both directions and a stack of cells."""
    tokens = keras.Input((None,), dtype="int32")
    vectors = layers.Embedding(11, 3, mask_zero=True)(tokens)
    both = layers.Bidirectional(layers.LSTM(5, return_sequences=True), name="both")(vectors)
    cells = layers.RNN([layers.LSTMCell(4), layers.GRUCell(2)], name="cells")(both)
    return keras.Model(tokens, layers.Dense(2)(cells))


def several_inputs():
    """Two inputs by name, one of them without time, and an initial state made by the model."""
    features, context = keras.Input((None, 3), name="features"), keras.Input((2,), name="context")
    start = [layers.Dense(5)(context), layers.Dense(5)(context)]
    states = layers.LSTM(5, name="lstm", return_sequences=True)(features, initial_state=start)
    return keras.Model([features, context], layers.Dense(2)(states))


def nested():
    """A model inside of a model, and a layer that is called twice."""
    inner = keras.Sequential([keras.Input((None, 3)), layers.LSTM(4, name="inside", return_sequences=True)])
    inner.name = "encoder"
    inputs = keras.Input((None, 3))
    shared = layers.GRU(3, name="shared", return_sequences=True)
    return keras.Model(inputs, [inner(inputs), shared(shared(inputs))])


def ours():
    inputs, lengths = keras.Input((None, 3)), keras.Input((), dtype="int32")
    states = StateLSTM(5, name="mine", projection=4)(inputs, lengths)
    back = StateGRU(3, name="back", go_backwards=True)(states)
    return keras.Model([inputs, lengths], LengthAwareMean()(back))


class Written(keras.Model):
    """A model in Python, whose layers stand in a list."""

    def __init__(self):
        super().__init__()
        self.readers = [layers.LSTM(4, name="first", return_sequences=True), layers.GRU(2, name="second")]
        self.scale = layers.Rescaling(0.5)

    def call(self, inputs, training=False):
        values = self.scale(inputs)
        for reader in self.readers:
            values = reader(values, training=training)
        return values


def built(model):
    """Build the layers of a model in Python one after the other; its first call would trace it to do so."""
    shape = (None, None, 3)
    for layer in model.readers:
        if not layer.built:
            layer.build(shape)
        shape = layer.compute_output_shape(shape)
    model.built = True
    return model


def written():
    return built(Written())


class Chain(keras.Model):
    """Layers one after the other, called as often as they are listed."""

    def __init__(self, *readers):
        super().__init__(name="chain")
        self.readers = list(readers)

    def call(self, inputs):
        for reader in self.readers:
            inputs = reader(inputs)
        return inputs


def chain(*readers):
    return randomise(built(Chain(*readers)))


def computed(layer, inputs, **given):
    """Give the states of a Keras layer with its own words: its cell, called step by step on un-padded steps."""
    states = (
        layer.cell.get_initial_state(batch_size=len(inputs)) if "initial_state" not in given else given.popitem()[1]
    )
    states = list(states) if isinstance(states, list | tuple) else [states]
    made = []
    for step in range(inputs.shape[1]):
        _, states = layer.cell(inputs[:, step], states)
        states = list(states) if isinstance(states, list | tuple) else [states]
        made.append([np.asarray(values) for values in keras.tree.flatten(states)])
    return [np.stack(values, axis=1) for values in zip(*made, strict=True)]
