"""Saved weights come back the same, here and in Keras; what such a file cannot say is refused."""

import os
from dataclasses import replace

import numpy as np
import pytest

import rnnstates
from rnnstates import LayerWeights, Network, RecurrentLayer
from rnnstates.errors import CannotCreate, OptionError, PermissionDenied, WriteFailed

from ..builders import embedded, layer_weights, one_layer
from .keras_models import keras_of


def symmetric_stack():
    """Two bidirectional layers whose directions have the same units, as Keras wants them."""
    low = RecurrentLayer("low", layer_weights(3, 4, 0), layer_weights(3, 4, 1))
    return Network((low, RecurrentLayer("high", layer_weights(8, 6, 2), layer_weights(8, 6, 3))))


NETWORKS = {"one layer": one_layer, "two bidirectional": symmetric_stack, "embedding": embedded}


def keras_model(network):
    """The model of Keras into which a network's weights go."""
    keras = keras_of(3)
    layers = []
    if network.embedding is not None:
        layers.append(keras.layers.Embedding(*network.embedding.shape, dtype="float64"))
    for layer in network.layers:
        forward, *backward = (
            keras.layers.LSTM(
                weights.units, return_sequences=True, go_backwards=direction == "backward", dtype="float64"
            )
            for direction, weights in layer.directions.items()
        )
        if backward:
            layers.append(keras.layers.Bidirectional(forward, backward_layer=backward[0], dtype="float64"))
        else:
            layers.append(forward)
    shape, dtype = ((None,), "int32") if network.embedding is not None else ((None, network.features), "float64")
    return keras.Sequential([keras.Input(shape, dtype=dtype), *layers])


@pytest.mark.parametrize("make", list(NETWORKS.values()), ids=list(NETWORKS))
def test_keras_loads_them_and_computes_the_same(make, tmp_path):
    network = make()
    rnnstates.save_weights(network, tmp_path / "n.weights.h5")
    model = keras_model(network)
    model.load_weights(tmp_path / "n.weights.h5")
    random = np.random.default_rng(1)
    inputs = random.normal(size=(2, 6, 3)) if network.embedding is None else random.integers(0, 7, size=(2, 6))
    states = rnnstates.extract(inputs, "full", weights=network, precision="float64")
    ours = [states[name] for name in states.datasets if name.startswith("layer1") and name.endswith("hidden")]
    ours = np.concatenate(ours, axis=2) if ours else states["hidden"]
    np.testing.assert_allclose(ours, np.array(model(inputs)), atol=1e-12)


@pytest.mark.parametrize("make", list(NETWORKS.values()), ids=list(NETWORKS))
def test_they_come_back_bit_for_bit(make, tmp_path):
    network = make()
    rnnstates.save_weights(network, tmp_path / "n.weights.h5")
    again = rnnstates.load_weights(tmp_path / "n.weights.h5")
    for (_, layer, _, before), (_, same, _, after) in zip(network.parts(), again.parts(), strict=True):
        assert layer.name == same.name
        for name in ("kernel", "recurrent_kernel", "bias"):
            np.testing.assert_array_equal(getattr(before, name), getattr(after, name))
            assert getattr(before, name).dtype == getattr(after, name).dtype


def test_what_is_added_at_run_time_goes_into_the_bias(tmp_path):
    weights = layer_weights(3, 5, forget_bias=1.5)
    network = Network((RecurrentLayer("lstm", forward=weights),))
    rnnstates.save_weights(network, tmp_path / "n.weights.h5")
    loaded = rnnstates.load_weights(tmp_path / "n.weights.h5").layers[0].forward
    np.testing.assert_array_equal(loaded.bias, weights.bias + np.repeat([0, 1.5, 0, 0], 5))
    assert loaded.forget_bias == 0


def test_the_same_network_gives_the_same_bytes(tmp_path):
    for name in ("a.weights.h5", "b.weights.h5"):
        rnnstates.save_weights(one_layer(), tmp_path / name)
    assert (tmp_path / "a.weights.h5").read_bytes() == (tmp_path / "b.weights.h5").read_bytes()


def layer_with(**options):
    return RecurrentLayer("odd", forward=replace(layer_weights(3, 4), **options))


@pytest.mark.parametrize(
    "layer, problem",
    [
        (RecurrentLayer("odd", backward=layer_weights(3, 4)), "goes backwards"),
        (RecurrentLayer("odd", layer_weights(3, 4), layer_weights(3, 4), merge="sum"), "merges its directions by sum"),
        (layer_with(activation="relu"), "uses relu and sigmoid instead of tanh and sigmoid"),
        (layer_with(recurrent_activation="hard_sigmoid"), "uses tanh and hard_sigmoid instead"),
    ],
    ids=["backward", "merge", "activation", "recurrent activation"],
)
def test_what_the_file_cannot_say_is_refused(layer, problem, tmp_path):
    with pytest.raises(OptionError, match=rf"layer 'odd' {problem}.* file cannot express that. Keep the file"):
        rnnstates.save_weights(Network((layer,)), tmp_path / "n.weights.h5")
    assert not list(tmp_path.iterdir())


def test_wrong_places_are_refused_and_nothing_is_left(tmp_path):
    (tmp_path / "old.weights.h5").write_text("mine")
    for name, error, message in (
        ("n.h5", OptionError, r"expected a name that ends in \.weights\.h5"),
        ("old.weights.h5", CannotCreate, "exists; choose another name"),
        ("absent/n.weights.h5", CannotCreate, "its directory does not exist"),
        ("old.weights.h5/n.weights.h5", CannotCreate, "its directory does not exist"),
        ("n" * 300 + ".weights.h5", CannotCreate, "the name is too long"),
    ):
        with pytest.raises(error, match=message):
            rnnstates.save_weights(one_layer(), tmp_path / name)
    assert (tmp_path / "old.weights.h5").read_text() == "mine"
    assert [entry.name for entry in tmp_path.iterdir()] == ["old.weights.h5"]


@pytest.mark.parametrize(
    "number, error, message",
    [(28, WriteFailed, "cannot be written"), (13, PermissionDenied, "may not be written")],
    ids=["full disk", "permission"],
)
def test_a_failure_of_the_disk_is_reported_and_leaves_nothing(number, error, message, tmp_path, monkeypatch):
    def fail(_descriptor):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(error, match=message):
        rnnstates.save_weights(one_layer(), tmp_path / "n.weights.h5")
    assert not list(tmp_path.iterdir())


def test_canonical_weights_are_checked_when_they_are_made():
    good = layer_weights(3, 4)
    for wrong in ({"bias": good.bias[:-1]}, {"kernel": good.kernel[:, :-1]}, {"recurrent_kernel": good.kernel}):
        with pytest.raises(rnnstates.BadWeights, match="expected"):
            replace(good, **wrong)
    assert isinstance(good, LayerWeights)


def test_what_a_killed_process_left_blocks_nobody(tmp_path):
    # A container's process often has the number that the one before it had.
    (tmp_path / f".w.weights.h5.{os.getpid()}.partial").touch()
    rnnstates.save_weights(one_layer(), tmp_path / "w.weights.h5")
    assert (tmp_path / "w.weights.h5").stat().st_size
