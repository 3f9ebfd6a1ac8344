"""Keras' models in TensorFlow 2's checkpoints, SavedModels and exports: every state is the one Keras computes."""

import functools
import warnings
from pathlib import Path

import numpy as np
import pytest

import rnnstates
from rnnstates import BadWeights
from rnnstates.runtime.tensorflow_start import import_tensorflow
from rnnstates.weights.load import describe_weights
from rnnstates.weights.readers import open_container
from rnnstates.weights.readers.checkpoint import file as checkpoint

from ..builders import engines_for
from .census import parity
from .exports import export
from .keras_models import keras_of, randomise

LENGTHS = np.array([6, 3, 0, 1])
ATOL = {"float32": 1e-6, "float64": 1e-12}


@functools.cache
def model_of(generation, dtype="float32"):
    """Both directions, then each other kind of layer, then a Dense; random values, which no test changes."""
    keras = keras_of(generation)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((None, 3), dtype=dtype),
            layers.Bidirectional(layers.LSTM(4, return_sequences=True, dtype=dtype), name="both", dtype=dtype),
            layers.Dropout(0.3, dtype=dtype),
            layers.GRU(5, return_sequences=True, name="after", dtype=dtype),
            layers.GRU(2, return_sequences=True, reset_after=False, name="before", dtype=dtype),
            layers.SimpleRNN(6, return_sequences=True, name="simple", dtype=dtype),
            layers.LSTM(7, return_sequences=True, use_bias=False, name="high", dtype=dtype),
            layers.Dense(2, name="dense", dtype=dtype),
        ]
    )
    return randomise(model, seed=5)


def save(model, folder, kind, *, whole=False):
    """Write a model in one kind of checkpoint, ``whole`` as in ``export``; give what the user would name."""
    tf = import_tensorflow()
    path = folder / "saved" / "model"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if kind == "weights":
            model.save_weights(path, save_format="tf")
        elif kind == "SavedModel":
            model.save(path, save_format="tf", save_traces=whole)
        elif kind in ("export", "tf.saved_model"):
            export(model, path, whole=whole)
        else:
            return tf.train.Checkpoint(net=model).write(str(path))
    return path


KINDS = [
    (2, "weights"),
    (2, "SavedModel"),
    (2, "tf.saved_model"),
    (2, "checkpoint"),
    (3, "checkpoint"),
    (3, "export"),
]
# The paths of the output, and the layer in the model and how wide its hidden state is.
LAYERS = {"layer1": "after", "layer2": "before", "layer3": "simple", "layer4": "high"}


@functools.cache
def asked(generation, precision):
    """Give inputs, and of each row what each layer gives for it without its padding."""
    model = model_of(generation, precision)
    inputs = np.random.default_rng(3).normal(size=(len(LENGTHS), LENGTHS.max(), 3)).astype(precision)
    outputs = [model.get_layer(name).output for name in ("both", *LAYERS.values())]
    reads = keras_of(generation).Model(model.inputs[0], outputs)
    rows = [reads(inputs[row : row + 1, :length]) if length else () for row, length in enumerate(LENGTHS)]
    return inputs, [[np.array(values)[0] for values in row] for row in rows]


def check(path, generation, precision="float32", top="high"):
    """Hold all hidden states of each engine against what each layer gives."""
    inputs, rows = asked(generation, precision)
    layer = next(name for name in layer_names(path) if name.split("/")[-1] == top)
    network = rnnstates.load_weights(path, layer=layer)
    for engine in engines_for(network, precision):
        states = rnnstates.extract(inputs, LENGTHS, weights=network, engine=engine, precision=precision)
        for row, length in enumerate(LENGTHS):
            for name, values in zip(("both", *LAYERS), rows[row], strict=False):
                found = states[f"{name}/hidden"] if name != "both" else joined_halves(states)
                np.testing.assert_allclose(found[row, :length], values, rtol=0, atol=ATOL[precision], err_msg=name)


def joined_halves(states):
    return np.concatenate([states["layer0/forward/hidden"], states["layer0/backward/hidden"]], axis=-1)


