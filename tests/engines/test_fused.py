"""TensorFlow's own op over many steps against NumPy, the packed loop and Keras; which layers it gets."""

import functools
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import rnnstates
from rnnstates.arrays.workspace import Workspace
from rnnstates.engines.choice import make_engine
from rnnstates.engines.tensorflow import blocks
from rnnstates.engines.tensorflow.blocks import BlockUnroll
from rnnstates.engines.tensorflow.engine import TensorFlowEngine
from rnnstates.engines.tensorflow.fused import FusedBlock
from rnnstates.engines.tensorflow.packed import PackedUnroll
from rnnstates.network.cells.lstm import LSTMGates
from rnnstates.runtime.tensorflow_start import import_tensorflow

from ..builders import cell_weights, layer_weights
from .tensorflow_process import said

GATES = LSTMGates._fields
LENGTHS = np.array([21, 21, 17, 9, 9, 8, 1, 0, 0])


class Poisoned(Workspace):
    """A workspace whose memory holds NaN."""

    def array(self, name, shape, dtype):
        array = super().array(name, shape, dtype)
        array[...] = np.nan
        return array


def tile(features, lengths=LENGTHS, steps=23, seed=1):
    """Inputs [B, T, I] with garbage behind each length."""
    inputs = np.random.default_rng(seed).normal(size=(len(lengths), steps, features)).astype(np.float32)
    inputs[np.arange(steps) >= lengths[:, np.newaxis]] = np.nan
    return inputs, lengths


def unrolls(weights, gates=GATES):
    """The fused unroll, and the two that it must equal."""
    tf = import_tensorflow()
    fused = make_engine("tensorflow", "float32").unroll(weights, gates)
    assert isinstance(fused, BlockUnroll)
    assert TensorFlowEngine.executor_of(weights, "float32").name == "fused"
    return fused, PackedUnroll(tf, weights, "float32", gates), make_engine("numpy", "float32").unroll(weights, gates)


@functools.cache
def of_sizes(features, units):
    """The same, made once for the sizes of a layer: TensorFlow's functions take any number of sequences."""
    return unrolls(layer_weights(features, units))


def assert_same(made, inputs, lengths, initial=None):
    fused, packed, numpy = made
    found = fused(inputs, lengths, initial, Poisoned())
    for other in (packed(inputs, lengths, initial, Poisoned()), numpy(inputs, lengths, initial)):
        assert set(found) == set(other) == {"hidden", "cell", *GATES}
        for name, values in other.items():
            assert found[name].dtype == values.dtype == np.float32
            np.testing.assert_allclose(found[name], values, rtol=0, atol=1e-6, err_msg=name)
    for name, values in found.items():
        for row, length in enumerate(lengths):
            assert not values[row, length:].any(), name
    return found


CASES = {
    "plain": {},
    "forget bias": {"forget_bias": 1.0},
    "peepholes": {"peepholes": np.random.default_rng(5).normal(size=(3, 5)) * 0.4},
    "cell clip": {"cell_clip": 0.3},
    "all": {"forget_bias": 0.5, "peepholes": np.random.default_rng(6).normal(size=(3, 5)), "cell_clip": 0.4},
    "named activation": {"output_activation": "tanh"},
}


@pytest.mark.parametrize("case", CASES)
def test_it_equals_numpy_and_the_packed_loop(case):
    weights = layer_weights(3, 5, **CASES[case])
    found = assert_same(unrolls(weights), *tile(3))
    if weights.cell_clip:
        assert np.isclose(np.abs(found["cell"]).max(), weights.cell_clip, atol=1e-7)


def test_a_cell_state_beyond_three_is_not_clipped_unasked():
    """The op's first version clips at 3 by default."""
    weights = layer_weights(3, 5, forget_bias=9.0)
    assert np.abs(assert_same(unrolls(weights), *tile(3))["cell"]).max() > 3


@pytest.mark.parametrize("features, units", [(1, 1), (2, 4), (4, 3), (7, 2), (5, 8)])
@pytest.mark.parametrize("sequences", [1, 2, 5, 8])
def test_odd_and_even_sizes_are_the_same_to_it(features, units, sequences):
    lengths = np.sort(np.random.default_rng(sequences).integers(0, 24, sequences))[::-1]
    lengths[0] = 23
    assert_same(of_sizes(features, units), *tile(features, lengths))


def test_it_starts_from_the_states_it_is_given():
    random = np.random.default_rng(3)
    initial = {"hidden": random.normal(size=(9, 5)), "cell": random.normal(size=(9, 5))}
    assert_same(of_sizes(3, 5), *tile(3), initial)
    assert_same(of_sizes(3, 5), *tile(3), {"cell": initial["cell"]})


