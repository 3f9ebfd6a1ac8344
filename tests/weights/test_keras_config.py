"""A configuration beside a file of weights alone: states are those of the model, and what does not fit is refused."""

import functools
import json
import os
import zipfile

import h5py
import numpy as np
import pytest

import rnnstates
from rnnstates import BadWeights, MissingInput, OptionError
from rnnstates.verification.verify import verify

from .keras_models import keras_of, randomise, save

INPUTS = np.random.default_rng(1).normal(size=(2, 7, 3)).astype("f4")
KINDS = ["legacy weights.h5", ".weights.h5"]
ALL = {"return_sequences": True}


def model_of(generation):
    """Settings that weights alone do not tell, in a functional model with another one inside."""
    keras = keras_of(generation)
    layers = keras.layers
    inner = keras.Sequential(
        [keras.Input((None, 3)), layers.LSTM(5, recurrent_activation="hard_sigmoid", name="low", **ALL)], name="inner"
    )
    inputs = keras.Input((None, 3))
    both = layers.Bidirectional(layers.GRU(4, activation="relu", **ALL), merge_mode="sum", name="both")(inner(inputs))
    top = layers.GRU(2, reset_after=False, go_backwards=True, name="top", **ALL)(both)
    beside = layers.SimpleRNN(6, name="beside")(layers.Dense(7, name="narrow")(inputs))
    return randomise(keras.Model(inputs, [top, beside]))


@pytest.fixture(scope="module", params=[2, 3])
def model(request):
    return model_of(request.param)


@pytest.fixture(scope="module")
def expected(model):
    return np.array(model(INPUTS)[0])


def write(model, folder, kind=KINDS[0]):
    save(model, folder / "weights", kind)
    (folder / "model.json").write_text(model.to_json())
    return folder / "weights", folder / "model.json"


@pytest.mark.parametrize("kind", KINDS)
def test_states_are_those_of_the_model(model, expected, kind, tmp_path):
    weights, config = write(model, tmp_path, kind)
    states = rnnstates.extract(INPUTS, "full", weights=weights, config=config, layer="top")
    np.testing.assert_allclose(states["layer2/hidden"][:, ::-1], expected, rtol=0, atol=1e-6)
    network = rnnstates.load_weights(weights, config=config, layer="beside")
    assert any("the model has 'narrow' (Dense) before 'beside'" in note for note in network.notes)
    assert not any("holds no configuration" in note for note in network.notes)


def test_what_was_read_stands_in_the_origin(model, tmp_path):
    weights, config = write(model, tmp_path)
    origin = rnnstates.load_weights(weights, config=config, layer="top").origin
    assert origin["options"] == {"layer": "top", "config": str(config)}
    assert len(origin["config_sha256"]) == 64
    assert "config_sha256" not in rnnstates.load_weights(weights, layer="top").origin
    described = rnnstates.describe(weights, config=config)
    assert [stack["layer"] for stack in described["stacks"]] == ["top", "beside"]


def test_of_a_version_that_is_not_said_the_module_tells_keras_3(tmp_path):
    keras = keras_of(3)
    layer = keras.layers.LSTM(5, recurrent_activation="hard_sigmoid")
    weights, config = write(keras.Sequential([keras.Input((None, 3)), layer]), tmp_path, ".weights.h5")
    assert "keras_version" not in json.loads(config.read_text())
    network = rnnstates.load_weights(weights, config=config)
    assert network.layers[0].forward.recurrent_activation == "hard_sigmoid"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("generation", [2, 3])
def test_the_configuration_of_a_keras_zip_means_what_its_generation_meant(generation, kind, tmp_path):
    model = randomise(one(generation, recurrent_activation="hard_sigmoid", **ALL))
    weights, config = write(model, tmp_path, kind)
    model.save(tmp_path / "m.keras")
    with zipfile.ZipFile(tmp_path / "m.keras") as whole:
        config.write_bytes(whole.read("config.json"))
    states = rnnstates.extract(INPUTS, "full", weights=weights, config=config)
    np.testing.assert_allclose(states["hidden"], np.array(model(INPUTS)), rtol=0, atol=1e-6)


