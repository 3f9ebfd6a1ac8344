"""How a SavedModel's layers are run is read from its graph: states are those of Keras, or the file is refused."""

import re

import numpy as np
import pytest

import rnnstates
from rnnstates import BadWeights
from rnnstates.runtime.tensorflow_start import import_tensorflow

from .exports import export
from .keras_models import keras_of, randomise

INPUTS = np.random.default_rng(0).normal(size=(2, 7, 3)).astype("f4")
IDS = np.random.default_rng(1).integers(1, 11, size=(2, 7)).astype("i4")
ALL = {"return_sequences": True}


def sequential(generation, make, features=3):
    keras = keras_of(generation)
    return randomise(keras.Sequential([keras.Input((None, features)), *make(keras.layers)]))


def hidden(path, inputs=INPUTS, **options):
    """The hidden states of the highest layer, both directions side by side."""
    states = rnnstates.extract(inputs, "full", weights=path, **options)
    names = [name for name in states.datasets if name.endswith("hidden")]
    top = max(name.split("/")[0] for name in names)
    return np.concatenate([states[name] for name in names if name.split("/")[0] == top], -1)


def stack(layers):
    """Layers with one setting or another, named after it."""
    return [
        layers.GRU(5, reset_after=False, name="reset_before", **ALL),
        layers.GRU(6, use_bias=False, name="no_bias", **ALL),
        layers.LSTM(4, activation="relu", name="relu", **ALL),
        layers.LSTM(7, recurrent_activation="hard_sigmoid", name="hard_sigmoid", **ALL),
        layers.GRU(3, activation="softsign", recurrent_activation="hard_sigmoid", name="hard_sigmoid_gru", **ALL),
        layers.SimpleRNN(8, activation="swish", name="simple_rnn", **ALL),
        layers.Dropout(0.2),
        layers.LSTM(9, dropout=0.1, recurrent_dropout=0.2, name="dropout_inside", **ALL),
        layers.LSTM(2, activation="gelu", name="only_the_last_state"),
    ]


@pytest.mark.parametrize("generation", [2, 3])
def test_states_are_those_of_keras_whatever_the_settings_of_a_layer(generation, tmp_path):
    model = sequential(generation, stack)
    layers = [layer for layer in model.layers if layer.get_weights()]
    expected = keras_of(generation).Model(model.inputs[0], [layer.output for layer in layers])(INPUTS)
    states = rnnstates.extract(INPUTS, "full", weights=export(model, tmp_path / "model"))
    for number, (layer, values) in enumerate(zip(layers, expected, strict=True)):
        found = states[f"layer{number}/hidden"]
        found = found if layer.return_sequences else found[:, -1]
        np.testing.assert_allclose(found, np.array(values), rtol=0, atol=2e-6, err_msg=layer.name)


SETTINGS = {
    "two layers": lambda layers: [layers.LSTM(5, activation="elu", **ALL), layers.GRU(4, **ALL)],
    "merged, and cells": lambda layers: [
        layers.Bidirectional(layers.SimpleRNN(5, activation="softplus", **ALL), merge_mode="ave"),
        layers.RNN([layers.LSTMCell(6, activation="relu"), layers.GRUCell(4)], **ALL),
    ],
    "multiplied": lambda layers: [layers.Bidirectional(layers.GRU(5, **ALL), merge_mode="mul"), layers.LSTM(2, **ALL)],
    "both directions": lambda layers: [
        layers.Bidirectional(layers.LSTM(5, activation="relu", **ALL)),
        layers.Bidirectional(layers.GRU(2, **ALL)),
    ],
}


# Those of which Keras 2 makes other graphs than Keras 3. They are exported with the functions of every layer, in which
# the reader must not lose its way.
OLDER = ("two layers", "merged, and cells")
# That with all that either Keras writes, or makes without writing it.
WHOLE = "two layers"


@pytest.mark.parametrize("generation, name", [*((3, name) for name in SETTINGS), *((2, name) for name in OLDER)])
def test_states_are_those_of_keras_whatever_the_layers(generation, name, tmp_path):
    model = sequential(generation, SETTINGS[name])
    whole = generation == 2 or name == WHOLE
    path = export(model, tmp_path / "model", whole=whole, gradients=name == WHOLE)
    np.testing.assert_allclose(hidden(path), np.array(model(INPUTS)), rtol=0, atol=2e-6)


@pytest.mark.parametrize("generation", [2, 3])
def test_layers_that_go_backwards_are_read_so(generation, tmp_path):
    """The upper one reads the states of the lower one from the last step on, and so goes forwards in time."""
    model = sequential(
        generation, lambda layers: [layers.LSTM(5, go_backwards=True, **ALL), layers.GRU(4, go_backwards=True, **ALL)]
    )
    path = export(model, tmp_path / "model")
    low, high = keras_of(generation).Model(model.inputs[0], [layer.output for layer in model.layers])(INPUTS)
    states = rnnstates.extract(INPUTS, "full", weights=path)
    np.testing.assert_allclose(states["layer0/hidden"][:, ::-1], np.array(low), rtol=0, atol=1e-6)
    np.testing.assert_allclose(states["layer1/hidden"], np.array(high), rtol=0, atol=1e-6)
    assert any("goes backwards" in note for note in rnnstates.load_weights(path).notes)


