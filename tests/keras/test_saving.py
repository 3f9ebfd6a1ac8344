"""Models are saved, loaded, cloned and configured without custom objects, with all options set."""

import json
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from rnnstates.keras import FinalState, LengthAwareStd, StateGRU, StateLSTM, StateRNN

from .building import LENGTHS, H, I, P, ragged, randomised, starts

pytestmark = pytest.mark.usefixtures("all_graphs_as_they_are")
CELL = {
    "activation": "relu",
    "use_bias": True,
    "kernel_initializer": "he_normal",
    "recurrent_initializer": "glorot_uniform",
    "bias_initializer": "ones",
    "kernel_regularizer": "l2",
    "recurrent_regularizer": "l2",
    "bias_regularizer": "l1",
    "kernel_constraint": "max_norm",
    "recurrent_constraint": "unit_norm",
    "bias_constraint": "non_neg",
    "dropout": 0.25,
    "seed": 5,
}
LAYER = {"go_backwards": True, "name": "mine", "dtype": "mixed_bfloat16", "trainable": False}
OPTIONS = {
    StateLSTM: {
        **CELL,
        **LAYER,
        "recurrent_activation": "hard_sigmoid",
        "unit_forget_bias": False,
        "peepholes": True,
        "projection": P,
        "cell_clip": 3.0,
        "projection_clip": 2.0,
        "forget_bias": 0.5,
        "fused": False,
    },
    StateGRU: {**CELL, **LAYER, "recurrent_activation": "hard_sigmoid", "reset_after": False},
    StateRNN: {**CELL, **LAYER},
}


def plain(value):
    """An option as the configuration of a layer tells it."""
    if isinstance(value, dict):
        return value["config"].get("name") or keras.saving.deserialize_keras_object(value).name
    return value


@pytest.mark.parametrize("layer_class", OPTIONS)
def test_every_option_comes_back_from_the_configuration(layer_class):
    options = OPTIONS[layer_class]
    layer = layer_class(H, **options)
    config = layer.get_config()
    again = layer_class.from_config(json.loads(json.dumps(config)))
    assert again.get_config() == config
    default = layer_class(H).get_config()
    reported = {name for name in config if config[name] != default[name]}
    assert set(options) - reported <= {"use_bias"}
    for name, value in options.items():
        if not isinstance(value, str):
            assert config[name] == value


@pytest.mark.parametrize("layer_class", OPTIONS)
def test_no_option_of_a_layer_is_missing_in_the_test_above(layer_class):
    assert set(layer_class(H).get_config()) - {"units", "fused"} <= set(OPTIONS[layer_class])


def whole(**options):
    """Every kind of layer: lengths, initial states by name, poolings, all states as outputs."""
    inputs, lengths = keras.Input((None, I)), keras.Input((), dtype="int32")
    hidden, cell = keras.Input((options.get("projection") or H,)), keras.Input((H,))
    first = StateLSTM(H, **options)
    states = first(inputs, lengths=lengths, initial_state={"hidden": hidden, "cell": cell})
    gru = StateGRU(P, go_backwards=True, reset_after=False)(states)
    rnn = StateRNN(H, activation="relu")(inputs, lengths=lengths, initial_state=states.last.cell)
    pooled = [
        LengthAwareStd(state="state")(states),
        FinalState(direction="backward")(gru, start=hidden[:, :1] * np.ones(P, "float32")),
        FinalState()(rnn),
        states.last.hidden,
    ]
    outputs = [keras.layers.Dense(2)(keras.layers.Concatenate()(pooled)), *states, *gru, *rnn, states.concatenated]
    return randomised(keras.Model([inputs, lengths, hidden, cell], outputs))


ALL = {name: value for name, value in OPTIONS[StateLSTM].items() if name not in LAYER} | {"name": "mine"}
WHOLE = {"plain": {}, "all": ALL}


def data(options):
    start = starts("lstm", width=options.get("projection"))
    return [ragged(), LENGTHS.astype("int32"), *start]


