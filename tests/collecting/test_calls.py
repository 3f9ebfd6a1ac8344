"""Which call of a layer has which name, and calls whose states are not those of each sequence by itself."""

import numpy as np
import pytest

import rnnstates
from rnnstates.collecting import finding, tapping
from rnnstates.collecting.checking import check_alone
from rnnstates.errors import BadWeights
from rnnstates.keras.started import keras, tf

from .models import FEATURES, LENGTHS, SEQUENCES, STEPS, randomise

layers = keras.layers
OTHER = FEATURES[::-1] * 0.5


def reader(name="reader"):
    return layers.SimpleRNN(3, name=name, return_sequences=True)


def encoder():
    return keras.Sequential([keras.Input((None, 3)), reader("inside")], name="encoder")


def functional_encoder():
    inputs = keras.Input((None, 3))
    return keras.Model(inputs, reader("inside")(layers.Dense(3)(inputs)), name="encoder")


def in_code():
    class Code(layers.Layer):
        def __init__(self):
            super().__init__(name="encoder")
            self.inside = reader("inside")

        def call(self, inputs):
            return self.inside(self.inside(inputs))

    return Code()


def both():
    return layers.Bidirectional(reader(), name="both", merge_mode="sum")


TWINS = {
    "a layer": (reader, ["reader", "reader_call2"]),
    "a model": (encoder, ["encoder/inside", "encoder/inside_call2"]),
    "a functional model": (functional_encoder, ["encoder/inside", "encoder/inside_call2"]),
    "code": (in_code, ["encoder/inside_call2", "encoder/inside_call4"]),
    "both directions": (both, [("both/forward", "both/backward"), ("both/forward_call2", "both/backward_call2")]),
}


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("kind", TWINS)
def test_calls_of_a_functional_model_are_numbered_as_it_was_written(kind, turned):
    make, names = TWINS[kind]
    inputs, shared = [keras.Input((None, 3)), keras.Input((None, 3))], make()
    outputs = [shared(one) for one in inputs]
    model = randomise(keras.Model(inputs, outputs[::-1] if turned else outputs))
    states = rnnstates.collect(model, [FEATURES, OTHER], "full")
    expected = model([FEATURES, OTHER])
    for name, values in zip(names, expected[::-1] if turned else expected, strict=True):
        named = [name] if isinstance(name, str) else name
        found = sum(states[f"{one}/hidden"] for one in named)
        np.testing.assert_allclose(found, values, atol=1e-6, err_msg=str(name))
    first, second = (name if isinstance(name, str) else name[0] for name in names)
    assert states.layers.index(first) < states.layers.index(second)


def test_a_layer_that_is_in_two_models_is_heard_once():
    inputs, shared = keras.Input((None, 3)), reader()
    inner = keras.Model(inputs, shared(inputs), name="inner")
    outer = keras.Input((None, 3))
    model = randomise(keras.Model(outer, shared(inner(outer))))
    states = rnnstates.collect(model, FEATURES, "full")
    assert len(states.layers) == 2
    once = np.asarray(shared(FEATURES))
    np.testing.assert_allclose(states[f"{states.layers[0]}/hidden"], once, atol=1e-6)
    np.testing.assert_allclose(states[f"{states.layers[1]}/hidden"], shared(once), atol=1e-6)


class Around(keras.Model):
    """Calls a recurrent layer on what a function makes of the inputs."""

    def __init__(self, function, *, eagerly=False):
        super().__init__(name="around")
        self.function, self.reader = function, layers.SimpleRNN(3, name="reader", return_sequences=True)
        self.reader.build((None, None, 3))
        self.built, self.run_eagerly = True, eagerly

    def call(self, inputs):
        return self.reader(self.function(inputs))


def some_steps(inputs):
    return inputs[:, : tf.minimum(tf.shape(inputs)[0] + 2, STEPS)]


SHAPES = {
    "rows twice": (lambda x: tf.concat([x, x], 0), r"are \[2, 8, …\]; expected \[1, 8, …\], one sequence per row"),
    "one row": (lambda x: x[:1], r"are \[1, 8, …\]; expected \[6, 8, …\]"),
    "time first": (lambda x: tf.transpose(x, [1, 0, 2]), r"are \[8, 1, …\]; expected \[1, 1, …\]"),
    "other steps": (some_steps, r"are \[6, 8, …\]; expected \[6, 3, …\]"),
}


