"""What only Keras 2 wrote: its hard_sigmoid, its defaults, its names, its shape of a configuration."""

import json

import h5py
import numpy as np
import pytest

import rnnstates

from .keras_models import bidirectional, embedded, keras_of, lstm, randomise, save, shared


@pytest.fixture(scope="module")
def keras():
    return keras_of(2)


@pytest.fixture
def path(tmp_path):
    """A model of one LSTM as Keras 2 saves it."""
    save(shared(lstm, 2), tmp_path / "m.h5", "legacy model.h5")
    return tmp_path / "m.h5"


def edit_config(path, edit):
    """Change the configuration inside a legacy file."""
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        edit(config)
        file.attrs["model_config"] = json.dumps(config)


@pytest.mark.parametrize("kind", [".keras", "legacy model.h5"])
def test_hard_sigmoid_has_the_slope_it_had_in_keras_2(keras, kind, tmp_path):
    layer = keras.layers.LSTM(5, return_sequences=True, recurrent_activation="hard_sigmoid")
    model = randomise(keras.Sequential([keras.Input((None, 3)), layer]))
    save(model, tmp_path / "file", kind)
    inputs = np.random.default_rng(1).normal(size=(2, 7, 3)).astype(np.float32)
    states = rnnstates.extract(inputs, "full", weights=tmp_path / "file")
    np.testing.assert_allclose(states["hidden"], np.array(model(inputs)), atol=1e-6)
    # The slope of Keras 3 would have been seen.
    network = rnnstates.load_weights(tmp_path / "file")
    assert network.layers[0].forward.recurrent_activation == "hard_sigmoid_fifth"


@pytest.mark.parametrize("kind", [".keras", "legacy model.h5"])
def test_states_of_a_functional_model_are_those_of_keras_2(keras, kind, tmp_path):
    model = shared(embedded, 2)
    save(model, tmp_path / "file", kind)
    tokens = np.random.default_rng(1).integers(1, 11, size=(2, 7))
    states = rnnstates.extract(tokens, "full", weights=tmp_path / "file")
    theirs = keras.Model(model.input, model.get_layer("reader").output)(tokens)
    np.testing.assert_allclose(states["hidden"], np.array(theirs), atol=1e-6)


def test_a_configuration_without_recurrent_activation_takes_the_default_of_its_version(path):
    edit_config(path, lambda config: config["config"]["layers"][-1]["config"].pop("recurrent_activation"))
    for version, expected in (("2.1.6-tf", "hard_sigmoid_fifth"), ("2.3.1", "sigmoid"), ("2.2.4-tf", "sigmoid")):
        with h5py.File(path, "r+") as file:
            file.attrs["keras_version"] = version
        network = rnnstates.load_weights(path)
        assert network.layers[0].forward.recurrent_activation == expected
        assert any("does not state its recurrent activation" in note for note in network.notes)


def test_weights_alone_of_an_old_version_are_assumed_to_use_its_default(tmp_path):
    save(shared(lstm, 2), tmp_path / "w.h5", "legacy weights.h5")
    with h5py.File(tmp_path / "w.h5", "r+") as file:
        file.attrs["keras_version"] = "2.1.5"
    network = rnnstates.load_weights(tmp_path / "w.h5")
    assert network.layers[0].forward.recurrent_activation == "hard_sigmoid_fifth"
    assert any("activations tanh and hard_sigmoid are assumed" in note for note in network.notes)


def test_sequential_configurations_were_bare_lists_until_keras_2_2(path):
    expected = rnnstates.load_weights(path)
    edit_config(path, lambda config: config.update(config=config["config"]["layers"]))
    network = rnnstates.load_weights(path)
    np.testing.assert_array_equal(network.layers[0].forward.kernel, expected.layers[0].forward.kernel)