@pytest.fixture(scope="module")
def saved(tmp_path_factory, all_graphs_as_they_are):
    """Models, the folder where they are saved, and what they compute."""
    folder, models = tmp_path_factory.mktemp("models"), {}
    for name, options in WHOLE.items():
        models[name] = whole(**options)
        models[name].save(folder / f"{name}.keras")
        models[name].save_weights(folder / f"{name}.weights.h5")
        values = [np.asarray(made) for made in models[name](data(options))]
        np.savez(folder / f"{name}.npz", *values, **{f"in{n}": a for n, a in enumerate(data(options))})
    return folder, models


def assert_computes(model, folder, name):
    expected = np.load(folder / f"{name}.npz")
    made = model(data(WHOLE[name]))
    for number, values in enumerate(made):
        np.testing.assert_array_equal(values, expected[f"arr_{number}"])


@pytest.mark.parametrize("name", WHOLE)
def test_a_saved_model_and_saved_weights_compute_the_same_when_they_are_loaded(name, saved):
    model = keras.models.load_model(saved[0] / f"{name}.keras")
    assert_computes(model, saved[0], name)
    model.set_weights([weight * 0 for weight in model.get_weights()])
    model.load_weights(saved[0] / f"{name}.weights.h5")
    assert_computes(model, saved[0], name)
    for old, new in zip(saved[1][name].layers, model.layers, strict=True):
        assert new.get_config() == old.get_config()


def test_a_clone_computes_the_same_with_the_same_weights(saved):
    clone = keras.models.clone_model(saved[1]["all"])
    clone.set_weights(saved[1]["all"].get_weights())
    assert_computes(clone, saved[0], "all")


SCRIPT = """
import sys
import numpy as np
import rnnstates.keras
import keras
import tensorflow

tensorflow.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
for name in ("plain", "all"):
    model = keras.models.load_model(f"{sys.argv[1]}/{name}.keras", safe_mode=True)
    kept = np.load(f"{sys.argv[1]}/{name}.npz")
    inputs = [kept[f"in{number}"] for number in range(4)]
    for number, values in enumerate(model(inputs)):
        np.testing.assert_allclose(values, kept[f"arr_{number}"], rtol=0, atol=1e-6)
print("loaded")
"""


@pytest.fixture(scope="module")
def elsewhere(saved):
    """A new process that knows only ``rnnstates.keras``: it loads and runs both models, six recurrent layers in all."""
    return subprocess.run(
        [sys.executable, "-c", SCRIPT, str(saved[0])], capture_output=True, text=True, timeout=120, check=False
    )


def test_another_process_loads_the_models_by_importing_the_layers_alone(elsewhere):
    assert elsewhere.stdout == "loaded\n", elsewhere.stderr
    assert elsewhere.returncode == 0


def test_many_layers_in_one_process_bring_no_complaint_of_tensorflow(elsewhere):
    # Every layer's graph has the same code, so the fifth layer could count as the fifth retracing of one function.
    assert "retracing" not in elsewhere.stderr, elsewhere.stderr


def test_a_registered_function_of_ones_own_is_saved_by_its_name(tmp_path):
    @keras.saving.register_keras_serializable("tests")
    def bent(values):
        return keras.ops.softsign(values)

    layer = StateLSTM(H, activation=bent)
    model = randomised(keras.Sequential([keras.Input((None, I)), layer, FinalState()]))
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert again.layers[0].cell.activation is bent
    np.testing.assert_array_equal(again(ragged()), model(ragged()))


def test_an_exported_model_serves_every_state(tmp_path):
    inputs, lengths = keras.Input((None, I)), keras.Input((), dtype="int32")
    states = StateLSTM(H)(inputs, lengths=lengths)
    model = keras.Model([inputs, lengths], states._asdict())
    model.export(tmp_path / "exported", verbose=False)
    exported = tf.saved_model.load(tmp_path / "exported")
    served = exported.serve([ragged(), LENGTHS.astype("int32")])
    expected = model([ragged(), LENGTHS])
    for name in ("hidden", "cell"):
        np.testing.assert_allclose(served[name], expected[name], rtol=0, atol=1e-6)
