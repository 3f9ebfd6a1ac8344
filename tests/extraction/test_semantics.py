"""Every row of the semantics table, by name, on both engines, in memory and in files."""

import numpy as np
import pytest

import rnnstates
from rnnstates import LayerWeights, Network, RecurrentLayer

from ..builders import BUILT_ENGINES, bidirectional_stack, embedded, layer_weights, one_layer, ragged


def numpy_lstm(weights, sequence):
    """Eight lines that need no padding: (hidden, cell), each [length, H]."""
    hidden = cell = np.zeros(weights.units)
    collected = []
    for features in sequence.astype(np.float64):
        z = features @ weights.kernel + hidden @ weights.recurrent_kernel + weights.bias
        i, f, g, o = np.split(z, 4)
        cell = cell / (1 + np.exp(-f - weights.forget_bias)) + np.tanh(g) / (1 + np.exp(-i))
        hidden = np.tanh(cell) / (1 + np.exp(-o))
        collected.append((hidden, cell))
    return np.array(collected).reshape(-1, 2, weights.units).swapaxes(0, 1)


def test_each_sequence_alone_without_padding_gives_the_same_states(engine):
    inputs, lengths = ragged()
    network = one_layer()
    states = rnnstates.extract(inputs, lengths, weights=network, engine=engine, precision="float64")
    for row, length in enumerate(lengths):
        hidden, cell = numpy_lstm(network.layers[0].forward, inputs[row, :length])
        np.testing.assert_allclose(states[row].hidden, hidden, atol=1e-12)
        np.testing.assert_allclose(states[row].cell, cell, atol=1e-12)


def test_states_past_the_length_are_zero_when_padded_and_absent_when_packed(engine):
    inputs, lengths = ragged()
    padded = rnnstates.extract(inputs, lengths, weights=one_layer(), engine=engine)
    packed = rnnstates.extract(inputs, lengths, weights=one_layer(), engine=engine, layout="packed")
    for name in ("hidden", "cell"):
        assert padded[name].shape == (9, 8, 5)
        assert packed[name].shape == (lengths.sum(), 5)
        for row, length in enumerate(lengths):
            assert not padded[name][row, length:].any()
            start, stop = packed["offsets"][row : row + 2]
            assert stop - start == length
            np.testing.assert_array_equal(packed[name][start:stop], padded[name][row, :length])
    np.testing.assert_array_equal(padded["lengths"], lengths)


@pytest.mark.parametrize("garbage", [np.nan, np.inf, 1e30])
@pytest.mark.parametrize("padding", ["post", "pre"])
def test_padding_values_never_reach_a_state(engine, garbage, padding):
    inputs, lengths = ragged()
    network = bidirectional_stack()
    if padding == "pre":
        inputs = shifted(inputs, lengths)
    clean = rnnstates.extract(np.nan_to_num(inputs), lengths, weights=network, engine=engine, padding=padding)
    inputs[np.isnan(inputs)] = garbage
    dirty = rnnstates.extract(inputs, lengths, weights=network, engine=engine, padding=padding)
    for name in clean.datasets:
        np.testing.assert_array_equal(clean[name], dirty[name])


def test_last_is_the_state_after_the_last_step_read_and_first_likewise(engine):
    inputs, lengths = ragged()
    states = rnnstates.extract(
        inputs, lengths, weights=bidirectional_stack(), engine=engine, pool="first,last", states="hidden,cell"
    )
    for row in range(8):
        end = lengths[row] - 1
        for layer in ("layer0", "layer1"):
            for state in ("hidden", "cell"):
                forward, backward = f"{layer}/forward/{state}", f"{layer}/backward/{state}"
                np.testing.assert_array_equal(states[forward + "_last"][row], states[forward][row, end])
                np.testing.assert_array_equal(states[forward + "_first"][row], states[forward][row, 0])
                np.testing.assert_array_equal(states[backward + "_last"][row], states[backward][row, 0])
                np.testing.assert_array_equal(states[backward + "_first"][row], states[backward][row, end])


def test_mean_equals_mean_of_the_unpadded_sequence(engine):
    inputs, lengths = ragged()
    states = rnnstates.extract(inputs, lengths, weights=one_layer(), engine=engine)
    for row in range(8):
        exact = states[row].cell.astype(np.float64).mean(axis=0)
        np.testing.assert_allclose(states["cell_mean"][row], exact, rtol=1e-6)
    assert states["cell_mean"].dtype == np.float32


