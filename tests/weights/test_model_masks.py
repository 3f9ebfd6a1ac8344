"""``lengths="model"``: the steps that a Keras model masks by itself, found from the inputs alone."""

import keras
import numpy as np
import pytest

import rnnstates
from rnnstates.errors import BadLengths, OptionError
from rnnstates.network.step_mask import StepMask

from .keras_models import keras_of

layers = keras.layers
N, T, I, VOCABULARY = 5, 7, 3, 11
LENGTHS = np.array([3, 7, 1, 0, 6])
VALID = np.arange(T) < LENGTHS[:, np.newaxis]


def features(value, side="post", dtype="f4"):
    inputs = np.random.RandomState(5).normal(size=(N, T, I)).astype(dtype)
    # A value among others masks nothing.
    inputs[:, 0, 1] = value
    inputs[~VALID] = value
    return inputs if side == "post" else inputs[:, ::-1].copy()


def tokens(side="post"):
    ids = np.random.RandomState(5).randint(1, VOCABULARY, (N, T)) * VALID
    return ids if side == "post" else ids[:, ::-1].copy()


def masked(value, *between, dtype=None, lstm=None):
    lstm = lstm or layers.LSTM(4, return_sequences=True, name="top")
    stated = "float64" if dtype == "float64" else "float32"
    masking = layers.Masking(value, name="mask", dtype=dtype)
    return keras.Sequential([keras.Input((T, I), dtype=stated), masking, *between, lstm])


def embedded(*between, top=None):
    ids = keras.Input((T,), dtype="int32")
    inner = layers.Embedding(VOCABULARY, I, mask_zero=True, name="words")(ids)
    for layer in (*between, top or layers.LSTM(4, return_sequences=True, name="top")):
        inner = layer(inner)
    return keras.Model(ids, inner)


def mask_of(model, inputs):
    """Ask the layer that masks, which gets what ``predict`` gives it."""
    layer = next(one for one in model.layers if isinstance(one, layers.Masking | layers.Embedding))
    dtype = "int32" if inputs.dtype.kind == "i" else layer.compute_dtype
    return keras.ops.convert_to_numpy(layer.compute_mask(keras.ops.cast(inputs, dtype)))


CASES = {
    "Masking(0)": (lambda: masked(0.0), features(0)),
    "Masking(-1)": (lambda: masked(-1), features(-1)),
    "Masking(0.1)": (lambda: masked(0.1), features(0.1)),
    "float64 that float32 rounds": (lambda: masked(0.0), features(1e-60, dtype="f8")),
    "float64 that float64 keeps": (lambda: masked(0.5, dtype="float64"), features(0.5, dtype="f8")),
    "float16": (lambda: masked(0.0, dtype="float16"), features(1e-9)),
    "layers that pass the mask": (lambda: masked(2.0, layers.Dropout(0.5), layers.Activation("linear")), features(2)),
    "both directions": (
        lambda: masked(0.0, lstm=layers.Bidirectional(layers.LSTM(4, return_sequences=True), name="top")), features(0)
    ),
    "token ids": (embedded, tokens()),
    "token ids of a stack": (lambda: embedded(layers.GRU(5, return_sequences=True, name="low")), tokens()),
}  # fmt: skip
TOP = {"both directions": "layer0/", "token ids of a stack": "layer1/"}


@pytest.fixture(params=CASES, scope="module")
def case(request):
    make, inputs = CASES[request.param]
    keras.utils.set_random_seed(3)
    return make(), inputs, request.param


@pytest.mark.parametrize("side", ["post", "pre"])
def test_lengths_and_states_are_those_of_keras(case, side):
    model, inputs, name = case
    inputs = inputs if side == "post" else inputs[:, ::-1].copy()
    expected = mask_of(model, inputs)
    np.testing.assert_array_equal(expected.sum(axis=1), LENGTHS)
    made = rnnstates.extract(inputs, "model", weights=model, layer="top")
    np.testing.assert_array_equal(made.lengths, LENGTHS)
    assert made.attributes["padding"] == side
    assert made.provenance["lengths"] == "model"
    notes = made.provenance["notes"]
    assert any(
        note.startswith('lengths="model": layer ') and "masks 18 of 35 steps in 4 of 5" in note for note in notes
    )
    assert not any("only the lengths count" in note for note in notes)
    assert any("so they are read as with padding" in note for note in notes) == (side == "pre")
    outputs = model.predict(inputs, verbose=0)
    at = TOP.get(name, "")
    parts = [f"{at}forward/hidden", f"{at}backward/hidden"] if name == "both directions" else [f"{at}hidden"]
    ours = np.concatenate([made.datasets[part] for part in parts], axis=2)
    tolerance = 2e-3 if name == "float16" else 1e-6
    np.testing.assert_allclose(ours[expected], outputs[expected], atol=tolerance)
    given = rnnstates.extract(inputs, LENGTHS, weights=model, layer="top", padding=side)
    for dataset, values in given.datasets.items():
        np.testing.assert_array_equal(made.datasets[dataset], values)


@pytest.mark.parametrize("dtype, value", [("float64", 0.1), ("float64", 1e-60), ("float16", 0.1), ("float32", np.nan)])
def test_values_that_keras_never_meets_mask_nothing(dtype, value):
    model, inputs = masked(value, dtype=dtype), features(value, dtype="f8")
    assert mask_of(model, inputs).all()
    assert rnnstates.load_weights(model).mask.counts(inputs).all()
    zero = masked(0.0, dtype=dtype)
    small = features(1e-60, dtype="f8")
    np.testing.assert_array_equal(rnnstates.load_weights(zero).mask.counts(small), mask_of(zero, small))


