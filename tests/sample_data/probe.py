"""A linear probe: how well a straight line from the states tells a number at every step."""

import numpy as np

# Shrinks the weights a little, as ridge regression does; the states are scaled to unit variance before.
RIDGE = 1e-3


def steps_of(values, lengths, rows):
    """Join the valid steps of some sequences: [N, T, ...] to [steps, ...]."""
    return np.concatenate([values[row, : lengths[row]] for row in rows]).astype(np.float64)


def held_out_r2(states, target, lengths):
    """Fit on the first half of the sequences, judge on the other.

    Parameters
    ----------
    states : floating [N, T, H]
    target : number [N, T]
    lengths : int [N]

    Returns
    -------
    float
        R²: 1 is perfect, 0 no better than always saying the mean.
    """
    half = len(lengths) // 2
    known, unknown = range(half), range(half, len(lengths))
    x, y = steps_of(states, lengths, known), steps_of(target, lengths, known)
    centre, scale = x.mean(axis=0), x.std(axis=0) + 1e-9
    x = (x - centre) / scale
    weights = np.linalg.solve(x.T @ x + RIDGE * len(x) * np.eye(x.shape[1]), x.T @ (y - y.mean()))
    guessed = (steps_of(states, lengths, unknown) - centre) / scale @ weights + y.mean()
    truth = steps_of(target, lengths, unknown)
    return 1 - np.square(truth - guessed).sum() / np.square(truth - truth.mean()).sum()
