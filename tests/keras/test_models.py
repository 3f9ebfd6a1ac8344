"""Layers inside models of every kind: Sequential, functional, subclassed; trained, compiled, narrow."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from rnnstates.keras import LastState, LengthAwareMean, StateGRU, StateLSTM, StateRNN

from .building import LENGTHS, MASKS, RIGHT, B, H, I, P, T, ours, ragged, randomised, shared

TARGETS = np.random.default_rng(9).normal(size=(B, 2)).astype("float32")
TOKENS = np.where(RIGHT, np.random.default_rng(7).integers(1, 11, size=(B, T)), 0)


def sequential():
    """Token ids whose zeros are masked, two layers, one vector."""
    return keras.Sequential(
        [
            keras.Input((None,), dtype="int32"),
            layers.Embedding(11, I, mask_zero=True),
            StateLSTM(H),
            StateGRU(P),
            LengthAwareMean(),
            layers.Dense(2),
        ]
    )


def functional(**options):
    """Sequences and their lengths as two inputs."""
    inputs, lengths = keras.Input((None, I)), keras.Input((), dtype="int32")
    states = StateLSTM(H, **options)(inputs, lengths=lengths)
    pooled = layers.Concatenate()([LengthAwareMean(state="state")(states), LastState()(states)])
    return keras.Model([inputs, lengths], layers.Dense(2)(pooled))


class Subclassed(keras.Model):
    """The final state of an encoder starts a decoder."""

    def __init__(self):
        super().__init__()
        self.encoder, self.decoder, self.dense = StateLSTM(H), StateLSTM(H), layers.Dense(2)

    def build(self, _):
        self.encoder.build((None, None, I))
        self.decoder.build((None, None, H))
        self.dense.build((None, H))

    def call(self, given):
        inputs, lengths = given
        encoded = self.encoder(inputs, lengths=lengths)
        decoded = self.decoder(encoded.hidden[:, :3], initial_state=encoded.last)
        return self.dense(decoded.last.cell)


MODELS = {
    "sequential": (sequential, TOKENS),
    "functional": (functional, (ragged(), LENGTHS.astype("int32"))),
    "subclassed": (Subclassed, (ragged(), LENGTHS.astype("int32"))),
}


def fitted(model, data, epochs):
    """Give the loss of each epoch; the whole data are one batch."""
    # Keras traces the model once more for an optimiser without variables.
    model.optimizer.build(model.trainable_variables)
    return model.fit(data, TARGETS, batch_size=B, shuffle=False, epochs=epochs, verbose=0).history["loss"]


@pytest.mark.usefixtures("graphs_as_they_are")
@pytest.mark.parametrize("kind", ["sequential", "subclassed"])
def test_training_lowers_the_loss_and_moves_every_weight(kind):
    build, data = MODELS[kind]
    keras.utils.set_random_seed(3)
    model = build()
    model.build(None)
    before = [weight.numpy() for weight in model.trainable_weights]
    model.compile(keras.optimizers.Adam(0.05), "mse")
    losses = fitted(model, data, 8)
    assert losses[-1] < 0.7 * losses[0]
    for weight, old in zip(model.trainable_weights, before, strict=True):
        assert np.abs(weight.numpy() - old).max() > 1e-4, weight.path


@pytest.mark.usefixtures("graphs_as_they_are")
def test_a_model_masks_as_the_layers_alone_do():
    model = randomised(sequential())
    embedding, lstm, gru, _, dense = model.layers
    hidden = gru(lstm(embedding(TOKENS).numpy(), lengths=LENGTHS).hidden.numpy(), lengths=LENGTHS).hidden.numpy()
    pairs = zip(hidden, LENGTHS, strict=True)
    means = np.array([row[:length].mean(axis=0) if length else 0 * row[0] for row, length in pairs])
    np.testing.assert_allclose(model(TOKENS), dense(means), rtol=0, atol=1e-6)
    np.testing.assert_allclose(model.predict(TOKENS, verbose=0), dense(means), rtol=0, atol=1e-6)


def test_masking_masks_wherever_the_steps_are():
    layer, inputs, valid = shared("lstm"), ragged(), MASKS["holes"]
    masked = np.where(valid[:, :, np.newaxis], inputs, np.float32(-9))
    states = layer(layers.Masking(-9.0)(masked))
    np.testing.assert_array_equal(states.cell, layer(inputs, mask=valid).cell)


@pytest.mark.parametrize("in_model", [False, True])
def test_lengths_reach_the_keras_layer_behind_as_a_mask(in_model):
    layer, behind, inputs = shared("lstm"), layers.LSTM(P), ragged()
    hidden = layer(inputs, lengths=LENGTHS).hidden
    expected = behind(hidden.numpy(), mask=tf.constant(RIGHT))
    if in_model:
        symbols = keras.Input((None, I)), keras.Input((), dtype="int32")
        model = keras.Model(symbols, behind(layer(symbols[0], lengths=symbols[1]).hidden))
        made = model.predict((inputs, LENGTHS), verbose=0)
    else:
        made = behind(hidden)
    np.testing.assert_allclose(made, expected, rtol=0, atol=1e-6)
    assert np.abs(made - behind(hidden.numpy())).max() > 0.01


@pytest.mark.parametrize("fused", [True, False])
def test_a_function_around_a_layer_gives_what_the_layer_gives(fused):
    layer, inputs = shared("lstm" if fused else "lstm looped"), ragged()

    @tf.function(input_signature=[tf.TensorSpec([None, None, I]), tf.TensorSpec([None], tf.int64)])
    def run(inputs, lengths):
        states = layer(inputs, lengths=lengths)
        return states.hidden, states.cell, states.last.cell

    states = layer(inputs, lengths=LENGTHS)
    for made, expected in zip(run(inputs, LENGTHS), (*states, states.last.cell), strict=True):
        np.testing.assert_allclose(made, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("case, way", [("lstm looped", "lengths"), ("lstm looped", "mask"), ("gru", "mask")])
def test_the_loop_is_compiled_by_xla(case, way):
    layer, inputs = shared(case, go_backwards=True), ragged()
    reported = {"lengths": tf.constant(LENGTHS, tf.int32), "mask": tf.constant(MASKS["holes"])}[way]
    compiled = tf.function(lambda values, reported: tuple(layer(values, **{way: reported})), jit_compile=True)
    for made, expected in zip(compiled(inputs, reported), layer(inputs, **{way: reported}), strict=True):
        np.testing.assert_allclose(made, expected, rtol=0, atol=1e-6)


def test_a_model_trains_alike_in_a_graph_compiled_and_eagerly():
    losses = []
    for mode in ({"jit_compile": False}, {"jit_compile": True}, {"run_eagerly": True}):
        model = randomised(functional(fused=False, cell_clip=0.5))
        model.compile(keras.optimizers.SGD(0.1), "mse", **mode)
        assert model.jit_compile is mode.get("jit_compile", False)
        losses.append(fitted(model, MODELS["functional"][1], 3))
    np.testing.assert_allclose(losses[1:], [losses[0]] * 2, rtol=1e-5)
    assert losses[0][-1] < losses[0][0]


def test_a_model_with_the_fused_op_is_compiled_only_on_request_and_keras_then_refuses():
    model = functional()
    model.compile("sgd", "mse")
    assert model.jit_compile is False
    with pytest.warns(UserWarning, match="doesn't support `jit_compile=True`"):
        model.compile("sgd", "mse", jit_compile=True)
    assert model.jit_compile is False


@pytest.mark.usefixtures("graphs_as_they_are")
def test_a_global_policy_of_mixed_precision_is_followed():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = functional()
    finally:
        keras.config.set_dtype_policy("float32")
    exact, data = functional(), MODELS["functional"][1]
    exact.set_weights(randomised(model).get_weights())
    made = model(data)
    assert made.dtype.name == "bfloat16"
    np.testing.assert_allclose(np.asarray(made).astype("float32"), exact(data), rtol=0, atol=0.15)
    model.compile(keras.optimizers.SGD(0.05), "mse")
    losses = fitted(model, data, 4)
    assert losses[-1] < losses[0]


def test_dropout_is_drawn_once_a_sequence_and_only_in_training():
    layer = StateRNN(4, activation="linear", use_bias=False, dropout=0.5, seed=3)
    layer.build((None, None, 4))
    layer.set_weights([np.eye(4), np.zeros((4, 4))])
    inputs = np.ones((40, T, 4), "float32")
    np.testing.assert_array_equal(layer(inputs).hidden, inputs)
    np.testing.assert_array_equal(layer(inputs, training=False).hidden, inputs)
    first, second = (layer(inputs, training=True).hidden.numpy() for _ in range(2))
    for drawn in (first, second):
        assert set(np.unique(drawn)) == {0, 2}
        assert (drawn == drawn[:, :1]).all()
        assert 0.3 < np.mean(drawn == 0) < 0.7
    assert (first != second).any()


@pytest.mark.usefixtures("graphs_as_they_are")
def test_dropout_is_drawn_in_every_batch_of_a_fit():
    layer = StateRNN(I, activation="linear", dropout=0.5, kernel_initializer="identity", recurrent_initializer="zeros")
    model = keras.Sequential([keras.Input((T, I)), layer, LengthAwareMean()])
    model.compile(keras.optimizers.SGD(0.0), "mse")
    model.optimizer.build(model.trainable_variables)
    inputs = np.ones((B, T, I), "float32")
    losses = [model.train_on_batch(inputs, np.zeros((B, I))) for _ in range(4)]
    assert len({float(loss) for loss in losses}) > 1
    assert model.evaluate(inputs, np.zeros((B, I)), verbose=0) == 1


@pytest.mark.usefixtures("graphs_as_they_are")
def test_a_layer_that_is_not_trainable_stays_as_it_is():
    model, data = functional(), MODELS["functional"][1]
    (frozen,) = (layer for layer in model.layers if isinstance(layer, StateLSTM))
    free, frozen.trainable = model.layers[-1], False
    before = [frozen.get_weights(), free.get_weights()]
    model.compile(keras.optimizers.SGD(0.5), "mse")
    fitted(model, data, 2)
    assert all(np.array_equal(*pair) for pair in zip(frozen.get_weights(), before[0], strict=True))
    assert not any(np.array_equal(*pair) for pair in zip(free.get_weights(), before[1], strict=True))
    assert not StateLSTM(H, trainable=False).trainable_variables


def test_states_that_a_prediction_gave_are_not_averaged_over_their_padding():
    inputs, lengths = keras.Input((None, I)), keras.Input((), dtype="int32")
    model = keras.Model([inputs, lengths], shared("lstm")(inputs, lengths=lengths))
    predicted = model.predict((ragged(), LENGTHS), verbose=0)
    with pytest.raises(ValueError, match=r"where each sequence ends is not known here; give lengths="):
        LengthAwareMean()(predicted)
    expected = LengthAwareMean()(shared("lstm")(ragged(), lengths=LENGTHS))
    np.testing.assert_allclose(LengthAwareMean()(predicted, lengths=LENGTHS), expected, rtol=0, atol=1e-6)


def test_a_model_tells_its_shapes():
    inputs, lengths = keras.Input((None, I)), keras.Input((), dtype="int32")
    states = ours("lstm", projection=P)(inputs, lengths=lengths)
    assert [values.shape for values in states] == [(None, None, P), (None, None, H)]
    assert [values.shape for values in states.last] == [(None, P), (None, H)]
    assert states.concatenated.shape == (None, None, H + P)
    fixed = ours("gru")(keras.Input((T, I), batch_size=B))
    assert fixed.hidden.shape == (B, T, H)
    assert ours("gru")(ragged(), lengths=LENGTHS).hidden.shape == (B, T, H)