@pytest.mark.parametrize("generation", [2, 3])
def test_the_settings_are_said_to_be_of_the_file_and_nothing_is_assumed(generation, tmp_path):
    path = export(sequential(generation, lambda layers: [layers.GRU(5)]), tmp_path / "model")
    network = rnnstates.load_weights(path)
    assert network.notes == ()
    assert network.origin["layers"][0]["reset_after"] == "True (file)"


@pytest.mark.parametrize("generation", [2, 3])
def test_layers_before_the_recurrent_one_are_named(generation, tmp_path):
    model = sequential(
        generation, lambda layers: [layers.Dense(6, name="narrow"), layers.LSTM(5, name="reader", **ALL)]
    )
    path = export(model, tmp_path / "model")
    (note,) = rnnstates.load_weights(path).notes
    assert re.search("narrow' \\(another layer of 2 arrays\\) before .* which is not run", note)
    narrow = model.get_layer("narrow")(INPUTS)
    np.testing.assert_allclose(hidden(path, np.array(narrow)), np.array(model(INPUTS)), rtol=0, atol=1e-6)


@pytest.mark.parametrize("generation", [2, 3])
def test_operations_between_two_layers_part_them(generation, tmp_path):
    layers_of = lambda layers: [layers.LSTM(5, name="low", **ALL), layers.ReLU(), layers.LSTM(4, name="high", **ALL)]  # noqa: E731
    path = export(sequential(generation, layers_of), tmp_path / "model")
    with pytest.raises(BadWeights, match="has 2 recurrent stacks"):
        rnnstates.load_weights(path)
    network = rnnstates.load_weights(path, layer="high")
    assert len(network.layers) == 1
    assert any("'Relu operation' (operations) before" in note for note in network.notes)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("generation", [2, 3])
def test_an_embedding_is_found_by_what_looks_it_up(generation, masked, tmp_path):
    keras = keras_of(generation)
    layers = [keras.layers.Embedding(11, 3, mask_zero=masked), keras.layers.LSTM(5, **ALL)]
    model = randomise(keras.Sequential([keras.Input((None,), dtype="int32"), *layers]))
    path = export(model, tmp_path / "model")
    np.testing.assert_allclose(hidden(path, IDS), np.array(model(IDS)), rtol=0, atol=1e-6)
    network = rnnstates.load_weights(path)
    assert len([note for note in network.notes if "masks steps with id 0" in note]) == masked
    # The graph shows a mask, not what it depends on.
    assert isinstance(network.mask, str)


@pytest.mark.parametrize("generation", [2, 3])
def test_a_mask_and_a_kept_state_are_noted(generation, tmp_path):
    keras = keras_of(generation)
    layers = [keras.layers.Masking(0.5), keras.layers.GRU(5, stateful=True, **ALL)]
    model = keras.Sequential([keras.Input((7, 3), batch_size=2), *layers])
    path = export(model, tmp_path / "model", whole=generation == 2)
    notes = " ".join(rnnstates.load_weights(path).notes)
    assert re.search("is given an initial state by the model.* is given a mask by the model", notes)


@pytest.mark.parametrize("layer, generation", [("LSTM", 2), ("LSTM", 3), ("GRU", 3)])
def test_both_directions_of_a_masked_model_are_read_with_what_stands_before(layer, generation, tmp_path):
    make = lambda layers: [  # noqa: E731
        layers.Dense(6, name="narrow"),
        layers.Masking(0.5),
        layers.Bidirectional(getattr(layers, layer)(5, **ALL)),
    ]
    notes = " ".join(rnnstates.load_weights(export(sequential(generation, make), tmp_path / "model")).notes)
    assert re.search("narrow' .* before .* which is not run.* is given a mask by the model", notes)


@pytest.mark.parametrize("policy, generation", [("mixed_float16", 3), ("mixed_bfloat16", 2)])
def test_a_model_of_narrow_products_starts_from_zero_too(policy, generation, tmp_path):
    given = {**ALL, "dtype": policy}
    make = lambda layers: [  # noqa: E731
        layers.LSTM(5, activation="gelu" if generation == 3 else "tanh", **given),
        layers.GRU(4, recurrent_activation="hard_sigmoid", **given),
    ]
    model = sequential(generation, make)
    path = export(model, tmp_path / "model")
    assert not any("initial state" in note for note in rnnstates.load_weights(path).notes)
    alike = [type(layer).from_config({**layer.get_config(), "dtype": "float32"}) for layer in model.layers]
    exact = sequential(generation, lambda _layers: alike)
    exact.set_weights(model.get_weights())
    np.testing.assert_allclose(hidden(path), np.array(exact(INPUTS)), rtol=0, atol=2e-6)


