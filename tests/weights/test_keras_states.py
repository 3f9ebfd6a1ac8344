"""States equal Keras' own: hidden by return_sequences, final cell by return_state, every cell by its cell."""

import functools

import numpy as np
import pytest

import rnnstates

from ..builders import engines_for
from .keras_models import KINDS, bidirectional, keras_of, layer_named, lstm, randomise, save, stacked

LENGTHS = np.array([6, 3, 0, 1])
NAMES = {lstm: ["enc"], bidirectional: ["both"], stacked: ["low", "middle", "high"]}
ATOL = {"float32": 1e-6, "float64": 1e-12}


def run_layer(keras, weights, inputs, *, use_bias=True):
    """Run one LSTM of Keras over one sequence.

    Returns
    -------
    hidden, cell : [length, H]
        ``hidden`` from ``return_sequences``; the cell states from the layer's own cell, step by step, of which the last
        is also that of ``return_state``.
    """
    units = weights[1].shape[0]
    layer = keras.layers.LSTM(
        units, return_sequences=True, return_state=True, use_bias=use_bias, dtype=str(weights[0].dtype)
    )
    layer.build((None, None, inputs.shape[1]))
    layer.set_weights(weights)
    if not len(inputs):
        return np.zeros((0, units)), np.zeros((0, units))
    hidden, *final = (np.array(result)[0] for result in layer(inputs[np.newaxis]))
    stepped = step_by_step(layer.cell, inputs)
    for ours, theirs in zip(final, stepped[-1], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=ATOL[str(hidden.dtype)] / 4)
    return hidden, stepped[:, 1]


def step_by_step(cell, inputs):
    """Run a cell of Keras over one sequence: (hidden, cell) after each step, [length, 2, H]."""
    states, found = cell.get_initial_state(batch_size=1), []
    for step in inputs:
        _, states = cell(step[np.newaxis], states)
        found.append([np.array(values)[0] for values in states])
    return np.array(found)


def run_stack(keras, model, names, sequence):
    """Run a model's recurrent layers one after the other: {path: (hidden, cell)}, as the output file names them."""
    found = {}
    for number, name in enumerate(names):
        weights = layer_named(model, name).get_weights()
        both = type(layer_named(model, name)).__name__ == "Bidirectional"
        halves = np.split(np.arange(len(weights)), 2 if both else 1)
        path = f"layer{number}/" if len(names) > 1 or both else ""
        outputs = []
        for direction, half in zip(("forward", "backward"), halves, strict=False):
            order = -1 if direction == "backward" else 1
            chosen = [weights[position] for position in half]
            hidden, cell = run_layer(keras, chosen, sequence[::order], use_bias=len(chosen) == 3)
            found[f"{path}{direction}/" if both else path] = hidden[::order], cell[::order]
            outputs.append(hidden[::order])
        sequence = np.concatenate(outputs, axis=1)
    return found


@functools.cache
def asked(build, precision):
    """A model of Keras 3 with random weights, inputs with garbage in the padding, and what Keras says of each row."""
    keras = keras_of(3)
    model = randomise(build(keras, dtype=precision), seed=5)
    inputs = np.random.default_rng(3).normal(size=(len(LENGTHS), LENGTHS.max(), 3)).astype(precision)
    inputs[np.arange(LENGTHS.max()) >= LENGTHS[:, np.newaxis]] = np.nan
    rows = [run_stack(keras, model, NAMES[build], inputs[row, :length]) for row, length in enumerate(LENGTHS)]
    return model, inputs, rows


@pytest.mark.parametrize("precision", sorted(ATOL))
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("build", NAMES, ids=lambda build: build.__name__)
def test_every_state_is_the_one_keras_computes(build, kind, precision, tmp_path):
    model, inputs, rows = asked(build, precision)
    save(model, tmp_path / "file", kind)
    network = rnnstates.load_weights(tmp_path / "file")
    for engine in engines_for(network, precision):
        states = rnnstates.extract(inputs, LENGTHS, weights=network, engine=engine, precision=precision)
        assert_states_are(states, rows, ATOL[precision])


def assert_states_are(states, rows, atol):
    assert len([name for name in states.datasets if name.endswith("cell")]) == len(rows[0])
    for row, length in enumerate(LENGTHS):
        for path, (hidden, cell) in rows[row].items():
            np.testing.assert_allclose(states[f"{path}hidden"][row, :length], hidden, rtol=0, atol=atol)
            np.testing.assert_allclose(states[f"{path}cell"][row, :length], cell, rtol=0, atol=atol)


def test_the_widths_differ_so_that_a_transposed_kernel_cannot_pass():
    for build in NAMES:
        network_shapes = [weights.shape for weights in asked(build, "float64")[0].get_weights() if weights.ndim == 2]
        assert all(rows * 4 != columns for rows, columns in network_shapes[::2][:1])


@pytest.mark.parametrize("merge", ["sum", "mul", "ave"])
def test_a_merged_bidirectional_feeds_the_next_layer_as_in_keras(merge, tmp_path):
    keras = keras_of(3)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((None, 3)),
            layers.Bidirectional(layers.LSTM(4, return_sequences=True), merge_mode=merge),
            layers.LSTM(2, return_sequences=True),
        ]
    )
    model = randomise(model)
    model.save(tmp_path / "m.keras")
    inputs = np.random.default_rng(3).normal(size=(2, 7, 3)).astype(np.float32)
    states = rnnstates.extract(inputs, "full", weights=tmp_path / "m.keras")
    np.testing.assert_allclose(states["layer1/hidden"], np.array(model(inputs)), atol=1e-6)


def test_a_stack_that_goes_backwards_is_aligned_with_the_input(tmp_path):
    keras = keras_of(3)
    layers = keras.layers
    model = randomise(
        keras.Sequential(
            [
                keras.Input((None, 3)),
                layers.LSTM(4, return_sequences=True, go_backwards=True, name="back"),
                layers.LSTM(2, return_sequences=True, name="on"),
            ]
        )
    )
    model.save(tmp_path / "m.keras")
    inputs = np.random.default_rng(3).normal(size=(2, 7, 3)).astype(np.float32)
    states = rnnstates.extract(inputs, "full", weights=tmp_path / "m.keras")
    # Keras gives them in the order in which it read, last step first, and so does the layer above.
    np.testing.assert_allclose(states["layer1/hidden"], np.array(model(inputs))[:, ::-1], atol=1e-6)


@pytest.mark.parametrize("activation", ["relu", "linear", "elu", "selu", "softplus", "softsign", "hard_sigmoid"])
def test_activations_are_those_of_keras(activation, tmp_path):
    keras = keras_of(3)
    layer = keras.layers.LSTM(4, return_sequences=True, activation=activation, recurrent_activation="hard_sigmoid")
    model = randomise(keras.Sequential([keras.Input((None, 3)), layer]))
    model.save(tmp_path / "m.keras")
    inputs = np.random.default_rng(3).normal(size=(2, 5, 3)).astype(np.float32)
    network, theirs = rnnstates.load_weights(tmp_path / "m.keras"), np.array(model(inputs))
    for engine in engines_for(network):
        states = rnnstates.extract(inputs, "full", weights=network, engine=engine)
        np.testing.assert_allclose(states["hidden"], theirs, atol=1e-6)
