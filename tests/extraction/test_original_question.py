"""The question that started the project, answered by TensorFlow 1's own code and by ours."""

import numpy as np
import pytest

from rnnstates.engines.choice import make_engine
from rnnstates.engines.stack import Stack
from rnnstates.network.model import LayerWeights, Network, RecurrentLayer

from ..builders import BUILT_ENGINES
from ..network.oracles import dynamic_rnn, to_tensorflow1

N, T, I, H = 2, 10, 8, 64
LENGTHS = np.array([10, 6])


@pytest.fixture(scope="module")
def question():
    random = np.random.default_rng(7)
    inputs = random.normal(size=(N, T, I))
    kernel, recurrent = random.normal(size=(I, 4 * H)) * 0.4, random.normal(size=(H, 4 * H)) * 0.2
    bias = random.normal(size=4 * H) * 0.3
    weights = LayerWeights(kernel, recurrent, bias, forget_bias=1.0)
    return inputs, weights, dynamic_rnn(inputs, LENGTHS, *to_tensorflow1(kernel, recurrent, bias))


@pytest.fixture(params=BUILT_ENGINES)
def states(request, question):
    inputs, weights, _ = question
    network = Network((RecurrentLayer("lstm", forward=weights),))
    # The kernel itself computes in float32.
    precision, inputs = ("float32", np.float32(inputs)) if request.param == "compiled" else ("float64", inputs)
    return Stack(network, make_engine(request.param, precision)).run(inputs, LENGTHS)[""]


def assert_close(ours, theirs):
    np.testing.assert_allclose(ours, theirs, rtol=0, atol={"float64": 1e-12, "float32": 2e-6}[ours.dtype.name])


def test_every_cell_and_hidden_state_is_the_one_tensorflow_1_computes(question, states):
    theirs = question[2]["states"]
    assert_close(states["cell"], theirs[..., :H])
    assert_close(states["hidden"], theirs[..., H:])


def test_the_outputs_of_dynamic_rnn_are_the_hidden_states(question, states):
    assert_close(states["hidden"], question[2]["outputs"])


def test_states_past_the_length_are_exactly_zero_as_in_dynamic_rnn(question, states):
    assert not states["cell"][1, 6:].any()
    assert not states["hidden"][1, 6:].any()
    assert not question[2]["states"][1, 6:].any()


def test_final_states_are_the_states_at_the_last_valid_step(question, states):
    last = (np.arange(N), LENGTHS - 1)
    assert_close(states["cell"][last], question[2]["final_cell"])
    assert_close(states["hidden"][last], question[2]["final_hidden"])


def test_a_forgotten_forget_bias_would_be_seen(question):
    inputs, weights, theirs = question
    plain = LayerWeights(weights.kernel, weights.recurrent_kernel, weights.bias)
    network = Network((RecurrentLayer("lstm", forward=plain),))
    states = Stack(network, make_engine("numpy", "float64")).run(inputs, LENGTHS)[""]
    assert np.abs(states["cell"] - theirs["states"][..., :H]).max() > 0.1