def layer_names(path):
    return [layer["name"] for stack in describe_weights(path)["stacks"] for layer in stack["layers"]]


@parity("keras", "simple_rnn")
@parity("keras", "gru")
@parity("keras", "lstm")
@pytest.mark.parametrize("precision", sorted(ATOL))
@pytest.mark.parametrize("generation, kind", KINDS)
def test_every_state_is_the_one_keras_computes(generation, kind, precision, tmp_path):
    check(save(model_of(generation, precision), tmp_path, kind), generation, precision)


@parity("keras", "lstm")
@pytest.mark.parametrize("generation, kind", KINDS)
def test_every_cell_state_is_the_last_one_of_a_prefix(generation, kind, tmp_path):
    keras = keras_of(generation)
    model = keras.Sequential([keras.Input((None, 3)), keras.layers.LSTM(5, name="enc", dtype="float64")])
    path = save(randomise(model, seed=5), tmp_path, kind)
    inputs = np.random.default_rng(3).normal(size=(1, 6, 3))
    states = rnnstates.extract(inputs, "full", weights=path, precision="float64")
    layer = keras.layers.LSTM(5, return_state=True, dtype="float64")
    layer.build((None, None, 3))
    layer.set_weights(model.get_weights())
    cells = [np.array(layer(inputs[:, :steps])[2])[0] for steps in range(1, 7)]
    np.testing.assert_allclose(states["cell"][0], cells, rtol=0, atol=1e-12)


def test_a_saved_model_says_its_activations_its_embedding_and_what_feeds_what(tmp_path):
    keras = keras_of(2)
    layers = keras.layers
    tokens = keras.Input((None,), dtype="int32")
    vectors = layers.Embedding(11, 3, name="words")(tokens)
    inner = keras.Sequential(
        [keras.Input((None, 3)), layers.LSTM(5, return_sequences=True, activation="relu")], "inner"
    )
    steps = layers.GRU(4, return_sequences=True, recurrent_activation="hard_sigmoid", name="top")(inner(vectors))
    model = randomise(keras.Model(tokens, steps))
    model.compile("adam", "mse", run_eagerly=True)  # to trace a step takes longer than to run it
    ids = np.random.default_rng(1).integers(0, 11, size=(2, 7))
    model.fit(ids, np.zeros((2, 7, 4)), verbose=0)
    path = save(model, tmp_path, "SavedModel", whole=True)
    states = rnnstates.extract(ids, "full", weights=path)
    np.testing.assert_allclose(states["layer1/hidden"], np.array(model(ids)), rtol=0, atol=1e-6)
    network = rnnstates.load_weights(path)
    assert network.layers[0].forward.activation == "relu"
    assert network.layers[1].forward.recurrent_activation == "hard_sigmoid_fifth"


def test_layers_of_a_model_that_is_code_stand_alone_with_their_configurations(tmp_path):
    keras = keras_of(2)

    class Coded(keras.Model):
        def __init__(self):
            super().__init__()
            self.first = keras.layers.LSTM(5, return_sequences=True, activation="softsign", name="low")
            gru = keras.layers.GRU(4, return_sequences=True, reset_after=False)
            self.second = keras.layers.Bidirectional(gru, name="up")

        def call(self, inputs):
            return self.second(self.first(inputs))

    model = Coded()
    inputs = np.random.default_rng(1).normal(size=(2, 7, 3)).astype("f4")
    model(inputs)
    path = save(randomise(model), tmp_path, "SavedModel", whole=True)
    low = rnnstates.extract(inputs, "full", weights=path, layer="low")["hidden"]
    np.testing.assert_allclose(low, np.array(model.first(inputs)), rtol=0, atol=1e-6)
    both = rnnstates.extract(low, "full", weights=path, layer="up")
    np.testing.assert_allclose(joined_halves(both), np.array(model(inputs)), rtol=0, atol=1e-6)


