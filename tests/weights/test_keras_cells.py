"""GRU, SimpleRNN, RNN of cells and the cuDNN layers of Keras: every state is the one that Keras computes."""

import functools

import numpy as np
import pytest

import rnnstates

from .census import parity
from .exports import export
from .keras_models import KINDS, keras_of, randomise, save
from .running import ATOL, assert_same_states, ragged_inputs
from .test_exported import hidden
from .test_keras_states import run_layer


@pytest.fixture(scope="module")
def keras():
    return keras_of(3)


def sequences_of(keras, layer, precision="float32"):
    """A model that gives every hidden state of one layer."""
    return randomise(keras.Sequential([keras.Input((None, 3), dtype=precision), layer]), seed=8)


def once(oracle):
    """Ask an oracle once for each length; in several files are the same weights, and the inputs are the same."""
    known = {}

    def answer(sequence):
        if len(sequence) not in known:
            known[len(sequence)] = oracle(sequence)
        return known[len(sequence)]

    return answer


def hidden_by(model, name="hidden"):
    return once(lambda sequence: {name: np.array(model(sequence[np.newaxis]))[0]})


def both_by(model, layer=0, units=4):
    """Give both directions of a model's only layer."""

    def oracle(sequence):
        both = np.array(model(sequence[np.newaxis]))[0]
        return {f"layer{layer}/forward/hidden": both[:, :units], f"layer{layer}/backward/hidden": both[:, units:]}

    return once(oracle)


@functools.cache
def asked(kind, precision="float32", **options):
    """A model of one layer of Keras 3, and what it says of each sequence."""
    keras = keras_of(3)
    layer = getattr(keras.layers, kind)(5, return_sequences=True, dtype=precision, **options)
    model = sequences_of(keras, layer, precision)
    return model, hidden_by(model)


# Keras 2 writes .weights.h5 in a layout of its own, which keeps no name of the layer.
OLD = (2, ".weights.h5")
GRUS = {"after": {"reset_after": True}, "before": {"reset_after": False}}


@parity("keras", "gru")
@pytest.mark.parametrize("precision", sorted(ATOL))
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("reset", GRUS)
def test_a_gru_is_that_of_keras_with_the_reset_before_and_after_the_product(reset, kind, precision, tmp_path):
    model, oracle = asked("GRU", precision, **GRUS[reset])
    save(model, tmp_path / "file", kind)
    assert_same_states(tmp_path / "file", oracle, precision=precision)
    assert rnnstates.load_weights(tmp_path / "file").layers[0].forward.reset_after == GRUS[reset]["reset_after"]


@parity("keras", "simple_rnn")
@pytest.mark.parametrize("precision", sorted(ATOL))
@pytest.mark.parametrize("kind", KINDS)
def test_a_simple_rnn_is_that_of_keras(kind, precision, tmp_path):
    model, oracle = asked("SimpleRNN", precision)
    save(model, tmp_path / "file", kind)
    assert_same_states(tmp_path / "file", oracle, precision=precision)


@parity("keras", "lstm")
@pytest.mark.parametrize("kind", KINDS)
def test_a_lone_lstm_gives_every_cell_state_of_keras(keras, kind, tmp_path):
    model, _ = asked("LSTM")
    save(model, tmp_path / "file", kind)

    def oracle(sequence):
        hidden, cell = run_layer(keras, model.get_weights(), sequence)
        return {"hidden": hidden, "cell": cell, "hidden_final": hidden[-1], "cell_final": cell[-1]}

    assert_same_states(tmp_path / "file", oracle)


@pytest.mark.parametrize(
    "options", [{"use_bias": False}, {"activation": "relu"}, {"recurrent_activation": "hard_sigmoid"}]
)
@pytest.mark.parametrize("reset", GRUS)
def test_a_gru_without_bias_or_with_other_activations(reset, options, tmp_path):
    model, oracle = asked("GRU", **GRUS[reset], **options)
    model.save(tmp_path / "m.keras")
    assert_same_states(tmp_path / "m.keras", oracle)


