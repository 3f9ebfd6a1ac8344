"""The one function that applies a convention: gates by name, not by place."""

import itertools

import numpy as np
import pytest

from rnnstates.errors import BadWeights
from rnnstates.network.model import GATES
from rnnstates.weights.conventions import CONVENTIONS, Convention
from rnnstates.weights.convert import to_layer_weights

GATE_ORDER = GATES["lstm"]
KERAS_LSTM = CONVENTIONS["keras"]["lstm"]
UNITS = 2


def stored(order):
    """Arrays whose blocks tell which gate they belong to."""
    numbers = np.repeat([GATE_ORDER.index(gate) for gate in order], UNITS).astype(np.float32)
    return {"kernel": np.tile(numbers, (3, 1)), "recurrent_kernel": np.tile(numbers, (UNITS, 1)), "bias": numbers}


@pytest.mark.parametrize("order", list(itertools.permutations(GATE_ORDER)), ids=lambda order: " ".join(order))
def test_every_order_of_gates_becomes_the_canonical_one(order):
    weights = to_layer_weights(stored(order), Convention("any", "lstm", order, "nowhere"))
    expected = np.repeat([0, 1, 2, 3], UNITS)
    for array in (weights.kernel, weights.recurrent_kernel, weights.bias):
        np.testing.assert_array_equal(array, np.broadcast_to(expected, array.shape))


def test_a_missing_bias_is_zero_in_the_same_dtype():
    arrays = stored(GATE_ORDER)
    del arrays["bias"]
    bias = to_layer_weights(arrays, KERAS_LSTM).bias
    assert (bias.dtype, bias.tolist()) == (np.float32, [0.0] * 8)


def test_the_convention_adds_its_forget_bias_unless_another_is_given():
    convention = Convention("any", "lstm", GATE_ORDER, "nowhere", forget_bias=1.0)
    assert to_layer_weights(stored(GATE_ORDER), convention).forget_bias == 1
    assert to_layer_weights(stored(GATE_ORDER), convention, forget_bias=0.5).forget_bias == 0.5


def test_columns_that_cannot_be_parted_into_gates_are_refused():
    arrays = stored(GATE_ORDER) | {"kernel": np.ones((3, 7), np.float32)}
    with pytest.raises(BadWeights, match=r"here: kernel has shape \(3, 7\); expected columns for 4 gates"):
        to_layer_weights(arrays, KERAS_LSTM, where="here")