@pytest.mark.parametrize("generation, kind", [row for row in KINDS if row[0] == 2 or row[1] == "export"])
def test_cells_in_the_list_of_an_rnn_are_layers(generation, kind, tmp_path):
    keras = keras_of(generation)
    cells = [keras.layers.LSTMCell(5), keras.layers.GRUCell(4), keras.layers.LSTMCell(2)]
    layer = keras.layers.RNN(cells, return_sequences=True, name="several")
    model = randomise(keras.Sequential([keras.Input((None, 3)), layer]))
    path = save(model, tmp_path, kind)
    inputs = np.random.default_rng(1).normal(size=(2, 7, 3)).astype("f4")
    states = rnnstates.extract(inputs, "full", weights=path)
    np.testing.assert_allclose(states["layer2/hidden"], np.array(model(inputs)), rtol=0, atol=1e-6)


def test_what_an_optimizer_keeps_is_no_weight(tmp_path):
    """``save_weights`` of a model that was trained writes this; a Checkpoint of one's own, under any name."""
    model, optimizer = model_of(2), keras_of(2).optimizers.Adam()
    optimizer.build(model.trainable_variables)
    path = tmp_path / "model"
    import_tensorflow().train.Checkpoint(net=model, adam=optimizer).write(str(path))
    with open_container(str(path)) as container:
        assert len(container.tensors) > 2 * len(model.weights)
    check(path, 2)
    (note,) = (note for note in rnnstates.load_weights(path).notes if "not run" in note)
    assert "not run: 'dense' (bias 2, kernel 7 x 2);" in note


def test_without_a_configuration_a_note_says_what_is_assumed(tmp_path):
    path = save(model_of(2), tmp_path, "weights")
    notes = rnnstates.load_weights(path).notes
    assert any("holds no configuration; activations tanh and sigmoid are assumed" in note for note in notes)
    assert any("the order both -> after -> before -> simple -> high is assumed" in note for note in notes)


@pytest.mark.parametrize("kind", ["weights", "SavedModel"])
def test_a_cell_with_more_variables_is_refused(kind, tmp_path):
    keras = keras_of(2)

    class Normalised(keras.layers.LSTMCell):
        def build(self, shape):
            super().build(shape)
            self.scale = self.add_weight(shape=(self.units,), name="scale")

    model = keras.Sequential([keras.Input((None, 3)), keras.layers.RNN(Normalised(5), name="normalised")])
    path = save(model, tmp_path, kind, whole=True)
    with pytest.raises(BadWeights, match=r"scale|Normalised"):
        rnnstates.load_weights(path)


@pytest.mark.parametrize("name", ["forward_pass", "backward_pass"])
@pytest.mark.parametrize("generation, kind", KINDS)
def test_a_layer_is_no_half_because_it_is_called_like_one(generation, kind, name, tmp_path):
    keras = keras_of(generation)
    model = keras.Sequential([keras.Input((None, 3)), keras.layers.LSTM(5, return_sequences=True, name=name)])
    path = save(randomise(model), tmp_path, kind)
    inputs = np.random.default_rng(1).normal(size=(2, 7, 3)).astype("f4")
    states = rnnstates.extract(inputs, "full", weights=path)
    np.testing.assert_allclose(states["hidden"], np.array(model(inputs)), rtol=0, atol=1e-6)


def test_objects_that_name_an_absent_array_are_refused(tmp_path, monkeypatch):
    path = save(model_of(2), tmp_path, "weights")
    read = checkpoint.read_objects
    monkeypatch.setattr(
        checkpoint,
        "read_objects",
        lambda *args: tuple(type(found)(found.children, found.key and "x", found.full_name) for found in read(*args)),
    )
    with pytest.raises(BadWeights, match="has no array 'x', which its objects name"):
        rnnstates.load_weights(path)


def test_a_folder_with_one_checkpoint_stands_for_it(tmp_path):
    prefix = Path(save(model_of(3), tmp_path, "checkpoint"))
    check(prefix.parent, 3)
    assert rnnstates.load_weights(prefix, layer=layer_names(prefix)[-1]).origin["sha256"]
