"""Without a configuration, each array of a file still tells the layer that it belongs to, in every layout."""

import functools
import warnings

import h5py
import numpy as np
import pytest

import rnnstates
from rnnstates.runtime.tensorflow_start import import_tensorflow
from rnnstates.weights.frameworks import interpret
from rnnstates.weights.readers import open_container

from .exports import export
from .keras_models import keras_of, lstm, randomise, save


@functools.cache
def model_of(generation):
    """Layers of every sort before, between and behind recurrent ones, trained once, so that an optimizer is saved."""
    keras = keras_of(generation)
    layers = keras.layers
    inner = keras.Sequential([keras.Input((None, 6)), layers.Dense(7, name="narrow")], name="inner")
    model = keras.Sequential(
        [
            keras.Input((None, 3)),
            layers.Conv1D(6, 2, padding="causal", name="conv"),
            layers.BatchNormalization(name="norm"),
            inner,
            layers.Bidirectional(layers.LSTM(4, return_sequences=True, dropout=0.1), name="both"),
            layers.Dropout(0.3),
            layers.GRU(5, return_sequences=True, name="upper"),
            layers.Dense(2, name="head"),
        ],
        name="model",
    )
    model.compile("adam", "mse", metrics=["mae"], run_eagerly=True)  # to trace a step takes longer than to run it
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(np.ones((2, 4, 3)), np.zeros((2, 4, 2)), verbose=0)
    return randomise(model)


# Layer: how many arrays.
EXPECTED = {"conv": 2, "norm": 4, "inner/narrow": 2, "both": 6, "upper": 3, "head": 2}


def write(model, folder, kind):
    tf = import_tensorflow()
    path = folder / "file"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if kind == "checkpoint":
            return tf.train.Checkpoint(net=model, opt=model.optimizer).save(str(path / "c"))
        if kind in ("export", "tf.saved_model"):
            export(model, path)
        elif kind == "weights":
            model.save_weights(path / "w", save_format="tf")
            return path / "w"
        else:
            save(model, path, kind)
    return path


@pytest.mark.parametrize(
    "generation, kind",
    [
        *((2, kind) for kind in ("legacy weights.h5", ".weights.h5", "weights", "checkpoint")),
        *((3, kind) for kind in ("legacy weights.h5", ".weights.h5", "checkpoint")),
    ],
)
def test_each_array_tells_its_layer_in_every_layout(generation, kind, tmp_path):
    model = model_of(generation)
    with open_container(str(write(model, tmp_path, kind))) as container:
        modules = interpret(container).modules()
        assert set(modules) <= set(container.tensors)
        counts = {}
        for array, layer in modules.items():
            counts[layer] = counts.get(layer, 0) + 1
            assert container.tensors[array].shape
    if generation == 2 and kind == ".weights.h5":
        # It does not store what layers are called.
        assert sorted(counts.values()) == sorted(EXPECTED.values())
    else:
        assert {place_of(layer): count for layer, count in counts.items()} == EXPECTED
        assert len(counts) == len(EXPECTED)


def test_the_table_of_a_model_that_is_a_class_is_known_by_the_name_that_keras_gave_it(tmp_path):
    keras = keras_of(3)

    class Tagger(keras.Model):
        def __init__(self):
            super().__init__()
            self.words, self.reader = keras.layers.Embedding(9, 3), keras.layers.LSTM(4)

        def call(self, ids):
            return self.reader(self.words(ids))

    model = Tagger()
    model(np.ones((1, 2), "i4"))
    model.save_weights(tmp_path / "w.weights.h5")
    network = rnnstates.load_weights(tmp_path / "w.weights.h5")
    np.testing.assert_array_equal(network.embedding, model.words.get_weights()[0])


@pytest.mark.parametrize("width, is_noted", [(5, True), (7, False)])
def test_rows_of_a_layers_width_whose_names_are_numbers_are_named_as_starts(width, is_noted, tmp_path):
    save(lstm(keras_of(3)), tmp_path / "file", ".weights.h5")
    with h5py.File(tmp_path / "file", "a") as file:
        for number in "01":
            file[f"layers/start/vars/{number}"] = np.ones((1, width), "f4")
    notes = rnnstates.load_weights(tmp_path / "file").notes
    assert any("'layers/start/vars/0' (1 x 5)" in note and "initial_state=FILE" in note for note in notes) == is_noted


def place_of(layer):
    """Find the layer of the model that a name means; the model's own name, or none around it, may stand before."""
    return next(name for name in EXPECTED if layer.split("/")[-1] == name.split("/")[-1])


@pytest.mark.parametrize("generation, kind", [(2, "tf.saved_model"), (3, "export")])
def test_a_saved_model_lists_all_its_layers_and_names_those_in_front(generation, kind, tmp_path):
    with open_container(str(write(model_of(generation), tmp_path, kind))) as container:
        model = interpret(container)
        listed = {place_of(layer.split(" (")[0]) for layer in model.present()}
        assert listed == set(EXPECTED)
        (top,) = model.tops()
        (note,) = model.stack(top).notes
        assert all(f"{name}' (another layer of" in note for name in ("conv", "norm", "narrow"))
