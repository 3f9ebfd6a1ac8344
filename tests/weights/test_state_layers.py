"""Models made of our own Keras layers: what the command extracts from their files is what the layers computed."""

import functools

import numpy as np
import pytest

import rnnstates
from rnnstates.errors import BadWeights
from rnnstates.keras import LengthAwareMean, StateGRU, StateLSTM, StateRNN
from rnnstates.keras.started import keras
from rnnstates.weights.load import describe_weights

from .keras_models import randomise
from .keras_zip import with_config

LENGTHS = np.array([7, 0, 4, 1, 7, 2])
X = np.random.default_rng(5).normal(size=(6, 7, 3)).astype(np.float32)

LAYERS = {
    "lstm": lambda: StateLSTM(5),
    "everything of an lstm": lambda: StateLSTM(
        5, peepholes=True, projection=4, cell_clip=0.6, projection_clip=0.3, forget_bias=1.5, go_backwards=True
    ),
    "as wide as its projection": lambda: StateLSTM(5, projection=5),
    "other activations": lambda: StateLSTM(5, activation="relu", recurrent_activation="hard_sigmoid", use_bias=False),
    "gru": lambda: StateGRU(5, go_backwards=True),
    "gru that resets before": lambda: StateGRU(5, reset_after=False),
    "gru without bias": lambda: StateGRU(5, use_bias=False),
    "simple rnn": lambda: StateRNN(5),
}


def model_of(layer):
    inputs, lengths = keras.Input((None, 3)), keras.Input((), dtype="int32")
    pooled = LengthAwareMean()(layer(inputs, lengths))
    return randomise(keras.Model([inputs, lengths], keras.layers.Dense(2)(pooled)))


@pytest.mark.parametrize("name", LAYERS)
def test_the_command_gives_what_the_layer_computed(name, tmp_path):
    layer = LAYERS[name]()
    model_of(layer).save(tmp_path / "model.keras")
    made = layer(X, LENGTHS)
    states = rnnstates.extract(X, LENGTHS, weights=tmp_path / "model.keras", pool="final")
    for state in made._fields:
        np.testing.assert_allclose(states[state], getattr(made, state), atol=1e-6)
        np.testing.assert_allclose(states[f"{state}_final"], getattr(made.last, state), atol=1e-6)


def test_a_model_that_was_trained_gives_the_states_that_it_computes(tmp_path):
    layer = StateLSTM(5)
    model = model_of(layer)
    model.compile("adam", "mse", run_eagerly=True)
    before = layer(X, LENGTHS).hidden.numpy()
    model.fit([X, LENGTHS], np.ones((6, 2), np.float32), epochs=3, batch_size=4, verbose=0)
    made = layer(X, LENGTHS)
    assert np.abs(made.hidden - before).max() > 1e-3
    model.save(tmp_path / "model.keras")
    states = rnnstates.extract(X, LENGTHS, weights=tmp_path / "model.keras")
    np.testing.assert_allclose(states["hidden"], made.hidden, atol=1e-6)
    np.testing.assert_allclose(states["cell"], made.cell, atol=1e-6)


@functools.cache
def stack():
    tokens = keras.Input((None,), dtype="int32")
    vectors = keras.layers.Embedding(11, 3, mask_zero=True)(tokens)
    low = StateLSTM(5, name="low")(vectors)
    high = StateGRU(4, name="high", go_backwards=True)(low)
    beside = StateRNN(2, name="beside")(low.cell)
    top = StateLSTM(6, name="top", projection=2)(high)
    return randomise(keras.Model(tokens, [top.hidden, beside.hidden]))


def test_a_stack_with_a_backward_layer_in_it_is_run_as_the_model_runs_it(tmp_path):
    model = stack()
    model.save(tmp_path / "model.keras")
    tokens = np.random.default_rng(1).integers(1, 11, (6, 7)) * (np.arange(7) < LENGTHS[:, None])
    states = rnnstates.extract(tokens, LENGTHS, weights=tmp_path / "model.keras", layer="top")
    top = keras.Model(model.input, model.outputs[0])
    np.testing.assert_allclose(states["layer2/hidden"], top(tokens), atol=1e-6)
    assert not [note for note in states.provenance["notes"] if "mask by the model" in note or "given a mask" in note]


