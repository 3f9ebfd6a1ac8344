"""Where states start and end: initial states, ``.last``, one sequence in two pieces, ``.concatenated``."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from rnnstates import OptionError
from rnnstates.keras import FinalState, GRUStates, LSTMStates, RNNStates, StateLSTM

from .building import (
    LENGTHS,
    MASKS,
    PAIRS,
    RIGHT,
    B,
    H,
    P,
    T,
    assert_states,
    by_equations,
    by_name,
    ragged,
    shared,
    starts,
    theirs,
)

TUPLES = {"lstm": LSTMStates, "lstm looped": LSTMStates, "gru": GRUStates, "gru before": GRUStates}
EMPTY = LENGTHS == 0


@pytest.mark.parametrize("case, backward", [*((case, False) for case in PAIRS), ("lstm", True), ("gru", True)])
def test_states_start_from_the_initial_state(case, backward):
    layer = shared(case, go_backwards=True) if backward else shared(case)
    inputs, start = ragged(), starts(case)
    for counting, valid in (({"lengths": LENGTHS}, RIGHT), ({"mask": MASKS["holes"]}, MASKS["holes"])):
        states = layer(inputs, initial_state=start, **counting)
        expected, last = by_equations(case, by_name(layer), inputs, valid, start, backward=backward)
        assert_states(states, expected)
        assert_states(states.last, last)
        np.testing.assert_array_equal(states.last.hidden[2], start[0][2])


@pytest.mark.parametrize("case", PAIRS)
def test_keras_starts_from_the_same_list(case):
    layer, keras_layer, inputs, start = shared(case), theirs(case), ragged(), starts(case)
    hidden, *final = keras_layer(inputs, initial_state=[tf.constant(values) for values in start])
    states = layer(inputs, initial_state=start)
    np.testing.assert_allclose(states.hidden, hidden, rtol=0, atol=2e-6)
    assert_states(states.last, final)
    swapped = layer(inputs, initial_state=start[::-1])
    assert len(start) == 1 or np.abs(swapped.hidden - hidden).max() > 0.01


@pytest.mark.parametrize("case", ["lstm", "gru", "simple_rnn"])
def test_an_initial_state_may_come_by_name_by_place_or_from_another_layer(case):
    layer, inputs, start = shared(case), ragged(), starts(case)
    expected = layer(inputs, initial_state=start)
    named = dict(zip(expected._fields, start, strict=True))
    turned = dict(reversed(named.items()))
    forms = [tuple(start), [tf.constant(a) for a in start], [a.astype("float64") for a in start], named, turned]
    for form in [*forms, layer(inputs).last._replace(**named)]:
        assert_states(layer(inputs, initial_state=form), expected, 0)


def test_a_gru_takes_its_one_state_without_a_list_as_keras_does():
    layer, inputs, (start,) = shared("gru"), ragged(), starts("gru")
    assert_states(layer(inputs, initial_state=start), layer(inputs, initial_state=[start]), 0)


@pytest.mark.parametrize("case", PAIRS)
def test_a_decoder_starts_where_the_encoder_ended(case):
    encoder, decoder, inputs = shared(case), shared(case, seed=9, features=2), ragged()
    encoded = encoder(inputs, lengths=LENGTHS)
    answers = ragged(features=2, steps=4, seed=8)
    _, last = by_equations(case, by_name(encoder), inputs, RIGHT)
    expected, _ = by_equations(case, by_name(decoder), answers, np.ones((B, 4), bool), last)
    assert_states(decoder(answers, initial_state=encoded.last), expected)


@pytest.mark.parametrize("cut", [1, 3, 7])
@pytest.mark.parametrize("case", PAIRS)
def test_a_sequence_in_two_pieces_has_the_states_of_the_whole(case, cut):
    layer, inputs = shared(case), ragged()
    whole = layer(inputs, lengths=LENGTHS)
    first = layer(inputs[:, :cut], lengths=np.minimum(LENGTHS, cut))
    second = layer(inputs[:, cut:], lengths=np.maximum(LENGTHS - cut, 0), initial_state=first.last)
    for left, right, together in zip(first, second, whole, strict=True):
        np.testing.assert_allclose(np.concatenate([left, right], axis=1), together, rtol=0, atol=1e-6)
    assert_states(second.last, whole.last, 1e-6)


def test_a_backward_sequence_goes_on_in_front_of_the_later_piece():
    layer, inputs = shared("lstm", go_backwards=True), ragged()
    later = layer(inputs[:, 3:])
    earlier = layer(inputs[:, :3], initial_state=later.last)
    for left, right, together in zip(earlier, later, layer(inputs), strict=True):
        np.testing.assert_allclose(np.concatenate([left, right], axis=1), together, rtol=0, atol=1e-6)


def test_a_projected_state_is_as_wide_as_the_projection():
    layer, inputs, start = shared("lstm", projection=P), ragged(), starts("lstm", width=P)
    states = layer(inputs, lengths=LENGTHS, initial_state=start)
    expected, last = by_equations("lstm", by_name(layer), inputs, RIGHT, start)
    assert_states(states, expected)
    assert_states(states.last, last)
    assert [values.shape for values in states.last] == [(B, P), (B, H)]
    assert states.concatenated.shape == (B, T, H + P)


@pytest.mark.parametrize("way", ["none", "lengths", *MASKS])
@pytest.mark.parametrize("backward", [False, True])
def test_last_is_the_state_after_the_last_step_read(backward, way):
    layer = shared("lstm", go_backwards=True) if backward else shared("lstm")
    counting = {"none": {}, "lengths": {"lengths": LENGTHS}}.get(way, {"mask": MASKS.get(way)})
    valid = {"none": np.ones((B, T), bool), "lengths": RIGHT, **MASKS}[way]
    states = layer(ragged(), **counting)
    for row in range(B):
        places = np.flatnonzero(valid[row])
        for last, values in zip(states.last, states, strict=True):
            expected = values[row, places[0 if backward else -1]] if places.size else np.zeros(H)
            np.testing.assert_array_equal(last[row], expected)


@pytest.mark.parametrize("case", PAIRS)
def test_states_are_a_tuple_with_names_hidden_first(case):
    states = shared(case)(ragged(), lengths=LENGTHS)
    assert type(states) is TUPLES.get(case, RNNStates)
    assert states._fields == states.last._fields == (("hidden", "cell") if case.startswith("lstm") else ("hidden",))
    assert states[0] is states.hidden
    assert states.last is states.last


def test_concatenated_is_cell_then_hidden():
    states = shared("lstm", projection=P)(ragged(), lengths=LENGTHS)
    np.testing.assert_array_equal(states.concatenated, np.concatenate([states.cell, states.hidden], axis=-1))
    alone = shared("gru")(ragged(), lengths=LENGTHS)
    np.testing.assert_array_equal(alone.concatenated, alone.hidden)


def test_the_mask_goes_with_the_concatenated_state_as_with_its_parts():
    # What reads states without a mask takes their padding for steps.
    states = shared("lstm")(ragged(), lengths=LENGTHS)
    for values in (states.hidden, states.cell, states.concatenated):
        mask = getattr(values, "_keras_mask", None)
        assert mask is not None
        np.testing.assert_array_equal(mask, RIGHT)


@pytest.mark.parametrize("counting", [{}, {"lengths": LENGTHS}], ids=["none", "lengths"])
@pytest.mark.parametrize("rows", [1, B - 1, B + 3])
@pytest.mark.parametrize("case", ["lstm", "lstm looped", "gru", "simple_rnn"])
def test_an_initial_state_of_other_rows_than_the_inputs_is_refused(case, rows, counting):
    # Gathering would take more rows than there are sequences, and a loop broadcast one row, without a word.
    with pytest.raises((ValueError, OptionError, tf.errors.InvalidArgumentError)):
        shared(case)(ragged(), initial_state=starts(case, rows=rows), **counting)


def test_an_initial_state_reaches_a_keras_model_by_its_inputs():
    inputs, hidden, cell = keras.Input((None, 3)), keras.Input((H,)), keras.Input((H,))
    layer = shared("lstm")
    model = keras.Model([inputs, hidden, cell], tuple(layer(inputs, initial_state=[hidden, cell])))
    values, start = ragged(), starts("lstm")
    assert_states(layer(values, initial_state=start), model.predict([values, *start], verbose=0), 1e-6)


def test_the_final_state_of_an_empty_sequence_is_where_the_layer_started():
    layer, start = shared("lstm"), starts("lstm")
    states = layer(ragged(), lengths=np.zeros(B, int), initial_state=start)
    np.testing.assert_array_equal(FinalState()(states), start[0])
    np.testing.assert_array_equal(FinalState(state="cell")(states), start[1])


def test_shapes_of_the_states_are_reported_without_computing_them():
    shapes = StateLSTM(H, projection=P).compute_output_shape((None, None, 3))
    assert (shapes.hidden, shapes.cell) == ((None, None, P), (None, None, H))
