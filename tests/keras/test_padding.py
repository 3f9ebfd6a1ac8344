"""What stands at steps that do not count changes no bit: neither of a state nor of a gradient."""

import numpy as np
import pytest
import tensorflow as tf

from .building import LENGTHS, MASKS, PAIRS, RIGHT, B, I, ours, ragged, shared, starts

GARBAGE = {"NaN": np.nan, "Inf": np.inf, "-Inf": -np.inf, "1e30": 1e30}


def with_garbage(inputs, valid, garbage):
    return np.where(valid[:, :, np.newaxis], inputs, np.float32(garbage))


def run(layer, inputs, start, counting):
    """Give every state and every gradient of a loss that reads all of them."""
    inputs, start = tf.constant(inputs), [tf.constant(values) for values in start]
    with tf.GradientTape() as tape:
        tape.watch([inputs, *start])
        states = layer(inputs, initial_state=start, **counting)
        loss = sum(tf.reduce_sum(values * values) for values in [*states, *states.last])
    gradients = tape.gradient(loss, [inputs, *start, *layer.trainable_variables])
    return [*states, *states.last], gradients


CASES = [("lstm", False), ("lstm looped", True), ("gru", False)]


@pytest.mark.parametrize("way", ["lengths", "holes"])
@pytest.mark.parametrize("case, backward", CASES)
def test_padding_values_never_reach_a_state_or_a_gradient(case, backward, way):
    layer = shared(case, go_backwards=backward) if backward else shared(case)
    valid = RIGHT if way == "lengths" else MASKS[way]
    counting = {"lengths": LENGTHS} if way == "lengths" else {"mask": valid}
    inputs, start = ragged(), starts(case)
    clean_states, clean_gradients = run(layer, with_garbage(inputs, valid, 0), start, counting)
    assert np.abs(clean_gradients[0]).max() > 0.01
    assert not clean_gradients[0].numpy()[~valid].any()
    for garbage in GARBAGE.values():
        states, gradients = run(layer, with_garbage(inputs, valid, garbage), start, counting)
        for clean, dirty in zip([*clean_states, *clean_gradients], [*states, *gradients], strict=True):
            np.testing.assert_array_equal(clean, dirty, err_msg=f"padding of {garbage}")


@pytest.mark.usefixtures("graphs_as_they_are")
@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "mixed_float16", "float64"])
@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_padding_values_never_reach_a_state_in_any_precision(kind, dtype):
    layer, inputs = ours(kind, dtype=dtype), ragged()
    clean = layer(with_garbage(inputs, RIGHT, 0), lengths=LENGTHS)
    for garbage in GARBAGE.values():
        dirty = layer(with_garbage(inputs, RIGHT, garbage), lengths=LENGTHS)
        for left, right in zip([*clean, *clean.last], [*dirty, *dirty.last], strict=True):
            np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize("fused", [True, False])
def test_nan_in_a_step_that_counts_stays_in_its_row_and_behind_it(fused):
    layer, inputs = shared("lstm" if fused else "lstm looped"), ragged()
    clean = layer(inputs, lengths=LENGTHS)
    inputs[4, 2, 1] = np.nan
    states = layer(inputs, lengths=LENGTHS)
    others = [row for row in range(B) if row != 4]
    for values, before in zip(states, clean, strict=True):
        np.testing.assert_array_equal(values.numpy()[others], before.numpy()[others])
        np.testing.assert_array_equal(values[4, :2], before[4, :2])
        assert np.isnan(values[4, 2 : LENGTHS[4]]).all()
        assert not values[4, LENGTHS[4] :].numpy().any()


@pytest.mark.usefixtures("graphs_as_they_are")
@pytest.mark.parametrize("kind", ["lstm", "gru", "simple_rnn"])
def test_long_padding_leaves_gradients_finite_where_an_activation_is_not_bounded(kind):
    # A loop that ran on over the padding would let states grow beyond float32; zero from above times that is NaN.
    layer = ours(kind, activation="relu")
    layer.set_weights([np.full(weight.shape, 0.9) for weight in layer.get_weights()])
    inputs, lengths = ragged(rows=3, steps=400), np.array([5, 0, 2])
    short, long = ([], [])
    for steps, kept in ((5, short), (400, long)):
        with tf.GradientTape() as tape:
            states = layer(inputs[:, :steps], lengths=lengths)
            loss = sum(tf.reduce_sum(values) for values in states)
        assert np.isfinite(loss)
        kept += tape.gradient(loss, layer.trainable_variables)
    for left, right in zip(short, long, strict=True):
        np.testing.assert_allclose(right, left, rtol=1e-5)


@pytest.mark.parametrize("kind", PAIRS)
def test_the_layers_own_inputs_are_left_as_they_were(kind):
    inputs = ragged()
    before, tensor = inputs.copy(), tf.constant(inputs)
    shared(kind)(inputs, lengths=LENGTHS)
    shared(kind)(tensor, lengths=LENGTHS)
    np.testing.assert_array_equal(inputs, before)
    assert getattr(tensor, "_keras_mask", None) is None
    assert tensor.shape[-1] == I
