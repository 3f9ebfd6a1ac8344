"""Small networks and inputs for tests: random, asymmetric, ragged."""

import dataclasses

import numpy as np

import rnnstates
from rnnstates.engines.compiled_engine import is_built
from rnnstates.network.model import GATES, LayerWeights, Network, RecurrentLayer

# Without a C compiler there is no compiled engine; everything else is tested all the same.
BUILT_ENGINES = [name for name in sorted(rnnstates.ENGINES) if name != "compiled" or is_built()]

# What was run in TensorFlow's engine in this process, by ``engines_for``.
_traced = set()


def engines_for(network, precision="float32"):
    """Name the engines for a test of what a reader made: TensorFlow's only if it has not run the same equations before.

    It traces a graph for each run, and is given nothing but the network. The engines are held against each other, with
    other numbers and sizes, by tests of their own.
    """
    equations = f"{precision} {_without_numbers(network)}"
    engines = [name for name in BUILT_ENGINES if name != "tensorflow" or equations not in _traced]
    _traced.add(equations)
    return engines


def _without_numbers(value):
    """Describe everything but names and the contents of arrays."""
    if dataclasses.is_dataclass(value):
        fields = [field.name for field in dataclasses.fields(value)]
        beside = ("name", "where", "origin", "notes", "no_embedding")
        return {name: _without_numbers(getattr(value, name)) for name in fields if name not in beside}
    if isinstance(value, tuple):
        return [_without_numbers(element) for element in value]
    if isinstance(value, dict):
        return {name: _without_numbers(element) for name, element in value.items()}
    return f"{value.dtype} {value.ndim} axes" if isinstance(value, np.ndarray) else value


def layer_weights(features, units, seed=0, **options):
    random = np.random.default_rng(seed)
    return LayerWeights(
        random.normal(size=(features, 4 * units)) * 0.5,
        random.normal(size=(units, 4 * units)) * 0.4,
        random.normal(size=4 * units) * 0.3,
        **options,
    )


def cell_weights(cell, features, units, seed=0, **options):
    """Random weights of any cell; a GRU gets two biases, a multiplicative LSTM its factors."""
    random = np.random.default_rng(seed)
    columns = len(GATES[cell]) * units
    if cell == "gru":
        options = {"reset_after": True, "recurrent_bias": random.normal(size=columns) * 0.3, **options}
    if cell == "mlstm":
        factors = random.normal(size=(features, units)), random.normal(size=(units, units)) * 0.5
        options = {"factors": factors, **options}
    return LayerWeights(
        random.normal(size=(features, columns)) * 0.5,
        random.normal(size=(units, columns)) * 0.4,
        random.normal(size=columns) * 0.3,
        cell=cell,
        **options,
    )


def one_layer(features=3, units=5, seed=0):
    return Network((RecurrentLayer("lstm", forward=layer_weights(features, units, seed)),))


def bidirectional_stack(features=3, seed=0):
    """Two layers with both directions, every width different."""
    first = RecurrentLayer("low", layer_weights(features, 4, seed), layer_weights(features, 5, seed + 1))
    second = RecurrentLayer("high", layer_weights(9, 2, seed + 2), layer_weights(9, 6, seed + 3))
    return Network((first, second))


def embedded(vocabulary=7, features=3, units=5, seed=0):
    embedding = np.random.default_rng(seed + 100).normal(size=(vocabulary, features))
    return Network(one_layer(features, units, seed).layers, embedding=embedding)


def ragged(sequences=9, steps=8, features=3, seed=0):
    """Inputs [N, T, I] with garbage in the padding, and lengths with 0 and T among them."""
    random = np.random.default_rng(seed)
    lengths = random.integers(1, steps, size=sequences)
    lengths[0], lengths[-1] = steps, 0
    inputs = random.normal(size=(sequences, steps, features))
    inputs[np.arange(steps) >= lengths[:, np.newaxis]] = np.nan
    return inputs, lengths
