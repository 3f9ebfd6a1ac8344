"""What a live Keras model knows and its file does not: functions of one's own, the settings of subclassed models."""

import numpy as np
import pytest

import rnnstates
from rnnstates import BadWeights
from rnnstates.keras import StateLSTM, keras

from .keras_models import randomise

KL = keras.layers
INPUTS = np.random.default_rng(1).normal(size=(2, 7, 3)).astype("f4")


def hard_sigmoid(x):
    return keras.ops.clip(0.2 * x + 0.5, 0, 1)


def relu6(x):
    return keras.ops.minimum(keras.ops.maximum(x, 0), 6)


def tanh(x):
    raise TypeError


def linear(x):
    return 2 * x


def built(*layers):
    return randomise(keras.Sequential([keras.Input((None, 3)), *layers]))


def assert_runs(model, inputs=INPUTS, weights=None, state="hidden"):
    truth = np.asarray(model(inputs))
    made = rnnstates.extract(inputs, "full", weights=model if weights is None else weights)
    np.testing.assert_allclose(made[state], truth, atol=1e-6)


OTHER_FUNCTIONS = {
    "gates": lambda: KL.LSTM(4, recurrent_activation=hard_sigmoid),
    "a function that fails": lambda: KL.GRU(4, activation=tanh),
    "a cell": lambda: KL.RNN([KL.LSTMCell(4), KL.LSTMCell(4, recurrent_activation=hard_sigmoid)]),
    "one of ours": lambda: StateLSTM(4, recurrent_activation=hard_sigmoid),
}


@pytest.mark.parametrize("name", OTHER_FUNCTIONS)
def test_a_function_that_is_called_as_one_of_keras_and_is_not_is_refused(name):
    layer = OTHER_FUNCTIONS[name]()
    layer.build((None, None, 3))
    reported = "activation is a function called '(hard_sigmoid|tanh)' that returns other values than Keras'"
    with pytest.raises(BadWeights, match=rf"layer '.*': .*{reported}.*rnnstates\.collect"):
        rnnstates.load_weights(layer)


def test_a_linear_activation_of_ones_own_between_layers_is_refused():
    with pytest.raises(BadWeights, match=r"layer 'activation.*': activation is a function called 'linear'"):
        rnnstates.load_weights(built(KL.Activation(linear), KL.LSTM(4)))


@pytest.mark.parametrize("function", ["hard_sigmoid", "tf.nn.relu", relu6, keras.ops.tanh, None])
def test_functions_that_give_what_keras_own_of_their_name_give_are_read(function):
    import tensorflow as tf

    function = tf.nn.relu if function == "tf.nn.relu" else function
    assert_runs(built(KL.LSTM(4, recurrent_activation=function, return_sequences=True)))


def test_a_call_that_was_replaced_is_named():
    embedding, layer = KL.Embedding(5, 3), KL.LSTM(4, return_sequences=True)
    model = randomise(keras.Sequential([keras.Input((None,), dtype="int32"), embedding, layer]))
    assert not rnnstates.load_weights(model).notes
    for each in (embedding, layer):
        own = each.call
        each.call = lambda inputs, own=own, **options: own(inputs, **options)
        (note,) = rnnstates.load_weights(model).notes
        assert note.startswith(
            f"weights: the call of '{each.name}' is replaced by a custom one, which is not run; check"
        )
        del each.call


@pytest.mark.parametrize("cell", [KL.LSTMCell, KL.GRUCell, KL.SimpleRNNCell])
def test_a_cell_is_run_as_keras_rnn_runs_it(cell):
    cell = cell(4)
    around = KL.RNN(cell, return_sequences=True)
    around(INPUTS)
    randomise(keras.Sequential([keras.Input((None, 3)), around]))
    assert_runs(around, weights=cell)
    with pytest.raises(BadWeights, match="has no weights yet; call it once on data"):
        rnnstates.load_weights(KL.LSTMCell(4))


class Chain(keras.Model):
    """Layers one after the other, as code has it."""

    def __init__(self, *layers):
        super().__init__()
        self.chain = list(layers)

    def call(self, inputs):
        for layer in self.chain:
            inputs = layer(inputs)
            inputs = getattr(inputs, "hidden", inputs)
        return inputs


def chain(*layers):
    """Build it without a call, which would trace a graph for each of our layers."""
    model, shape = Chain(*layers), (None, None, 3)
    for layer in layers:
        layer.build(shape)
        shape = layer.compute_output_shape(shape)
        shape = getattr(shape, "hidden", shape)
    model.built = True
    return randomise(model)


SUBCLASSED = {
    "forget bias and clip": lambda: [StateLSTM(4, forget_bias=1.0, cell_clip=0.1)],
    "peepholes and projection": lambda: [StateLSTM(5, peepholes=True, projection=4, projection_clip=0.2)],
    "other activations": lambda: [
        KL.LSTM(4, activation="relu", recurrent_activation="hard_sigmoid", return_sequences=True)
    ],
    "backwards": lambda: [StateLSTM(4, go_backwards=True)],
    "no bias": lambda: [KL.GRU(4, use_bias=False, reset_after=False, return_sequences=True)],
    "a cell": lambda: [KL.RNN(KL.GRUCell(4, activation="relu", reset_after=False), return_sequences=True)],
}  # fmt: skip


@pytest.mark.parametrize("name", SUBCLASSED)
def test_the_settings_of_a_subclassed_model_are_those_of_its_layers(name):
    model = chain(*SUBCLASSED[name]())
    assert_runs(model)
    (note,) = rnnstates.load_weights(model).notes
    assert note.startswith(
        f"weights: what the model does before 'chain/{model.chain[0].name}' is code, which is not run"
    )


