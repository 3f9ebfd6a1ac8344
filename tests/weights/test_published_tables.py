"""The tables of constant weights that Keras' own tests publish (keras/src/layers/rnn/{lstm,gru,simple_rnn}_test.py).

Every element of the kernel is 0.01, of the recurrent kernel 0.02 and of the bias 0.03; the forget bias is 1 unless
``unit_forget_bias`` is off. Inputs count upwards from 0.
"""

import numpy as np
import pytest

import rnnstates
from rnnstates import LayerWeights, Network, RecurrentLayer
from rnnstates.network.model import GATES

from ..builders import BUILT_ENGINES

ENGINES = BUILT_ENGINES


def constant(cell, features, units, *, bias=0.03, unit_forget_bias=True, **options):
    columns = len(GATES[cell]) * units
    biases = np.full(columns, bias, "f4")
    if cell == "lstm" and bias and unit_forget_bias:
        biases[units : 2 * units] = 1
    if options.get("reset_after"):
        options["recurrent_bias"] = biases
    kernels = np.full((features, columns), 0.01, "f4"), np.full((units, columns), 0.02, "f4")
    return LayerWeights(*kernels, biases, cell=cell, **options)


def counting(*shape):
    return np.arange(np.prod(shape)).reshape(shape).astype("f4")


def final(weights, inputs, engine, *, backward=False, lengths="full", initial=None):
    layer = RecurrentLayer("layer", **{"backward" if backward else "forward": weights})
    states = rnnstates.extract(
        inputs, lengths, weights=Network((layer,)), engine=engine, initial_state=initial, pool="last"
    )
    return states["hidden_last"]


# Cell, options, backward: the last hidden state of each of three sequences of 6 steps and 4 features, in 3 units.
AFTER = {"reset_after": True}
CORRECTNESS = {
    "lstm": ("lstm", {}, False, [0.6288687, 0.86899155, 0.9460773]),
    "lstm backward": ("lstm", {}, True, [0.35622165, 0.74789524, 0.8872726]),
    "lstm, forget bias like the others": (
        "lstm", {"unit_forget_bias": False}, False, [0.57019705, 0.8661914, 0.9459622]),
    "lstm without bias": ("lstm", {"bias": 0.0}, False, [0.54986924, 0.86226785, 0.9443936]),
    "gru": ("gru", AFTER, False, [0.5217289, 0.6371659, 0.39384964]),
    "gru backward": ("gru", AFTER, True, [0.24406259, 0.611516, 0.3928808]),
    "gru, reset before": ("gru", {}, False, [0.51447755, 0.6426879, 0.40208298]),
    "gru without bias": ("gru", {"bias": 0.0, **AFTER}, False, [0.49988455, 0.64701194, 0.4103359]),
}  # fmt: skip


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("case", CORRECTNESS)
def test_last_states_are_those_of_the_table(case, engine):
    cell, options, backward, expected = CORRECTNESS[case]
    ours = final(constant(cell, 4, 3, **options), counting(3, 6, 4), engine, backward=backward)
    np.testing.assert_allclose(ours, np.repeat([[value] for value in expected], 3, axis=1), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("engine", ENGINES)
def test_last_states_of_a_simple_rnn_are_those_of_the_table(engine):
    weights = constant("simple_rnn", 4, 4)
    for backward, expected in ((False, [0.405432, 0.73605347]), (True, [0.11144729, 0.5528889])):
        ours = final(weights, counting(2, 3, 4), engine, backward=backward)
        np.testing.assert_allclose(ours, np.repeat([[value] for value in expected], 4, axis=1), rtol=1e-5)


# Cell, options, initial states, backward, expected: sequences of 4 steps and 3 features.
STARTS = {
    "lstm": ("lstm", {}, 2, False, [[0.20574439, 0.3558822], [0.64930826, 0.66276]]),
    "lstm backward": ("lstm", {}, 2, True, [[0.13281618, 0.2790356], [0.5839337, 0.5992567]]),
    "gru": ("gru", AFTER, 2, False, [[0.23774096, 0.33508456], [0.83659905, 1.0227708]]),
    "gru backward": ("gru", AFTER, 2, True, [[0.13486053, 0.23261218], [0.78257304, 0.9691353]]),
    "simple_rnn": ("simple_rnn", {}, 4, False, [[0.33621645] * 4, [0.6262637] * 4]),
    "simple_rnn backward": ("simple_rnn", {}, 4, True, [[0.07344437] * 4, [0.43043602] * 4]),
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("case", STARTS)
def test_states_from_an_initial_state_are_those_of_the_table(case, engine):
    cell, options, units, backward, expected = STARTS[case]
    initial = {name: counting(2, units) for name in (("hidden", "cell") if cell == "lstm" else ("hidden",))}
    weights = constant(cell, 3, units, **options)
    ours = final(weights, counting(2, 4, 3), engine, backward=backward, initial=initial)
    np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-5)


# A stateful layer that has read the sequences twice: (cell, options, expected).
TWICE = {
    "lstm": ({}, [0.3124785, 0.6863672]),
    "gru": (AFTER, [0.29542392, 0.5885018]),
    "simple_rnn": ({}, [0.40559256, 0.7361247]),
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("cell", TWICE)
def test_going_on_from_the_final_states_is_what_a_stateful_layer_does(cell, engine, tmp_path):
    options, expected = TWICE[cell]
    network = Network((RecurrentLayer("layer", constant(cell, 4, 4, **options)),))
    inputs = counting(2, 3, 4)
    first = rnnstates.extract(inputs, "full", weights=network, engine=engine, pool="final", output=tmp_path / "1.h5")
    first.close()
    second = rnnstates.extract(
        inputs, "full", weights=network, engine=engine, pool="last", initial_state=tmp_path / "1.h5"
    )
    np.testing.assert_allclose(second["hidden_last"], np.repeat([[v] for v in expected], 4, axis=1), rtol=1e-5)


@pytest.mark.parametrize("engine", ENGINES)
def test_masked_steps_behind_a_sequence_are_those_of_the_table(engine):
    network = Network((RecurrentLayer("layer", constant("lstm", 3, 2)),))
    states = rnnstates.extract(counting(2, 4, 3), [3, 2], weights=network, engine=engine)
    table = [[0.01588910, 0.05552048, 0.11755939, 0.0], [0.14185596, 0.28556206, 0.0, 0.0]]
    np.testing.assert_allclose(states["hidden"], np.repeat(np.array(table)[:, :, np.newaxis], 2, axis=2), rtol=1e-5)


@pytest.mark.parametrize("engine", ENGINES)
def test_masked_steps_before_a_sequence_are_those_of_the_table(engine):
    """Keras' mask [[F, T, T, T], [F, F, T, T]], read backwards: padding in front."""
    layer = RecurrentLayer("layer", backward=constant("lstm", 3, 2))
    states = rnnstates.extract(
        counting(2, 4, 3), [3, 2], padding="pre", weights=Network((layer,)), engine=engine, pool="last"
    )
    np.testing.assert_allclose(states["hidden_last"], [[0.15341201] * 2, [0.3844719] * 2], rtol=1e-5)
