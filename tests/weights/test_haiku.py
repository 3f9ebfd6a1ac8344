"""Haiku's cores, from .npz and safetensors: every state is the one Haiku computes."""

import functools

import haiku as hk
import jax
import numpy as np
import pytest
from safetensors.numpy import save_file

import rnnstates

from .census import parity
from .damage import refusal
from .jax_models import KEY, in_precision, randomised
from .running import ATOL, LENGTHS, assert_same_states, ragged_inputs

CORES = {
    "LSTM": lambda: hk.LSTM(5),
    "GRU": lambda: hk.GRU(5),
    "VanillaRNN": lambda: hk.VanillaRNN(5),
    "VanillaRNN of one bias": lambda: hk.VanillaRNN(5, double_bias=False),
    "LSTM to reset": lambda: hk.ResetCore(hk.LSTM(5)),
    "LSTM of another name": lambda: hk.LSTM(5, name="encoder_lstm"),
}
SEPARATORS = ("/", "|", ".")


def flat(params, separator="/"):
    return {f"{module}{separator}{name}": array for module, arrays in params.items() for name, array in arrays.items()}


def save_as(params, folder, container="npz", separator="/"):
    path = folder / f"w.{container}"
    if container == "npz":
        np.savez(path, **flat(params, separator))
    else:
        save_file(flat(params, separator), path)
    return path


def params_of(run, inputs, precision="float32"):
    """Give random params of a transformed function."""
    return randomised(jax.eval_shape(run.init, KEY, inputs), precision)


def unrolled(kind):
    def unroll(inputs):
        core, resets = CORES[kind](), kind.endswith("reset")
        sequence = (inputs, np.zeros(inputs.shape[:2], bool)) if resets else inputs
        return hk.dynamic_unroll(core, sequence, core.initial_state(inputs.shape[1]), return_all_states=True)

    return hk.without_apply_rng(hk.transform(unroll))


@functools.cache
def all_made(precision):
    """Every core with 3 features and 5 units: (params by kind, function that runs all), compiled in one go."""
    runs = {kind: unrolled(kind) for kind in CORES}
    with in_precision(precision):
        params = {kind: params_of(run, np.zeros((2, 1, 3), precision), precision) for kind, run in runs.items()}
    return params, jax.jit(lambda params, inputs: {kind: run.apply(params[kind], inputs) for kind, run in runs.items()})


def made(kind, precision="float32"):
    """A core in a module: (params, oracle)."""
    params, run = all_made(precision)

    def oracle(sequence):
        # Steps behind the sequence change nothing before them, and one shape is compiled once.
        padded = np.zeros((LENGTHS.max(), 1, 3), precision)
        padded[: len(sequence), 0] = sequence
        with in_precision(precision):
            outputs, states = run(params, padded)[kind]
        found = {"hidden": np.asarray(outputs)[: len(sequence), 0]}
        if isinstance(states, hk.LSTMState):
            found["cell"] = np.asarray(states.cell)[: len(sequence), 0]
        return found | {f"{name}_final": values[-1] for name, values in found.items()}

    return params[kind], oracle


@parity("haiku", "lstm")
@parity("haiku", "gru")
@parity("haiku", "simple_rnn")
@pytest.mark.parametrize("precision", sorted(ATOL))
@pytest.mark.parametrize("container", ["npz", "safetensors"])
@pytest.mark.parametrize("kind", CORES)
def test_every_state_is_the_one_haiku_computes(kind, container, precision, tmp_path):
    params, oracle = made(kind, precision)
    assert_same_states(save_as(params, tmp_path, container), oracle, precision=precision)


@pytest.mark.parametrize("separator", SEPARATORS)
@pytest.mark.parametrize("kind", ["LSTM", "GRU", "VanillaRNN"])
def test_any_sign_may_part_module_and_parameter(kind, separator, tmp_path):
    params, oracle = made(kind)
    inside = {f"my_module/~/{module}": arrays for module, arrays in params.items()}
    path = save_as(inside, tmp_path, "safetensors", separator)
    assert_same_states(path, oracle)
    assert rnnstates.load_weights(path).layers[0].name.startswith("my_module/~/")


