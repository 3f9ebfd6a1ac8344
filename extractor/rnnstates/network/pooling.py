"""Poolings: from the states of all steps to one vector per sequence. Pure; each pooling is a row of POOLINGS.

A sequence may arrive in pieces, in the order in which it is read, so a pooling is three functions: ``begin`` allocates
the running arrays, ``add`` updates them with a piece, ``finish`` turns them into a vector. Sums are in float64.
"""

from collections.abc import Callable
from typing import Annotated, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..arrays.axes import Lengths, State, StepStates, Vectors, valid_mask
from .model import Direction
from .names import FINAL

__all__ = ["FINAL", "POOLINGS", "Accumulator", "Pooling", "pool"]

# What is kept of a tile while its pieces come: sums, counts, or marks.
Kept = tuple[Annotated[npt.NDArray[Any], "B W"], ...]


class Pooling(NamedTuple):
    """The three functions of a pooling.

    Parameters
    ----------
    begin : callable
        ``begin(shape [B, W], dtype)`` returns the running arrays, each [B, W].
    add : callable
        ``add(kept, values [B, T, W], lengths [B], direction)`` updates them with a piece, in place; all lengths are
        positive, and ``values`` is zero past them.
    finish : callable
        ``finish(kept, lengths [B])`` returns [B, W]; ``lengths`` are those of the whole sequences.
    """

    begin: Callable[[tuple[int, ...], "np.dtype[np.generic]"], Kept]
    add: Callable[[Kept, StepStates, Lengths, Direction], None]
    finish: Callable[[Kept, Lengths], Vectors]


def _zero(shape: tuple[int, ...], _dtype: object) -> Kept:
    return (np.zeros(shape, np.float64),)


def _add_sum(kept: Kept, values: StepStates, _lengths: Lengths, _direction: Direction) -> None:
    # einsum converts and adds in one pass, twice as fast as sum(dtype=float64).
    np.add(kept[0], np.einsum("btw->bw", values, dtype=np.float64), out=kept[0])


def _kept(kept: Kept, _lengths: Lengths) -> Vectors:
    return kept[0]


def _mean(kept: Kept, lengths: Lengths) -> Vectors:
    return np.divide(kept[0], lengths[:, np.newaxis])


def _begin_std(shape: tuple[int, ...], _dtype: object) -> Kept:
    """Keep the number of steps seen, their mean, and the sum of squared deviations from it."""
    return tuple(np.zeros(shape, np.float64) for _ in range(3))


def _add_std(kept: Kept, values: StepStates, lengths: Lengths, _direction: Direction) -> None:
    """Merge the mean and squares of the piece into the kept ones (Chan, Golub & LeVeque 1979, "Updating Formulae")."""
    count, mean, squares = kept
    new = np.broadcast_to(lengths[:, np.newaxis], mean.shape)
    new_mean = np.einsum("btw->bw", values, dtype=np.float64) / new
    away = np.subtract(values, new_mean[:, np.newaxis])
    away *= valid_mask(lengths, values.shape[1])[:, :, np.newaxis]
    apart, total = new_mean - mean, count + new
    squares += np.square(away).sum(axis=1) + np.square(apart) * count * new / total
    mean += apart * new / total
    count += new


def _std(kept: Kept, _lengths: Lengths) -> Vectors:
    """Compute the population standard deviation, divided by the length as is NumPy's default."""
    spread: Vectors = np.sqrt(np.divide(kept[2], kept[0]))
    return spread


def _filled(value: float) -> Callable[[tuple[int, ...], "np.dtype[np.generic]"], Kept]:
    return lambda shape, dtype: (np.full(shape, value, dtype),)


def _add_max(kept: Kept, values: StepStates, lengths: Lengths, _direction: Direction) -> None:
    mask = valid_mask(lengths, values.shape[1])[:, :, np.newaxis]
    np.maximum(kept[0], values.max(axis=1, where=mask, initial=-np.inf), out=kept[0])


def _add_min(kept: Kept, values: StepStates, lengths: Lengths, _direction: Direction) -> None:
    mask = valid_mask(lengths, values.shape[1])[:, :, np.newaxis]
    np.minimum(kept[0], values.min(axis=1, where=mask, initial=np.inf), out=kept[0])


def _last_read(values: StepStates, lengths: Lengths, direction: Direction) -> Vectors:
    """Return the state after the last step read: at ``length - 1`` forward, at 0 backward."""
    return values[np.arange(len(lengths)), lengths - 1] if direction == "forward" else values[:, 0]


