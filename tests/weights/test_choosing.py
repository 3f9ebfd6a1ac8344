"""Which layers make up the stack, what is said about those that are not run, what is refused and how."""

import numpy as np
import pytest

import rnnstates
from rnnstates.weights.frameworks.keras.configured import COUNTING
from rnnstates.weights.load import describe_weights

from .keras_models import keras_of, nested, randomise, save


@pytest.fixture(scope="module")
def keras():
    return keras_of(3)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "m.keras"


def sequential(keras, *layers, features=3):
    return keras.Sequential([keras.Input((None, features)), *layers])


def names_of(path, layer=None):
    return [layer.name for layer in rnnstates.load_weights(path, layer=layer).layers]


def test_two_stacks_are_listed_with_the_option_that_chooses(keras, path):
    nested(keras).save(path)
    with pytest.raises(rnnstates.BadWeights) as error:
        rnnstates.load_weights(path)
    assert str(error.value) == (
        f"{path}: has 2 recurrent stacks; choose one: layer='encoder/upper' (LSTM), layer='beside' (LSTM)."
    )


def test_a_layer_of_an_inner_model_is_found_by_its_own_or_its_full_name(keras, path):
    nested(keras).save(path)
    assert names_of(path, "upper") == names_of(path, "encoder/upper") == ["encoder/inner", "encoder/upper"]
    assert names_of(path, "beside") == ["beside"]


def test_a_lower_layer_ends_the_stack(keras, path):
    nested(keras).save(path)
    assert names_of(path, "inner") == ["encoder/inner"]


def test_an_unknown_layer_gets_a_suggestion(keras, path):
    nested(keras).save(path)
    with pytest.raises(rnnstates.BadWeights, match=r"no recurrent layer 'besides'; found: .*Did you mean 'beside'\?"):
        rnnstates.load_weights(path, layer="besides")


def test_a_name_that_two_inner_models_use_is_ambiguous(keras, path):
    inputs = keras.Input((None, 3))
    inner = [
        keras.Sequential([keras.Input((None, 3)), keras.layers.LSTM(units, name="inner")], name=name)
        for units, name in ((4, "one"), (5, "two"))
    ]
    keras.Model(inputs, [model(inputs) for model in inner]).save(path)
    with pytest.raises(
        rnnstates.BadWeights, match="several layers are called 'inner'; choose one: one/inner, two/inner"
    ):
        rnnstates.load_weights(path, layer="inner")


@pytest.mark.parametrize("kind", [".keras", "legacy model.h5"])
def test_layers_of_one_class_in_two_inner_models_are_not_exchanged(keras, tmp_path, kind):
    inputs = keras.Input((None, 3))
    inner = [
        keras.Sequential([keras.Input((None, 3)), keras.layers.LSTM(4, name="inner")], name=name)
        for name in ("one", "two")
    ]
    model = randomise(keras.Model(inputs, [model(inputs) for model in inner]))
    save(model, tmp_path / "file", kind)
    for part in inner:
        network = rnnstates.load_weights(tmp_path / "file", layer=f"{part.name}/inner")
        np.testing.assert_array_equal(network.layers[0].forward.kernel, part.get_weights()[0])


def test_a_model_without_recurrent_layers_says_what_it_has(keras, path):
    sequential(keras, keras.layers.Dense(4, name="first"), keras.layers.Dense(2, name="second")).save(path)
    with pytest.raises(rnnstates.BadWeights, match=r"no recurrent layer found; .* Present: first \(Dense\), second"):
        rnnstates.load_weights(path)
    assert describe_weights(path)["stacks"] == []