def test_time_as_the_first_axis_is_noted(tmp_path):
    keras = keras_of(2)
    layer = keras.layers.LSTM(5, time_major=True, **ALL)
    model = randomise(keras.Sequential([keras.Input((None, 3)), layer]))
    path = export(model, tmp_path / "model")
    assert any("reads (time, batch, features) in the model" in note for note in rnnstates.load_weights(path).notes)
    turned = np.array(model(INPUTS.swapaxes(0, 1))).swapaxes(0, 1)
    np.testing.assert_allclose(hidden(path), turned, rtol=0, atol=1e-6)


def odd(keras, what):
    """A model whose graph computes something else than a layer of Keras with known settings."""
    tf = import_tensorflow()
    layers = keras.layers
    if what == "unknown activation":
        return keras.Sequential([keras.Input((None, 3)), layers.GRU(5, activation=lambda x: tf.math.sin(x))])

    class Clipped(layers.LSTMCell):
        def call(self, inputs, states, training=False):
            output, (hidden_state, cell) = super().call(inputs, states, training=training)
            return output, [hidden_state, tf.clip_by_value(cell, -0.1, 0.1)]

    return keras.Sequential([keras.Input((None, 3)), layers.RNN(Clipped(5, name="lstm_cell"))])


@pytest.mark.parametrize("generation", [2, 3])
@pytest.mark.parametrize("what", ["unknown activation", "clipped"])
def test_what_is_not_understood_is_refused_with_the_way_out(generation, what, tmp_path):
    whole = generation == 2 and what == "clipped"
    path = export(odd(keras_of(generation), what), tmp_path / "model", whole=whole)
    with pytest.raises(
        BadWeights,
        match=r"how it is run is unknown; save the whole model .*rnnstates.collect\(\"model.keras\", inputs\)",
    ):
        rnnstates.load_weights(path)


def test_a_shared_layer_is_run_over_what_each_use_gets(tmp_path):
    keras = keras_of(3)
    one, other = keras.Input((None, 3)), keras.Input((None, 3))
    shared = keras.layers.LSTM(5, activation="relu", name="shared", **ALL)
    model = randomise(keras.Model([one, other], keras.layers.Add()([shared(one), shared(other)])))
    path = export(model, tmp_path / "model")
    again = keras.Model(one, model.get_layer("shared")(one))
    np.testing.assert_allclose(hidden(path), np.array(again(INPUTS)), rtol=0, atol=1e-6)


def cudnn(layer, backwards):
    """A module that runs a layer as Keras does on a GPU; its graph can be made anywhere, but not run."""
    import importlib

    # The package has a function of the same name.
    rnn = importlib.import_module("keras.src.backend.tensorflow.rnn")
    tf = import_tensorflow()
    kernel, recurrent_kernel, bias = (tf.Variable(array) for array in layer.get_weights())

    def call(inputs):
        zero = tf.zeros([tf.shape(inputs)[0], 5])
        beside = {"mask": None, "time_major": False, "go_backwards": backwards, "return_sequences": True}
        if kernel.shape[1] == 20:
            made = rnn._cudnn_lstm(inputs, zero, zero, kernel.read_value(), recurrent_kernel, bias, **beside)
        else:
            made = rnn._cudnn_gru(inputs, zero, kernel.read_value(), recurrent_kernel, bias, **beside)
        return made[1]

    module = tf.Module()
    module.enc = tf.Module()
    module.enc.cell = tf.Module()
    module.enc.cell.kernel, module.enc.cell.recurrent_kernel, module.enc.cell.bias = kernel, recurrent_kernel, bias
    module.call = tf.function(call, input_signature=[tf.TensorSpec([None, None, 3])])
    return module


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("name", ["LSTM", "GRU"])
def test_what_was_exported_on_a_gpu_is_read_where_there_is_none(name, backwards, tmp_path):
    model = sequential(3, lambda layers: [getattr(layers, name)(5, go_backwards=backwards, **ALL)])
    module = cudnn(model.layers[0], backwards)
    import_tensorflow().saved_model.save(module, str(tmp_path / "model"), signatures=module.call)
    found = hidden(tmp_path / "model")
    expected = np.array(model(INPUTS))
    np.testing.assert_allclose(found[:, ::-1] if backwards else found, expected, rtol=0, atol=1e-6)
    notes = rnnstates.load_weights(tmp_path / "model").notes
    assert [note for note in notes if "goes backwards" not in note] == []


def test_the_turned_axes_of_a_wrapper_in_front_are_not_those_of_the_inputs(tmp_path):
    model = sequential(3, lambda layers: [layers.TimeDistributed(layers.Dense(6)), layers.LSTM(5, **ALL)])
    notes = rnnstates.load_weights(export(model, tmp_path / "model")).notes
    assert any("which is not run" in note for note in notes)
    assert not any("(time, batch, features)" in note for note in notes)
