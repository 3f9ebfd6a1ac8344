"""Random weights: the same from a seed, distributed as Keras would start training."""

import numpy as np
import pytest

import rnnstates

from ..builders import BUILT_ENGINES

GOLDEN_KERNEL = [-0.12256663, 0.32544085, -0.73838001]
GOLDEN_RECURRENT = [-0.09306797, 0.02278483, -0.5940582]


def only(network):
    return network.layers[0].forward


def test_the_same_seed_gives_the_same_weights_and_another_seed_others():
    first, again, other = (only(rnnstates.random_network(5, units=7, seed=seed)) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.kernel, again.kernel)
    np.testing.assert_array_equal(first.recurrent_kernel, again.recurrent_kernel)
    assert not np.array_equal(first.kernel, other.kernel)


def test_a_seed_means_these_weights_for_good():
    """Kept from the first release: files made with a seed must stay reproducible."""
    weights = only(rnnstates.random_network(3, units=2, seed=1))
    np.testing.assert_allclose(weights.kernel[0, :3], GOLDEN_KERNEL, rtol=1e-6)
    np.testing.assert_allclose(weights.recurrent_kernel[0, :3], GOLDEN_RECURRENT, rtol=1e-5)


def test_the_recurrent_kernel_has_orthonormal_rows():
    recurrent_kernel = only(rnnstates.random_network(5, units=7)).recurrent_kernel.astype(np.float64)
    np.testing.assert_allclose(recurrent_kernel @ recurrent_kernel.T, np.eye(7), atol=1e-6)


def test_the_kernel_is_glorot_uniform():
    kernel = only(rnnstates.random_network(400, units=100)).kernel
    bound = np.sqrt(6 / 800)
    assert kernel.dtype == np.float32
    assert 0.99 * bound < np.abs(kernel).max() <= bound
    # The variance of a uniform distribution.
    np.testing.assert_allclose(kernel.var(), bound**2 / 3, rtol=0.02)


@pytest.mark.parametrize("given, expected", [(None, 1), (0.0, 0), (2.5, 2.5)])
def test_the_bias_is_zero_but_for_the_forget_gate(given, expected):
    weights = only(rnnstates.random_network(5, units=7, forget_bias=given))
    np.testing.assert_array_equal(weights.bias, np.repeat([0, expected, 0, 0], 7))
    assert weights.forget_bias == 0


@pytest.mark.framework
def test_engines_get_the_same_weights():
    inputs = np.random.default_rng(1).normal(size=(2, 4, 3))
    states = [
        rnnstates.extract(inputs, "full", units=5, seed=9, engine=engine, precision="float64")["hidden"]
        for engine in BUILT_ENGINES
    ]
    np.testing.assert_allclose(states[0], states[1], rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"features": 0}, "features=0: expected at least 1"),
        ({"features": -1}, "features=-1: expected at least 1"),
        ({"units": 0}, "units=0: expected at least 1"),
        ({"seed": -1}, "seed=-1: expected 0 to 4294967295"),
        ({"forget_bias": float("inf")}, "forget_bias=inf: expected a finite number"),
    ],
)
def test_values_out_of_range_are_refused(options, message):
    with pytest.raises(rnnstates.errors.OptionError, match=message):
        rnnstates.random_network(**{"features": 3} | options)
