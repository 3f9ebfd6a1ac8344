"""A model whose own layers read padding: its states are not those of the valid steps, so a note says which differ."""

import functools
import warnings

import numpy as np
import pytest

import rnnstates

from .keras_models import keras_of, randomise, save
from .test_onnx import arrays_of, lstm
from .test_onnx import save as save_graph

X = np.random.default_rng(3).normal(size=(4, 6, 3)).astype(np.float32)
LENGTHS = [6, 4, 1, 0]
IDS = np.array([[3, 2, 5, 0, 0]])
WARNING = "masks no steps for "


def layers_of(kind, layers):
    """Give the layers of one small model; the recurrent ones are called ``low`` and ``high``."""
    both = layers.Bidirectional(layers.GRU(4, return_sequences=True), name="low")
    return {
        "both ways": [both],
        "backwards": [layers.SimpleRNN(5, return_sequences=True, go_backwards=True, name="low")],
        "above a forward one": [
            layers.LSTM(5, return_sequences=True, name="under"),
            layers.Bidirectional(layers.LSTM(2, return_sequences=True), name="low"),
        ],
        "forward": [layers.LSTM(5, return_sequences=True, name="low")],
        "masked": [layers.Masking(), both],
        "masked below a layer that hands it on": [layers.Masking(), layers.LayerNormalization(), both],
        "masked below one that drops it": [layers.Masking(), layers.Conv1D(3, 1), both],
    }[kind]


@functools.cache
def model_of(kind, generation=3):
    keras = keras_of(generation)
    with warnings.catch_warnings():
        # Keras 3 says that a convolution drops the mask.
        warnings.simplefilter("ignore")
        return randomise(keras.Sequential([keras.Input((None, 3)), *layers_of(kind, keras.layers)]))


def notes_of(path, **options):
    return [note for note in rnnstates.extract(X, weights=path, **options).provenance["notes"] if WARNING in note]


@pytest.mark.parametrize("generation", [2, 3])
@pytest.mark.parametrize(
    ("kind", "padding", "warned"),
    [
        ("both ways", "post", True),
        ("both ways", "pre", True),
        ("backwards", "post", True),
        ("backwards", "pre", False),
        ("above a forward one", "post", True),
        ("forward", "post", False),
        ("forward", "pre", True),
        ("masked", "post", False),
        ("masked", "pre", False),
        ("masked below a layer that hands it on", "post", False),
        ("masked below one that drops it", "post", True),
    ],
)
def test_the_layers_that_read_padding_are_named(tmp_path, kind, padding, warned, generation):
    model_of(kind, generation).save(path := tmp_path / "model.keras")
    found = notes_of(path, lengths=LENGTHS, padding=padding)
    assert len(found) == warned
    assert all("'low'" in note and 'lengths="full"' in note for note in found)
    assert not notes_of(path, lengths="full", padding=padding)


@pytest.mark.parametrize("padding", ["post", "pre"])
def test_the_word_that_the_warning_gives_is_what_the_model_computes(tmp_path, padding):
    model = model_of("both ways")
    model.save(path := tmp_path / "model.keras")
    states = rnnstates.extract(X, "full", weights=path, padding=padding)
    halves = [states[f"layer0/{direction}/hidden"] for direction in ("forward", "backward")]
    np.testing.assert_allclose(np.concatenate(halves, axis=2), model(X), atol=1e-6)


def test_a_mask_of_an_embedding_counts(tmp_path):
    keras = keras_of(3)
    for mask_zero in (True, False):
        tokens = keras.Input((None,), dtype="int32")
        vectors = keras.layers.Embedding(9, 3, mask_zero=mask_zero)(tokens)
        both = keras.layers.Bidirectional(keras.layers.LSTM(4), name="low")(vectors)
        keras.Model(tokens, both).save(path := tmp_path / f"{mask_zero}.keras")
        states = rnnstates.extract(np.ones((4, 6), int), LENGTHS, weights=path)
        assert any(WARNING in note for note in states.provenance["notes"]) != mask_zero