def test_the_last_state_is_that_of_keras():
    model = masked(0.0, lstm=layers.LSTM(4, name="top"))
    inputs = features(0)[LENGTHS > 0]
    made = rnnstates.extract(inputs, "model", weights=model)
    np.testing.assert_allclose(made["hidden_last"], model.predict(inputs, verbose=0), atol=1e-6)


@pytest.mark.parametrize("way", ["m.keras", "m.h5", "m.weights.h5"])
def test_files_say_what_the_model_masks(tmp_path, way):
    more = {}
    if way == "m.weights.h5":
        model = masked(-1.0)
        model.save_weights(tmp_path / way)
        (tmp_path / "config.json").write_text(model.to_json())
        more["config"] = tmp_path / "config.json"
    elif way == "m.h5":
        old = keras_of(2)
        model = old.Sequential([old.Input((T, I)), old.layers.Masking(-1.0), old.layers.LSTM(4)])
        with pytest.warns(UserWarning, match="legacy"):
            model.save(tmp_path / way)
    else:
        model = masked(-1.0)
        model.save(tmp_path / way)
    made = rnnstates.extract(features(-1), "model", weights=tmp_path / way, **more)
    np.testing.assert_array_equal(made.lengths, LENGTHS)
    without = rnnstates.extract(features(-1), LENGTHS, weights=tmp_path / way, **more)
    np.testing.assert_array_equal(made["cell"], without["cell"])
    assert any('only the lengths count (lengths="model"' in note for note in without.provenance["notes"])


def test_a_mask_does_not_change_what_identifies_the_weights(tmp_path):
    keras.utils.set_random_seed(1)
    model = masked(0.0)
    plain = keras.Sequential([keras.Input((T, I)), model.get_layer("top")])
    one, other = (rnnstates.load_weights(each) for each in (model, plain))
    assert (one.mask, other.mask) == (StepMask("mask", 0.0), "the model masks no steps for layer 'top'")
    assert rnnstates.network.fingerprint.fingerprint(one) == rnnstates.network.fingerprint.fingerprint(other)


def test_a_mask_with_a_hole_is_refused():
    inputs = features(0)
    inputs[1, 4] = 0
    with pytest.raises(
        BadLengths, match=r"lengths=\"model\", layer 'mask': sequence 1 has a hole at step 4: it is mask"
    ):
        rnnstates.extract(inputs, "model", weights=masked(0.0))


def test_the_stated_side_must_be_that_of_the_mask():
    with pytest.raises(
        OptionError, match=r"lengths=\"model\", layer 'mask': masks the last steps of sequence 0, but pad"
    ):
        rnnstates.extract(features(0), "model", weights=masked(0.0), padding="pre")


def by_hand():
    inputs, mask = keras.Input((T, I)), keras.Input((T,), dtype="bool")
    return keras.Model([inputs, mask], layers.LSTM(4)(inputs, mask=mask))


def learned():
    inputs = keras.Input((T, I))
    return keras.Model(inputs, layers.LSTM(4, name="top")(layers.Dense(I)(layers.Masking()(inputs))))


REFUSED = {
    "no mask": (
        lambda: masked(0.0).layers[-1],
        "the model masks no steps for layer 'top'; expected a Keras model whose",
    ),
    "a mask of other inputs": (
        learned,
        "the mask of layer 'top' does not follow from its own inputs; expected a Keras",
    ),
    "a mask by hand": (by_hand, "layer 'lstm.*' is given a mask that the model computes"),
    "two masks": (lambda: masked(1.0, layers.Masking(2.0)), "the mask of layer 'top' does not follow from its own"),
    "bfloat16": (lambda: masked(1.0, dtype="bfloat16"), "layer 'mask' compares in 'bfloat16'; expected a Keras model"),
    "other weights": (lambda: None, "the weights say no mask; expected a Keras model whose recurrent layer follows"),
    "vectors for ids": (embedded, r"layer 'words' masks token ids \(N, T\), but inputs holds numbers \(N, T, I\)"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_known_is_refused(name):
    make, message = REFUSED[name]
    with pytest.raises(BadLengths, match=f'lengths="model": {message}'):
        rnnstates.extract(features(0), "model", weights=make())


def test_ids_of_another_table_are_not_those_that_are_masked(tmp_path):
    ids = keras.Input((T,), dtype="int32")
    inner = layers.Embedding(VOCABULARY, I, mask_zero=True, name="words")(ids)
    other = layers.Embedding(VOCABULARY, I, name="other")(ids)
    model = keras.Model(ids, [layers.LSTM(4, name="top")(inner), other])
    found = {name: rnnstates.load_weights(model, embedding=name).mask for name in ("words", "other", "none")}
    assert found == {
        "words": StepMask("words", tokens=True),
        "other": "layer 'words' masks by the ids of its own table, which is not used here",
        "none": "layer 'words' masks by the ids of its own table, which is not used here",
    }


def test_vectors_are_not_compared_with_a_mask_of_ids_of_an_embedding_that_is_masked_by_value():
    model = keras.Sequential(
        [keras.Input((T,), dtype="int32"), layers.Embedding(VOCABULARY, I), layers.Masking(0.0), layers.LSTM(4)]
    )
    with pytest.raises(BadLengths, match=r"layer 'masking.*' masks numbers \(N, T, I\), but inputs holds token ids"):
        rnnstates.extract(tokens(), "model", weights=model)
