"""What collect() refuses or tells, and in which words."""

import logging

import numpy as np
import pytest

import rnnstates
from rnnstates.errors import BadInput, BadLengths, BadWeights, OptionError
from rnnstates.keras.started import keras, tf

from . import models
from .models import FEATURES, LENGTHS, TOKENS, randomise, shared

layers = keras.layers


def sequential(*stack, shape=(None, 3)):
    return keras.Sequential([keras.Input(shape), *stack])


class OwnCell(layers.LSTMCell):
    def call(self, inputs, states, training=False):
        return super().call(inputs, states, training=training)


class StrangeCell(layers.Layer):
    state_size = output_size = 4

    def call(self, inputs, states):
        return inputs[:, :1] + states[0], [states[0]]


class Doubled(layers.LSTM):
    def call(self, sequences, initial_state=None, mask=None, training=False):
        return 2 * super().call(sequences, initial_state, mask, training)


class Hidden(keras.Model):
    """Calls its layer where nothing can be taken out."""

    def __init__(self):
        super().__init__()
        self.reader = layers.LSTM(4, name="reader")
        self.run = tf.function(self.reader)

    def call(self, inputs):
        return self.run(inputs)


def image_model():
    return sequential(layers.ConvLSTM1D(2, 2, name="conv"), shape=(None, 6, 3))


def called(name):
    return layers.LSTM(4, name=name, return_sequences=True)


REFUSED = {
    "no recurrent layer": (lambda: sequential(layers.Dense(2)), {}, "the model has no recurrent layer"),
    "no such layer": (models.convolutional, {"layers": ["lstn"]}, "no recurrent layer 'lstn'; found: lstm. Did you"),
    "stateful": (
        lambda: keras.Sequential([keras.Input(batch_shape=(6, 8, 3)), layers.LSTM(4, stateful=True, name="s")]),
        {}, "layer 's': is stateful, so its states depend on earlier batches",
    ),
    "a cell of no kind": (
        lambda: sequential(layers.RNN(StrangeCell(), name="odd")),
        {}, "layer 'odd': is an RNN of StrangeCell; expected cells of LSTM, GRU or SimpleRNN",
    ),
    "a layer that does more": (
        lambda: sequential(Doubled(4, name="twice")),
        {}, "layer 'twice': what it gives is up to .* does more than run its cell",
    ),
    "a layer called as a dataset is": (
        lambda: sequential(layers.LSTM(4, name="lengths")), {}, "layer 'lengths': has the name of something else",
    ),
    "a name that is no group": (lambda: models.chain(called("..")), {}, r"layer '\.\.': has a name that no group"),
    "a name inside that is no group": (
        lambda: models.chain(keras.Sequential([called(".")], name="inner")), {}, r"layer 'inner/\.': has a name that",
    ),
    "no layers": (models.convolutional, {"layers": []}, r"layers=\[\]: names no layer; expected names, or None"),
    "a dataset of an array": (models.convolutional, {"dataset": "x"}, "dataset='x': names a dataset, but no input is"),
    "gates": (models.convolutional, {"states": "forget_gate"}, "states='forget_gate': a model's layers give no gates"),
    "final": (models.convolutional, {"pool": "final"}, 'pool="final": only outputs of extract'),
    "no rows in a batch": (models.convolutional, {"batch_size": 0}, "batch_size=0: expected 1 or more"),
    "a wrong pooling": (models.convolutional, {"pool": "average"}, "average"),
}  # fmt: skip
OF_THE_MODEL = ("no recurrent layer", "stateful", "a cell of no kind", "a layer that does more")


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_collected_is_refused(name):
    make, options, reported = REFUSED[name]
    with pytest.raises(BadWeights if name in OF_THE_MODEL else OptionError, match=reported):
        rnnstates.collect(randomise(make()), FEATURES, LENGTHS, **options)


def test_states_that_are_images_are_refused():
    with pytest.raises(BadWeights, match="layer 'conv': is a ConvLSTM1D, whose states are images; name the layers"):
        rnnstates.collect(image_model(), np.ones((2, 4, 6, 3), np.float32), "full")


def test_a_layer_inside_of_a_function_is_refused():
    model = Hidden()
    model(FEATURES)
    with pytest.raises(BadWeights, match=r"layer 'reader': is called inside of a tf\.function"):
        rnnstates.collect(model, FEATURES, LENGTHS)


def test_a_subclass_of_keras_own_cell_is_run_as_it_is():
    model = randomise(sequential(layers.RNN(OwnCell(4), name="own")))
    assert rnnstates.collect(model, FEATURES, LENGTHS)["own/cell"].shape == (6, 8, 4)


def test_what_is_no_model_is_refused():
    with pytest.raises(BadWeights, match=r"model: is a dict; expected a keras\.Model"):
        rnnstates.collect({}, FEATURES, LENGTHS)
    with pytest.raises(BadWeights, match="has no weights yet"):
        rnnstates.collect(models.Written(), FEATURES, LENGTHS)


