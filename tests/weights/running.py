"""What parity tests share: ragged inputs, and the comparison of our states with a framework's, row by row."""

import numpy as np

import rnnstates

from ..builders import engines_for

LENGTHS = np.array([6, 3, 0, 1])
ATOL = {"float32": 1e-6, "float64": 1e-12}


def ragged_inputs(features=3, precision="float32", seed=3):
    """Make inputs [4, 6, features] with NaN in the padding."""
    inputs = np.random.default_rng(seed).normal(size=(len(LENGTHS), LENGTHS.max(), features)).astype(precision)
    inputs[np.arange(LENGTHS.max()) >= LENGTHS[:, np.newaxis]] = np.nan
    return inputs


def assert_same_states(path, oracle, *, inputs=None, precision="float32", atol=None, **options):
    """Compare every state with an oracle's, in each engine; ``options`` are those of ``load_weights``.

    Parameters
    ----------
    oracle : callable
        ``oracle(sequence [length, I])`` gives {dataset: [length, W]}, e.g. ``{"hidden": ..., "layer0/cell": ...}``, and
        perhaps final states ``{"hidden_final": [W]}``.
    """
    inputs = ragged_inputs(precision=precision) if inputs is None else inputs
    atol = ATOL[precision] if atol is None else atol
    expected = [oracle(inputs[row, :length]) if length else {} for row, length in enumerate(LENGTHS)]
    names = list(expected[0])
    assert names
    largest = 0.0
    network = rnnstates.load_weights(path, **options)
    for engine in engines_for(network, precision):
        states = rnnstates.extract(inputs, LENGTHS, weights=network, engine=engine, precision=precision, pool="final")
        for row, length in enumerate(LENGTHS):
            for name in names:
                if name.endswith("_final"):
                    ours, theirs = states[name][row], expected[row].get(name, 0)
                else:
                    ours, theirs = states[name][row, :length], expected[row].get(name, np.zeros((0, 1)))
                    assert not states[name][row, length:].any()
                if length:
                    largest = max(largest, float(np.abs(ours - theirs).max()))
                    assert np.shape(ours) == np.shape(theirs), name
                    np.testing.assert_allclose(
                        ours, theirs, rtol=0, atol=atol, err_msg=f"{name} of row {row}, {engine}"
                    )
    return largest


def batch(sequence):
    return sequence[np.newaxis]
