"""What a model does and we do not, or what we do and it does not, is noted."""

import pytest

import rnnstates

from .keras_models import keras_of, lstm, randomise, save


@pytest.fixture(scope="module")
def keras():
    return keras_of(3)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "m.keras"


def test_a_decoder_that_is_given_states_is_noted(keras, path):
    layers = keras.layers
    source, target = keras.Input((None, 3)), keras.Input((None, 2))
    _, *states = layers.LSTM(4, return_state=True, name="encoder")(source)
    keras.Model([source, target], layers.LSTM(4, name="decoder")(target, initial_state=states)).save(path)
    network = rnnstates.load_weights(path, layer="decoder")
    assert network.features == 2
    warned = "here it starts from zero states (initial_state=FILE gives others)."
    assert f"layer 'decoder' is given an initial state by the model; {warned}" in network.notes
    assert rnnstates.load_weights(path, layer="encoder").notes == ()


def test_a_decoder_of_keras_2_that_is_given_states_is_noted(tmp_path):
    keras = keras_of(2)
    source, target = keras.Input((None, 3)), keras.Input((None, 2))
    _, *states = keras.layers.LSTM(4, return_state=True, name="encoder")(source)
    decoder = keras.layers.LSTM(4, name="decoder")(target, initial_state=states)
    save(keras.Model([source, target], decoder), tmp_path / "file", "legacy model.h5")
    network = rnnstates.load_weights(tmp_path / "file", layer="decoder")
    assert any("given an initial state" in note for note in network.notes)
    assert network.features == 2


def test_a_layer_that_is_called_on_its_own_states_is_noted(keras, path):
    inputs = keras.Input((None, 3))
    twice = keras.layers.LSTM(3, return_sequences=True, name="twice")
    keras.Model(inputs, twice(twice(inputs))).save(path)
    assert rnnstates.load_weights(path).notes == (
        "layer 'twice' also reads its own states in the model; here it runs once, over the inputs.",
    )


def test_a_layer_that_reads_a_concatenation_is_told_what_it_reads(keras, path):
    layers = keras.layers
    inputs = keras.Input((None, 3))
    both = layers.Concatenate(name="both")([inputs, layers.LSTM(4, return_sequences=True, name="low")(inputs)])
    keras.Model(inputs, layers.LSTM(5, name="high")(both)).save(path)
    assert any(
        "'both' (Concatenate) before 'high'" in note for note in rnnstates.load_weights(path, layer="high").notes
    )


def test_what_a_model_does_and_we_do_not_is_noted(keras, tmp_path):
    layers = keras.layers
    model = keras.Sequential(
        [keras.Input(batch_shape=(2, None, 3)), layers.LSTM(4, stateful=True, dtype="mixed_float16")]
    )
    model.save(tmp_path / "m.keras")
    name = model.layers[0].name
    assert rnnstates.load_weights(tmp_path / "m.keras").notes == (
        f"layer '{name}' is stateful in the model; here every sequence starts from zero states.",
        f"layer '{name}' was made for mixed_float16; it is computed in the precision of this run.",
    )
    keras_2 = keras_of(2)
    old = keras_2.Sequential([keras_2.Input((None, 3)), keras_2.layers.LSTM(4, time_major=True, name="major")])
    save(old, tmp_path / "m.h5", "legacy model.h5")
    notes = rnnstates.load_weights(tmp_path / "m.h5").notes
    assert notes == ("layer 'major' reads (time, batch, features) in the model; here inputs are (N, T, I).",)


def test_a_forget_bias_for_a_file_is_added_at_run_time_and_noted(keras, path):
    randomise(lstm(keras)).save(path)
    network = rnnstates.load_weights(path, forget_bias=1.5)
    assert network.layers[0].forward.forget_bias == 1.5
    assert network.notes == ("1.5 is added to every forget gate at run time, beside the stored bias.",)
    assert network.origin["forget_bias"] == "in the stored bias; 1.5 is added at run time"
    with pytest.raises(rnnstates.errors.OptionError, match="forget_bias=nan: expected a finite number"):
        rnnstates.load_weights(path, forget_bias=float("nan"))


@pytest.mark.parametrize("kind", [".keras", "legacy model.h5"])
@pytest.mark.parametrize("generation", [2, 3])
def test_what_drops_at_random_whenever_a_model_runs_is_noted(generation, kind, tmp_path):
    keras = keras_of(generation)
    layers = keras.layers
    inputs = keras.Input((None, 3))
    low = layers.Bidirectional(layers.LSTM(4, dropout=0.2, return_sequences=True), name="low")(inputs, training=True)
    low = layers.Dropout(0.5, name="often")(layers.Dropout(0.5, name="usual")(low), training=True)
    model = keras.Model(inputs, layers.GRU(2, name="top")(low, training=True))
    save(model, tmp_path / "file", kind)
    notes = [note for note in rnnstates.load_weights(tmp_path / "file").notes if "drops at random" in note]
    assert [note.split("'")[1] for note in notes] == ["low", "often"]
