"""Pooling layers are the library's poolings, inside a model: each against ``rnnstates.network.pooling.pool``."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import rnnstates
import rnnstates.keras
from rnnstates.keras import LAYERS, FinalState, FirstState, LastState, LengthAwareMean, LengthAwareStd
from rnnstates.network.pooling import pool

from .building import LENGTHS, MASKS, RIGHT, B, H, I, T, ours, ragged, shared

ENDS = ("last", "first", "final")
EMPTY = LENGTHS == 0
# Sums of float64 are compared to the last digits, of float32 after their rounding.
TOLERANCE = {"float32": 1e-6, "float64": 1e-12}


def made(pooling, direction="forward", /, **options):
    """A pooling layer; only those of an end have a direction."""
    return LAYERS[pooling](**({"direction": direction} if pooling in ENDS else {}), **options)


def pooled_by_rows(name, values, valid, direction="forward"):
    """What ``pool`` says of each sequence without its padding: the only way it knows holes."""
    rows = []
    for row, counts in zip(values, valid, strict=True):
        kept = row[counts][np.newaxis]
        rows.append(pool(name, kept, np.array([counts.sum()]), direction=direction)[0])
    return np.array(rows)


def test_every_pooling_is_a_layer_and_every_layer_a_pooling():
    assert set(LAYERS) == set(rnnstates.POOLINGS)
    assert {layer.__name__ for layer in LAYERS.values()} <= set(rnnstates.keras.__all__)
    assert len(set(LAYERS.values())) == len(LAYERS)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("direction", ["forward", "backward"])
@pytest.mark.parametrize("name", LAYERS)
def test_each_layer_is_the_pooling_of_its_name(name, direction, dtype):
    values = ragged(dtype) * RIGHT[:, :, np.newaxis].astype(dtype)
    expected = pool(name, values, LENGTHS, direction=direction)
    for empty in (0, "nan"):
        layer = made(name, direction, empty=empty, dtype=dtype)
        wanted = np.where(EMPTY[:, np.newaxis] & (name != "final"), float(empty), expected)
        for counting in ({"lengths": LENGTHS}, {"mask": RIGHT}, {"mask": tf.constant(RIGHT)}):
            pooled = layer(values, **counting)
            assert pooled.dtype == dtype
            np.testing.assert_allclose(pooled, wanted, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])


@pytest.mark.parametrize("direction", ["forward", "backward"])
@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("name", LAYERS)
def test_each_layer_knows_padding_in_front_and_holes(name, mask, direction):
    values, valid = ragged(), MASKS[mask]
    expected = pooled_by_rows(name, values, valid, direction)
    layer = made(name, direction, empty="nan")
    np.testing.assert_allclose(layer(values, mask=valid), expected, rtol=1e-5, atol=1e-6)
    masked = keras.layers.Masking(-9.0)(np.where(valid[:, :, np.newaxis], values, np.float32(-9)))
    np.testing.assert_allclose(layer(masked), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", LAYERS)
def test_without_lengths_and_mask_every_step_counts(name):
    np.testing.assert_allclose(made(name)(ragged()), pool(name, ragged(), np.full(B, T)), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("state", ["hidden", "cell", "state"])
@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_takes_its_states_from_the_tuple_and_the_lengths_with_them(name, state):
    states = shared("lstm")(ragged(), lengths=LENGTHS)
    values = states.concatenated if state == "state" else getattr(states, state)
    expected = np.nan_to_num(pool(name, values.numpy(), LENGTHS))
    np.testing.assert_allclose(made(name, state=state)(states), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ENDS)
def test_the_ends_of_a_backward_layer_are_the_other_ones(name):
    states = shared("lstm", go_backwards=True)(ragged(), mask=MASKS["holes"])
    expected = pooled_by_rows(name, states.cell.numpy(), MASKS["holes"], "backward")
    pooled = made(name, "backward", state="cell", empty="nan")(states)
    np.testing.assert_array_equal(pooled, expected)
    if name == "last":
        np.testing.assert_array_equal(pooled[:2], states.last.cell[:2])


def test_a_mask_given_wins_over_the_one_on_the_states_and_lengths_over_both():
    states = shared("lstm")(ragged(), lengths=LENGTHS)
    values, other = states.hidden.numpy(), np.full(B, 2)
    by_mask = LengthAwareMean()(states, mask=MASKS["holes"])
    np.testing.assert_allclose(by_mask, np.nan_to_num(pooled_by_rows("mean", values, MASKS["holes"])), atol=1e-6)
    by_lengths = LengthAwareMean()(states, lengths=other, mask=MASKS["holes"])
    np.testing.assert_allclose(by_lengths, values[:, :2].mean(axis=1), rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", LAYERS)
def test_what_an_empty_sequence_gives_is_chosen(name):
    values, none = ragged(), np.zeros(B, int)
    assert not np.any(made(name)(values, lengths=none))
    assert np.isnan(made(name, empty=float("nan"))(values, lengths=none)).all() == (name != "final")


def test_the_final_state_of_an_empty_sequence_is_the_one_it_starts_from():
    values, start = ragged(), np.random.default_rng(5).normal(size=(B, I)).astype("float32")
    pooled = FinalState(empty="nan")(values, lengths=LENGTHS, start=start)
    clean = values * RIGHT[:, :, np.newaxis]
    np.testing.assert_array_equal(pooled, pool("final", clean, LENGTHS, start=start))
    np.testing.assert_array_equal(pooled[2], start[2])


@pytest.mark.parametrize("direction", ["forward", "backward"])
@pytest.mark.parametrize("garbage", [np.nan, np.inf, -np.inf, 1e30])
@pytest.mark.parametrize("name", LAYERS)
def test_padding_of_a_plain_tensor_reaches_neither_value_nor_gradient(name, garbage, direction):
    # What is left out only after it was squared has a gradient of zero times NaN.
    layer, found = made(name, direction), []
    for padding in (0, garbage):
        values = tf.constant(np.where(RIGHT[:, :, np.newaxis], ragged(), np.float32(padding)))
        with tf.GradientTape() as tape:
            tape.watch(values)
            pooled = layer(values, lengths=LENGTHS)
            loss = tf.reduce_sum(pooled * pooled)
        found.append((pooled, tape.gradient(loss, values)))
    for clean, dirty in zip(*found, strict=True):
        np.testing.assert_array_equal(clean, dirty)
    assert not found[0][1].numpy()[~RIGHT].any()


@pytest.mark.parametrize("empty", [0, "nan"])
@pytest.mark.parametrize("name", LAYERS)
def test_gradients_are_those_of_finite_differences_and_zero_for_empty_sequences(name, empty):
    layer, random = made(name, empty=empty, dtype="float64"), np.random.default_rng(3)
    values, weights, direction = ragged("float64"), random.normal(size=(B, I)), random.normal(size=(B, T, I))

    def loss(values):
        pooled = layer(values, mask=MASKS["holes"])
        return tf.reduce_sum(tf.where(MASKS["holes"].any(axis=1)[:, np.newaxis], pooled * weights, 0))

    tensor = tf.constant(values)
    with tf.GradientTape() as tape:
        tape.watch(tensor)
        total = loss(tensor)
    gradient = tape.gradient(total, tensor).numpy()
    difference = (loss(values + 1e-6 * direction) - loss(values - 1e-6 * direction)) / 2e-6
    assert np.sum(gradient * direction) == pytest.approx(float(difference), rel=1e-6)
    assert not gradient[~MASKS["holes"]].any()


def test_the_gradient_of_a_standard_deviation_of_equal_states_is_zero():
    values = tf.ones((B, T, I)) * 0.3
    with tf.GradientTape() as tape:
        tape.watch(values)
        pooled = LengthAwareStd()(values, lengths=LENGTHS)
        loss = tf.reduce_sum(pooled)
    np.testing.assert_allclose(pooled, 0, atol=1e-7)
    assert np.isfinite(tape.gradient(loss, values)).all()


def test_float32_sums_are_accumulated_in_float64():
    values = np.full((1, 100_001, 1), 0.1, np.float32)
    values[0, 0] = 1e8
    exact = values[0].astype(np.float64).sum()
    assert float(LAYERS["sum"]()(values)[0, 0]) == pytest.approx(exact, rel=1e-7)
    assert abs(float(values[0].cumsum(dtype=np.float32)[-1]) - exact) > 100  # what float32 would have given
    assert float(LAYERS["mean"]()(values)[0, 0]) == pytest.approx(exact / 100_001, rel=1e-7)


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize("name", LAYERS)
def test_narrow_states_are_pooled_as_precisely_as_they_can_be_represented(name, dtype):
    narrow = dtype.removeprefix("mixed_")
    values = tf.cast(ragged(), narrow)
    exact = np.nan_to_num(pool(name, np.asarray(values).astype("float64") * RIGHT[:, :, np.newaxis], LENGTHS))
    pooled = made(name, dtype=dtype)(values, lengths=LENGTHS)
    assert pooled.dtype == narrow
    np.testing.assert_array_equal(pooled, tf.cast(exact, narrow))


@pytest.mark.parametrize("name", LAYERS)
def test_a_batch_without_rows_or_without_steps_is_pooled_too(name):
    # TensorFlow's arg max of nothing is an error.
    assert made(name)(ragged()[:0], lengths=np.zeros(0, int)).shape == (0, I)
    assert not np.any(made(name)(ragged()[:, :0], lengths=np.zeros(B, int)))


@pytest.mark.parametrize("end", [LastState, FirstState, FinalState])
@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_states_of_the_other_direction_are_refused(end, direction):
    layer = shared("gru", go_backwards=True) if direction == "forward" else shared("gru")
    with pytest.raises(rnnstates.OptionError, match=rf"{end.__name__} reads {direction}, but .* direction='"):
        end(direction=direction)(layer(ragged()))
    LengthAwareMean()(layer(ragged()))


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_comes_back_from_its_configuration(name):
    layer = made(name, "backward", state="cell", empty="nan", name="mine", dtype="float64")
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    for option in ("state", "empty", "name", "dtype", *(["direction"] if name in ENDS else [])):
        assert layer.get_config()[option] != made(name).get_config()[option]


@pytest.mark.usefixtures("graphs_as_they_are")
def test_all_layers_come_back_from_a_file(tmp_path):
    inputs, lengths = keras.Input((None, I)), keras.Input((), dtype="int32")
    states = ours("lstm", go_backwards=True)(inputs, lengths=lengths)
    options = {"state": "cell", "empty": "nan", "dtype": "float64"}
    pooled = [made(name, "backward", name=name, **options)(states) for name in LAYERS]
    model = keras.Model([inputs, lengths], pooled)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    vectors = [one.predict((ragged(), LENGTHS), verbose=0) for one in (model, loaded)]
    for name, before, after in zip(LAYERS, *vectors, strict=True):
        assert loaded.get_layer(name).get_config() == model.get_layer(name).get_config()
        assert before.shape == (B, H)
        assert np.isnan(before).any() == (name != "final")
        np.testing.assert_array_equal(after, before)
