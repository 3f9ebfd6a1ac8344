"""What does a network know that nobody told it? A linear probe of its states.

``parens.keras`` was trained to predict the next character of texts with nested brackets. Its states are extracted at
every step, and a linear regression reads off them how many brackets are open: fitted on 200 texts, judged on 200
others. Networks of the same size with random weights show how much of that is there without any training.
"""

from pathlib import Path

import h5py
import numpy as np
from sklearn.linear_model import LinearRegression

import rnnstates

SAMPLE_DATA = Path(__file__).resolve().parent.parent / "sample_data"
TEXTS, FITTED, SEEDS = SAMPLE_DATA / "parens.h5", 200, 5


def states_of(network: rnnstates.Network) -> rnnstates.States:
    """Extract the states at the valid steps, one text behind the other: [steps, units]."""
    return rnnstates.extract(TEXTS, weights=network, layout="packed", pool="none")


def random_like(network: rnnstates.Network, seed: int) -> rnnstates.Network:
    """Make a network of the same size with random weights."""
    layers = rnnstates.random_network(network.features, units=network.layers[0].forward.units, seed=seed).layers
    embedding = np.random.RandomState(seed).standard_normal(network.embedding.shape)
    return rnnstates.Network(layers, embedding.astype(np.float32))


def main() -> None:
    """Probe both states of the trained network, and the cell states of random ones."""
    with h5py.File(TEXTS) as file:
        depth, lengths = file["depth"][:], file["lengths"][:]
    depth = depth[np.arange(depth.shape[1]) < lengths[:, np.newaxis]].astype(np.float64)
    end = lengths[:FITTED].sum()

    def r2(states: np.ndarray) -> float:
        return LinearRegression().fit(states[:end], depth[:end]).score(states[end:], depth[end:])

    network = rnnstates.load_weights(SAMPLE_DATA / "parens.keras")
    trained = states_of(network)
    random = [r2(states_of(random_like(network, seed))["cell"]) for seed in range(SEEDS)]
    correlations = np.array([np.corrcoef(unit, depth)[0, 1] for unit in trained["cell"].T])
    best = np.abs(correlations).argmax()

    print(f"R² of the nesting depth at {len(depth) - end} steps")
    print(f"    from cell states:                 {r2(trained['cell']):.2f}")
    print(f"    from hidden states:               {r2(trained['hidden']):.2f}")
    print(f"    from cell states, random weights: {min(random):.2f} to {max(random):.2f} ({SEEDS} seeds)")
    print(f"the unit whose cell state goes with the depth most: {best}, r = {correlations[best]:.2f}")


if __name__ == "__main__":
    main()
