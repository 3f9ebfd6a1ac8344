"""Networks and sequences that the tests of the transformer share."""

from pathlib import Path

import numpy as np

from rnnstates import LayerWeights, Network, RecurrentLayer

from ..builders import bidirectional_stack, cell_weights, layer_weights, one_layer

SAMPLE_DATA = Path(__file__).parent.parent.parent / "sample_data"


def projected():
    whole = layer_weights(3, 5)
    return LayerWeights(
        whole.kernel, whole.recurrent_kernel[:2], whole.bias, projection=np.linspace(-1, 1, 10).reshape(5, 2)
    )


NETWORKS = {
    "one layer": one_layer,
    "both directions, two layers": bidirectional_stack,
    "GRU": lambda: Network((RecurrentLayer("gru", forward=cell_weights("gru", 3, 5)),)),
    "a projection": lambda: Network((RecurrentLayer("projected", forward=projected()),)),
}


def cut(inputs, lengths, padding="post"):
    """Take the padding away."""
    if padding == "pre":
        return [row[len(row) - length :] for row, length in zip(inputs, lengths, strict=True)]
    return [row[:length] for row, length in zip(inputs, lengths, strict=True)]


def shifted(inputs, lengths, padding):
    """Move the padding, whatever is in it, to the other end."""
    if padding == "post":
        return inputs
    return np.stack([np.roll(row, len(row) - length, axis=0) for row, length in zip(inputs, lengths, strict=True)])


def side_by_side(extracted, network, states, pools):
    return np.concatenate(
        [
            extracted[f"{part}/{state}_{pool}".strip("/")]
            for part, *_ in network.parts()
            for state in states
            for pool in pools
        ],
        axis=1,
    )


def waves(sequences=40, seed=0):
    """Fast and slow waves of different lengths, and which is which."""
    random = np.random.default_rng(seed)
    fast = np.arange(sequences) % 2
    angles = [np.arange(random.integers(20, 40)) / (1 if label else 2) for label in fast]
    return [np.sin(angle + random.uniform(0, 6))[:, np.newaxis] for angle in angles], fast
