"""What is given to a layer: arrays of every kind are read, all else is refused by name, and nothing is misread."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from rnnstates import BadInput, BadLengths, OptionError
from rnnstates.keras import FinalState, LengthAwareMean, LengthAwareSum, StateLSTM

from .building import LENGTHS, B, H, I, T, ours, ragged, shared, starts

torch = pytest.importorskip("torch")
TAKERS = {"layer": lambda: shared("lstm"), "pooling": LengthAwareMean}


@pytest.fixture(params=TAKERS)
def taker(request):
    return TAKERS[request.param]()


def ragged_tensor():
    return tf.RaggedTensor.from_tensor(ragged(), lengths=LENGTHS)


# What it is, of which shape it has and what is said of it.
NO_INPUTS = {
    "nothing": (lambda: None, "is a NoneType; expected an array or a tensor"),
    "an object": (object, "is an object; expected an array or a tensor"),
    "a mapping": (lambda: {"a": ragged()}, "is a dict; expected an array or a tensor. Give one of its arrays"),
    "a text": (lambda: "inputs.npy", "have dtype string; expected real numbers"),
    "complex numbers": (lambda: ragged() + 1j, "have dtype complex64; expected real numbers"),
    "Python objects": (lambda: ragged().astype(object), "no rectangular array of numbers"),
    "rows of several lengths": (lambda: [[[1.0]], [[1.0], [2.0]]], "no rectangular array of numbers"),
    "long doubles": (lambda: ragged().astype(np.longdouble), "no rectangular array of numbers"),
    "a RaggedTensor": (ragged_tensor, r"is a RaggedTensor; .* Pad it"),
    "a SparseTensor": (lambda: tf.sparse.from_dense(ragged()), "is a SparseTensor; .* Make it dense"),
    "a masked array": (lambda: np.ma.masked_array(ragged(), ragged() > 0), "a masked array, whose mask would be lost"),
    "two axes": (lambda: ragged()[0], r"have shape \(8, 3\); expected one array \(batch, steps, features\)"),
    "four axes": (lambda: ragged()[:, np.newaxis], r"have shape \(6, 1, 8, 3\); expected one array"),
    "states in a list": (lambda: list(shared("lstm")(ragged())), r"have shape \(2, 6, 8, 5\); expected one array"),
    "a symbol of four axes": (lambda: keras.Input((T, I, 1)), r"have shape \(None, 8, 3, 1\); expected one array"),
    "ids": (lambda: keras.Input((T,), dtype="int32"), r"have shape \(None, 8\); expected one array"),
    "a symbol of texts": (lambda: keras.Input((T, I), dtype="string"), "have dtype string"),
}


@pytest.mark.parametrize("wrong", NO_INPUTS)
def test_inputs_that_are_no_sequences_are_refused(wrong, taker):
    make, message = NO_INPUTS[wrong]
    with pytest.raises(BadInput, match=rf"layer '{taker.name}': inputs=?: .*{message}"):
        taker(make())


@pytest.mark.parametrize("wrong", [lambda: ragged(features=I + 1), lambda: keras.Input((T, I + 1))])
def test_inputs_of_another_width_are_refused_once_the_weights_are_there(wrong):
    with pytest.raises(BadInput, match="inputs: have 4 features; expected 3, as its weights read"):
        shared("lstm")(wrong())


READ = {
    "a torch tensor with gradients": lambda values: torch.tensor(values, requires_grad=True),
    "lists": lambda values: values.tolist(),
    "a list of tensors": lambda values: [tf.constant(row) for row in values],
    "a variable of Keras": keras.Variable,
    "a variable of TensorFlow": tf.Variable,
    "other byte order": lambda values: values.astype(">f4"),
}


@pytest.mark.parametrize("kind", READ)
def test_arrays_of_every_kind_are_read(kind, taker):
    read, expected = taker(READ[kind](ragged())), taker(ragged())
    for one, other in zip(tf.nest.flatten(read), tf.nest.flatten(expected), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_list_of_variables_keeps_its_gradient():
    rows = [tf.Variable(row) for row in ragged()]
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(LengthAwareSum()(rows))
    for gradient in tape.gradient(loss, rows):
        np.testing.assert_array_equal(gradient, np.ones((T, I)))


@pytest.mark.parametrize("dtype", ["int32", "uint8", "bool"])
@pytest.mark.parametrize("pool, oracle", [(LengthAwareMean, np.mean), (LengthAwareSum, np.sum)])
def test_whole_numbers_are_pooled_as_numbers(pool, oracle, dtype):
    values = (ragged() * 3).astype(dtype)
    expected = [oracle(row[:n], axis=0) if n else np.zeros(I) for row, n in zip(values, LENGTHS, strict=True)]
    np.testing.assert_allclose(pool()(values, lengths=LENGTHS), expected, rtol=1e-6)
    inputs = keras.Input((T, I), dtype=dtype)
    assert keras.Model(inputs, FinalState()(inputs))(values).dtype == "float32"


NO_LENGTHS = {
    "several widths": ([[1], [2, 3]], "no rectangular array of numbers"),
    "nothing among them": ([5, None, 2], "no rectangular array of numbers"),
    "an object": (object(), "is an object; expected an array or a tensor"),
    "a mapping": ({"a": 1}, "is a dict; expected"),
    "a RaggedTensor": (tf.ragged.constant([[1], [2, 3]]), "is a RaggedTensor"),
    "a masked array": (np.ma.masked_array(LENGTHS, LENGTHS > 3), "a masked array"),
}


@pytest.mark.parametrize("wrong", [*NO_LENGTHS, "a generator"])
def test_lengths_that_are_no_array_are_refused(wrong, taker):
    lengths, message = NO_LENGTHS.get(wrong, ((length for length in LENGTHS), "is a generator; .* Collect"))
    with pytest.raises(BadLengths, match=f"^lengths=?: {message}"):
        taker(ragged(), lengths=lengths)


def test_lengths_of_every_kind_are_read(taker):
    expected = tf.nest.flatten(taker(ragged(), lengths=np.arange(2, 2 + B)))
    for lengths in (range(2, 2 + B), torch.arange(2, 2 + B), tf.Variable(tf.range(2, 2 + B))):
        for one, other in zip(tf.nest.flatten(taker(ragged(), lengths=lengths)), expected, strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("wrong, message", [
    (np.full((B, T), "a"), "have dtype string; expected real numbers"), (object(), "is an object"),
    (np.ones((B, T), complex), "have dtype complex128"), (np.ma.ones((B, T)), "a masked array"),
])  # fmt: skip
def test_a_mask_that_is_no_array_of_numbers_is_refused(wrong, message, taker):
    with pytest.raises(BadLengths, match=f"^mask=?: {message}"):
        taker(ragged(), mask=wrong)


@pytest.mark.parametrize("wrong, message", [
    (["a", "b"], "have dtype string; expected real numbers"), ([None, None], "is a NoneType"),
    ([[[1], [2, 3]], [1]], "no rectangular array"), ([state + 1j for state in starts("lstm")], "have dtype complex"),
])  # fmt: skip
def test_initial_states_that_are_no_numbers_are_refused(wrong, message):
    with pytest.raises(OptionError, match=f"layer '.*': initial_state=?: {message}"):
        shared("lstm")(ragged(), initial_state=wrong)


BEYOND = {"peepholes": True, "projection": 2, "forget_bias": 1.0, "cell_clip": 0.1, "projection_clip": 0.1}


@functools.cache
def in_keras_rnn(**options):
    layer = ours("lstm", **options)
    return layer, keras.layers.RNN(layer.cell, return_sequences=True)


@pytest.mark.parametrize("option", BEYOND)
def test_keras_rnn_learns_what_it_does_not_compute_of_a_cell(option):
    _, around = in_keras_rnn(**{option: BEYOND[option]})
    with pytest.raises(OptionError, match=f"has {option}, which only its StateLSTM computes; .* Use the StateLSTM"):
        around(ragged())
    with pytest.raises(OptionError, match=f"has {option}, which only its StateLSTM computes"):
        keras.layers.RNN(StateLSTM(H, **{option: BEYOND[option]}).cell)(ragged())


def test_keras_rnn_runs_a_cell_without_them():
    layer, around = in_keras_rnn()
    np.testing.assert_allclose(around(ragged()), layer(ragged()).hidden, atol=1e-6)
