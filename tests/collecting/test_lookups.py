"""Ids that are no rows of a model's embedding, and missing values: refused by name, as extract does."""

import h5py
import numpy as np
import pytest

import rnnstates
from rnnstates.errors import BadInput, BadWeights
from rnnstates.keras.started import keras, tf

from ..cli.running import rnnstates as run
from ..cli.running import text
from . import models
from .models import FEATURES, LENGTHS, TOKENS, randomise, shared

layers = keras.layers
pytestmark = pytest.mark.usefixtures("traced_once")


def reader():
    """Look up ids in a table of 11 rows that masks nothing."""
    read = layers.SimpleRNN(4, name="read", return_sequences=True)
    return keras.Sequential([keras.Input((None,), dtype="int32"), layers.Embedding(11, 3), read])


class Written(keras.Model):
    """The same, written in Python, and looked up through other shapes."""

    def __init__(self):
        super().__init__()
        self.table, self.read = layers.Embedding(11, 3), layers.SimpleRNN(4, name="read", return_sequences=True)

    def call(self, ids):
        return self.read(self.table(tf.squeeze(tf.expand_dims(ids, 2), 2)))


def written():
    model = Written()
    model(TOKENS[:1, :1])
    return model


def nested():
    ids = keras.Input((None,), dtype="int32")
    return keras.Model(ids, reader()(ids))


def changed(value, dtype, step=1):
    tokens = TOKENS.astype(dtype)
    tokens[3, step] = value
    return tokens


WRONG = [
    (11, "i4"), (-1, "i8"), (2.5, "f4"), (np.nan, "f8"), (np.inf, "f4"), (2**32 + 5, "i8"), (2**63 + 1, "u8"),
]  # fmt: skip


@pytest.mark.parametrize("make", [reader, written, nested])
@pytest.mark.parametrize(("value", "dtype"), WRONG, ids=str)
def test_an_id_that_is_no_row_of_the_embedding_is_refused_with_its_place(make, value, dtype):
    message = rf"sequence 3, step 1 has token id {changed(value, dtype)[3, 1]} .*; expected whole numbers from 0 to 10"
    with pytest.raises(BadInput, match=message.replace("+", r"\+")):
        rnnstates.collect(shared(make), changed(value, dtype), "full", batch_size=2)


@pytest.mark.parametrize("dtype", ["u1", "f4", "i8", "f2"])
def test_ids_of_any_dtype_are_the_same_ids(dtype):
    right = rnnstates.collect(shared(reader), TOKENS.astype("i4"), LENGTHS)
    found = rnnstates.collect(shared(reader), TOKENS.astype(dtype), LENGTHS)
    np.testing.assert_array_equal(found["read/hidden"], right["read/hidden"])


def test_ids_in_padding_are_the_models_own_affair_unless_it_fails_on_them():
    padded, model = np.where(models.WITHIN, TOKENS, -1), shared(reader)
    right = rnnstates.collect(model, TOKENS, LENGTHS)
    np.testing.assert_array_equal(rnnstates.collect(model, padded, LENGTHS)["read/hidden"], right["read/hidden"])
    with pytest.raises(BadInput, match="sequence 1, step 7 has token id 11"):
        rnnstates.collect(model, np.where(np.indices(TOKENS.shape).sum(0) == 8, 11, TOKENS)[:2], LENGTHS[:2])
    with pytest.raises(BadInput, match="sequence 1, step 3 has token id -1"):
        rnnstates.collect(model, padded, "full")
    # The valid steps come last.
    with pytest.raises(BadInput, match="sequence 1, step 5 has token id -1"):
        rnnstates.collect(model, padded, LENGTHS, padding="pre")


def test_ids_that_decide_the_mask_are_checked_before_it_counts():
    for value in (11, -1):
        with pytest.raises(BadInput, match=f"sequence 3, step 1 has token id {value}"):
            rnnstates.collect(shared(models.masked), changed(value, "i4"), batch_size=2)


def two_inputs():
    """Features, and beside them one id per sequence."""
    features, speaker = keras.Input((None, 3), name="features"), keras.Input((), name="speaker", dtype="int32")
    start = layers.Embedding(7, 5)(speaker)
    states = layers.GRU(5, name="gru", return_sequences=True)(features, initial_state=start)
    return keras.Model({"features": features, "speaker": speaker}, states)


