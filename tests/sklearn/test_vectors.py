"""What the transformer computes: the vectors of ``extract``, whatever the sequences come as."""

import tracemalloc

import numpy as np
import pandas
import pytest

import rnnstates
from rnnstates import StateExtractor
from rnnstates.arrays import axes
from rnnstates.inputs import ragged as ragged_rows
from rnnstates.sklearn import Expected, Padding, read_sequences

from ..builders import bidirectional_stack, layer_weights, one_layer, ragged
from .making import NETWORKS, cut, shifted, side_by_side

# What is computed


@pytest.mark.parametrize("padding", ["post", "pre"])
@pytest.mark.parametrize("name", NETWORKS)
def test_vectors_are_those_of_extract_bit_for_bit(engine, name, padding):
    inputs, lengths = ragged()
    lengths[-1] = 1
    inputs = shifted(np.nan_to_num(inputs), lengths, padding)
    network, pools = NETWORKS[name](), ("std", "mean", "last", "final")
    options = {"weights": network, "states": "hidden", "pool": pools, "engine": engine, "padding": padding}
    vectors = StateExtractor(**options).fit_transform(inputs, lengths=lengths)
    wanted = side_by_side(rnnstates.extract(inputs, lengths, **options), network, ["hidden"], pools)
    np.testing.assert_array_equal(vectors, wanted, strict=True)


def test_states_come_first_and_poolings_inside_them_in_the_order_they_are_named():
    inputs, lengths = ragged()
    options = {"weights": one_layer(), "states": ["forget_gate", "cell", "state"], "pool": "max,mean"}
    vectors = StateExtractor(**options, empty=np.nan).fit_transform(inputs, lengths=lengths)
    wanted = side_by_side(
        rnnstates.extract(inputs, lengths, **options), one_layer(), options["states"], ["max", "mean"]
    )
    np.testing.assert_array_equal(vectors, wanted, strict=True)
    assert vectors.shape == (9, 40)


def test_without_states_those_that_the_cell_carries_are_pooled():
    inputs, lengths = ragged()
    vectors = StateExtractor(states="none", weights=one_layer()).fit(inputs, lengths=lengths)
    assert list(vectors.get_feature_names_out()[[0, 5]]) == ["hidden_mean_0", "cell_mean_0"]


def test_the_mean_is_that_of_the_states_of_the_unpadded_sequence():
    weights = layer_weights(3, 5)
    inputs, lengths = ragged()
    extractor = StateExtractor(weights=one_layer(), precision="float64")
    vectors = extractor.fit_transform(cut(inputs, lengths))
    for row, length in enumerate(lengths[:-1]):
        hidden = cell = np.zeros(5)
        collected = []
        for features in inputs[row, :length]:
            i, f, g, o = np.split(features @ weights.kernel + hidden @ weights.recurrent_kernel + weights.bias, 4)
            cell = cell / (1 + np.exp(-f)) + np.tanh(g) / (1 + np.exp(-i))
            hidden = np.tanh(cell) / (1 + np.exp(-o))
            collected.append(hidden)
        np.testing.assert_allclose(vectors[row], np.mean(collected, axis=0), atol=1e-12)


def test_random_weights_are_those_of_extract():
    inputs, lengths = ragged()
    random = {"units": 6, "seed": 3, "forget_bias": 0.5}
    vectors = StateExtractor(**random, empty=np.nan).fit_transform(cut(inputs, lengths))
    np.testing.assert_array_equal(vectors, rnnstates.extract(inputs, lengths, **random)["hidden_mean"], strict=True)


def test_the_default_is_the_mean_hidden_state_of_64_units_and_seed_0():
    inputs, lengths = ragged()
    vectors = StateExtractor(empty=np.nan).fit_transform(cut(inputs, lengths))
    np.testing.assert_array_equal(vectors, rnnstates.extract(inputs, lengths)["hidden_mean"], strict=True)


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_vectors_have_the_precision_they_are_computed_in(precision):
    inputs, lengths = ragged()
    assert StateExtractor(precision=precision).fit_transform(cut(inputs, lengths)).dtype == precision


# What X may be


