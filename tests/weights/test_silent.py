"""Models that were once read as something else than Keras computes, without a word."""

import functools

import numpy as np
import pytest

import rnnstates
from rnnstates.weights.frameworks.keras.configured import COUNTING

from .keras_models import keras_of, randomise, save


@pytest.fixture(params=[2, 3], ids=lambda generation: f"keras {generation}")
def keras(request):
    return keras_of(request.param)


WHOLE = [".keras", "legacy model.h5"]


@functools.cache
def called_on_different_things(keras):
    inputs = keras.Input((None, 4))
    a, b, c = (keras.layers.LSTM(4, return_sequences=True, name=name) for name in "abc")
    return randomise(keras.Model(inputs, [c(a(inputs)), a(b(inputs))]))


@pytest.mark.parametrize("kind", WHOLE)
def test_a_layer_called_on_different_things_ends_the_chain(keras, kind, tmp_path):
    save(called_on_different_things(keras), tmp_path / "file", kind)
    network = rnnstates.load_weights(tmp_path / "file", layer="c")
    assert [layer.name for layer in network.layers] == ["a", "c"]
    assert any("before 'a', which is not run" in note for note in network.notes)


@functools.cache
def without_arrays(keras):
    """Two models inside another, before one of which stands one without arrays; and these two."""

    def encoder(name):
        inputs = keras.Input((None, 4))
        return keras.Model(inputs, keras.layers.LSTM(4, return_sequences=True, name="lstm")(inputs), name=name)

    inner = keras.Input((None, 4))
    scale = keras.Model(inner, keras.layers.Rescaling(2.0)(inner), name="scale")
    first, second = encoder("first"), encoder("second")
    left, right = keras.Input((None, 4)), keras.Input((None, 4))
    return randomise(keras.Model([left, right], [first(scale(left)), second(right)])), (first, second)


@pytest.mark.parametrize("kind", WHOLE)
def test_models_without_arrays_do_not_shift_the_others(keras, kind, tmp_path):
    whole, inside = without_arrays(keras)
    save(whole, tmp_path / "file", kind)
    for model in inside:
        network = rnnstates.load_weights(tmp_path / "file", layer=f"{model.name}/lstm")
        np.testing.assert_array_equal(network.layers[0].forward.kernel, model.get_weights()[0])


def test_a_class_of_the_main_program_is_not_keras_own(tmp_path):
    keras = keras_of(3)
    own = type("LSTM", (keras.layers.LSTM,), {"__module__": "__main__"})
    with keras.saving.custom_object_scope({"LSTM": own}):
        both = keras.layers.Bidirectional(own(3, return_sequences=True))
    for layer in (own(3, return_sequences=True), both):
        keras.Sequential([keras.Input((5, 4)), layer]).save(tmp_path / "m.keras")
        with pytest.raises(rnnstates.BadWeights, match="not Keras' own"):
            rnnstates.load_weights(tmp_path / "m.keras")


def test_a_layer_named_backward_reads_forward(tmp_path):
    keras = keras_of(2)

    class Stacked(keras.Model):
        def __init__(self):
            super().__init__()
            self.low = keras.layers.LSTM(4, return_sequences=True, name="forward_lstm")
            self.high = keras.layers.LSTM(5, return_sequences=True, name="backward_lstm")

        def call(self, inputs):
            return self.high(self.low(inputs))

    model = Stacked()
    model(np.ones((1, 2, 3), np.float32))
    model.save_weights(str(tmp_path / "w.h5"))
    network = rnnstates.load_weights(tmp_path / "w.h5")
    assert [list(layer.directions) for layer in network.layers] == [["forward"], ["forward"]]


def test_a_constant_initial_state_is_noted(tmp_path):
    keras = keras_of(3)
    inputs = keras.Input((5, 4), batch_size=2)
    state = np.ones((2, 3), np.float32)
    keras.Model(inputs, keras.layers.LSTM(3)(inputs, initial_state=[state, state])).save(tmp_path / "m.keras")
    assert any("given an initial state" in note for note in rnnstates.load_weights(tmp_path / "m.keras").notes)