def test_blocks_of_any_length_give_the_same_states(monkeypatch):
    weights, (inputs, lengths) = layer_weights(3, 5), tile(3)
    whole = unrolls(weights)[0](inputs, lengths)
    monkeypatch.setattr(blocks, "SHORTEST", 1)
    for longest in (1, 2, 7):
        monkeypatch.setattr(blocks, "LONGEST", longest)
        for name, values in unrolls(weights)[0](inputs, lengths).items():
            np.testing.assert_allclose(values, whole[name], rtol=0, atol=1e-6)


@pytest.mark.parametrize("lengths", [[0, 0, 0], [], [3]])
@pytest.mark.parametrize("steps", [0, 3])
def test_tiles_without_steps_are_zero(lengths, steps):
    lengths = np.minimum(np.array(lengths, np.int64), steps)
    for unroll in unrolls(layer_weights(3, 5)):
        states = unroll(np.full((len(lengths), steps, 3), 1, np.float32), lengths)
        assert {values.shape for values in states.values()} == {(len(lengths), steps, 5)}
        assert all(values.any() == bool(lengths.sum()) for values in states.values())


def test_it_equals_keras():
    keras = pytest.importorskip("keras")
    inputs, lengths = tile(3)
    layer = keras.layers.LSTM(5, return_sequences=True, return_state=True)
    layer.build((None, None, 3))
    weights = layer_weights(3, 5)
    layer.set_weights([weights.kernel, weights.recurrent_kernel, weights.bias])
    states = make_engine("tensorflow", "float32").unroll(weights)(inputs, lengths)
    for row, length in enumerate(lengths):
        if length:
            hidden, _, cell = (np.array(values)[0] for values in layer(inputs[row : row + 1, :length]))
            np.testing.assert_allclose(states["hidden"][row, :length], hidden, rtol=0, atol=1e-6)
            np.testing.assert_allclose(states["cell"][row, length - 1], cell, rtol=0, atol=1e-6)


def test_results_lie_in_the_workspace_and_inputs_stay_as_they_are():
    for unroll in unrolls(layer_weights(3, 5)):
        inputs, lengths = tile(3)
        before, space = inputs.copy(), Workspace()
        first = {name: values.copy() for name, values in unroll(inputs, lengths, None, space).items()}
        again = unroll(inputs, lengths, None, space)
        for name, values in again.items():
            assert np.shares_memory(values, space.array(name, values.shape, values.dtype))
            np.testing.assert_array_equal(values, first[name])
        np.testing.assert_array_equal(inputs, before)


OTHERS = {
    "projection": ("float32", {"projection": np.ones((5, 2))}),
    "coupled gates": ("float32", {"coupled": True}),
    "clip before activations": ("float32", {"preactivation_clip": 1.0}),
    "activation": ("float32", {"activation": "relu", "output_activation": "tanh"}),
    "output activation": ("float32", {"output_activation": "linear"}),
    "recurrent activation": ("float32", {"recurrent_activation": "hard_sigmoid"}),
    "float64": ("float64", {}),
}


@pytest.mark.parametrize("case", OTHERS)
def test_what_the_op_has_not_goes_to_the_packed_loop(case):
    precision, options = OTHERS[case]
    width = options["projection"].shape[1] if "projection" in options else 5
    random = np.random.default_rng(0)
    kernels = random.normal(size=(3, 20)), random.normal(size=(width, 20)), random.normal(size=20)
    weights = type(layer_weights(3, 5))(*kernels, **options)
    assert isinstance(make_engine("tensorflow", precision).unroll(weights), PackedUnroll)


@pytest.mark.parametrize("cell", ["gru", "mlstm", "simple_rnn"])
def test_other_cells_go_to_the_packed_loop(cell):
    unroll = make_engine("tensorflow", "float32").unroll(cell_weights(cell, 3, 5))
    assert isinstance(unroll, PackedUnroll)
    assert TensorFlowEngine.executor_of(cell_weights(cell, 3, 5), "float32").name == "packed"


def test_two_threads_give_the_bits_of_one():
    unroll = make_engine("tensorflow", "float32").unroll(layer_weights(6, 32), GATES)
    tiles = [tile(6, seed=seed) for seed in range(12)]

    def compute(threads):
        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(lambda arguments: unroll(*arguments), tiles))

    for one, two in zip(compute(1), compute(2), strict=True):
        for name in one:
            np.testing.assert_array_equal(one[name], two[name])


def test_the_op_is_never_given_the_sizes_that_it_complains_of():
    assert all(FusedBlock.rows(None, live) % 2 == 0 for live in range(1, 9))
    assert said().even_rows == ""
    assert "inefficient" in said().odd_rows


def test_no_warning_of_functions_made_often_reaches_the_user():
    assert said().many_functions == ""


def test_bfloat16_is_refused_with_what_to_use():
    with pytest.raises(
        rnnstates.EngineUnavailable,
        match=r'^precision="bfloat16": TensorFlow computes products .* use engine="compiled" or precision=',
    ):
        make_engine("tensorflow", "bfloat16")