@pytest.mark.parametrize("kind", [".keras", "legacy model.h5"])
def test_another_recurrent_class_is_named(keras, kind, tmp_path):
    layers = keras.layers
    cases = (
        (layers.ConvLSTM1D(4, 2), "ConvLSTM1D"),
        (layers.Bidirectional(layers.ConvLSTM1D(4, 2)), "Bidirectional around ConvLSTM1D"),
    )
    for layer, found in cases:
        model = keras.Sequential([keras.Input((None, 6, 3)), layer])
        save(model, tmp_path / "file", kind)
        with pytest.raises(rnnstates.BadWeights, match=f"layer '.*is a {found}; LSTM, GRU, SimpleRNN, .* are read"):
            rnnstates.load_weights(tmp_path / "file")
        assert f"is a {found}; LSTM" in describe_weights(tmp_path / "file")["stacks"][0]["problem"]


def test_cells_of_ones_own_in_an_rnn_layer_are_refused(keras, path):
    @keras.saving.register_keras_serializable(package="mine")
    class Cell(keras.layers.LSTMCell):
        pass

    sequential(keras, keras.layers.RNN([keras.layers.LSTMCell(4), Cell(5)], name="cells")).save(path)
    with pytest.raises(rnnstates.BadWeights, match="layer 'cells': is an RNN of a class 'Cell' that is not Keras' own"):
        rnnstates.load_weights(path)


def test_a_class_of_the_users_own_is_refused_even_if_it_is_called_lstm(keras, path):
    @keras.saving.register_keras_serializable(package="mine")
    class LSTM(keras.layers.LSTM):
        pass

    sequential(keras, LSTM(4, name="own")).save(path)
    with pytest.raises(rnnstates.BadWeights, match="layer 'own': its class is not Keras' own"):
        rnnstates.load_weights(path)


def test_an_activation_that_is_code_is_refused(keras, path):
    @keras.saving.register_keras_serializable(package="mine")
    def wave(x):
        return keras.ops.sin(x)

    sequential(keras, keras.layers.LSTM(4, activation=wave)).save(path)
    with pytest.raises(rnnstates.BadWeights, match=r"activation is '.*wave', a custom class or function; expected"):
        rnnstates.load_weights(path)


def test_an_activation_not_known_here_is_refused(keras, path):
    sequential(keras, keras.layers.LSTM(4, recurrent_activation="sparsemax")).save(path)
    with pytest.raises(rnnstates.BadWeights, match="recurrent activation is sparsemax; expected one of Keras'"):
        rnnstates.load_weights(path)


def test_layers_that_change_nothing_do_not_part_a_stack(keras, path):
    layers = keras.layers
    model = sequential(
        keras,
        layers.Masking(0.0, name="mask"),
        layers.GaussianNoise(0.1),
        layers.LSTM(4, return_sequences=True, name="low"),
        layers.SpatialDropout1D(0.2),
        layers.Activation("linear"),
        layers.LSTM(5, name="high"),
    )
    model.save(path)
    network = rnnstates.load_weights(path)
    assert [layer.name for layer in network.layers] == ["low", "high"]
    assert network.notes == (f"layer 'mask' masks steps of one value in the model; {COUNTING}",)


@pytest.mark.parametrize("between", ["BatchNormalization", "Activation"])
def test_a_layer_that_computes_something_parts_a_stack(keras, path, between):
    layers = keras.layers
    middle = (
        layers.BatchNormalization(name="m") if between == "BatchNormalization" else layers.Activation("relu", name="m")
    )
    low, high = layers.LSTM(4, return_sequences=True, name="low"), layers.LSTM(5, name="high")
    sequential(keras, low, middle, high).save(path)
    network = rnnstates.load_weights(path, layer="high")
    assert [layer.name for layer in network.layers] == ["high"]
    assert network.notes == (
        f"the model has 'm' ({between}) before 'high', which is not run; inputs must be its output.",
    )


def test_a_layer_that_gives_its_last_state_only_ends_its_stack(keras, path):
    layers = keras.layers
    sequential(
        keras, layers.LSTM(4, name="encoder"), layers.RepeatVector(3, name="again"), layers.LSTM(5, name="decoder")
    ).save(path)
    assert names_of(path, "decoder") == ["decoder"]
    assert names_of(path, "encoder") == ["encoder"]