def test_a_mask_given_by_hand_is_noted_and_one_of_keras_own_making_once(tmp_path):
    keras = keras_of(3)
    layers = keras.layers
    inputs, mask = keras.Input((None, 3)), keras.Input((None,), dtype="bool")
    keras.Model([inputs, mask], layers.LSTM(5, name="enc")(inputs, mask=mask)).save(tmp_path / "m.keras")
    assert rnnstates.load_weights(tmp_path / "m.keras").notes == (
        "layer 'enc' is given a mask by the model; here only the lengths count.",
    )
    tokens = keras.Input((None,), dtype="int32")
    words = layers.Embedding(11, 3, mask_zero=True, name="words")(tokens)
    keras.Model(tokens, layers.LSTM(5, name="enc")(words)).save(tmp_path / "m.keras")
    assert rnnstates.load_weights(tmp_path / "m.keras").notes == (
        f"layer 'words' masks steps with id 0 in the model; {COUNTING}",
    )


def test_a_quantised_embedding_is_refused_not_passed_over(tmp_path):
    keras = keras_of(3)
    model = keras.Sequential([keras.Input((None,), dtype="int32"), keras.layers.Embedding(11, 3), keras.layers.LSTM(5)])
    model.layers[0].quantize("int8")
    model.save_weights(tmp_path / "m.weights.h5")
    with pytest.raises(rnnstates.BadWeights, match=r"'layers/embedding' has 2 arrays; expected one table\. Quantised"):
        rnnstates.load_weights(tmp_path / "m.weights.h5")


FIVE_WIDE = np.random.default_rng(1).normal(size=(2, 6, 5)).astype("f4")


@functools.cache
def of_cells(keras, frozen):
    """A model of cells in a list, and what it gives."""
    layers = keras.layers
    cells = [layers.LSTMCell(5), layers.LSTMCell(5), layers.GRUCell(5)]
    cells[frozen].trainable = False
    model = randomise(keras.Sequential([keras.Input((None, 5)), layers.RNN(cells, return_sequences=True)]))
    return model, np.array(model(FIVE_WIDE))


@pytest.mark.parametrize("kind", WHOLE)
@pytest.mark.parametrize("frozen", [0, 1])
def test_a_frozen_cell_in_a_list_is_not_taken_for_another(keras, frozen, kind, tmp_path):
    model, expected = of_cells(keras, frozen)
    save(model, tmp_path / "m", kind)
    states = rnnstates.extract(FIVE_WIDE, "full", weights=tmp_path / "m")
    np.testing.assert_allclose(states["layer2/hidden"], expected, atol=1e-6)


def test_cells_that_a_file_of_weights_alone_does_not_tell_apart_are_refused(keras, tmp_path):
    layers = keras.layers
    cells = {
        "three simple ones, as many arrays as a GRU of Keras 1": [layers.SimpleRNNCell(5) for _ in range(3)],
        "a list in a list": [layers.LSTMCell(5), layers.StackedRNNCells([layers.LSTMCell(5)])],
    }
    for listed in cells.values():
        model = keras.Sequential([keras.Input((None, 5)), layers.RNN(listed, return_sequences=True)])
        save(randomise(model), tmp_path / "m", "legacy weights.h5" if keras.__name__ == "tf_keras" else ".weights.h5")
        try:
            states = rnnstates.extract(FIVE_WIDE, "full", weights=tmp_path / "m")
        except rnnstates.BadWeights as refused:
            assert "ave the whole model" in str(refused)  # noqa: PT017
        else:
            top = max(name for name in states.datasets if name.endswith("/hidden"))
            np.testing.assert_allclose(states[top], np.array(model(FIVE_WIDE)), atol=1e-6)


def test_a_cell_of_ones_own_in_a_list_is_not_passed_over(tmp_path):
    keras = keras_of(3)

    class My(keras.layers.SimpleRNNCell):
        pass

    cells = [keras.layers.LSTMCell(5), My(5), keras.layers.LSTMCell(5)]
    model = keras.Sequential([keras.Input((None, 5)), keras.layers.RNN(cells)])
    model.save_weights(tmp_path / "m.weights.h5")
    with pytest.raises(rnnstates.BadWeights, match="has arrays of nested cells"):
        rnnstates.load_weights(tmp_path / "m.weights.h5")


def test_a_function_of_the_users_that_is_called_swish_is_not_keras_own(tmp_path):
    keras = keras_of(3)

    def swish(x):
        return x * keras.ops.sigmoid(1.7 * x)

    layer = keras.layers.LSTM(4, activation=swish)
    keras.Sequential([keras.Input((None, 3)), layer]).save(tmp_path / "m.keras")
    with pytest.raises(rnnstates.BadWeights, match="activation is 'swish', a custom class or function"):
        rnnstates.load_weights(tmp_path / "m.keras")