def test_every_input_is_checked_by_its_own_name():
    speakers = np.array([0, 6, 1, 2, -1, 3])
    with pytest.raises(BadInput, match=r"inputs\['speaker'\]: sequence 4, step 0 has token id -1 .* from 0 to 6"):
        rnnstates.collect(shared(two_inputs), {"features": FEATURES, "speaker": speakers}, LENGTHS)
    given = {"features": FEATURES, "speaker": abs(speakers)}
    assert rnnstates.collect(shared(two_inputs), given, LENGTHS)["gru/hidden"].shape == (6, 8, 5)


def test_what_an_integer_of_the_model_cannot_hold_is_refused():
    ids = keras.Input((8,), dtype="int32")
    floats = layers.Rescaling(0.1)(layers.Reshape((8, 1))(ids))
    model = randomise(keras.Model(ids, layers.SimpleRNN(4, name="read", return_sequences=True)(floats)))
    for value, dtype in ((2.5, "f4"), (2**32 + 5, "i8"), (np.nan, "f4")):
        with pytest.raises(BadInput, match=r"sequence 3, step 1 has .* which the model would change, .* reads int32;"):
            rnnstates.collect(model, changed(value, dtype), "full")
    right = rnnstates.collect(model, changed(-5, "i4"), "full")
    found = rnnstates.collect(model, changed(-5, "f4"), "full")
    np.testing.assert_array_equal(found["read/hidden"], right["read/hidden"])


def test_an_embedding_behind_arithmetic_is_reported_in_the_words_of_tensorflow():
    ids = keras.Input((None,), dtype="int32")
    vectors = layers.Embedding(11, 3)(layers.Lambda(lambda x: x + 1)(ids))
    model = randomise(keras.Model(ids, layers.SimpleRNN(4, name="read")(vectors)))
    with pytest.raises(BadWeights, match=r"does not run on these inputs: indices\[.*\] = 11 is not in \[0, 11\)"):
        rnnstates.collect(model, changed(10, "i4"), "full")


def write(path, values, **attributes):
    with h5py.File(path, "w") as file:
        file["inputs"] = values
        file["inputs"].attrs.update(attributes)
    return path


def vectors():
    """One vector per sequence, repeated."""
    return keras.Sequential([keras.Input((8,)), layers.RepeatVector(8), layers.SimpleRNN(4, name="read")])


@pytest.mark.parametrize("make", [reader, vectors])
@pytest.mark.parametrize("dtype", ["i4", "f4"])
def test_missing_values_never_become_numbers(make, dtype, tmp_path):
    path = write(tmp_path / "x.h5", changed(9, dtype), _FillValue=np.dtype(dtype).type(9))
    with h5py.File(path, "a") as file:
        file["inputs"][...] = np.where(TOKENS == 9, 8, changed(9, dtype))
        file["inputs"][3, 1] = 9
    with pytest.raises(BadInput, match=r"x\.h5: dataset 'inputs': row 3 holds 9.*, which stands for a missing"):
        rnnstates.collect(shared(make), path, "full", batch_size=2)


@pytest.mark.parametrize("dtype", ["i4", "i8"])
def test_the_missing_integer_of_r_is_refused(dtype, tmp_path):
    features = (FEATURES * 9).astype(dtype)
    features[4, 6, 1] = np.iinfo(dtype).min
    model = shared(models.convolutional)
    for inputs in (features, write(tmp_path / "x.h5", features)):
        # A convolution may read the padding, where a NaN would show.
        with pytest.raises(BadInput, match=r"sequence 4, step 6, feature 1 is -.*which R writes for NA"):
            rnnstates.collect(model, inputs, LENGTHS, batch_size=2)
        rnnstates.collect(model, inputs, LENGTHS, allow_nonfinite=True)


def test_the_command_names_the_id_too(tmp_path):
    shared(reader).save(tmp_path / "model.keras")
    np.save(tmp_path / "x.npy", changed(-1, "i4"))
    done = run("extract", str(tmp_path / "x.npy"), str(tmp_path / "o.h5"), "--lengths", "full", "--model",
               str(tmp_path / "model.keras"))  # fmt: skip
    assert (done.returncode, "sequence 3, step 1 has token id -1" in text(done.stderr)) == (65, True), done.stderr