def test_a_layer_that_reads_cell_states_stands_alone_and_says_what_it_reads(tmp_path):
    stack().save(tmp_path / "model.keras")
    network = rnnstates.load_weights(tmp_path / "model.keras", layer="beside")
    assert [layer.name for layer in network.layers] == ["beside"]
    assert any("'low' (StateLSTM) before 'beside', which is not run" in note for note in network.notes)


def test_info_tells_what_the_layer_adds(tmp_path):
    model_of(LAYERS["everything of an lstm"]()).save(tmp_path / "model.keras")
    (layer,) = describe_weights(tmp_path / "model.keras")["stacks"][0]["layers"]
    reported = {name: layer[name] for name in ("direction", "projected", "forget_bias", "cell_clip", "projection_clip")}
    assert reported == {
        "direction": "backward", "projected": 4, "forget_bias": "1.5 (file)", "cell_clip": "0.6 (file)",
        "projection_clip": "0.3 (file)",
    }  # fmt: skip


@functools.cache
def of_one_lstm():
    return model_of(StateLSTM(5, name="mine"))


def changed(tmp_path, **config):
    """Save a model, and change its file."""
    of_one_lstm().save(tmp_path / "model.keras")
    return edited(tmp_path / "model.keras", lambda layer: layer["config"].update(config))


def edited(path, edit):
    def of_ours(layers):
        edit(next(layer for layer in layers if layer["class_name"] == "StateLSTM"))

    path.write_bytes(with_config(path, of_ours))
    return path


@pytest.mark.parametrize(
    ("config", "reported"),
    [
        ({"peepholes": 3}, "has peepholes 3; expected true or false"),
        ({"peepholes": True}, "has 3 arrays; expected kernel, recurrent_kernel, bias, peepholes"),
        ({"projection": -2}, "has projection -2; expected a positive whole number or nothing"),
        ({"projection": True}, "has projection True; expected a positive whole number"),
        ({"projection": 4}, "has 3 arrays; expected kernel, recurrent_kernel, bias, projection"),
        ({"forget_bias": "1"}, "has forget_bias '1'; expected a finite number"),
        ({"forget_bias": float("inf")}, "forget_bias"),
        ({"cell_clip": 0}, "has cell_clip 0; expected a positive number"),
        ({"units": 4}, "kernel has shape \\(3, 20\\); expected \\(features, 16\\), by the configuration"),
        ({"activation": {"class_name": "function", "config": "mine"}}, "Code in a file is never run"),
    ],
)
def test_a_configuration_that_does_not_fit_is_refused(config, reported, tmp_path):
    path = changed(tmp_path, **config)
    with pytest.raises(BadWeights, match=reported):
        rnnstates.load_weights(path)


def test_another_class_of_the_same_name_is_not_taken_for_ours(tmp_path):
    of_one_lstm().save(tmp_path / "model.keras")
    path = edited(tmp_path / "model.keras", lambda layer: layer.update(registered_name="Theirs>StateLSTM"))
    with pytest.raises(BadWeights, match="its class is not Keras' own"):
        rnnstates.load_weights(path)


def test_weights_alone_are_read_where_they_look_like_keras_own(tmp_path):
    layer = StateLSTM(5)
    model_of(layer).save_weights(tmp_path / "file.weights.h5")
    states = rnnstates.extract(X, LENGTHS, weights=tmp_path / "file.weights.h5")
    np.testing.assert_allclose(states["cell"], layer(X, LENGTHS).cell, atol=1e-6)


@pytest.mark.parametrize("options", [{"peepholes": True}, {"projection": 4}, {"peepholes": True, "projection": 4}])
def test_weights_alone_with_more_arrays_than_keras_has_are_refused(options, tmp_path):
    model_of(StateLSTM(5, **options)).save_weights(tmp_path / "file.weights.h5")
    with pytest.raises(BadWeights):
        rnnstates.load_weights(tmp_path / "file.weights.h5")
