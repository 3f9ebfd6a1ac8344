"""From the states of all steps to one vector a sequence. Pure; a pooling is one function and one line in POOLINGS.

Each takes ``values`` floating [B, T, H] (zero past the length), ``lengths`` int64 [B], all above zero, and the
``direction`` in which the states were computed, and returns [B, H]. Sums are accumulated in float64.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from .arrays import Array, valid_mask
from .weights.canonical import Direction

__all__ = ["FINAL", "POOLINGS", "pool"]

# The pooling from which another run can go on: of every state the cell carries, as precise as it was computed, and for
# an empty sequence the state it started from.
FINAL = "final"

Lengths = npt.NDArray[np.int64]


def _sum(values: Array, lengths: Lengths, direction: Direction) -> Array:  # noqa: ARG001
    total: Array = values.sum(axis=1, dtype=np.float64)
    return total


def _mean(values: Array, lengths: Lengths, direction: Direction) -> Array:
    return np.divide(_sum(values, lengths, direction), lengths[:, np.newaxis])


def _std(values: Array, lengths: Lengths, direction: Direction) -> Array:
    """Compute the population standard deviation (as NumPy's default, divided by the length), in two passes."""
    away = np.subtract(values, _mean(values, lengths, direction)[:, np.newaxis])
    away *= valid_mask(lengths, values.shape[1])[:, :, np.newaxis]
    spread: Array = np.sqrt(np.square(away).sum(axis=1) / lengths[:, np.newaxis])
    return spread


def _max(values: Array, lengths: Lengths, direction: Direction) -> Array:  # noqa: ARG001
    mask = valid_mask(lengths, values.shape[1])[:, :, np.newaxis]
    largest: Array = values.max(axis=1, where=mask, initial=-np.inf)
    return largest


def _min(values: Array, lengths: Lengths, direction: Direction) -> Array:  # noqa: ARG001
    mask = valid_mask(lengths, values.shape[1])[:, :, np.newaxis]
    smallest: Array = values.min(axis=1, where=mask, initial=np.inf)
    return smallest


def _at_start(values: Array) -> Array:
    return values[:, 0]


def _at_end(values: Array, lengths: Lengths) -> Array:
    return values[np.arange(len(lengths)), lengths - 1]


def _last(values: Array, lengths: Lengths, direction: Direction) -> Array:
    """Take the state after the last step read: at ``length - 1`` forward, at 0 backward."""
    return _at_end(values, lengths) if direction == "forward" else _at_start(values)


def _first(values: Array, lengths: Lengths, direction: Direction) -> Array:
    """Take the state after the first step read: at 0 forward, at ``length - 1`` backward."""
    return _at_start(values) if direction == "forward" else _at_end(values, lengths)


POOLINGS: dict[str, Callable[[Array, Lengths, Direction], Array]] = {
    "mean": _mean,
    "last": _last,
    "final": _last,
    "first": _first,
    "max": _max,
    "min": _min,
    "sum": _sum,
    "std": _std,
}


def pool(
    name: str, values: Array, lengths: Lengths, *, direction: Direction = "forward", start: Array | None = None
) -> Array:
    """Pool the states of a tile over the valid steps.

    Parameters
    ----------
    name : str
        A name in ``POOLINGS``.
    values : floating [B, T, H]
        Zero past the length.
    lengths : int64 [B]
    direction : str
        ``forward`` or ``backward``: decides which end ``first``, ``last`` and ``final`` mean.
    start : floating [B, H] or None
        The state the sequences started from, zero if None; only ``final`` asks for it.

    Returns
    -------
    floating [B, H]
        float64 where sums are involved, else the dtype of ``values``; where the length is 0, NaN, but ``start`` in the
        case of ``final``.

    Examples
    --------
    >>> values = np.array([[[1.0], [3.0]], [[5.0], [0.0]], [[0.0], [0.0]]])
    >>> pool("mean", values, np.array([2, 1, 0])).ravel()
    array([ 2.,  5., nan])
    """
    some = lengths > 0
    if some.all():
        return POOLINGS[name](values, lengths, direction)
    pooled = np.full((len(lengths), values.shape[2]), np.nan)
    if name == FINAL:
        pooled[:] = 0 if start is None else start
    if some.any():
        pooled[some] = POOLINGS[name](values[some], lengths[some], direction)
    return pooled
