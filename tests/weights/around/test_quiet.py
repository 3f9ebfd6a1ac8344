"""Notes stay few: what an ordinary file of each format says, word for word."""

import contextlib
import io

import numpy as np
import pytest
import torch

import rnnstates

from ..keras_models import keras_of, randomise, save
from ..torch_exports import export_quietly
from .models import FORMATS, READER

HEAD = ("Dense", "scores", 5, 2)
ASSUMED = {
    "PyTorch": [],
    "safetensors": [],
    "Keras 3 weights": [
        "holds no configuration; activations tanh and sigmoid are assumed, and layers that read forward"
    ],
    "TensorFlow 1": [
        "the checkpoint does not say how an LSTMCell is run; assumed: activation tanh (activation=), 1.0 added"
    ],
    "Flax": ["Flax stores neither activations, directions nor which cell feeds which"],
    "Haiku": [
        "Haiku does not store which core feeds which; it is read forward",
        "is taken for a Haiku LSTM because of its name",
    ],
    "Equinox": ["Equinox does not store how a cell is run; it is read forward"],
}
ASSUMED |= {f"Keras {number} legacy weights": ASSUMED["Keras 3 weights"] for number in (2, 3)}


def assert_notes(path, expected, **options):
    notes = rnnstates.load_weights(path, **options).notes
    assert len(notes) == len(expected), notes
    for note, part in zip(notes, expected, strict=True):
        assert part in note


@pytest.mark.parametrize("form", FORMATS)
def test_a_layer_and_its_head_say_what_is_assumed_and_nothing_else(form, tmp_path):
    assert_notes(FORMATS[form]([READER, HEAD], tmp_path), ASSUMED[form])


@pytest.mark.parametrize("form", ["PyTorch", "safetensors"])
def test_an_embedding_is_the_one_thing_that_is_assumed(form, tmp_path):
    path = FORMATS[form]([("Embedding", "embedding", 7, 3), READER, HEAD], tmp_path)
    assert_notes(path, ["embedding 'embedding.weight' is assumed to feed 'reader_lstm'"])


@pytest.mark.parametrize("kind", [".keras", "legacy model.h5"])
@pytest.mark.parametrize("generation", [2, 3])
def test_a_model_of_keras_says_nothing(generation, kind, tmp_path):
    keras = keras_of(generation)
    layers = keras.layers
    stack = [layers.Embedding(7, 3), layers.Dropout(0.1), layers.LSTM(5, return_sequences=True), layers.GRU(4)]
    model = randomise(keras.Sequential([keras.Input((None,), dtype="int32"), *stack, layers.Dense(2)]))
    save(model, tmp_path / "m", kind)
    assert_notes(tmp_path / "m", [])


def test_a_stack_of_both_directions_in_pytorch_says_nothing(tmp_path):
    modules = {"rnn": torch.nn.GRU(3, 4, 2, bidirectional=True), "fc": torch.nn.Linear(8, 3)}
    torch.save({"state_dict": torch.nn.ModuleDict(modules).state_dict(), "epoch": 3}, tmp_path / "m.pt")
    assert_notes(tmp_path / "m.pt", [])


def test_plain_arrays_say_how_they_are_read(tmp_path):
    random = np.random.default_rng(0)
    arrays = {
        "kernel": random.normal(size=(3, 20)),
        "recurrent_kernel": random.normal(size=(5, 20)),
        "bias": np.ones(20),
    }
    np.savez(tmp_path / "m.npz", **arrays)
    assert_notes(tmp_path / "m.npz", ["read by the convention 'keras'"], convention="keras")


def test_an_exported_graph_says_nothing(tmp_path):
    class Tagger(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.words, self.rnn = torch.nn.Embedding(7, 3), torch.nn.LSTM(3, 5, 2, bidirectional=True)
            self.scores = torch.nn.Linear(10, 2)

        def forward(self, ids):
            return self.scores(self.rnn(self.words(ids))[0])

    given = (torch.ones(4, 2, dtype=torch.int64),)
    assert_notes(export_quietly(Tagger(), given, tmp_path / "m.onnx", dynamo=False), [])


def test_an_exported_model_of_keras_says_nothing(tmp_path):
    keras = keras_of(3)
    layers = [keras.Input((None, 3)), keras.layers.LSTM(5, return_sequences=True), keras.layers.Dense(2)]
    with contextlib.redirect_stdout(io.StringIO()):
        keras.Sequential(layers).export(tmp_path / "m", verbose=False)
    assert_notes(tmp_path / "m", [])
