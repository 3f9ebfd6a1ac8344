"""Files that hold arrays but not how they belong together: guesses are reported, all else is refused."""

import pytest

import rnnstates

from .keras_models import embedded, keras_of, randomise, save, stacked


@pytest.fixture(scope="module")
def keras():
    return keras_of(3)


def save_layers(keras, path, *layers, features=3):
    randomise(keras.Sequential([keras.Input((None, features)), *layers])).save_weights(path)


def test_every_guess_is_noted(keras, tmp_path):
    path = tmp_path / "s.weights.h5"
    stacked(keras).save_weights(path)
    settings, order = rnnstates.load_weights(path).notes
    assert settings.startswith(f"{path}: holds no configuration; activations tanh and sigmoid are assumed, and layers")
    assert order.startswith(f"{path}: the order low -> middle -> high is assumed, because the widths fit; layer=NAME")


def test_an_embedding_of_fitting_width_is_assumed_to_feed_the_stack_and_noted(keras, tmp_path):
    path = tmp_path / "e.weights.h5"
    embedded(keras).save_weights(path)
    assert f"{path}: embedding 'words' is assumed to feed 'reader'." in rnnstates.load_weights(path).notes


def test_of_two_embeddings_that_fit_none_is_used(keras, tmp_path):
    layers = keras.layers
    tokens = keras.Input((None,), dtype="int32")
    vectors = layers.Add()([layers.Embedding(11, 3, name=name)(tokens) for name in ("words", "places")])
    path = tmp_path / "e.weights.h5"
    keras.Model(tokens, layers.LSTM(4, name="reader")(vectors)).save_weights(path)
    network = rnnstates.load_weights(path)
    assert network.embedding is None
    assert any(
        "no embedding is used; found 'words' (11 x 3), 'places' (11 x 3), each fitting 'reader'" in note
        for note in network.notes
    )


def test_classes_in_several_possible_orders_are_refused(keras, tmp_path):
    layers = keras.layers
    path = tmp_path / "s.weights.h5"
    both = layers.Bidirectional(layers.LSTM(2, return_sequences=True), name="both")
    save_layers(keras, path, both, layers.LSTM(4, name="plain"), features=4)
    with pytest.raises(rnnstates.BadWeights, match=r"several orders would fit: .* Save the whole model"):
        rnnstates.load_weights(path)


def test_layers_whose_widths_do_not_fit_are_separate_stacks(keras, tmp_path):
    layers = keras.layers
    inputs = keras.Input((None, 3))
    path = tmp_path / "s.weights.h5"
    outputs = [layers.LSTM(4, name="one")(inputs), layers.LSTM(5, name="two")(inputs)]
    keras.Model(inputs, outputs).save_weights(path)
    with pytest.raises(rnnstates.BadWeights, match=r"has 2 recurrent stacks; choose one: layer='one'"):
        rnnstates.load_weights(path)
    assert rnnstates.load_weights(path, layer="two").layers[0].forward.units == 5
    outputs = [layers.LSTM(4, name="one")(inputs), layers.Bidirectional(layers.LSTM(5), name="two")(inputs)]
    keras.Model(inputs, outputs).save_weights(path, overwrite=True)
    assert len(rnnstates.load_weights(path, layer="two").layers[0].directions) == 2


def test_more_than_ten_layers_are_taken_in_the_order_of_their_numbers(keras, tmp_path):
    layers = [keras.layers.LSTM(units, return_sequences=True, name=f"l{units}") for units in range(4, 17)]
    path = tmp_path / "s.weights.h5"
    save_layers(keras, path, *layers)
    assert [layer.name for layer in rnnstates.load_weights(path).layers] == [layer.name for layer in layers]


def test_a_weighted_layer_between_two_recurrent_ones_parts_them_where_the_order_is_known(keras, tmp_path):
    layers = keras.layers
    middle = layers.Dense(4, name="middle")
    low, high = layers.LSTM(4, return_sequences=True, name="low"), layers.LSTM(5, name="high")
    model = keras.Sequential([keras.Input((None, 3)), low, middle, high])
    save(model, tmp_path / "s.h5", "legacy weights.h5")
    assert [layer.name for layer in rnnstates.load_weights(tmp_path / "s.h5", layer="high").layers] == ["high"]