@pytest.mark.parametrize(
    ("generation", "kind"), [(generation, kind) for generation in (2, 3) for kind in KINDS if (generation, kind) != OLD]
)
def test_a_bidirectional_gru_gives_both_directions_aligned(generation, kind, tmp_path):
    model, oracle = asked_both(generation)
    save(model, tmp_path / "file", kind)
    assert_same_states(tmp_path / "file", oracle)


@functools.cache
def asked_both(generation):
    keras = keras_of(generation)
    layer = keras.layers.Bidirectional(keras.layers.GRU(4, return_sequences=True), name="both")
    model = sequences_of(keras, layer)
    return model, both_by(model)


@pytest.mark.parametrize("kind", [".keras", "legacy model.h5"])
@pytest.mark.parametrize("generation", [2, 3])
def test_the_cells_of_an_rnn_become_layers(generation, kind, tmp_path):
    model, oracle = asked_cells(generation)
    save(model, tmp_path / "file", kind)
    assert_same_states(tmp_path / "file", oracle)
    network = rnnstates.load_weights(tmp_path / "file")
    assert [layer.name for layer in network.layers] == ["cells/0", "cells/1", "cells/2", "cells/3"]


@functools.cache
def asked_cells(generation):
    """An RNN of four cells, and the states of each by running prefixes."""
    keras = keras_of(generation)
    layers = keras.layers
    cells = [layers.LSTMCell(5), layers.GRUCell(4), layers.LSTMCell(6, use_bias=False), layers.SimpleRNNCell(2)]
    inputs = keras.Input((None, 3))
    model = keras.Model(inputs, layers.RNN(cells, return_sequences=True, return_state=True, name="cells")(inputs))
    randomise(model)

    def oracle(sequence):
        prefixes = [model(sequence[np.newaxis, : step + 1]) for step in range(len(sequence))]
        flat = [[np.array(s)[0] for s in flatten(states)] for _, *states in prefixes]
        names = ["layer0/hidden", "layer0/cell", "layer1/hidden", "layer2/hidden", "layer2/cell", "layer3/hidden"]
        return {name: np.array([states[place] for states in flat]) for place, name in enumerate(names)}

    return model, once(oracle)


def flatten(states):
    return [part for state in states for part in (flatten(state) if isinstance(state, list | tuple) else [state])]


def test_one_cell_in_an_rnn_is_a_layer(keras, tmp_path):
    model = sequences_of(keras, keras.layers.RNN(keras.layers.GRUCell(4), return_sequences=True))
    oracle = hidden_by(model)
    for kind in KINDS:
        save(model, tmp_path / "file", kind)
        assert_same_states(tmp_path / "file", oracle)


def test_the_cells_of_a_bidirectional_rnn_never_meet_between_its_ends(keras, tmp_path):
    layers = keras.layers
    inner = layers.RNN([layers.LSTMCell(5), layers.GRUCell(4)], return_sequences=True)
    model = sequences_of(keras, layers.Bidirectional(inner, name="both"))
    oracle = both_by(model, layer=1)
    for kind in (".keras", "legacy model.h5"):
        save(model, tmp_path / "file", kind)
        assert_same_states(tmp_path / "file", oracle)


def test_weights_of_a_list_of_cells_are_a_chain_where_the_widths_fit(keras, tmp_path):
    layers = keras.layers
    model = sequences_of(keras, layers.RNN([layers.LSTMCell(5), layers.LSTMCell(4)], return_sequences=True))
    model.save_weights(tmp_path / "m.weights.h5")
    assert_same_states(tmp_path / "m.weights.h5", hidden_by(model, "layer1/hidden"))


@pytest.mark.parametrize("activation", ["gelu", "silu", "leaky_relu", "softmax", "mish", "hard_shrink", "squareplus"])
def test_every_activation_that_keras_can_name(keras, activation, tmp_path):
    layer = keras.layers.SimpleRNN(4, return_sequences=True, activation=activation)
    model = sequences_of(keras, layer)
    model.save(tmp_path / "m.keras")
    assert_same_states(tmp_path / "m.keras", hidden_by(model), atol=3e-6)


