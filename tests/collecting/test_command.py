"""``rnnstates extract --model``: Keras' own loader, and what is not given to it."""

import numpy as np
import pytest

import rnnstates
from rnnstates.collecting.model_file import load_model
from rnnstates.errors import BadWeights, MissingInput
from rnnstates.keras.started import keras

from ..cli.running import rnnstates as run
from ..cli.running import text
from ..weights.keras_zip import with_config
from . import models
from .models import FEATURES, LENGTHS, randomise, shared

layers = keras.layers


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    model = randomise(models.convolutional())
    model.save(folder / "model.keras")
    model.save(folder / "model.h5")
    np.save(folder / "inputs.npy", FEATURES)
    np.save(folder / "lengths.npy", LENGTHS)
    return folder


def test_the_command_gives_what_collect_gives(place, tmp_path):
    words = ["extract", place / "inputs.npy", tmp_path / "out.h5", "--lengths", place / "lengths.npy"]
    done = run(*map(str, words), "--model", str(place / "model.keras"), "--layer", "lstm", "--pool", "max")
    assert done.returncode == 0, done.stderr
    reported = text(done.stderr).splitlines()
    assert reported[0].endswith("Keras' own loader read it, in its safe mode; the whole model is run.")
    assert len(reported) == 2
    usual = rnnstates.collect(place / "model.keras", FEATURES, LENGTHS)
    with rnnstates.open(tmp_path / "out.h5") as states:
        np.testing.assert_array_equal(states["lstm/cell"], usual["lstm/cell"])
        np.testing.assert_array_equal(
            states["lstm/cell_max"],
            usual["lstm/cell"][:].max(axis=1, initial=-9, where=(np.arange(8) < LENGTHS[:, None])[:, :, None]),
        )
        assert states.provenance["weights"]["model_file"].endswith("model.keras")
        assert states.provenance["engine"] == "keras"


@pytest.mark.parametrize(
    ("words", "code", "reported"),
    [
        (["--units", "3"], 2, "--units 3: cannot be combined with --model"),
        (["--weights", "model.keras"], 2, "--weights model.keras: cannot be combined with --model"),
        (["--engine", "numpy"], 2, "--engine numpy: cannot be combined with --model"),
        (["--dry-run"], 2, "--dry-run: cannot be combined with --model"),
        (["--layer", "nothing"], 2, "no recurrent layer 'nothing'; found: lstm"),
    ],
)
def test_options_that_do_not_go_with_a_model_are_refused(words, code, reported, place, tmp_path):
    done = run("extract", str(place / "inputs.npy"), str(tmp_path / "out.h5"), "--lengths", "full",
               "--model", str(place / "model.keras"), *words)  # fmt: skip
    assert (done.returncode, reported in text(done.stderr)) == (code, True), done.stderr
    assert "Traceback" not in text(done.stderr)
    assert not list(tmp_path.iterdir())


def lambda_model():
    return keras.Sequential([keras.Input((None, 3)), layers.Lambda(lambda x: x), layers.LSTM(4)])


@keras.saving.register_keras_serializable("theirs")
class Theirs(layers.Layer):
    def call(self, inputs):
        return inputs


REFUSED = {
    "a Lambda": (lambda_model, "has a Lambda, which runs code from the file"),
    "a class of their own": (
        lambda: keras.Sequential([keras.Input((None, 3)), Theirs(), layers.LSTM(4)]),
        "has a Theirs that is not Keras' own \\(theirs>Theirs\\)",
    ),
    "a table that may lie elsewhere": (
        lambda: keras.Sequential([keras.Input((None,), dtype="int64"), layers.IntegerLookup(vocabulary=[1, 2]),
                                  layers.Embedding(4, 3), layers.LSTM(4)]),
        "has an IntegerLookup, which may read another file",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_models_that_are_not_keras_own_are_refused_before_keras_sees_them(name, tmp_path, monkeypatch):
    make, reported = REFUSED[name]
    make().save(tmp_path / "model.keras")
    monkeypatch.setattr(keras.saving, "load_model", None)
    with pytest.raises(BadWeights, match=reported):
        load_model(tmp_path / "model.keras")


@pytest.mark.parametrize(
    "change",
    [
        {"module": "os", "class_name": "system", "registered_name": None},
        {"module": "builtins", "class_name": "eval", "registered_name": "eval_"},
        {"module": "keras.layers", "class_name": "TorchModuleWrapper"},
        {"module": "keras.layers", "class_name": "TFSMLayer"},
        {"class_name": "__lambda__", "config": {"code": "4wEAAAA="}},
    ],
)
def test_a_configuration_made_to_attack_is_refused(change, place, tmp_path, monkeypatch):
    monkeypatch.setattr(keras.saving, "load_model", None)
    path = tmp_path / "model.keras"
    path.write_bytes(with_config(place / "model.keras", lambda described: described[1].update(change)))
    with pytest.raises(BadWeights, match=r"model\.keras: has "):
        load_model(path)


def test_what_keras_itself_refuses_is_reported_in_one_sentence(place, tmp_path):
    path = tmp_path / "model.keras"
    path.write_bytes(with_config(place / "model.keras", lambda described: described[1]["config"].update(filters=-1)))
    with pytest.raises(BadWeights, match=r"model\.keras: Keras cannot load it: .* Save the model again"):
        load_model(path)


def test_files_without_a_safe_mode_are_refused(place, tmp_path):
    with pytest.raises(BadWeights, match=r"not a \.keras file; expected a \.keras file"):
        load_model(place / "model.h5")
    with pytest.raises(MissingInput):
        load_model(tmp_path / "nothing.keras")
    (tmp_path / "text.keras").write_text("hello")
    with pytest.raises(BadWeights, match=r"text\.keras: text that starts with 'hello'; expected a \.keras file"):
        load_model(tmp_path / "text.keras")
    (tmp_path / "cut.keras").write_bytes((place / "model.keras").read_bytes()[:-100])
    with pytest.raises(BadWeights):
        load_model(tmp_path / "cut.keras")


def test_models_of_our_own_layers_are_loaded(tmp_path, traced_once):
    model = shared(models.ours)
    model.save(tmp_path / "model.keras")
    states = rnnstates.collect(tmp_path / "model.keras", [FEATURES, LENGTHS])
    np.testing.assert_allclose(
        states["mine/cell"], rnnstates.collect(model, [FEATURES, LENGTHS])["mine/cell"], atol=1e-7
    )