def test_names_split_over_several_attributes_are_put_together(path):
    with h5py.File(path, "r+") as file:
        group = file["model_weights/enc"]
        names = list(group.attrs["weight_names"])
        del group.attrs["weight_names"]
        group.attrs["weight_names0"], group.attrs["weight_names1"] = names[:1], names[1:]
        layers = list(file["model_weights"].attrs["layer_names"])
        del file["model_weights"].attrs["layer_names"]
        file["model_weights"].attrs["layer_names0"] = layers
    assert rnnstates.load_weights(path).layers[0].forward.units == 5


def test_the_names_of_tensorflow_1_have_no_cell_in_them(tmp_path):
    save(shared(lstm, 2), tmp_path / "w.h5", "legacy weights.h5")
    expected = rnnstates.load_weights(tmp_path / "w.h5")
    with h5py.File(tmp_path / "w.h5", "r+") as file:
        group = file["enc"]
        old = [name if isinstance(name, str) else name.decode() for name in group.attrs["weight_names"]]
        new = [f"enc_1/{name.split('/')[-1]}" for name in old]
        for before, after in zip(old, new, strict=True):
            group[after] = group[before][()]
            del group[before]
        group.attrs["weight_names"] = new
    network = rnnstates.load_weights(tmp_path / "w.h5")
    np.testing.assert_array_equal(
        network.layers[0].forward.recurrent_kernel, expected.layers[0].forward.recurrent_kernel
    )


def test_a_bias_that_fits_no_cell_is_refused(path):
    with h5py.File(path, "r+") as file:
        group = file["model_weights/enc"]
        name = next(name for name in group.attrs["weight_names"] if "bias" in str(name))
        del group[name]
        group[name] = np.zeros(30, "f4")
    with pytest.raises(rnnstates.BadWeights, match=r"bias has shape \(30,\); expected \(20,\), because the recurrent"):
        rnnstates.load_weights(path)


def test_a_bidirectional_without_names_of_its_halves_is_parted_in_the_middle(tmp_path):
    save(shared(bidirectional, 2), tmp_path / "m.h5", "legacy model.h5")
    expected = rnnstates.load_weights(tmp_path / "m.h5").layers[0]
    with h5py.File(tmp_path / "m.h5", "r+") as file:
        group = file["model_weights/both"]
        names = [name if isinstance(name, str) else name.decode() for name in group.attrs["weight_names"]]
        renamed = [f"{number // 3}/{name.split('/')[-1]}" for number, name in enumerate(names)]
        for before, after in zip(names, renamed, strict=True):
            group[after] = group[before][()]
        group.attrs["weight_names"] = renamed
    layer = rnnstates.load_weights(tmp_path / "m.h5").layers[0]
    np.testing.assert_array_equal(layer.backward.recurrent_kernel, expected.backward.recurrent_kernel)


def test_a_group_that_lists_what_it_does_not_have_is_refused(path):
    with h5py.File(path, "r+") as file:
        group = file["model_weights/enc"]
        group.attrs["weight_names"] = ["enc/kernel", "enc/recurrent_kernel", "enc/bias"]
    with pytest.raises(rnnstates.BadWeights, match="no dataset 'model_weights/enc/enc/kernel', which its group"):
        rnnstates.load_weights(path)


def test_arrays_in_another_order_are_refused(path):
    with h5py.File(path, "r+") as file:
        group = file["model_weights/enc"]
        group.attrs["weight_names"] = list(group.attrs["weight_names"])[::-1]
    with pytest.raises(rnnstates.BadWeights, match=r"recurrent_kernel|kernel was expected"):
        rnnstates.load_weights(path)


def test_twelve_arrays_that_do_not_fit_each_other_are_refused(path):
    with h5py.File(path, "r+") as file:
        group = file["model_weights/enc"]
        names = [f"enc_{array}_{gate}" for gate in "icfo" for array in "WUb"]
        for name in names:
            group[name] = np.ones((3, 5), "f4")
        group.attrs["weight_names"] = names
    with pytest.raises(rnnstates.BadWeights, match=r"layer 'enc': recurrent kernel has shape \(3, 20\); expected"):
        rnnstates.load_weights(path)