def test_inputs_that_the_model_does_not_take_are_refused_with_its_own_words():
    with pytest.raises(BadWeights, match=r"does not run on these inputs: Input 0 .* of layer .* Give what model"):
        rnnstates.collect(models.convolutional(), FEATURES[:, :, :2], LENGTHS)


@pytest.mark.parametrize(
    ("inputs", "reported"),
    [
        ([FEATURES, np.ones((5, 2), np.float32)], r"inputs\[1\]: has 5 rows, but inputs\[0\] has 6"),
        (np.array(["a", "b"]), "inputs: shape .* expected numbers"),
        (np.float32(1), "expected numbers, one row per sequence"),
        ([[1.0], [1.0, 2.0]], "inputs: not a rectangular array"),
        ([FEATURES, FEATURES], r"inputs: are a list of 2, but model '.*' has 1 input; expected one array for each"),
        (
            list(FEATURES),
            r"inputs: are a list of 6, but model '.*' has 1 input; .* Stack rows or batches into one",
        ),
        ({1: FEATURES, "a": FEATURES}, r"inputs: a dict with the keys \[1, 'a'\]; expected the names"),
    ],
)
def test_inputs_that_are_no_rows_are_refused(inputs, reported):
    with pytest.raises(BadInput, match=reported):
        rnnstates.collect(models.convolutional(), inputs, LENGTHS)


@pytest.mark.parametrize("number", [1, 3])
def test_a_list_has_an_array_for_each_input(number):
    model = randomise(models.several_inputs())
    with pytest.raises(BadInput, match=f"inputs: are a list of {number}, but model '.*' has 2 inputs; expected one"):
        rnnstates.collect(model, [FEATURES] * number, LENGTHS)


class Failing(keras.Model):
    """Raises what it is given."""

    def __init__(self, reason):
        super().__init__(name="failing")
        self.reason, self.reader = reason, layers.LSTM(4)
        self.reader.build((None, None, 3))
        self.built = True

    def call(self, inputs):
        if self.reason is not None:
            raise self.reason
        return self.reader(inputs)


@pytest.mark.parametrize(
    ("reason", "reported"),
    [
        (KeyError("b"), "inputs: KeyError: b. Give what"),
        (AttributeError("no foo"), "inputs: AttributeError: no foo. Give what"),
        (IndexError("out of range"), "inputs: IndexError: out of range. Give what"),
        (RuntimeError("It fails."), "inputs: RuntimeError: It fails. Give what"),
        (NotImplementedError(), "inputs: NotImplementedError"),
        (AssertionError(), "inputs: AssertionError"),
        (ZeroDivisionError("z"), "inputs: ZeroDivisionError: z. Give"),
        (OSError("No such file"), "inputs: OSError: No such file. Give"),
        (tf.errors.UnimplementedError(None, None, "not on this device"), "inputs: not on this device"),
    ],
)
@pytest.mark.parametrize("eagerly", [False, True])
def test_whatever_a_model_raises_is_one_error_with_its_cause(reason, reported, eagerly):
    model = Failing(reason)
    model.run_eagerly = eagerly
    with pytest.raises(BadWeights, match=f"model 'failing': does not run on these {reported}") as raised:
        rnnstates.collect(model, FEATURES, LENGTHS)
    assert isinstance(raised.value.__cause__, type(reason))


@pytest.mark.parametrize("reason", [MemoryError(), tf.errors.ResourceExhaustedError(None, None, "OOM")])
def test_memory_that_a_model_does_not_get_stays_a_memory_error(reason):
    with pytest.raises(MemoryError):
        rnnstates.collect(Failing(reason), FEATURES, LENGTHS)


def test_an_interruption_and_what_progress_raises_are_left_as_they_are():
    with pytest.raises(KeyboardInterrupt):
        rnnstates.collect(Failing(KeyboardInterrupt()), FEATURES, LENGTHS)

    def progress(done, whole):
        raise KeyError(done)

    with pytest.raises(KeyError):
        rnnstates.collect(Failing(None), FEATURES, LENGTHS, progress=progress)


def test_lengths_beyond_the_steps_of_the_layer_are_refused(traced_once):
    model = sequential(layers.Conv1D(4, 3, strides=2), layers.LSTM(5, name="lstm"))
    with pytest.raises(BadLengths, match="row 0 has length 8, but inputs has 3 steps"):
        rnnstates.collect(model, FEATURES, LENGTHS)
    assert rnnstates.collect(model, FEATURES, np.minimum(LENGTHS, 3))["lstm/cell"].shape == (6, 3, 5)