def test_each_core_of_a_deep_network_is_a_stack_of_its_own(tmp_path):
    def unroll(inputs):
        core = hk.DeepRNN([hk.LSTM(5), hk.LSTM(4), hk.VanillaRNN(2)])
        return hk.dynamic_unroll(core, inputs, core.initial_state(inputs.shape[1]))[0]

    deep = hk.without_apply_rng(hk.transform(unroll))
    inputs = np.nan_to_num(ragged_inputs()).swapaxes(0, 1)
    params = params_of(deep, inputs)
    path = save_as(params, tmp_path)
    assert "has 3 recurrent stacks; choose one: layer='lstm' (LSTM)" in refusal(path)
    layers = [rnnstates.load_weights(path, layer=name).layers[0] for name in ("lstm", "lstm_1", "vanilla_rnn")]
    network = rnnstates.Network(tuple(layers))
    states = rnnstates.extract(inputs.swapaxes(0, 1), "full", weights=network, states="hidden")
    expected = np.asarray(jax.jit(deep.apply)(params, inputs)).swapaxes(0, 1)
    np.testing.assert_allclose(states["layer2/hidden"], expected, rtol=0, atol=1e-6)


def test_what_haiku_fixes_and_does_not_store_is_reported(tmp_path):
    network = rnnstates.load_weights(save_as(made("LSTM")[0], tmp_path))
    assert network.layers[0].forward.forget_bias == 1
    assert network.origin["layers"][0]["forget_bias"] == "1.0 (format)"
    assert any("does not store which core feeds which" in note for note in network.notes)
    network = rnnstates.load_weights(save_as(made("VanillaRNN")[0], tmp_path))
    assert network.origin["layers"][0]["activation"] == "relu (format)"
    named = rnnstates.load_weights(save_as(made("LSTM of another name")[0], tmp_path))
    assert any(
        "is taken for a Haiku LSTM because of its name and the shapes of its arrays" in note for note in named.notes
    )


def test_an_embedding_that_fits_is_taken(tmp_path):
    params = made("GRU")[0] | {"embed": {"embeddings": np.ones((9, 3), np.float32)}}
    network = rnnstates.load_weights(save_as(params, tmp_path))
    assert network.embedding.shape == (9, 3)
    assert any("is assumed to feed 'gru'" in note for note in network.notes)


def test_what_an_optimiser_keeps_beside_the_weights_is_no_core(tmp_path):
    params, oracle = made("LSTM")
    moments = {f"opt_state/0/mu/{module}": arrays for module, arrays in params.items()}
    assert_same_states(save_as(params | moments, tmp_path), oracle)


def test_a_convolutional_lstm_is_refused(tmp_path):
    def step(inputs):
        core = hk.Conv1DLSTM((7,), 5, 3)
        return core(inputs, core.initial_state(1))[0]

    params = params_of(hk.transform(step), np.zeros((1, 7, 3), np.float32))
    assert "which are those of a ConvLSTM" in refusal(save_as(params, tmp_path))


def test_arrays_that_no_core_of_haiku_has_are_refused(tmp_path):
    params = made("LSTM")[0] | {"lstm/layer_norm": {"scale": np.ones(5, np.float32)}}
    message = refusal(save_as(params, tmp_path))
    assert "has 'lstm/layer_norm/scale', which a Haiku LSTM does not have" in message


def test_a_head_beside_an_lstm_is_no_core(tmp_path):
    head = {"w": np.ones((5, 4), np.float32), "b": np.ones(4, np.float32)}
    lstm = made("LSTM")[0]["lstm/linear"]
    path = save_as({"lstm_net/~/lstm/linear": lstm, "lstm_net/linear": head}, tmp_path)
    assert rnnstates.load_weights(path).layers[0].name == "lstm_net/~/lstm"


@pytest.mark.parametrize(
    "shape, message",
    [
        ((5, 20), r"'linear/w' has shape (5, 20); expected (features + units, 4 * units)"),
        ((8, 19), r"'linear/w' has shape (8, 19); expected (features + units, 4 * units)"),
        ((2, 8, 20), "expected the matrices and vectors of one core"),
    ],
)
def test_a_matrix_that_no_lstm_has_is_refused(shape, message, tmp_path):
    params = {"lstm/linear": {"w": np.ones(shape, np.float32), "b": np.ones(shape[-1], np.float32)}}
    assert message in refusal(save_as(params, tmp_path))