@pytest.mark.parametrize("kind", [".keras", ".weights.h5", "legacy model.h5", "legacy weights.h5"])
def test_a_backward_layer_of_its_own_is_not_lost(keras, tmp_path, kind):
    layers = keras.layers
    backward = layers.LSTM(4, return_sequences=True, go_backwards=True, name="other")
    both = layers.Bidirectional(layers.LSTM(4, return_sequences=True), backward_layer=backward, name="both")
    model = randomise(sequential(keras, both))
    save(model, tmp_path / "file", kind)
    (layer,) = rnnstates.load_weights(tmp_path / "file").layers
    np.testing.assert_array_equal(layer.forward.kernel, model.get_weights()[0])
    np.testing.assert_array_equal(layer.backward.kernel, model.get_weights()[3])


def test_shared_layers_called_twice_are_one_stack(keras, tmp_path):
    layers = keras.layers
    left, right = keras.Input((None,), dtype="int32"), keras.Input((None,), dtype="int32")
    words, reader = layers.Embedding(11, 3), layers.LSTM(4, name="reader")
    model = randomise(keras.Model([left, right], layers.Dot(1)([reader(words(left)), reader(words(right))])))
    for kind in (".keras", "legacy model.h5"):
        save(model, tmp_path / "file", kind)
        network = rnnstates.load_weights(tmp_path / "file")
        assert [layer.name for layer in network.layers] == ["reader"]
        np.testing.assert_array_equal(network.embedding, words.get_weights()[0])


def test_directions_that_are_not_merged_may_end_a_stack_but_not_feed_one(keras, path):
    layers = keras.layers
    inputs = keras.Input((None, 3))
    both = layers.Bidirectional(layers.LSTM(4, return_sequences=True), merge_mode=None, name="both")
    forward, backward = both(inputs)
    keras.Model(inputs, [forward, backward]).save(path)
    assert names_of(path) == ["both"]
    keras.Model(inputs, layers.LSTM(5, name="high")(forward)).save(path)
    with pytest.raises(rnnstates.BadWeights, match="layer 'both': does not merge its directions, yet another layer"):
        rnnstates.load_weights(path)


def test_a_bidirectional_above_a_layer_that_goes_backwards_is_refused(keras, path):
    layers = keras.layers
    low = layers.LSTM(4, return_sequences=True, go_backwards=True)
    sequential(keras, low, layers.Bidirectional(layers.LSTM(5), name="both")).save(path)
    with pytest.raises(rnnstates.BadWeights, match="layer 'both': reads a layer that goes backwards"):
        rnnstates.load_weights(path)


def test_weights_in_bfloat16_are_read(keras, path):
    # Orthogonal weights cannot be drawn in bfloat16.
    layer = keras.layers.LSTM(4, dtype="bfloat16", recurrent_initializer="glorot_uniform")
    model = randomise(sequential(keras, layer))
    model.save(path)
    network = rnnstates.load_weights(path)
    np.testing.assert_array_equal(network.layers[0].forward.kernel, model.get_weights()[0].astype(np.float32))


def test_a_subclassed_model_is_read_from_its_arrays(keras, path):
    class Tagger(keras.Model):
        def __init__(self):
            super().__init__()
            self.words = keras.layers.Embedding(11, 3)
            self.reader = keras.layers.LSTM(4, name="reader")

        def call(self, tokens):
            return self.reader(self.words(tokens))

    model = Tagger()
    model(np.zeros((1, 2), np.int32))
    randomise(model)
    model.save(path)
    network = rnnstates.load_weights(path)
    np.testing.assert_array_equal(network.layers[0].forward.kernel, model.reader.get_weights()[0])
    assert any("holds no configuration" in note for note in network.notes)
