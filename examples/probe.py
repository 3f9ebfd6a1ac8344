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
    """Extract the states of all texts."""
    return rnnstates.extract(TEXTS, weights=network, pool="none")


def random_like(network: rnnstates.Network, seed: int) -> rnnstates.Network:
    """Make a network of the same size with random weights."""
    layers = rnnstates.random_network(network.features, units=network.layers[0].forward.units, seed=seed).layers
    embedding = np.random.RandomState(seed).standard_normal(network.embedding.shape)
    return rnnstates.Network(layers, embedding.astype(np.float32))


def r2(states: rnnstates.States, name: str, depth: np.ndarray) -> float:
    """Fit a state of the first texts to the depth at each step; return how well that predicts the depth in the rest."""
    fitted, judged = states[:FITTED].tokens(name), states[FITTED:].tokens(name)
    model = LinearRegression().fit(fitted.X, depth[:FITTED][fitted.sequence, fitted.step])
    return model.score(judged.X, depth[FITTED:][judged.sequence, judged.step])


def main() -> None:
    """Probe both states of the trained network, and the cell states of random ones."""
    with h5py.File(TEXTS) as file:
        depth = file["depth"][:].astype(np.float64)
    network = rnnstates.load_weights(SAMPLE_DATA / "parens.keras")
    trained = states_of(network)
    random = [r2(states_of(random_like(network, seed)), "cell", depth) for seed in range(SEEDS)]
    cell = trained.tokens("cell")
    correlations = np.array([np.corrcoef(unit, depth[cell.sequence, cell.step])[0, 1] for unit in cell.X.T])
    best = np.abs(correlations).argmax()

    print(f"R² of the nesting depth at {trained[FITTED:].lengths.sum()} steps")
    print(f"    from cell states:                 {r2(trained, 'cell', depth):.2f}")
    print(f"    from hidden states:               {r2(trained, 'hidden', depth):.2f}")
    print(f"    from cell states, random weights: {min(random):.2f} to {max(random):.2f} ({SEEDS} seeds)")
    print(f"the unit whose cell state goes with the depth most: {best}, r = {correlations[best]:.2f}")


if __name__ == "__main__":
    main()
