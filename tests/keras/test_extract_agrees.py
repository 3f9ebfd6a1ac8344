"""A layer and ``rnnstates.extract`` compute the same from the same weights, whichever way the weights go across."""

import keras
import numpy as np
import pytest

import rnnstates
from rnnstates import LayerWeights, Network, RecurrentLayer
from rnnstates.keras import StateLSTM

from ..builders import BUILT_ENGINES
from .building import LENGTHS, RIGHT, H, I, P, by_name, ours, ragged, shared

pytestmark = pytest.mark.usefixtures("all_graphs_as_they_are")
CASES = {
    "lstm": {},
    "lstm peepholes": {"peepholes": True, "cell_clip": 0.4, "forget_bias": 1.0},
    "lstm projection": {"projection": P, "projection_clip": 0.2},
    "lstm relu": {"activation": "relu", "recurrent_activation": "hard_sigmoid"},
    "gru": {},
    "gru before": {},
    "simple_rnn": {},
}
RUN_TIME = ("forget_bias", "cell_clip", "projection_clip", "activation", "recurrent_activation")


def layer_of(name, **options):
    case = name if name in ("gru", "gru before", "simple_rnn") else "lstm"
    return shared(case, **CASES[name], **options)


def as_network(layer, name, direction="forward"):
    """The layer's arrays in the library's own form."""
    weights, kind = by_name(layer), name.split()[0]
    options = {option: CASES[name][option] for option in RUN_TIME if option in CASES[name]}
    if name == "gru":
        weights["bias"], options["recurrent_bias"] = weights["bias"]
        options["reset_after"] = True
    made = LayerWeights(cell=kind, **weights, **options)
    return Network((RecurrentLayer(kind, **{direction: made}),))


def assert_agree(layer, network, inputs, *, engine, tolerance=1e-6, **options):
    extracted = rnnstates.extract(inputs, LENGTHS, weights=network, engine=engine, **options)
    states = layer(inputs, lengths=LENGTHS)
    for state in states._fields:
        np.testing.assert_allclose(getattr(states, state), extracted[state], rtol=0, atol=tolerance)
        np.testing.assert_allclose(
            getattr(states.last, state)[LENGTHS > 0], extracted[f"{state}_last"][LENGTHS > 0], rtol=0, atol=tolerance
        )
    return extracted


@pytest.mark.parametrize("engine", BUILT_ENGINES)
@pytest.mark.parametrize(
    "name, direction", [*((name, "forward") for name in CASES), ("lstm peepholes", "backward"), ("gru", "backward")]
)
def test_arrays_of_a_layer_give_extract_the_same_states(name, direction, engine):
    layer = layer_of(name, go_backwards=True) if direction == "backward" else layer_of(name)
    assert_agree(layer, as_network(layer, name, direction), ragged(), engine=engine)


@pytest.mark.parametrize("engine", ["numpy", "tensorflow"])
def test_float64_agrees_to_its_last_digits(engine):
    layer = layer_of("lstm peepholes", dtype="float64")
    network = as_network(layer, "lstm peepholes")
    assert_agree(layer, network, ragged("float64"), engine=engine, precision="float64", tolerance=1e-12)


@pytest.mark.parametrize("case", ["lstm", "gru", "gru before", "simple_rnn"])
def test_a_saved_weights_file_of_a_plain_layer_is_read_as_that_of_keras(case, tmp_path):
    layer = shared(case)
    model = keras.Sequential([keras.Input((None, I)), layer])
    model.save_weights(tmp_path / "model.weights.h5")
    network = rnnstates.load_weights(tmp_path / "model.weights.h5")
    for engine in ("numpy", "tensorflow"):
        assert_agree(layer, network, ragged(), engine=engine)


@pytest.mark.parametrize("engine", ["numpy", "tensorflow"])
def test_weights_drawn_from_a_seed_are_set_into_a_layer(engine):
    network = rnnstates.random_network(I, units=H, seed=3)
    drawn, layer = network.layers[0].forward, StateLSTM(H)
    layer.build((None, None, I))
    layer.set_weights([drawn.kernel, drawn.recurrent_kernel, drawn.bias])
    extracted = assert_agree(layer, network, ragged(), engine=engine)
    seeded = rnnstates.extract(ragged(), LENGTHS, units=H, seed=3, engine=engine)
    np.testing.assert_array_equal(extracted["cell"], seeded["cell"])


def test_a_stack_agrees_layer_by_layer():
    low, high, inputs = layer_of("lstm"), ours("lstm", P, features=H, seed=4), ragged()
    network = Network(
        (as_network(low, "lstm").layers[0], RecurrentLayer("high", forward=LayerWeights(**by_name(high))))
    )
    extracted = rnnstates.extract(inputs, LENGTHS, weights=network)
    below = low(inputs, lengths=LENGTHS)
    above = high(below)
    for number, states in enumerate((below, above)):
        for state in states._fields:
            np.testing.assert_allclose(getattr(states, state), extracted[f"layer{number}/{state}"], rtol=0, atol=1e-6)
    assert not above.cell.numpy()[~RIGHT].any()


def test_extract_continues_from_where_a_layer_ended():
    layer, inputs = layer_of("lstm"), ragged()
    whole = layer(inputs).cell
    last = layer(inputs[:, :3]).last
    start = {name: values.numpy() for name, values in last._asdict().items()}
    rest = rnnstates.extract(inputs[:, 3:], "full", weights=as_network(layer, "lstm"), initial_state=start)
    np.testing.assert_allclose(rest["cell"], whole[:, 3:], rtol=0, atol=1e-6)