def test_the_states_of_a_mixed_stack_are_left_out_where_a_cell_has_none(keras, tmp_path):
    layers = keras.layers
    model = keras.Sequential(
        [keras.Input((None, 3)), layers.GRU(4, return_sequences=True, name="low"), layers.LSTM(5, name="high")]
    )
    model.save(tmp_path / "m.keras")
    states = rnnstates.extract(ragged_inputs(), [6, 3, 0, 1], weights=tmp_path / "m.keras")
    assert "layer1/cell" in states.datasets
    assert "layer0/cell" not in states.datasets
    assert "layer 'low' is a gru, which has no state 'cell'; it is omitted there." in states.provenance["notes"]


@functools.cache
def asked_lstms(generation):
    keras = keras_of(generation)
    model = sequences_of(keras, keras.layers.Bidirectional(keras.layers.LSTM(4, return_sequences=True), name="both"))
    return model, both_by(model)


@pytest.mark.parametrize("frozen", ["forward_layer", "backward_layer"])
@pytest.mark.parametrize("generation", [2, 3])
def test_a_bidirectional_with_one_frozen_half_is_parted_by_the_names(generation, frozen, tmp_path):
    model, oracle = asked_lstms(generation)
    half = getattr(model.get_layer("both"), frozen)
    half.trainable = False
    save(model, tmp_path / "m.h5", "legacy model.h5")
    half.trainable = True
    assert_same_states(tmp_path / "m.h5", oracle)


def test_without_a_bias_a_file_of_weights_does_not_say_where_a_gru_resets_and_we_do(keras, tmp_path):
    model = sequences_of(keras, keras.layers.GRU(5, return_sequences=True, use_bias=False))
    model.save_weights(tmp_path / "m.weights.h5")
    notes = rnnstates.load_weights(tmp_path / "m.weights.h5").notes
    assert any("has no bias, so the file does not say where its GRU resets; after the product" in n for n in notes)


@functools.cache
def convolutional(generation, *, wrapped):
    keras = keras_of(generation)
    layer = keras.layers.ConvLSTM1D(2, 2, name="both")
    return keras.Sequential([keras.Input((3, 5, 1)), keras.layers.Bidirectional(layer) if wrapped else layer])


@pytest.mark.parametrize("kind", [*KINDS, "export"])
@pytest.mark.parametrize("generation", [2, 3])
def test_a_convolutional_lstm_is_refused_by_its_name(generation, kind, tmp_path):
    model = convolutional(generation, wrapped=kind == "export")
    export(model, tmp_path / "file") if kind == "export" else save(model, tmp_path / "file", kind)
    with pytest.raises(rnnstates.BadWeights, match=r"(is a|looks like) (Bidirectional around )?ConvLSTM1D"):
        rnnstates.load_weights(tmp_path / "file")


ONE_LONG = ragged_inputs()[:1]


@functools.cache
def of_different_cells(generation):
    """A model whose directions have different cells, and what it gives."""
    keras = keras_of(generation)
    layers, every = keras.layers, {"return_sequences": True}
    both = layers.Bidirectional(layers.LSTM(5, **every), backward_layer=layers.GRU(4, go_backwards=True, **every))
    model = sequences_of(keras, both)
    return model, np.array(model(ONE_LONG))


@pytest.mark.parametrize("kind", [".weights.h5", "legacy weights.h5"])
@pytest.mark.parametrize("generation", [2, 3])
def test_directions_of_different_cells_are_read_from_weights_alone(generation, kind, tmp_path):
    model, expected = of_different_cells(generation)
    save(model, tmp_path / "file", kind)
    np.testing.assert_allclose(hidden(tmp_path / "file", ONE_LONG), expected, rtol=0, atol=1e-6)