@pytest.mark.parametrize("padding", ["post", "pre"])
def test_a_list_a_tuple_an_object_array_and_a_padded_array_give_the_same_bits(padding):
    inputs, lengths = ragged()
    rows = cut(inputs, lengths)
    objects = np.empty(len(rows), object)
    objects[:] = rows
    extractor = StateExtractor(units=5, padding=padding, pool=("mean", "last")).fit(rows)
    wanted = extractor.transform(rows)
    padded = shifted(inputs, lengths, padding)
    zeros = np.nan_to_num(padded)
    as_lists = [row.tolist() for row in rows]
    for X, options in [
        (tuple(rows), {}),
        (objects, {}),
        (as_lists, {}),
        ([pandas.DataFrame(row) for row in rows], {}),
        (rows, {"lengths": "full"}),
        (rows, {"lengths": lengths}),
        (padded, {"lengths": lengths}),
        (padded, {"lengths": lengths.tolist()}),
        (pandas.array(zeros.ravel()).to_numpy(zeros.dtype).reshape(zeros.shape), {"lengths": lengths}),
        (np.asfortranarray(padded), {"lengths": lengths}),
    ]:
        np.testing.assert_array_equal(extractor.transform(X, **options), wanted, strict=True)
    for value in (np.nan, 0, np.float32(0), -7.5):
        filled = np.where(np.isnan(padded), value, padded)
        extractor.set_params(padding_value=value)
        np.testing.assert_array_equal(extractor.transform(filled), wanted, strict=True)


def test_the_mask_of_one_feature_is_no_padding():
    """A step is padding where all of its features have the value, and only behind the last step that has others."""
    X = np.array([[[1, 0], [0, 0], [0, 2], [0, 0]], [[0, 0], [0, 0], [0, 0], [0, 0]]], np.uint8)
    vectors = StateExtractor(units=3, padding_value=0).fit_transform(X)
    np.testing.assert_array_equal(vectors, StateExtractor(units=3).fit_transform([X[0, :3], X[1, :0]]))
    before = StateExtractor(units=3, padding_value=0, padding="pre").fit_transform(X)
    np.testing.assert_array_equal(before, StateExtractor(units=3).fit_transform([X[0], X[1, :0]]))


def test_lengths_go_before_the_padding_value():
    inputs, lengths = ragged()
    extractor = StateExtractor(weights=one_layer(), padding_value=0)
    vectors = extractor.fit_transform(np.zeros_like(inputs), lengths=lengths)
    assert vectors[:-1].all()
    np.testing.assert_array_equal(vectors, extractor.transform([np.zeros((length, 3)) for length in lengths]))


def test_the_padding_value_says_nothing_of_a_list():
    zeros = [np.zeros((4, 3)), np.zeros((2, 3))]
    vectors = StateExtractor(weights=one_layer(), padding_value=0).fit_transform(zeros)
    assert vectors.all()
    np.testing.assert_array_equal(vectors, StateExtractor(weights=one_layer()).fit_transform(zeros))


def test_rows_of_different_types_are_read_as_one_that_holds_both():
    random = np.random.default_rng(0)
    exact = [random.integers(0, 200, (steps, 2)) for steps in (5, 3, 0)]
    types = [np.dtype(">f8"), np.uint8, np.int64]
    mixed = [row.astype(dtype) for row, dtype in zip(exact, types, strict=True)]
    extractor = StateExtractor(units=3, precision="float64").fit(mixed)
    np.testing.assert_array_equal(extractor.transform(mixed), extractor.transform([row * 1.0 for row in exact]))


def test_an_empty_sequence_says_nothing_of_the_type():
    rows = [np.ones((2, 3), np.float32), [], np.zeros((0, 3))]
    assert read_sequences(rows, None, Padding(), Expected()).source.dtype == np.float32


def test_one_vector_does_not_depend_on_the_sequences_beside_it(engine):
    inputs, lengths = ragged(sequences=40, steps=60)
    rows = cut(inputs, lengths)
    extractor = StateExtractor(units=6, engine=engine, pool=("mean", "std", "last")).fit(rows)
    together = extractor.transform(rows)
    alone = np.concatenate([extractor.transform([row]) for row in rows])
    np.testing.assert_allclose(alone, together, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(extractor.transform(rows[::-1])[::-1], together, rtol=1e-5, atol=1e-6)


def test_threads_and_memory_change_no_bit(engine):
    inputs, lengths = ragged(sequences=40, steps=60)
    rows = cut(inputs, lengths)
    options = {"weights": bidirectional_stack(), "engine": engine}
    one = StateExtractor(**options, threads=1, memory="8M").fit_transform(rows)
    np.testing.assert_array_equal(StateExtractor(**options, threads=4).fit_transform(rows), one, strict=True)


def test_one_long_sequence_among_many_does_not_pad_the_others_in_memory(monkeypatch):
    alive = []

    def counted(shape, dtype):
        window = axes.empty_window(shape, dtype)
        alive.append(window.nbytes)
        return window

    monkeypatch.setattr(ragged_rows, "empty_window", counted)
    rows = [np.ones((5, 2), np.float32)] * 400 + [np.ones((100_000, 2), np.float32)]
    padded_bytes = len(rows) * rows[-1].nbytes
    tracemalloc.start()
    try:
        StateExtractor(units=4, states="cell", threads=1).fit_transform(rows)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert padded_bytes > 300e6
    assert peak + 2 * max(alive) < 100e6
    assert sum(alive) < 100e6