STACKS = {
    "another activation above": lambda: [
        KL.LSTM(4, return_sequences=True), KL.LSTM(5, activation="relu", return_sequences=True)
    ],
    "summed directions": lambda: [
        KL.Bidirectional(KL.LSTM(4, return_sequences=True, activation="relu"), merge_mode="sum"),
        KL.GRU(5, return_sequences=True),
    ],
    "cells in a list": lambda: [KL.RNN([KL.LSTMCell(4, activation="relu"), KL.LSTMCell(5)], return_sequences=True)],
    "ours that reads backwards": lambda: [StateLSTM(4, go_backwards=True), KL.LSTM(5, return_sequences=True)],
}  # fmt: skip


@pytest.mark.parametrize("name", STACKS)
def test_stacks_of_a_subclassed_model_are_those_of_its_layers(name):
    model = chain(*STACKS[name]())
    assert_runs(model, state="layer1/hidden")
    assert any("is assumed, because the widths fit" in note for note in rnnstates.load_weights(model).notes)


def test_a_backward_layer_of_a_subclassed_model_reads_backwards_and_says_so():
    model = chain(KL.LSTM(4, go_backwards=True, return_sequences=True))
    made = rnnstates.extract(INPUTS, "full", weights=model)
    np.testing.assert_allclose(made["hidden"][:, ::-1], np.asarray(model(INPUTS)), atol=1e-6)
    assert any("goes backwards; its states are in the order of the inputs" in note for note in made.provenance["notes"])


def test_a_layer_that_gives_its_last_state_feeds_no_stack():
    model = chain(KL.LSTM(3), KL.RepeatVector(7), KL.LSTM(3, return_sequences=True))
    with pytest.raises(BadWeights, match="has 2 recurrent stacks; choose one"):
        rnnstates.load_weights(model)


class Doubled(KL.LSTM):
    def call(self, sequences, *args, **options):
        return 2 * super().call(sequences, *args, **options)

    def build(self, sequences_shape):
        super().build(sequences_shape)


class Scaled(KL.Embedding):
    def call(self, inputs):
        return super().call(inputs) * 3


def test_classes_of_ones_own_in_a_subclassed_model_are_not_taken_for_keras_own():
    with pytest.raises(BadWeights, match=r"its class is not Keras' own \('.*Doubled'\).*rnnstates\.collect runs"):
        rnnstates.load_weights(chain(Doubled(4, return_sequences=True)))
    model = Chain(Scaled(5, 3), KL.LSTM(4, return_sequences=True))
    model(np.ones((2, 7), "int32"))
    assert rnnstates.load_weights(model).embedding is None


def test_layers_of_the_same_values_that_are_set_differently_are_refused():
    model = chain(KL.LSTM(3, return_sequences=True), KL.LSTM(3, activation="relu", return_sequences=True))
    model.chain[1].set_weights(model.chain[0].get_weights())
    with pytest.raises(BadWeights, match="two layers have the same values but different settings"):
        rnnstates.load_weights(model)
    model = chain(KL.LSTM(3, return_sequences=True), KL.LSTM(3, return_sequences=True))
    model.chain[1].set_weights(model.chain[0].get_weights())
    assert_runs(model, state="layer1/hidden")


@pytest.mark.parametrize("suffix", [".weights.h5", ".keras"])
@pytest.mark.parametrize("name", [None, "reader"])
def test_a_file_of_a_subclassed_model_says_that_it_does_not_know_forget_bias_and_clips(name, suffix, tmp_path):
    model = chain(StateLSTM(4, forget_bias=1.0, cell_clip=0.1, name=name))
    path = tmp_path / f"m{suffix}"
    model.save_weights(path) if suffix == ".weights.h5" else model.save(path)
    reported = [note for note in rnnstates.load_weights(path).notes if "may be a StateLSTM, whose forget_bias" in note]
    assert len(reported) == 1
    made = rnnstates.extract(INPUTS, "full", weights=path, forget_bias=1.0, cell_clip=0.1)
    np.testing.assert_allclose(made["hidden"], np.asarray(model(INPUTS)), atol=1e-6)


@pytest.mark.parametrize("layer", [
    lambda: KL.LSTM(4), lambda: KL.Bidirectional(KL.LSTM(4)), lambda: KL.GRU(4, name="reader"),
    lambda: KL.RNN([KL.LSTMCell(4)]),
])  # fmt: skip
def test_a_file_of_keras_own_layers_does_not_speak_of_ours(layer, tmp_path):
    chain(layer()).save_weights(tmp_path / "m.weights.h5")
    assert not [note for note in rnnstates.load_weights(tmp_path / "m.weights.h5").notes if "StateLSTM" in note]


@pytest.mark.parametrize("kind", ["layer", "model"])
def test_a_keras_model_that_cannot_be_saved_is_refused_and_its_layer_alone_is_read(kind):
    class Scaled(KL.Layer if kind == "layer" else keras.Model):
        def __init__(self, scale):
            super().__init__()
            self.scale, self.lstm = scale, KL.LSTM(4, name="lstm") if kind == "model" else None

        def call(self, inputs):
            return self.lstm(self.scale(inputs)) if self.lstm else self.scale(inputs)

    model = Scaled(lambda values: values * 3)
    if kind == "layer":
        model = keras.Sequential([keras.Input((None, 3)), model, KL.LSTM(4, name="lstm")])
    truth = np.asarray(model(INPUTS))
    with pytest.raises(BadWeights, match=r"Keras cannot save '\w+' \(NotImplementedError: Object Scaled .*NAME"):
        rnnstates.load_weights(model)
    made = rnnstates.extract(INPUTS * 3, "full", weights=model.get_layer("lstm"), engine="numpy")
    np.testing.assert_allclose(made["hidden"][:, -1], truth, atol=1e-6)