def test_zero_length_row_is_zero_and_pools_to_nan_with_one_warning(engine, caplog):
    inputs, lengths = ragged()
    lengths[3] = 0
    pools = tuple(rnnstates.POOLINGS)
    with caplog.at_level("INFO", logger="rnnstates"):
        states = rnnstates.extract(inputs, lengths, weights=one_layer(), engine=engine, pool=pools)
    for row in (3, 8):
        assert not states["hidden"][row].any()
        for pool in pools:
            pooled = [states[f"{state}_{pool}"][row] for state in ("hidden", "cell")]
            # The final state of an empty sequence is the one it starts from, so that another run can go on.
            assert np.isnan(pooled).all() if pool != "final" else not np.any(pooled)
    warnings = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert warnings == ["2 of 9 sequences have length 0: their states are zero and their pooled values NaN."]


def test_all_rows_empty_is_still_a_valid_run(engine):
    inputs, _ = ragged()
    states = rnnstates.extract(inputs, np.zeros(9, int), weights=bidirectional_stack(), engine=engine)
    assert not states["layer1/backward/cell"].any()
    assert np.isnan(states["layer1/backward/cell_mean"]).all()


def test_no_lengths_is_an_error_that_names_the_mend(tmp_path):
    inputs, _ = ragged()
    with pytest.raises(rnnstates.BadLengths, match=r"lengths=.full."):
        rnnstates.extract(inputs, weights=one_layer())
    full = rnnstates.extract(np.nan_to_num(inputs), "full", weights=one_layer())
    np.testing.assert_array_equal(full["lengths"], [8] * 9)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_nonfinite_valid_step_is_an_error_naming_the_first(engine, value):
    inputs, lengths = ragged()
    inputs[4, 0, 2] = value
    with pytest.raises(rnnstates.BadInput, match=r"sequence 4.*step 0.*feature 2"):
        rnnstates.extract(inputs, lengths, weights=one_layer(), engine=engine)
    states = rnnstates.extract(inputs, lengths, weights=one_layer(), engine=engine, allow_nonfinite=True)
    if np.isnan(value):
        assert np.isnan(states[4].hidden).all()
    others = [row for row in range(9) if row != 4]
    assert np.isfinite(states["hidden"][others]).all()


def test_backward_state_is_the_one_after_reading_from_there_to_the_end(engine):
    inputs, lengths = ragged()
    weights = layer_weights(3, 5)
    network = Network((RecurrentLayer("lstm", backward=weights),))
    states = rnnstates.extract(inputs, lengths, weights=network, engine=engine, precision="float64")
    for row, length in enumerate(lengths):
        hidden, cell = numpy_lstm(weights, inputs[row, :length][::-1])
        np.testing.assert_allclose(states[row].hidden, hidden[::-1], atol=1e-12)
        np.testing.assert_allclose(states[row].cell, cell[::-1], atol=1e-12)


def test_the_initial_state_is_zero(engine):
    weights = layer_weights(3, 5)
    inputs, lengths = ragged()
    states = rnnstates.extract(inputs, lengths, weights=one_layer(), engine=engine, precision="float64")
    first, _ = numpy_lstm(weights, inputs[0, :1])
    np.testing.assert_allclose(states[0].hidden[0], first[0], atol=1e-12)


def test_batch_mates_change_nothing_but_rounding_and_repeating_changes_no_bit(engine):
    inputs, lengths = ragged(sequences=80)
    options = {"weights": bidirectional_stack(), "engine": engine}
    together = rnnstates.extract(inputs, lengths, **options)
    again = rnnstates.extract(inputs, lengths, **options)
    alone = rnnstates.extract(inputs[5:6], lengths[5:6], **options)
    for name in together.datasets:
        np.testing.assert_array_equal(together[name], again[name])
        if name not in ("lengths", "offsets"):
            np.testing.assert_allclose(together[name][5], alone[name][0], atol=1e-6)


def test_rows_are_not_interleaved(engine):
    inputs, lengths = ragged(sequences=70)
    order = np.random.default_rng(3).permutation(70)
    states = rnnstates.extract(inputs, lengths, weights=one_layer(), engine=engine)
    shuffled = rnnstates.extract(inputs[order], lengths[order], weights=one_layer(), engine=engine)
    np.testing.assert_allclose(shuffled["cell"], states["cell"][order], atol=1e-6)


def test_state_does_not_leak_from_one_call_to_the_next(engine):
    inputs, lengths = ragged()
    network = one_layer()
    first = rnnstates.extract(inputs, lengths, weights=network, engine=engine)["cell"].copy()
    rnnstates.extract(inputs * 3, lengths, weights=network, engine=engine)
    np.testing.assert_array_equal(rnnstates.extract(inputs, lengths, weights=network, engine=engine)["cell"], first)