@pytest.mark.parametrize("activation, is_noted", [("hard_sigmoid", True), ("sigmoid", False)])
def test_a_configuration_of_another_generation_is_noted_where_a_name_changed(activation, is_noted, tmp_path):
    weights, config = write(one(2, recurrent_activation=activation), tmp_path)
    config.write_text(one(3, recurrent_activation=activation).to_json())
    notes = rnnstates.load_weights(weights, config=config).notes
    assert any("was written by Keras 2 and" in note and "by Keras 3, in which" in note for note in notes) == is_noted


@functools.cache
def one(generation, layer="LSTM", units=5, name="enc", **settings):
    keras = keras_of(generation)
    return keras.Sequential([keras.Input((None, 3)), getattr(keras.layers, layer)(units, name=name, **settings)])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "other, said",
    [
        ({"units": 6}, "expected \\(6, 24\\), because the configuration says 6 units"),
        ({"use_bias": False}, "has a bias, but the configuration says use_bias=False"),
        ({"layer": "GRU"}, r"no arrays for its layer 'gru'|recurrent kernel has shape \(5, 20\); expected"),
        ({"name": "dec"}, "no layer 'enc', for which there are arrays|calls a layer 'dec' and the weights call it"),
    ],
)
def test_the_configuration_of_another_model_is_refused_with_what_differs(other, said, kind, tmp_path):
    weights, _ = write(one(3), tmp_path, kind)
    (tmp_path / "other.json").write_text(one(3, **other).to_json())
    with pytest.raises(BadWeights, match=said):
        rnnstates.load_weights(weights, config=tmp_path / "other.json")


@pytest.mark.parametrize("kind", KINDS)
def test_a_configuration_with_fewer_layers_is_refused(kind, tmp_path):
    keras = keras_of(3)
    layers = [keras.layers.LSTM(5, name="enc", **ALL), keras.layers.LSTM(4, name="more")]
    weights, _ = write(keras.Sequential([keras.Input((None, 3)), *layers]), tmp_path, kind)
    (tmp_path / "other.json").write_text(one(3).to_json())
    with pytest.raises(BadWeights, match=r"it has no layer '(more|lstm_1)', for which there are arrays"):
        rnnstates.load_weights(weights, config=tmp_path / "other.json")


