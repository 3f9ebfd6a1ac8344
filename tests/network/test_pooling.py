import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from rnnstates.network.pooling import POOLINGS, pool

ORACLES = {
    "mean": lambda sequence: sequence.mean(axis=0),
    "last": lambda sequence: sequence[-1],
    "final": lambda sequence: sequence[-1],
    "first": lambda sequence: sequence[0],
    "max": lambda sequence: sequence.max(axis=0),
    "min": lambda sequence: sequence.min(axis=0),
    "sum": lambda sequence: sequence.sum(axis=0),
    "std": lambda sequence: sequence.std(axis=0),
}


def padded(sequences, steps, units):
    values = np.zeros((len(sequences), steps, units))
    for row, sequence in enumerate(sequences):
        values[row, : len(sequence)] = sequence
    return values


@st.composite
def ragged(draw):
    units = draw(st.integers(1, 4))
    lengths = draw(st.lists(st.integers(0, 6), min_size=1, max_size=5))
    numbers = st.floats(-1e6, 1e6, width=32)
    return [draw(hnp.arrays(np.float64, (length, units), elements=numbers)) for length in lengths], units


def test_every_pooling_has_an_oracle_here():
    assert set(ORACLES) == set(POOLINGS)


@pytest.mark.parametrize("name", POOLINGS)
@given(case=ragged())
def test_pooling_equals_numpy_on_the_unpadded_sequence(name, case):
    sequences, units = case
    lengths = np.array([len(sequence) for sequence in sequences])
    pooled = pool(name, padded(sequences, lengths.max() + 2, units), lengths)
    for row, sequence in enumerate(sequences):
        if len(sequence):
            np.testing.assert_allclose(pooled[row], ORACLES[name](sequence), rtol=1e-12, atol=1e-9)
        elif name == "final":
            assert not pooled[row].any()
        else:
            assert np.isnan(pooled[row]).all()


def test_padding_is_not_averaged_in():
    values = np.array([[[2.0], [4.0], [0.0], [0.0]]])
    assert pool("mean", values, np.array([2]))[0, 0] == 3.0


def test_maximum_of_negative_states_is_not_the_zero_of_the_padding():
    values = np.array([[[-2.0], [-4.0], [0.0]]])
    assert pool("max", values, np.array([2]))[0, 0] == -2.0
    assert pool("min", -values, np.array([2]))[0, 0] == 2.0


def test_last_and_first_change_ends_backward():
    values = np.array([[[1.0], [2.0], [3.0], [0.0]]])
    assert pool("last", values, np.array([3]), direction="backward")[0, 0] == 1.0
    assert pool("first", values, np.array([3]), direction="backward")[0, 0] == 3.0


def test_float32_sums_are_accumulated_in_float64():
    values = np.full((1, 100_001, 1), 0.1, np.float32)
    values[0, 0] = 1e8
    exact = values[0].astype(np.float64).sum()
    assert pool("sum", values, np.array([100_001]))[0, 0] == pytest.approx(exact, rel=1e-14)
    assert abs(float(values[0].cumsum(dtype=np.float32)[-1]) - exact) > 1  # what float32 would have given


def test_a_batch_of_empty_sequences_pools_to_nan_even_without_steps():
    for name in set(POOLINGS) - {"final"}:
        assert np.isnan(pool(name, np.zeros((2, 0, 3)), np.array([0, 0]))).all()


def test_the_final_state_of_an_empty_sequence_is_the_one_it_starts_from():
    start = np.array([[1.0, 2.0], [3.0, 4.0]])
    values = np.array([[[5.0, 6.0]], [[0.0, 0.0]]])
    np.testing.assert_array_equal(pool("final", values, np.array([1, 0]), start=start), [[5, 6], [3, 4]])