def test_precision_is_float32_by_default_also_for_float64_inputs_and_a_notice_says_so(engine, caplog):
    inputs, lengths = ragged()
    with caplog.at_level("INFO", logger="rnnstates"):
        states = rnnstates.extract(inputs, lengths, weights=one_layer(), engine=engine)
    assert states["hidden"].dtype == np.float32
    assert 'float64 inputs are computed in float32; precision="float64" keeps them' in caplog.text
    double = rnnstates.extract(inputs, lengths, weights=one_layer(), engine=engine, precision="float64")
    assert double["hidden"].dtype == np.float64
    difference = np.abs(double["hidden"] - states["hidden"]).max()
    assert 0 < difference < 1e-6


def test_a_float64_value_beyond_float32_is_not_silently_infinite():
    inputs, lengths = ragged()
    inputs[2, 0, 1] = 1e300
    with pytest.raises(rnnstates.BadInput, match=r"precision=\"float64\""):
        rnnstates.extract(inputs, lengths, weights=one_layer())


def shifted(inputs, lengths):
    """The same sequences with the padding in front."""
    moved = np.full_like(inputs, np.nan)
    for row, length in enumerate(lengths):
        moved[row, inputs.shape[1] - length :] = inputs[row, :length]
    return moved


@pytest.mark.parametrize("layout", ["padded", "packed"])
def test_padding_in_front_gives_the_same_states_at_the_same_places_as_the_inputs(engine, layout):
    inputs, lengths = ragged()
    options = {"weights": bidirectional_stack(), "engine": engine, "layout": layout}
    post = rnnstates.extract(inputs, lengths, **options)
    pre = rnnstates.extract(shifted(inputs, lengths), lengths, padding="pre", **options)
    for row, length in enumerate(lengths):
        ours, theirs = pre[row].layer1.backward.cell, post[row].layer1.backward.cell
        np.testing.assert_array_equal(ours, theirs)
        if layout == "padded":
            np.testing.assert_array_equal(pre["layer1/backward/cell"][row, 8 - length :], theirs)
            assert not pre["layer1/backward/cell"][row, : 8 - length].any()
    np.testing.assert_array_equal(pre["layer0/forward/hidden_mean"], post["layer0/forward/hidden_mean"])


def test_concatenated_state_is_cell_then_hidden(engine):
    inputs, lengths = ragged()
    states = rnnstates.extract(inputs, lengths, weights=one_layer(), engine=engine, states="state,hidden,cell")
    np.testing.assert_array_equal(states["state"], np.concatenate([states["cell"], states["hidden"]], axis=-1))
    np.testing.assert_array_equal(
        states["state_mean"], np.concatenate([states["cell_mean"], states["hidden_mean"]], axis=-1)
    )


def test_a_forget_bias_kept_apart_is_added_at_run_time(engine):
    inputs, lengths = ragged()
    apart = layer_weights(3, 5, forget_bias=1.0)
    folded = apart.bias.copy()
    folded[5:10] += 1.0
    inside = LayerWeights(apart.kernel, apart.recurrent_kernel, folded)
    one, other = (
        rnnstates.extract(inputs, lengths, weights=Network((RecurrentLayer("lstm", forward=weights),)), engine=engine)[
            "cell"
        ]
        for weights in (apart, inside)
    )
    np.testing.assert_allclose(one, other, atol=1e-7)
    plain = rnnstates.extract(inputs, lengths, weights=one_layer(), engine=engine)["cell"]
    assert np.abs(one - plain).max() > 0.1


@pytest.mark.framework
def test_all_engines_agree():
    inputs, lengths = ragged(sequences=70)
    for network in (one_layer(), bidirectional_stack()):
        for precision, tolerance in (("float32", 1e-6), ("float64", 1e-12)):
            readable, *others = (
                rnnstates.extract(inputs, lengths, weights=network, engine=engine, precision=precision)
                for engine in sorted(BUILT_ENGINES, key="numpy".__ne__)
            )
            for name in readable.datasets:
                for other in others:
                    np.testing.assert_allclose(other[name], readable[name], atol=tolerance)


def test_token_ids_are_looked_up_and_padding_ids_are_not(engine):
    random = np.random.default_rng(0)
    lengths = np.array([6, 0, 3])
    tokens = random.integers(0, 7, size=(3, 6))
    tokens[1:, 3:] = 99  # out of the vocabulary, but only padding
    tokens[1] = -5
    network = embedded()
    plain = Network(network.layers)
    states = rnnstates.extract(tokens, lengths, weights=network, engine=engine)
    looked_up = rnnstates.extract(
        network.embedding[np.where(np.arange(6) < lengths[:, None], tokens, 0)], lengths, weights=plain, engine=engine
    )
    for name in states.datasets:
        np.testing.assert_array_equal(states[name], looked_up[name])