@pytest.mark.parametrize("eagerly", [False, True])
@pytest.mark.parametrize("name", SHAPES)
def test_states_that_are_not_one_sequence_a_row_are_refused(name, eagerly):
    function, reported = SHAPES[name]
    with pytest.raises(BadWeights, match=f"layer 'reader': its states {reported}"):
        rnnstates.collect(randomise(Around(function, eagerly=eagerly)), FEATURES, "full")


DEPENDING = {
    "the mean of the batch": lambda x: x - tf.reduce_mean(x, 0, keepdims=True),
    "rows turned": lambda x: x[::-1],
}


@pytest.mark.parametrize("name", DEPENDING)
def test_a_model_that_reads_the_whole_batch_needs_batches_of_one(name, traced_once):
    model = randomise(Around(DEPENDING[name]))
    with pytest.raises(BadWeights, match=r"layer 'reader': a state of sequence 0 is .* or reads the whole batch"):
        rnnstates.collect(model, FEATURES, "full")
    states = rnnstates.collect(model, FEATURES, "full", batch_size=1)
    for row in range(SEQUENCES):
        np.testing.assert_allclose(states["reader/hidden"][row], model(FEATURES[row : row + 1])[0], atol=1e-6)


@pytest.mark.parametrize("size", [None, 1])
def test_a_model_that_computes_at_random_is_refused(size):
    model = randomise(Around(lambda x: x + tf.random.normal(tf.shape(x))))
    with pytest.raises(BadWeights, match="so the model computes at random, keeps something"):
        rnnstates.collect(model, FEATURES, "full", batch_size=size)


def test_layers_that_matter_in_training_alone_do_nothing(traced_once):
    noise = [layers.Dropout(0.5), layers.GaussianNoise(1.0), layers.SpatialDropout1D(0.5), layers.GaussianDropout(0.5)]
    last = layers.LSTM(4, name="lstm", return_sequences=True, dropout=0.5, recurrent_dropout=0.5)
    model = randomise(keras.Sequential([keras.Input((None, 3)), layers.BatchNormalization(), *noise, last]))
    expected = np.asarray(model(FEATURES))
    for size in (None, 1, 4):
        states = rnnstates.collect(model, FEATURES, LENGTHS, batch_size=size)
        for row, length in enumerate(LENGTHS):
            np.testing.assert_allclose(states[row].lstm.hidden, expected[row, :length], atol=1e-6)


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_rounding_that_grows_from_step_to_step_is_no_difference(direction):
    values, turn = np.ones((3, STEPS, 4), np.float32), -1 if direction == "backward" else 1
    found = finding.Found("reader", "reader", None, direction, ())
    heard = tapping.Heard(found, 0, [tf.constant(values)], None, None)
    grown = values * (1 + 1e-6 * 10.0 ** np.arange(STEPS))[::turn, None]
    check_alone(heard, [values], [grown])
    with pytest.raises(BadWeights):
        check_alone(heard, [values], [grown[:, ::-1]])
    # What a mask leaves out has no state.
    grown[:, ::turn][:, -2:], values[:, ::turn][:, -2:] = 0, 0
    check_alone(heard, [values], [grown])
    with pytest.raises(BadWeights):
        check_alone(heard, [values[:, ::-1]], [values[:, ::-1] * 1.1])


class Sometimes(keras.Model):
    """Calls its layers otherwise for one row than for several."""

    def __init__(self):
        super().__init__(name="sometimes")
        self.low, self.high = reader("low"), reader("high")
        for layer in (self.low, self.high):
            layer.build((None, None, 3))
        self.built = self.run_eagerly = True

    def call(self, inputs):
        first, second = (self.low, self.high) if len(inputs) == 1 else (self.high, self.low)
        return second(first(inputs))


def test_layers_that_are_called_otherwise_for_other_rows_are_refused():
    with pytest.raises(BadWeights, match="calls high, low for some rows, but for the first low, high; name"):
        rnnstates.collect(randomise(Sometimes()), FEATURES, "full")
