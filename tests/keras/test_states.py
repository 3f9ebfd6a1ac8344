"""Every state is the one that Keras' own layer computes, and the one the equations give where Keras keeps it back."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from rnnstates.keras import StateLSTM

from ..network.oracles import dynamic_rnn, to_tensorflow1
from .building import (
    LENGTHS,
    MASKS,
    PAIRS,
    RIGHT,
    B,
    H,
    I,
    T,
    assert_states,
    by_equations,
    by_name,
    ours,
    ragged,
    randomised,
    shared,
    theirs,
    ways,
)

WAYS = ways()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("case", PAIRS)
def test_every_state_follows_the_equations(case, way):
    layer, inputs, (counting, valid) = shared(case), ragged(), WAYS[way]
    states = layer(inputs, **counting)
    expected, last = by_equations(case, by_name(layer), inputs, valid)
    assert_states(states, expected)
    assert_states(states.last, last)
    for values in states:
        assert not np.array(values)[~valid].any()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("case", PAIRS)
def test_a_backward_layer_reads_from_the_last_step_that_counts_and_is_aligned_with_the_input(case, way):
    layer, inputs, (counting, valid) = shared(case, go_backwards=True), ragged(), WAYS[way]
    states = layer(inputs, **counting)
    expected, last = by_equations(case, by_name(layer), inputs, valid, backward=True)
    assert_states(states, expected)
    assert_states(states.last, last)


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("case", PAIRS)
def test_steps_that_count_and_final_states_are_those_of_keras_under_the_same_mask(case, mask):
    keras_layer, layer, inputs, valid = theirs(case), shared(case), ragged(), MASKS[mask]
    keras_layer.set_weights(layer.get_weights())
    hidden, *final = keras_layer(inputs, mask=tf.constant(valid))
    states = layer(inputs, mask=valid)
    np.testing.assert_allclose(states.hidden[valid], hidden[valid], rtol=0, atol=2e-6)
    assert_states(states.last, final)


@pytest.mark.parametrize("case", PAIRS)
def test_a_backward_layer_is_keras_going_backwards_over_each_sequence_without_its_padding(case):
    keras_layer, layer, inputs = theirs(case, go_backwards=True), shared(case, go_backwards=True), ragged()
    keras_layer.set_weights(layer.get_weights())
    states = layer(inputs, lengths=LENGTHS)
    for row in np.flatnonzero(LENGTHS):
        length = LENGTHS[row]
        hidden, *final = keras_layer(inputs[row : row + 1, :length])
        np.testing.assert_allclose(states.hidden[row, :length], hidden[0, ::-1], rtol=0, atol=2e-6)
        for ours_last, theirs_last in zip(states.last, final, strict=True):
            np.testing.assert_allclose(ours_last[row], theirs_last[0], rtol=0, atol=2e-6)


@pytest.mark.parametrize("case", PAIRS)
def test_weights_go_both_ways_unchanged(case):
    keras_layer, layer = theirs(case, seed=5), ours(case, seed=6)
    for source, target in ((keras_layer, layer), (ours(case, seed=7), keras_layer)):
        target.set_weights(source.get_weights())
        for left, right in zip(source.get_weights(), target.get_weights(), strict=True):
            np.testing.assert_array_equal(left, right)
    assert [w.name for w in layer.weights] == [w.name for w in keras_layer.weights]
    assert [w.shape for w in layer.weights] == [w.shape for w in keras_layer.weights]


@pytest.mark.parametrize("case", ["lstm", "gru", "simple_rnn"])
def test_a_new_layer_starts_with_the_weights_that_keras_starts_with(case):
    ours_class, keras_class, _ = PAIRS[case]
    first = [
        w.numpy() for w in _built(ours_class(H, kernel_initializer=_glorot(), recurrent_initializer=_orthogonal()))
    ]
    other = [
        w.numpy() for w in _built(keras_class(H, kernel_initializer=_glorot(), recurrent_initializer=_orthogonal()))
    ]
    for left, right in zip(first, other, strict=True):
        np.testing.assert_array_equal(left, right)


def _built(layer):
    layer.build((None, None, I))
    return layer.weights


def _glorot():
    return keras.initializers.GlorotUniform(seed=3)


def _orthogonal():
    return keras.initializers.Orthogonal(seed=4)


def test_the_question_that_started_the_project_is_answered_as_tensorflow_1_does():
    units, lengths = 64, np.array([10, 6])
    inputs = ragged(rows=2, steps=10, features=8)
    layer = randomised(StateLSTM(units, forget_bias=1.0), 8, seed=7)
    theirs = dynamic_rnn(inputs, lengths, *to_tensorflow1(*layer.get_weights()), forget_bias=1.0)
    states = layer(inputs, lengths=lengths)
    np.testing.assert_allclose(states.concatenated, theirs["states"], rtol=0, atol=4e-6)
    np.testing.assert_allclose(states.last.cell, theirs["final_cell"], rtol=0, atol=4e-6)
    np.testing.assert_allclose(states.last.hidden, theirs["final_hidden"], rtol=0, atol=4e-6)
    assert not states.concatenated[1, 6:].numpy().any()
    plain = randomised(StateLSTM(units), 8, seed=7)(inputs, lengths=lengths)
    assert np.abs(plain.cell - theirs["states"][..., :units]).max() > 0.1


@pytest.mark.parametrize("case", ["lstm", "lstm looped", "gru"])
def test_batch_mates_change_nothing_but_rounding_and_repeating_changes_no_bit(case):
    layer, inputs = shared(case), ragged()
    together, again = layer(inputs, lengths=LENGTHS), layer(inputs, lengths=LENGTHS)
    order = np.random.default_rng(3).permutation(B)
    shuffled = layer(inputs[order], lengths=LENGTHS[order])
    for name in together._fields:
        values = getattr(together, name)
        np.testing.assert_array_equal(values, getattr(again, name))
        np.testing.assert_allclose(getattr(shuffled, name), values.numpy()[order], rtol=0, atol=1e-6)
        for row in range(B):
            alone = getattr(layer(inputs[row : row + 1], lengths=LENGTHS[row : row + 1]), name)
            np.testing.assert_allclose(alone[0], values[row], rtol=0, atol=1e-6)


@pytest.mark.parametrize("case", ["lstm", "lstm looped", "gru", "simple_rnn"])
@pytest.mark.parametrize("rows, steps", [(1, 1), (1, T), (3, 1), (7, 4)])
def test_one_row_one_step_and_odd_numbers_of_rows_are_batches_like_any_other(case, rows, steps):
    layer, inputs = shared(case), ragged(rows=rows, steps=steps)
    expected, _ = by_equations(case, by_name(layer), inputs, np.ones((rows, steps), bool))
    assert_states(layer(inputs), expected)


@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("case", ["lstm", "gru"])
def test_batches_of_any_lengths_and_masks_follow_the_equations(case, backward):
    layer = shared(case, go_backwards=True) if backward else shared(case)
    weights, random = by_name(layer), np.random.default_rng(11)
    for _ in range(12):
        rows, steps = random.integers(1, 12, size=2)
        inputs, lengths = ragged(rows=rows, steps=steps), random.integers(0, steps + 1, size=rows)
        by_lengths, mask = np.arange(steps) < lengths[:, np.newaxis], random.random((rows, steps)) < random.random()
        for counting, valid in (({"lengths": lengths}, by_lengths), ({"mask": mask}, mask)):
            states = layer(inputs, **counting)
            expected, last = by_equations(case, weights, inputs, valid, backward=backward)
            assert_states(states, expected)
            assert_states(states.last, last)


@pytest.mark.parametrize("case", ["lstm", "lstm looped", "gru", "simple_rnn"])
def test_a_batch_of_empty_sequences_is_zero(case):
    states = shared(case)(ragged(), lengths=np.zeros(B, int))
    assert not any(np.any(values) for values in [*states, *states.last])
    nothing = shared(case)(ragged(), mask=np.zeros((B, T), bool))
    assert not any(np.any(values) for values in [*nothing, *nothing.last])


@pytest.mark.parametrize("case", ["lstm", "lstm looped", "gru", "simple_rnn"])
def test_a_batch_without_rows_has_states_without_rows(case):
    states = shared(case)(ragged()[:0], lengths=np.zeros(0, int))
    assert [values.shape for values in states] == [(0, T, H)] * len(states)
    assert [values.shape for values in states.last] == [(0, H)] * len(states)


@pytest.mark.parametrize("counting", [{}, {"lengths": np.zeros(B, int)}], ids=["none", "lengths"])
@pytest.mark.parametrize("case", ["lstm", "lstm looped", "gru", "simple_rnn"])
def test_a_batch_without_steps_has_states_without_steps_and_ends_where_it_starts(case, counting):
    # TensorFlow neither stacks nothing nor has an arg max of it; rnnstates.extract and pool know such batches.
    states = shared(case)(ragged()[:, :0], **counting)
    assert [values.shape for values in states] == [(B, 0, H)] * len(states)
    assert not any(np.any(values) for values in states.last)


def test_a_step_that_a_mask_leaves_out_is_zero_but_the_state_goes_past_it_unchanged():
    layer, inputs = shared("lstm"), ragged()
    mask = np.ones((B, T), bool)
    mask[:, 3:5] = False
    states, short = layer(inputs, mask=mask), layer(np.delete(inputs, [3, 4], axis=1))
    for values, without in zip(states, short, strict=True):
        assert not values[:, 3:5].numpy().any()
        np.testing.assert_allclose(np.delete(values, [3, 4], axis=1), without, rtol=0, atol=1e-6)


def test_lengths_win_over_a_mask():
    layer, inputs = shared("lstm"), ragged()
    both = layer(inputs, lengths=LENGTHS, mask=~RIGHT)
    np.testing.assert_array_equal(both.cell, layer(inputs, lengths=LENGTHS).cell)


@pytest.mark.parametrize("kind", ["int8", "uint8", "int32", "int64", "list", "tensor"])
def test_lengths_may_be_any_whole_numbers(kind):
    layer, inputs = shared("lstm"), ragged()
    convert = {"list": list, "tensor": tf.constant}.get(kind, lambda lengths: lengths.astype(kind))
    np.testing.assert_array_equal(layer(inputs, lengths=convert(LENGTHS)).cell, layer(inputs, lengths=LENGTHS).cell)


@pytest.mark.parametrize("dtype", ["int32", "float32"])
def test_a_mask_of_numbers_is_read_as_keras_reads_it(dtype):
    layer, inputs, mask = shared("lstm"), ragged(), MASKS["holes"]
    in_graph = tf.function(lambda values, steps: tuple(layer(values, mask=steps)))(inputs, mask.astype(dtype))
    np.testing.assert_allclose(in_graph[0], layer(inputs, mask=mask).hidden, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(layer(inputs, mask=mask.astype(dtype)).hidden, layer(inputs, mask=mask).hidden)
