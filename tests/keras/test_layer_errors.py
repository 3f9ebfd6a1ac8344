"""What is refused, and what is said then."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from rnnstates import BadLengths, EngineUnavailable, OptionError
from rnnstates.keras import LastState, LengthAwareMean, StateGRU, StateLSTM, StateRNN
from rnnstates.keras.started import _start_keras

from .building import LENGTHS, B, H, I, P, T, ragged, shared, starts

BAD_LENGTHS = {
    "too long": (LENGTHS + 1, "lengths: row 0 has length 9, but the inputs have 8 steps. Lengths must be 0 to 8."),
    "negative": (LENGTHS - 1, "lengths: row 2 has length -1, but the inputs have 8 steps. Lengths must be 0 to 8."),
    "too few": (LENGTHS[:4], "lengths: 4 of them, but the inputs have 6 sequences; expected as many."),
    "one for all": (LENGTHS[:1], "lengths: 1 of them, but the inputs have 6 sequences; expected as many."),
    "floats": (LENGTHS / 1.0, "lengths: have dtype float64; expected whole numbers, one for each sequence."),
    "booleans": (LENGTHS > 1, "lengths: have dtype bool; expected whole numbers, one for each sequence."),
    "columns": (LENGTHS[:, None], "lengths: have shape (6, 1); expected one for each sequence, (batch,)."),
    "one number": (5, "lengths: have shape (); expected one for each sequence, (batch,)."),
}
TAKERS = {"layer": lambda: shared("lstm"), "pooling": LengthAwareMean}


def said(exception):
    return str(exception.value).strip()


@pytest.mark.parametrize("taker", TAKERS)
@pytest.mark.parametrize("wrong", BAD_LENGTHS)
def test_wrong_lengths_are_refused_with_the_row_and_the_bounds(wrong, taker):
    lengths, message = BAD_LENGTHS[wrong]
    with pytest.raises(BadLengths) as refused:
        TAKERS[taker]()(ragged(), lengths=lengths)
    assert said(refused) == message


@pytest.mark.parametrize("taker", TAKERS)
@pytest.mark.parametrize("wrong", ["floats", "columns"])
def test_lengths_of_a_wrong_kind_are_refused_as_a_model_is_built(wrong, taker):
    lengths = {"floats": keras.Input((), dtype="float32"), "columns": keras.Input((1,), dtype="int32")}[wrong]
    with pytest.raises(BadLengths, match=r"lengths: have (dtype float32|shape)"):
        TAKERS[taker]()(keras.Input((None, I)), lengths=lengths)


WRONG_IN_GRAPHS = {
    "too long": LENGTHS + 1,
    "negative": LENGTHS - 1,
    "beyond 32 bits": LENGTHS + 2**32,
    "too few": LENGTHS[:4],
    "one for all": LENGTHS[:1],
}


@pytest.fixture(scope="module", params=["lstm", "lstm looped", "pooling"])
def in_a_graph(request):
    layer = LengthAwareMean() if request.param == "pooling" else shared(request.param)
    signature = [tf.TensorSpec([None, None, I]), tf.TensorSpec([None], tf.int64)]
    return tf.function(
        lambda inputs, lengths: tf.nest.flatten(layer(inputs, lengths=lengths)), input_signature=signature
    )


@pytest.mark.parametrize("wrong", WRONG_IN_GRAPHS)
def test_wrong_lengths_end_a_graph_as_it_runs(wrong, in_a_graph):
    # One length would be broadcast to many rows, and whole numbers beyond 32 bits wrap around, without a word.
    assert in_a_graph(ragged(), LENGTHS)[0].shape[0] == B
    with pytest.raises(tf.errors.InvalidArgumentError):
        in_a_graph(ragged(), WRONG_IN_GRAPHS[wrong])


def test_many_lengths_of_one_row_end_a_graph_as_it_runs(in_a_graph):
    # They would make as many rows of it as there are lengths.
    with pytest.raises(tf.errors.InvalidArgumentError):
        in_a_graph(ragged(rows=1), LENGTHS)


def test_a_graph_says_what_is_wrong_with_lengths():
    inputs, lengths = keras.Input((None, I)), keras.Input((), dtype="int32")
    model = keras.Model([inputs, lengths], shared("lstm")(inputs, lengths=lengths).hidden)
    with pytest.raises(tf.errors.InvalidArgumentError, match="a length is below 0 or above the steps of the inputs"):
        model.predict((ragged(), LENGTHS + 1), verbose=0)


BAD_STARTS = {
    "one of two": (starts("lstm")[:1], "has 1; expected hidden and cell, each [batch, width]."),
    "three": (starts("lstm") * 2, "has 4; expected hidden and cell, each [batch, width]."),
    "an array": (starts("lstm")[0], "has 1; expected hidden and cell, each [batch, width]."),
    "a name missing": ({"hidden": 0}, "has hidden; expected hidden and cell, each [batch, width]."),
    "another name": ({"hidden": 0, "c": 0}, "has hidden, c; expected hidden and cell, each [batch, width]."),
    "no array": ([], "has 0; expected hidden and cell, each [batch, width]."),
}


@pytest.mark.parametrize("wrong", BAD_STARTS)
def test_initial_states_of_other_number_or_names_are_refused(wrong):
    start, message = BAD_STARTS[wrong]
    with pytest.raises(OptionError) as refused:
        shared("lstm")(ragged(), initial_state=start)
    assert said(refused) == f"initial_state of layer '{shared('lstm').name}': {message}"


def test_an_empty_mapping_of_initial_states_is_refused():
    with pytest.raises(OptionError, match=r"initial_state of layer .*; expected hidden and cell"):
        shared("lstm")(ragged(), initial_state={})


@pytest.mark.parametrize("wrong", ["the states themselves", "another width", "other rows"])
@pytest.mark.parametrize("case", ["lstm", "lstm looped"])
def test_initial_states_of_another_shape_are_refused_by_what_they_should_be(case, wrong):
    # TensorFlow's own words for it do not name initial_state, and one row would be broadcast to all.
    start = {
        "the states themselves": tuple(shared(case)(ragged())),
        "another width": [np.zeros((B, H + 1)), np.zeros((B, H))],
        "other rows": [np.zeros((1, H)), np.zeros((1, H))],
    }[wrong]
    with pytest.raises(OptionError, match=r"initial_state of layer .*: .*expected"):
        shared(case)(ragged(), initial_state=start)


BAD_OPTIONS = {
    "no units": ((StateLSTM, 0), {}, "units 0: expected a positive whole number."),
    "negative units": ((StateGRU, -3), {}, "units -3: expected a positive whole number."),
    "half a unit": ((StateRNN, 2.5), {}, "units 2.5: expected a positive whole number."),
    "no number of units": ((StateLSTM, "5"), {}, "units '5': expected a positive whole number."),
    "units None": ((StateLSTM, None), {}, "units None: expected a positive whole number."),
    "units True": ((StateLSTM, True), {}, "units True: expected a positive whole number."),
    "projection 0": ((StateLSTM, H), {"projection": 0}, "projection 0: expected a positive whole number."),
    "projection 1.5": ((StateLSTM, H), {"projection": 1.5}, "projection 1.5: expected a positive whole number."),
    "clip 0": ((StateLSTM, H), {"cell_clip": 0}, "cell_clip 0: expected a positive number."),
    "clip negative": ((StateLSTM, H), {"cell_clip": -1.0}, "cell_clip -1.0: expected a positive number."),
    "clip NaN": ((StateLSTM, H), {"cell_clip": np.nan}, "cell_clip nan: expected a positive number."),
    "clip as text": ((StateLSTM, H), {"cell_clip": "1"}, "cell_clip '1': expected a positive number."),
    "projection clip": (
        (StateLSTM, H),
        {"projection": P, "projection_clip": -2},
        "projection_clip -2: expected a positive number.",
    ),
    "forget bias as text": ((StateLSTM, H), {"forget_bias": "1"}, "forget_bias '1': expected a finite number."),
    "forget bias NaN": ((StateLSTM, H), {"forget_bias": np.nan}, "forget_bias nan: expected a finite number."),
    "forget bias None": ((StateLSTM, H), {"forget_bias": None}, "forget_bias None: expected a finite number."),
    "peepholes as text": ((StateLSTM, H), {"peepholes": "yes"}, "peepholes='yes': expected True or False."),
    "backwards as text": ((StateGRU, H), {"go_backwards": "no"}, "go_backwards='no': expected True or False."),
    "fused as text": ((StateLSTM, H), {"fused": "false"}, "fused='false': expected True or False."),
    "fused 2": ((StateRNN, H), {"fused": 2}, "fused=2: expected True or False."),
    "recurrent dropout": (
        (StateLSTM, H),
        {"recurrent_dropout": 0.1},
        "recurrent_dropout: StateLSTM has none; use dropout, or Keras' own layer.",
    ),
    "empty 1": ((LengthAwareMean,), {"empty": 1}, "empty=1: expected 0 or NaN."),
    "empty as a word": ((LengthAwareMean,), {"empty": "zero"}, "empty='zero': expected 0 or NaN."),
    "empty None": ((LengthAwareMean,), {"empty": None}, "empty=None: expected 0 or NaN."),
    "direction": ((LastState,), {"direction": "up"}, "direction='up': unknown; known are forward, backward."),
}


@pytest.mark.parametrize("wrong", BAD_OPTIONS)
def test_wrong_options_are_refused_at_once(wrong):
    (layer, *units), options, message = BAD_OPTIONS[wrong]
    with pytest.raises(OptionError) as refused:
        layer(*units, **options)
    assert said(refused) == message


@pytest.mark.parametrize("number", [np.int64(H), np.int32(H)])
def test_numbers_of_numpy_are_numbers(number):
    assert StateLSTM(number).units == H
    assert keras.layers.LSTM(number).units == H
    assert StateLSTM(H, cell_clip=np.float32(2)).get_config()["cell_clip"] == 2
    assert StateLSTM(H, peepholes=np.bool_(True), go_backwards=0).get_config()["peepholes"] is True


@pytest.mark.parametrize("option", ["return_sequences", "stateful", "unroll", "peephole"])
def test_options_that_a_layer_has_not_are_refused_by_keras(option):
    with pytest.raises(ValueError, match=rf"Unrecognized keyword arguments.*{option}"):
        StateLSTM(H, **{option: True})
    with pytest.raises(ValueError, match=r"Unrecognized keyword arguments.*peepholes"):
        StateGRU(H, peepholes=True)


def test_an_unknown_state_is_refused_with_those_there_are():
    states = shared("lstm")(ragged())
    with pytest.raises(OptionError, match=r"state='cel': the layer gives hidden, cell and state \(both\)"):
        LengthAwareMean(state="cel")(states)
    with pytest.raises(OptionError, match=r"state='cell': the layer gives hidden and state"):
        LengthAwareMean(state="cell")(shared("gru")(ragged()))


def test_last_of_states_that_went_through_a_model_or_a_function_is_refused_with_a_way_out():
    inputs = keras.Input((None, I))
    model = keras.Model(inputs, shared("lstm")(inputs))
    for states in (model(ragged()), model.predict(ragged(), verbose=0), tf.function(shared("lstm"))(ragged())):
        with pytest.raises(ValueError, match=r"where each sequence ends is not known here; .*FinalState\(\)"):
            _ = states.last
        assert states.concatenated.shape == (B, T, 2 * H)


def test_inputs_of_unknown_width_are_refused():
    with pytest.raises(OptionError, match=r"layer 'mine': the inputs' last axis is unknown"):
        StateLSTM(H, name="mine")(keras.Input((None, None)))


@pytest.mark.parametrize("rows, steps", [(1, T), (B - 1, T), (B, 1), (B, T + 1)])
@pytest.mark.parametrize("taker", ["lstm", "lstm looped", "pooling"])
def test_a_mask_of_another_shape_than_the_inputs_is_refused(taker, rows, steps):
    # One row or one column would be broadcast.
    layer = LengthAwareMean() if taker == "pooling" else shared(taker)
    with pytest.raises(BadLengths) as refused:
        layer(ragged(), mask=np.ones((rows, steps), bool))
    assert said(refused) == f"mask: has shape ({rows}, {steps}); expected that of the inputs' steps, ({B}, {T})."


@pytest.mark.parametrize("taker", ["lstm", "lstm looped", "pooling"])
def test_a_mask_of_one_row_ends_a_graph_of_many_rows_as_it_runs(taker):
    layer = LengthAwareMean() if taker == "pooling" else shared(taker)
    signature = [tf.TensorSpec([None, None, I]), tf.TensorSpec([None, None], tf.bool)]
    run = tf.function(lambda inputs, mask: tf.nest.flatten(layer(inputs, mask=mask)), input_signature=signature)
    assert run(ragged(), np.ones((B, T), bool))[0].shape[0] == B
    with pytest.raises(tf.errors.InvalidArgumentError):
        run(ragged(), np.ones((1, T), bool))


@pytest.mark.parametrize("layer", [StateLSTM, StateGRU, StateRNN])
def test_keras_bidirectional_learns_what_to_use_instead(layer):
    with pytest.raises(AttributeError, match=rf"{layer.__name__} has no 'stateful'.*two of them.*go_backwards=True"):
        keras.layers.Bidirectional(layer(H))
    assert not hasattr(layer(H), "stateful")


def test_keras_on_another_backend_is_refused_by_name(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "numpy")
    with pytest.raises(EngineUnavailable) as refused:
        _start_keras()
    assert str(refused.value) == (
        "Keras runs on numpy; the layers need TensorFlow: set KERAS_BACKEND=tensorflow before Keras is imported."
    )