@functools.cache
def chain(generation, *layers):
    keras = keras_of(generation)
    return keras.Sequential(
        [keras.Input((None, 3)), *(getattr(keras.layers, kind)(units, name=name) for kind, units, name in layers)]
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("generation", [2, 3])
@pytest.mark.parametrize(
    "other, said",
    [
        ([("Dense", 6, "low"), ("GRU", 4, "top")], r"reads inputs of width 5, but 'low' \(Dense\) before it outputs 6"),
        ([("GRU", 4, "top"), ("Dense", 5, "low")], r"width 5, but '.*' \(InputLayer\).* outputs 3|in this order"),
    ],
)
def test_a_configuration_with_other_widths_or_another_order_is_refused(other, said, generation, kind, tmp_path):
    weights, config = write(chain(generation, ("Dense", 5, "low"), ("GRU", 4, "top")), tmp_path, kind)
    config.write_text(chain(generation, *other).to_json())
    with pytest.raises(BadWeights, match=said):
        rnnstates.load_weights(weights, config=config)


@pytest.mark.parametrize("generation", [2, 3])
def test_the_order_of_layers_that_are_alike_is_that_of_the_file(generation, tmp_path):
    keras = keras_of(generation)
    low, high = (keras.Sequential([keras.Input((None, 3))]) for _ in range(2))
    for model, names in ((low, "ab"), (high, "ba")):
        for name in names:
            model.add(keras.layers.LSTM(3, name=name, **ALL))
    weights, config = write(low, tmp_path)
    config.write_text(high.to_json())
    with pytest.raises(BadWeights, match=r"has the layers b, a in this order, but .* was saved from a model of a, b"):
        rnnstates.load_weights(weights, config=config)


@pytest.mark.parametrize("kind", [".keras", "legacy model.h5"])
def test_a_file_with_its_own_configuration_takes_no_other(kind, tmp_path):
    weights, config = write(one(3), tmp_path, kind)
    with pytest.raises(OptionError, match=r"config='.*': .* has its own configuration; leave this one out"):
        rnnstates.load_weights(weights, config=config)


def test_files_of_other_frameworks_take_none(tmp_path):
    _, config = write(one(3), tmp_path)
    np.savez(tmp_path / "w.npz", kernel=np.ones((3, 20)), recurrent_kernel=np.ones((5, 20)), bias=np.ones(20))
    with pytest.raises(OptionError, match="only weights-only files saved by Keras"):
        rnnstates.load_weights(tmp_path / "w.npz", config=config)
    with pytest.raises(OptionError, match="leave one of them out"):
        rnnstates.load_weights(tmp_path / "w.npz", config=config, convention="keras")


@pytest.mark.parametrize(
    "text, said",
    [
        (b"[]", "a JSON list; expected a JSON file as model.to_json"),
        (b" 3", "text that starts with ' 3'; expected a JSON file"),
        (b"{}", "lists no layers"),
        (b'{"class_name": "Mine", "config": {"layers": []}}', "lists no layers"),
        (b"\x80\x04N.", "a Python pickle, which is never loaded"),
        (b'{"a":' * 100_000, "is nested too deeply|is not JSON"),
        (b'{"class_name": "Sequential", "config": {"layers": [{"class_name": 3}]}}', "has no class or name"),
    ],
)
def test_what_is_no_configuration_is_refused(text, said, tmp_path):
    weights, config = write(one(3), tmp_path)
    config.write_bytes(text)
    with pytest.raises(BadWeights, match=said):
        rnnstates.load_weights(weights, config=config)


def test_only_an_ordinary_file_is_read_as_configuration(tmp_path):
    weights, config = write(one(3), tmp_path)
    (tmp_path / "link.json").symlink_to(config)
    with pytest.raises(BadWeights, match="is a link, which is not followed"):
        rnnstates.load_weights(weights, config=tmp_path / "link.json")
    os.mkfifo(tmp_path / "pipe.json")
    with pytest.raises(BadWeights, match="is not an ordinary file"):
        rnnstates.load_weights(weights, config=tmp_path / "pipe.json")
    for name, said in (("absent.json", "no such file"), (".", "a directory")):
        with pytest.raises(MissingInput, match=said):
            rnnstates.load_weights(weights, config=tmp_path / name)


def test_a_huge_configuration_is_not_read_to_its_end(tmp_path, monkeypatch):
    from rnnstates.untrusted import json_text
    from rnnstates.weights.readers import model_json

    weights, config = write(one(3), tmp_path)
    monkeypatch.setattr(model_json, "LARGEST_JSON", 100)
    monkeypatch.setattr(json_text, "LARGEST_JSON", 100)
    with pytest.raises(BadWeights, match="has 101 characters; expected at most 100"):
        rnnstates.load_weights(weights, config=config)


def test_code_in_a_configuration_is_never_run(tmp_path):
    weights, config = write(one(3), tmp_path)
    edited = json.loads(config.read_text())
    code = {"class_name": "__lambda__", "config": {"value": "import os; os.abort()"}}
    edited["config"]["layers"][-1]["config"]["activation"] = code
    config.write_text(json.dumps(edited))
    with pytest.raises(BadWeights, match="Code in a file is never run"):
        rnnstates.load_weights(weights, config=config)


def test_an_output_is_verified_by_the_configuration_that_it_names(tmp_path):
    weights, config = write(randomise(one(3, activation="relu")), tmp_path)
    rnnstates.extract(INPUTS, "full", weights=weights, config=config, output=tmp_path / "out.h5").close()
    assert verify(tmp_path / "out.h5", inputs=INPUTS)["recomputed"] == [0, 1]
    moved = config.rename(tmp_path / "moved.json")
    assert "give it with config=FILE" in verify(tmp_path / "out.h5", inputs=INPUTS)["reason"]
    assert verify(tmp_path / "out.h5", inputs=INPUTS, config=moved)["recomputed"] == [0, 1]
    config.write_text(one(3, activation="tanh").to_json())
    with pytest.raises(BadWeights, match=r"is not the configuration .* SHA-256 .* with config=FILE"):
        verify(tmp_path / "out.h5", inputs=INPUTS)
    with h5py.File(tmp_path / "out.h5") as file:
        assert "config_sha256" in str(file.attrs["provenance"])


def test_the_output_may_not_take_the_place_of_the_configuration(tmp_path):
    weights, config = write(one(3), tmp_path)
    with pytest.raises(rnnstates.RnnstatesError, match=r"model\.json"):
        rnnstates.extract(INPUTS, "full", weights=weights, config=config, output=config, force=True)
    json.loads(config.read_text())
