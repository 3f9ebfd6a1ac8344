"""What a model does and we do not, or what we do and it does not, is noted."""

import json
import pickle

import h5py
import numpy as np
import pytest
import torch

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


def test_what_a_layer_reads_of_a_concatenation_is_reported(keras, path):
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
    assert network.notes == ("1.5 is added to every forget gate at run time, on top of the stored bias.",)
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
    notes = [note for note in rnnstates.load_weights(tmp_path / "file").notes if "applies dropout" in note]
    assert [note.split("'")[1] for note in notes] == ["low", "often"]


def test_a_start_that_is_given_needs_no_note_that_it_may_be(keras, path):
    source, start = keras.Input((None, 3)), keras.Input((4,))
    keras.Model([source, start], keras.layers.GRU(4, name="g")(source, initial_state=start)).save(path)
    for initial, said in ((None, True), ({"hidden": np.zeros(4)}, False)):
        states = rnnstates.extract(np.ones((2, 5, 3)), "full", weights=path, initial_state=initial)
        assert any("starts from zero" in note for note in states.provenance["notes"]) == said


def test_a_stateful_layer_that_is_given_a_start_does_not_start_from_zero(keras, path):
    keras.Sequential([keras.Input(batch_shape=(2, None, 3)), keras.layers.GRU(4, stateful=True)]).save(path)
    for network in (rnnstates.load_weights(path), pickle.loads(pickle.dumps(rnnstates.load_weights(path)))):
        for initial, said in ((None, True), ("zero", True), ({"hidden": np.zeros(4)}, False)):
            states = rnnstates.extract(np.ones((2, 5, 3)), "full", weights=network, initial_state=initial)
            assert any("starts from zero" in note for note in states.provenance["notes"]) == said


def test_what_is_given_is_not_said_to_be_a_default(tmp_path):
    keras = keras_of(2)
    save(keras.Sequential([keras.Input((None, 3)), keras.layers.LSTM(4)]), tmp_path / "m.h5", "legacy model.h5")
    with h5py.File(tmp_path / "m.h5", "r+") as file:
        config = json.loads(file.attrs["model_config"])
        del config["config"]["layers"][-1]["config"]["recurrent_activation"]
        file.attrs["model_config"] = json.dumps(config)
    (assumed,) = rnnstates.load_weights(tmp_path / "m.h5").notes
    assert "does not state its recurrent activation; sigmoid is used" in assumed
    given = rnnstates.load_weights(tmp_path / "m.h5", recurrent_activation="relu")
    assert given.notes == ("recurrent activation is relu, as given.",)


@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
def test_a_live_module_says_its_nonlinearity_itself(nonlinearity, tmp_path):
    module = torch.nn.RNN(3, 4, nonlinearity=nonlinearity)
    assert rnnstates.load_weights(module).notes == ()
    torch.save(module.state_dict(), tmp_path / "m.pt")
    assert "tanh is assumed" in rnnstates.load_weights(tmp_path / "m.pt").notes[0]
    given = rnnstates.load_weights(tmp_path / "m.pt", activation=nonlinearity)
    assert given.notes == (f"activation is {nonlinearity}, as given.",)


MISNAMED = {"gru": ("GRU", torch.nn.LSTM, "an LSTM"), "enc_lstm": ("LSTM", torch.nn.GRU, "a GRU"),
            "lstm1": ("LSTM", torch.nn.RNN, "an RNN")}  # fmt: skip


@pytest.mark.parametrize("name", MISNAMED)
def test_a_layer_that_is_called_like_another_cell_is_noted(name):
    called, make, cell = MISNAMED[name]
    notes = rnnstates.load_weights(torch.nn.ModuleDict({name: make(3, 4)})).notes
    assert f"is named {called}, but its arrays are those of {cell}, which is run." in str(notes)


def test_a_cell_of_jax_that_is_called_like_another_one_is_noted():
    arrays = {"w_i": np.ones((3, 12)), "w_h": np.ones((4, 12)), "b": np.ones(12)}
    notes = rnnstates.load_weights({f"net/lstm/{name}": array for name, array in arrays.items()}).notes
    assert "is named LSTM, but its arrays are those of a GRU" in notes[-1]
    dense = {"dense_i/kernel": np.ones((3, 16)), "dense_h/kernel": np.ones((4, 16)), "dense_h/bias": np.ones(16)}
    notes = rnnstates.load_weights({f"gru_cell/{name}": array for name, array in dense.items()}).notes
    assert "is named GRU, but its arrays are those of an LSTM" in notes[-1]


@pytest.mark.parametrize("name, make", [("bigru", "GRU"), ("congruent", "LSTM"), ("gru_encoder.lstm", "LSTM")])
def test_a_name_that_fits_says_nothing(name, make):
    state = {f"{name}.{part}": array for part, array in getattr(torch.nn, make)(3, 4).state_dict().items()}
    assert rnnstates.load_weights(state).notes == ()
