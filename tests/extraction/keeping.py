"""Runs that keep some of their states, and how they are compared with a whole run."""

import numpy as np

import rnnstates
from rnnstates import Network, RecurrentLayer

from ..builders import bidirectional_stack, layer_weights, one_layer, ragged
from ..interrupting import interrupted, many_windows  # noqa: F401

INPUTS, LENGTHS = ragged(sequences=11, steps=9)
INPUTS = np.nan_to_num(INPUTS).astype(np.float32)
POOLS = "mean,last,first,max,std,final"
STATES = "hidden,cell,state"
EQUAL_STACK = Network(
    tuple(
        RecurrentLayer(name, layer_weights(features, 4, seed), layer_weights(features, 4, seed + 1))
        for name, features, seed in (("low", 3, 0), ("middle", 8, 2), ("high", 8, 4))
    )
)
NETWORKS = {"one layer": one_layer(), "stack": bidirectional_stack(), "equal stack": EQUAL_STACK}
# Cut in time: each direction reads the same direction below.
APART = Network(
    tuple(
        RecurrentLayer(name, layer_weights(features, 4, seed), layer_weights(features, 4, seed + 1), merge="apart")
        for name, features, seed in (("low", 3, 0), ("high", 4, 2))
    )
)
CHOICES = [
    {"every": 3},
    {"last_steps": 2, "layout": "packed"},
    {"keep_units": "0:2", "padding": "pre"},
    {"keep_layers": "top"},
    {"layer_average": "all", "keep_layers": "none"},
    {"keep_units": {"low": "1:", "layer2/backward": [3, 0], "average": "2"}, "layer_average": "low,high"},
    {"every": 2, "keep_units": "1", "keep_layers": "layer0/backward,high", "layer_average": "low,high"},
]


def extract(network="stack", inputs=INPUTS, lengths=LENGTHS, **options):
    weights = NETWORKS.get(network, network)
    return rnnstates.extract(inputs, lengths, **{"weights": weights, "pool": POOLS, "states": STATES, **options})


def numbers(length, every=None, last_steps=None):
    """Give the steps that are kept, in the words of the documentation."""
    return list(range(length))[::every] if every else list(range(length))[-last_steps:]


def same_steps(kept, whole, **choice):
    """Compare every sequence with the steps of the whole ones, and give their number."""
    assert kept.datasets.keys() == whole.datasets.keys() | {"input_lengths"}
    for row, length in enumerate(LENGTHS):
        assert kept["input_lengths"][row] == length
        steps = numbers(int(length), **choice)
        assert kept[row].length == kept.lengths[row] == len(steps)
        for name in set(whole.datasets.keys()) - {"lengths", "offsets"}:
            expected = whole[row][name]
            if name.rpartition("/")[2] in STATES.split(","):
                expected = expected[steps]
            np.testing.assert_array_equal(kept[row][name], expected, name)
