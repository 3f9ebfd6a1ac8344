"""Classes behind the package they were registered in: ours are read in every kind of file, the user's are refused."""

import json
import warnings

import h5py
import numpy as np
import pytest

import rnnstates
from rnnstates import BadWeights

from .keras_models import keras_of, randomise, save

INPUTS = np.random.default_rng(1).normal(size=(2, 7, 3)).astype("f4")
KINDS = [".keras", "legacy model.h5"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "layer, settings",
    [
        ("StateLSTM", {"peepholes": True, "projection": 2, "forget_bias": 1.0}),
        ("StateLSTM", {"go_backwards": True, "cell_clip": 0.5}),
        ("StateGRU", {"reset_after": False}),
        ("StateRNN", {"activation": "relu"}),
    ],
)
def test_our_own_layers_are_read_in_every_kind_of_file(layer, settings, kind, tmp_path):
    import rnnstates.keras as ours

    keras = keras_of(3)
    inputs = keras.Input((None, 3))
    states = getattr(ours, layer)(4, name="own", **settings)(inputs)
    model = randomise(keras.Model(inputs, states.hidden))
    save(model, tmp_path / "file", kind)
    found = rnnstates.extract(INPUTS, "full", weights=tmp_path / "file")
    np.testing.assert_allclose(found["hidden"], np.array(model(INPUTS)), rtol=0, atol=1e-6)


def test_our_layers_above_keras_own_ones_are_one_stack_in_a_legacy_file(tmp_path):
    from rnnstates.keras import StateGRU

    keras = keras_of(3)
    inputs = keras.Input((None, 3))
    low = keras.layers.LSTM(5, return_sequences=True, name="low")(inputs)
    model = randomise(keras.Model(inputs, StateGRU(4, name="high")(low).hidden))
    save(model, tmp_path / "m.h5", "legacy model.h5")
    found = rnnstates.extract(INPUTS, "full", weights=tmp_path / "m.h5")
    np.testing.assert_allclose(found["layer1/hidden"], np.array(model(INPUTS)), rtol=0, atol=1e-6)


def users_own(keras, what):
    """A model with a class of the user's, registered in a package, somewhere in it."""
    layers, registered = keras.layers, keras.saving.register_keras_serializable("Custom")

    @registered
    class LSTM(layers.LSTM):
        pass

    @registered
    class LSTMCell(layers.LSTMCell):
        pass

    made = {
        "layer": lambda: LSTM(4, name="own"),
        # Of this activation Keras 2 writes one implementation for the CPU alone.
        "Bidirectional": lambda: layers.Bidirectional(LSTM(4, activation="relu"), name="own"),
        "cell": lambda: layers.RNN(LSTMCell(4), name="own"),
        "cells": lambda: layers.RNN([layers.GRUCell(5), LSTMCell(4)], name="own"),
    }
    return keras.Sequential([keras.Input((None, 3)), made[what]()])


@pytest.mark.parametrize("what", ["layer", "Bidirectional", "cell", "cells"])
@pytest.mark.parametrize(
    "generation, kind", [*((2, kind) for kind in [*KINDS, "SavedModel"]), *((3, kind) for kind in KINDS)]
)
def test_a_class_of_the_users_is_refused_by_name_in_every_kind_of_file(generation, kind, what, tmp_path):
    model = users_own(keras_of(generation), what)
    if kind == "SavedModel":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # The functions of every layer, which take most of the time, are beside the class.
            model.save(tmp_path / "file", save_format="tf", save_traces=what in ("layer", "cells"))
    else:
        save(model, tmp_path / "file", kind)
    said = r"layer 'own': (its class is not Keras' own \('Custom>LSTM'\)|is .*LSTM(Cell)?' that is not Keras' own)"
    with pytest.raises(BadWeights, match=said):
        rnnstates.load_weights(tmp_path / "file")


def test_another_package_is_not_taken_for_ours_because_its_class_is_called_alike(tmp_path):
    from rnnstates.keras import StateLSTM

    keras = keras_of(3)
    inputs = keras.Input((None, 3))
    save(keras.Model(inputs, StateLSTM(4, name="own")(inputs).hidden), tmp_path / "m.h5", "legacy model.h5")
    with h5py.File(tmp_path / "m.h5", "r+") as file:
        config = json.loads(file.attrs["model_config"])
        config["config"]["layers"][1]["class_name"] = "theirs>StateLSTM"
        file.attrs["model_config"] = json.dumps(config)
    with pytest.raises(BadWeights, match=r"'own': its class is not Keras' own \('theirs>StateLSTM'\)"):
        rnnstates.load_weights(tmp_path / "m.h5")
