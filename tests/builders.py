"""Small networks and inputs for tests: random, asymmetric, ragged."""

import numpy as np

import rnnstates
from rnnstates.engines.compiled_engine import is_built
from rnnstates.network.model import GATES, LayerWeights, Network, RecurrentLayer

# Without a C compiler there is no compiled engine; everything else is tested all the same.
BUILT_ENGINES = [name for name in sorted(rnnstates.ENGINES) if name != "compiled" or is_built()]


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
