"""Second implementations beside the first."""

import numpy as np
import pytest

from rnnstates.network.pooling import POOLINGS, pool
from rnnstates.verification import blocks
from rnnstates.verification.consistency import Running
from rnnstates.verification.tolerance import difference


@pytest.mark.parametrize("direction", ["forward", "backward"])
@pytest.mark.parametrize("name", POOLINGS)
def test_pooling_in_pieces_is_pooling_at_once(name, direction):
    values = np.random.default_rng(0).normal(size=(1, 40, 3)) + 5
    running = Running(1, 3)
    for start, stop in ((0, 1), (1, 1), (1, 20), (20, 40)):
        running.add(blocks.Block(slice(0, 1), np.array([stop - start]), start, values[0, start:stop], {}))
    expected = pool(name, values, np.array([40]), direction=direction)
    np.testing.assert_allclose(running.pooled(name, direction), expected, rtol=1e-13)


def test_a_difference_is_none_between_equal_infinities_only():
    stored = np.array([1.5, np.nan, np.inf, np.inf, -np.inf, np.nan, 1.0], np.float16)
    expected = np.array([1.0, np.nan, 1e6, 1.0, 1e6, 1.0, np.inf])
    assert difference(stored, expected).tolist() == [0.5, 0, 0, np.inf, np.inf, np.inf, np.inf]