def _add_last(kept: Kept, values: StepStates, lengths: Lengths, direction: Direction) -> None:
    kept[0][...] = _last_read(values, lengths, direction)


def _begin_first(shape: tuple[int, ...], dtype: "np.dtype[np.generic]") -> Kept:
    """Keep the state and a flag: whether there is one yet."""
    return np.zeros(shape, dtype), np.zeros(shape, bool)


def _add_first(kept: Kept, values: StepStates, lengths: Lengths, direction: Direction) -> None:
    """Keep the state after the first step read: at 0 forward, at ``length - 1`` backward."""
    first = _last_read(values, lengths, "backward" if direction == "forward" else "forward")
    np.copyto(kept[0], first, where=~kept[1])
    kept[1][...] = True


POOLINGS: dict[str, Pooling] = {
    "mean": Pooling(_zero, _add_sum, _mean),
    "last": Pooling(_filled(0), _add_last, _kept),
    "final": Pooling(_filled(0), _add_last, _kept),
    "first": Pooling(_begin_first, _add_first, _kept),
    "max": Pooling(_filled(-np.inf), _add_max, _kept),
    "min": Pooling(_filled(np.inf), _add_min, _kept),
    "sum": Pooling(_zero, _add_sum, _kept),
    "std": Pooling(_begin_std, _add_std, _std),
}


class Accumulator:
    """Pools the sequences of a tile, piece by piece.

    Parameters
    ----------
    name : str
        A name in ``POOLINGS``.
    lengths : int64 [B]
        Of the whole sequences.
    width : int
        W.
    dtype : dtype
        Of the states.
    direction : str
        ``forward`` or ``backward``: the order in which steps are read.
    """

    def __init__(
        self, name: str, lengths: Lengths, width: int, dtype: "np.dtype[np.generic]", direction: Direction
    ) -> None:
        self._name, self._pooling, self._direction = name, POOLINGS[name], direction
        self._lengths, self._shape = lengths, (len(lengths), width)
        self._kept = self._pooling.begin(self._shape, dtype)

    def add(self, values: StepStates, lengths: Lengths) -> None:
        """Add a piece of the first k sequences: values [k, T, W], zero past the lengths [k], which are all positive."""
        self._pooling.add(tuple(array[: len(lengths)] for array in self._kept), values, lengths, self._direction)

    def result(self, start: State | None = None) -> Vectors:
        """Return the vectors.

        Parameters
        ----------
        start : floating [B, W] or None
            The state that the sequences started from, zero if None; used by ``final`` only.

        Returns
        -------
        floating [B, W]
            float64 where sums are involved, else the dtype of the states; where the length is 0, NaN, or ``start`` for
            ``final``.
        """
        some = self._lengths > 0
        if some.all():
            return self._pooling.finish(self._kept, self._lengths)
        pooled = np.full(self._shape, np.nan)
        if self._name == FINAL:
            pooled[:] = 0 if start is None else start
        pooled[some] = self._pooling.finish(tuple(array[some] for array in self._kept), self._lengths[some])
        return pooled


def pool(
    name: str, values: StepStates, lengths: Lengths, *, direction: Direction = "forward", start: State | None = None
) -> Vectors:
    """Pool states over the valid steps of whole sequences.

    Parameters
    ----------
    name : str
        A name in ``POOLINGS``.
    values : floating [B, T, H]
        Zero past the length.
    lengths : int64 [B]
    direction : str
        ``forward`` or ``backward``: decides which end ``first``, ``last`` and ``final`` refer to.
    start : floating [B, H] or None
        The state that the sequences started from, zero if None; used by ``final`` only.

    Returns
    -------
    floating [B, H]
        float64 where sums are involved, else the dtype of ``values``; where the length is 0, NaN, or ``start`` for
        ``final``.

    Examples
    --------
    >>> values = np.array([[[1.0], [3.0]], [[5.0], [0.0]], [[0.0], [0.0]]])
    >>> pool("mean", values, np.array([2, 1, 0])).ravel()
    array([ 2.,  5., nan])
    """
    order = np.argsort(-lengths, kind="stable")
    live = order[: int(np.count_nonzero(lengths))]
    sums = Accumulator(name, lengths[order], values.shape[2], values.dtype, direction)
    if len(live):
        sums.add(values[live], lengths[live])
    pooled = sums.result(None if start is None else start[order])
    unsorted = np.empty_like(pooled)
    unsorted[order] = pooled
    return unsorted