def test_layers_with_different_steps_are_taken_one_at_a_time():
    model = sequential(
        layers.LSTM(5, name="fine", return_sequences=True), layers.MaxPool1D(2), layers.LSTM(4, name="coarse")
    )
    with pytest.raises(OptionError, match="different numbers of steps \\('fine' 8, 'coarse' 4\\)"):
        rnnstates.collect(model, FEATURES, "full")
    assert rnnstates.collect(model, FEATURES, "full", layers="coarse")["coarse/cell"].shape == (6, 4, 4)


def test_a_mask_with_holes_needs_lengths(traced_once):
    model = shared(models.masked)
    tokens = TOKENS.copy()
    tokens[0, 3] = 0
    with pytest.raises(BadInput, match=r"the model.s mask: sequence 0 has a hole at step 3: .* Give lengths="):
        rnnstates.collect(model, tokens)
    held = rnnstates.collect(model, tokens, LENGTHS)["cells/0/cell"]
    # The state goes past the masked step unchanged.
    np.testing.assert_array_equal(held[0, 3], held[0, 2])


def test_rows_padded_on_different_sides_need_lengths(traced_once):
    tokens = TOKENS.copy()
    tokens[1] = tokens[1, ::-1]
    with pytest.raises(BadInput, match=r"mask: marks the first steps of sequence 2, but the last ones of sequence 1; "):
        rnnstates.collect(shared(models.masked), tokens)


def test_counting_every_step_without_lengths_is_reported(caplog, traced_once):
    with caplog.at_level(logging.WARNING, "rnnstates"):
        states = rnnstates.collect(shared(models.convolutional), FEATURES)
    assert (states.lengths == 8).all()
    assert "no lengths are given and the model masks no steps, so every step counts" in caplog.text


def test_padding_that_is_read_first_is_reported(caplog):
    model = randomise(sequential(layers.Bidirectional(layers.SimpleRNN(4), name="both")))
    with caplog.at_level(logging.WARNING, "rnnstates"):
        rnnstates.collect(model, FEATURES, LENGTHS)
    assert "the model masks no steps for both/backward, so padding is read there before" in caplog.text


def test_states_that_are_not_finite_are_refused_with_their_place(traced_once):
    features = FEATURES.copy()
    features[4, 2, 1] = np.nan
    model = randomise(sequential(layers.LSTM(4, name="lstm")))
    with pytest.raises(BadInput, match="layer 'lstm' has a hidden state of nan in sequence 4, step 2, unit 0"):
        rnnstates.collect(model, features, LENGTHS, batch_size=2)
    passed = rnnstates.collect(model, features, LENGTHS, allow_nonfinite=True)
    assert np.isnan(passed["lstm/hidden"][4, 2:5]).all()
    assert not np.isnan(passed["lstm/hidden"][4, :2]).any()
    features[4, 2, 1], features[4, 6, 1] = 0, np.nan
    assert np.isfinite(rnnstates.collect(model, features, LENGTHS)["lstm/hidden"]).all()


def test_words_and_masks_say_the_lengths_of_a_live_model_too(traced_once, caplog):
    model = shared(models.masked)
    expected = rnnstates.collect(model, TOKENS)
    with caplog.at_level(logging.INFO, "rnnstates"):
        for lengths in ("model", "trailing:0", TOKENS > 0):
            found = rnnstates.collect(model, TOKENS, lengths)
            np.testing.assert_array_equal(found["both/backward/cell"], expected["both/backward/cell"])
    assert 'lengths="trailing:0": takes 21 of 48 steps in 4 of 6 sequences for padding.' in caplog.text
    assert found.provenance["lengths"] == "mask"
    turned = rnnstates.collect(model, TOKENS[:, ::-1], "leading:0")
    assert (turned.attributes["padding"], turned.provenance["lengths"]) == ("pre", "leading:0")
    with pytest.raises(OptionError, match=r"the model's mask: masks the last steps of sequence 1, but padding=\"pre\""):
        rnnstates.collect(model, TOKENS, padding="pre")


def test_a_live_model_without_masks_says_no_lengths(traced_once):
    expected = 'lengths="model": the model masks no steps of these layers; expected a Masking layer, or an Embedding'
    with pytest.raises(BadLengths, match=expected):
        rnnstates.collect(shared(models.convolutional), FEATURES, "model")


def test_padding_is_counted_in_steps_of_the_layers(traced_once):
    model = sequential(layers.Conv1D(4, 3, strides=2), layers.LSTM(5, name="lstm"))
    expected = r'lengths="trailing:0": inputs has shape \(6, 8, 3\), but the recurrent layers have 3 steps; expected as'
    with pytest.raises(BadLengths, match=expected):
        rnnstates.collect(model, FEATURES, "trailing:0")
    mask = np.arange(3) < np.minimum(LENGTHS, 3)[:, np.newaxis]
    found = rnnstates.collect(model, FEATURES, mask)
    np.testing.assert_array_equal(found.lengths, np.minimum(LENGTHS, 3))