def paths_of(layers):
    """Give what may stand between a masked embedding and a layer."""
    return {
        "arithmetic": lambda vectors: vectors * 2.0,
        "a sum of itself": lambda vectors: vectors + vectors,
        "all masked": lambda vectors: layers.Maximum()([vectors, layers.Dense(4)(vectors)]),
        "one masked": lambda vectors: layers.Add()([layers.Conv1D(4, 1)(vectors), vectors]),
        "one masked, side by side": lambda vectors: layers.Concatenate()([vectors, layers.Conv1D(4, 1)(vectors)]),
        "none masked": lambda vectors: layers.Concatenate()([vectors * 2.0, layers.Conv1D(4, 1)(vectors)]),
        "another order": lambda vectors: layers.Permute((2, 1))(layers.Permute((2, 1))(vectors)),
        "another shape": lambda vectors: layers.Reshape((5, 4))(vectors),
        "a layer with a start": lambda vectors: layers.GRU(4, return_sequences=True)(
            vectors, initial_state=vectors[:, 0]
        ),
    }


def check_reading(generation, between, low, valid, folder):
    """Hold what is said of a layer's mask against the model: does the row of the embedding for padding matter to it?"""
    keras = keras_of(generation)
    tokens, start = keras.Input((5,), dtype="int32"), keras.Input((3,))
    embedding = keras.layers.Embedding(9, 4, mask_zero=True)
    with warnings.catch_warnings():
        # Keras 3 says which layers drop the mask.
        warnings.simplefilter("ignore")
        model = randomise(keras.Model([tokens, start], low(between(embedding(tokens)), start)))
        inputs = [keras.ops.array(each) if generation == 3 else each for each in (IDS, np.ones((1, 3), "f4"))]
        before = np.asarray(model(inputs))
        table = embedding.get_weights()[0]
        table[0] += 1
        embedding.set_weights([table])
        reads_padding = np.abs(np.asarray(model(inputs)) - before)[0, valid].max() > 1e-6
    for kind in (".keras", "legacy model.h5"):
        save(model, folder / "m", kind)
        assert rnnstates.load_weights(folder / "m", layer="low").layers[-1].masked == (not reads_padding)


@pytest.mark.parametrize("generation", [2, 3])
@pytest.mark.parametrize("between", paths_of(None))
def test_a_mask_is_followed_as_each_generation_of_keras_hands_it_on(between, generation, tmp_path):
    layers = keras_of(generation).layers
    low = layers.Bidirectional(layers.LSTM(3, return_sequences=True), name="low")
    check_reading(generation, paths_of(layers)[between], lambda read, _: low(read), slice(3), tmp_path)


@pytest.mark.parametrize("generation", [2, 3])
def test_a_layer_that_is_given_a_start_is_given_no_mask_by_keras_3(generation, tmp_path):
    low = keras_of(generation).layers.GRU(3, return_sequences=True, go_backwards=True, name="low")
    started = lambda read, start: low(read, initial_state=start)  # noqa: E731
    check_reading(generation, lambda vectors: vectors, started, slice(2, 5), tmp_path)


def test_a_file_of_weights_alone_says_nothing_of_masks(tmp_path):
    model_of("both ways").save_weights(path := tmp_path / "model.weights.h5")
    assert not notes_of(path, lengths=LENGTHS)


def test_a_model_with_an_unknown_layer_before_is_not_judged(tmp_path):
    keras = keras_of(3)

    @keras.saving.register_keras_serializable("mine")
    class Hides(keras.layers.Layer):
        def call(self, inputs):
            return inputs

    low = keras.layers.Bidirectional(keras.layers.LSTM(4), name="low")
    keras.Sequential([keras.Input((None, 3)), Hides(), low]).save(path := tmp_path / "model.keras")
    assert not notes_of(path, lengths=LENGTHS)


@pytest.mark.parametrize("op", ["LSTM", "GRU"])
@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize("takes_lengths", [True, False])
def test_an_operator_of_onnx_without_lengths_reads_padding(tmp_path, op, direction, takes_lengths):
    arrays = arrays_of(op, 2 if direction == "bidirectional" else 1, features=3)

    def change(node):
        node.input[4] = "lengths" if takes_lengths else ""

    model = lstm(op=op, arrays=arrays | {"lengths": np.array(LENGTHS, "i4")}, change=change, direction=direction)
    found = notes_of(save_graph(model, tmp_path / "model.onnx"), lengths=LENGTHS)
    assert len(found) == (direction != "forward" and not takes_lengths)
