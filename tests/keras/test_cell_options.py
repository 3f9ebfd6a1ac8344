"""What a cell may have beside the plain equations: against TensorFlow 1's own cell, Keras' own and NumPy."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from rnnstates.keras import StateLSTM

from . import tensorflow1
from .building import (
    LENGTHS,
    MASKS,
    RIGHT,
    B,
    H,
    P,
    T,
    assert_states,
    by_equations,
    by_name,
    ours,
    ragged,
    randomised,
    shared,
    sigmoid,
    theirs,
)

pytestmark = pytest.mark.usefixtures("all_graphs_as_they_are")
CLIP = 0.4
LSTM_OPTIONS = {
    "forget bias": {"forget_bias": 1.5},
    "peepholes": {"peepholes": True},
    "cell clip": {"cell_clip": CLIP},
    "peepholes and clip": {"peepholes": True, "cell_clip": CLIP, "forget_bias": -0.5},
    "projection": {"projection": P},
    "wide projection": {"projection": H + 2},
    "square projection": {"projection": H},
    "all": {"peepholes": True, "projection": P, "cell_clip": CLIP, "projection_clip": 0.1, "forget_bias": 1.0},
}
RUN_TIME = ("forget_bias", "cell_clip", "projection_clip")


@functools.cache
def by_tensorflow_1(options):
    given = LSTM_OPTIONS[options]
    settings = {"forget_bias": 0.0, "cell_clip": None, "projection_clip": None}
    settings |= {name: value for name, value in given.items() if name in settings}
    return tensorflow1.every_state(by_name(shared("lstm", **given)), ragged(), LENGTHS, **settings)


@pytest.mark.parametrize("case", ["lstm", "lstm looped"])
@pytest.mark.parametrize("options", LSTM_OPTIONS)
def test_every_state_is_the_one_tensorflow_1_computes(case, options):
    # A square projection, num_proj == num_units in TensorFlow 1, is one too.
    given = LSTM_OPTIONS[options]
    layer, inputs = shared(case, **given), ragged()
    weights = by_name(layer)
    if "projection" in given and "projection" not in weights:
        pytest.fail(f"projection={given['projection']} of {H} units made no weight: {sorted(weights)}")
    states = layer(inputs, lengths=LENGTHS)
    assert_states(states, by_tensorflow_1(options), 4e-6)
    if "cell_clip" in given:
        assert 0.05 < np.mean(np.abs(states.cell.numpy()[RIGHT]) == np.float32(CLIP)) < 0.95
    if "projection_clip" in given:
        assert 0.05 < np.mean(np.abs(states.hidden.numpy()[RIGHT]) == np.float32(0.1)) < 0.95


@pytest.mark.parametrize("options, backward", [*((name, False) for name in LSTM_OPTIONS), ("all", True)])
def test_float64_follows_the_equations_to_the_last_digits(options, backward):
    given = LSTM_OPTIONS[options]
    layer, inputs = ours("lstm", dtype="float64", go_backwards=backward, **given), ragged("float64")
    run_time = {name: given[name] for name in RUN_TIME if name in given}
    states = layer(inputs, mask=MASKS["holes"])
    assert {values.dtype for values in states} == {tf.float64}
    expected, last = by_equations("lstm", by_name(layer), inputs, MASKS["holes"], backward=backward, **run_time)
    assert_states(states, expected, 1e-12)
    assert_states(states.last, last, 1e-12)


@pytest.mark.parametrize("case", ["gru", "gru before", "simple_rnn"])
def test_the_other_cells_follow_the_equations_in_float64_too(case):
    layer, inputs = ours(case, dtype="float64"), ragged("float64")
    expected, _ = by_equations(case, by_name(layer), inputs, RIGHT)
    assert_states(layer(inputs, lengths=LENGTHS), expected, 1e-12)


def own(values):
    return 0.5 * keras.ops.sin(values)


OTHERS = ("gru", "gru before", "simple_rnn")
ACTIVATIONS = {
    "relu": ("relu", lambda x: np.maximum(x, 0)),
    "linear": ("linear", lambda x: x),
    "hard_sigmoid": ("hard_sigmoid", lambda x: np.clip(x / 6 + 0.5, 0, 1)),
    "softmax": ("softmax", lambda x: np.exp(x) / np.exp(x).sum()),
    "a function of one's own": (own, lambda x: 0.5 * np.sin(x)),
    "tf.tanh": (tf.tanh, np.tanh),
}


@pytest.mark.parametrize(
    "case, activation",
    [("lstm", name) for name in ACTIVATIONS] + [(case, "relu") for case in OTHERS],
)
def test_activations_are_those_of_keras(case, activation):
    function, oracle = ACTIVATIONS[activation]
    layer, keras_layer, inputs = ours(case, activation=function), theirs(case, activation=function), ragged()
    states = layer(inputs, lengths=LENGTHS)
    expected, _ = by_equations(case, by_name(layer), inputs, RIGHT, activation=oracle)
    assert_states(states, expected, 1e-5)
    hidden, *final = keras_layer(inputs, mask=tf.constant(RIGHT))
    np.testing.assert_allclose(states.hidden[RIGHT], hidden[RIGHT], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(states.last[-1], final[-1], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("case", ["lstm", "gru", "gru before"])
def test_the_gates_may_have_another_activation(case):
    layer, inputs = ours(case, recurrent_activation="hard_sigmoid"), ragged()
    expected, _ = by_equations(case, by_name(layer), inputs, RIGHT, gate=ACTIVATIONS["hard_sigmoid"][1])
    assert_states(layer(inputs, lengths=LENGTHS), expected)
    plain, _ = by_equations(case, by_name(layer), inputs, RIGHT, gate=sigmoid)
    assert np.abs(plain[0] - expected[0]).max() > 0.01


@pytest.mark.parametrize("case", ["lstm", "gru", "gru before", "simple_rnn"])
def test_without_a_bias_there_is_none(case):
    layer, keras_layer, inputs = ours(case, use_bias=False), theirs(case, use_bias=False), ragged()
    assert "bias" not in by_name(layer)
    layer.set_weights(keras_layer.get_weights())
    expected, _ = by_equations(case, by_name(layer), inputs, RIGHT)
    states = layer(inputs, lengths=LENGTHS)
    assert_states(states, expected)
    np.testing.assert_allclose(states.hidden[RIGHT], keras_layer(inputs)[0][RIGHT], rtol=0, atol=2e-6)


def test_the_forget_bias_is_there_without_a_bias_too():
    layer, inputs = ours("lstm", use_bias=False, forget_bias=1.0), ragged()
    expected, _ = by_equations("lstm", by_name(layer), inputs, RIGHT, forget_bias=1.0)
    assert_states(layer(inputs, lengths=LENGTHS), expected)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("case", ["lstm", "gru", "simple_rnn"])
def test_narrow_states_are_near_those_of_float32(case, dtype):
    narrow, inputs = ours(case, dtype=f"mixed_{dtype}"), ragged()
    states, exact = narrow(inputs, lengths=LENGTHS), shared(case)(inputs, lengths=LENGTHS)
    assert {values.dtype.name for values in [*states, *states.last]} == {dtype}
    assert {weight.dtype for weight in narrow.weights} == {"float32"}
    assert_states(states, exact, {"bfloat16": 0.06, "float16": 0.01}[dtype])
    difference = np.abs(np.asarray(states.hidden).astype(float) - exact.hidden)
    assert difference.max() > 1e-5


def test_narrow_states_are_carried_in_float32_so_that_small_steps_are_not_lost():
    steps = 2000
    layer = randomised(StateLSTM(1, dtype="mixed_bfloat16"))
    # All gates stand still: the cell state grows by sigmoid(-7) a step. In bfloat16 it would stop at 0.25.
    layer.set_weights([np.zeros((3, 4)), np.zeros((1, 4)), np.array([-7.0, 30.0, 30.0, 0.0])])
    grown = layer(ragged(rows=1, steps=steps)).last.cell
    assert float(grown[0, 0]) == pytest.approx(steps * sigmoid(-7), rel=0.01)


@pytest.mark.parametrize("inputs_dtype", ["float16", "float64", "int32"])
def test_inputs_of_another_dtype_are_cast_to_the_layers(inputs_dtype):
    layer = shared("lstm")
    inputs = (ragged() * 3).astype(inputs_dtype)
    states = layer(inputs)
    assert states.cell.dtype == tf.float32
    np.testing.assert_array_equal(states.cell, layer(inputs.astype("float32")).cell)


def test_keras_regularisers_and_constraints_reach_every_weight_they_are_for():
    layer = ours("lstm", peepholes=True, projection=P, kernel_regularizer="l2", recurrent_regularizer="l1")
    weights = by_name(layer)
    expected = [0.01 * np.square(weights[name]).sum() for name in ("kernel", "peepholes", "projection")]
    expected.append(0.01 * np.abs(weights["recurrent_kernel"]).sum())
    np.testing.assert_allclose(sorted(float(loss) for loss in layer.losses), sorted(expected), rtol=1e-5)


def test_new_peepholes_and_projection_are_not_drawn_from_the_same_numbers_as_the_kernel():
    # One initialiser, asked three times, would give the kernel's first numbers again, only scaled.
    layer = StateLSTM(H, peepholes=True, projection=P)
    layer.build((None, None, T))
    kernel, *others = (by_name(layer)[name].ravel() for name in ("kernel", "peepholes", "projection"))
    for other in others:
        ratios = kernel[: other.size] / other
        assert np.ptp(ratios) > 0.1, f"proportional to the kernel's first numbers: all ratios are {ratios[0]:.4f}"


def test_the_shapes_of_all_weights_are_reported_by_their_names():
    layer = randomised(StateLSTM(H, peepholes=True, projection=P))
    shapes = {name: array.shape for name, array in by_name(layer).items()}
    assert shapes == {
        "kernel": (3, 4 * H),
        "recurrent_kernel": (P, 4 * H),
        "bias": (4 * H,),
        "peepholes": (3, H),
        "projection": (H, P),
    }
    states = layer(ragged())
    assert (states.hidden.shape, states.cell.shape) == ((B, T, P), (B, T, H))
