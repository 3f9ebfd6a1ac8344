"""Poolings of sequences that arrive in pieces: what ``rnnstates.network.pooling`` computes of whole ones."""

import numpy as np
import numpy.typing as npt

from .blocks import Block

__all__ = ["Running"]

Floats = npt.NDArray[np.float64]


class Running:
    """The poolings of a few sequences so far, in float64.

    The spread is gathered as Chan, Golub and LeVeque do: of each piece the squares about its own mean, put together
    with the distance of the means. A sequence that has had no step has NaN.

    Parameters
    ----------
    rows : int
        R.
    width : int
        W.
    """

    def __init__(self, rows: int, width: int) -> None:
        self.counts = np.zeros(rows, np.int64)
        self.finite = np.ones(rows, np.bool_)
        self.first: Floats = np.full((rows, width), np.nan)
        self.last, self.mean = self.first.copy(), np.zeros((rows, width))
        self.total, self.absolute, self.squares = (np.zeros((rows, width)) for _ in range(3))
        self.largest: Floats = np.full((rows, width), -np.inf)
        self.smallest: Floats = np.full((rows, width), np.inf)

    def add(self, block: Block) -> None:
        """Take the next piece of the same sequences."""
        some = np.flatnonzero(block.counts)
        if not len(some):
            return
        counts = block.counts[some]
        values = block.values.astype(np.float64)
        ends = np.cumsum(counts)
        starts = ends - counts
        begun = self.counts[some] > 0
        self.first[some] = np.where(begun[:, np.newaxis], self.first[some], values[starts])
        self.last[some] = values[ends - 1]
        self.finite[some] &= np.logical_and.reduceat(np.isfinite(values).all(axis=1), starts)
        with np.errstate(invalid="ignore", over="ignore"):
            self.largest[some] = np.maximum(self.largest[some], np.maximum.reduceat(values, starts))
            self.smallest[some] = np.minimum(self.smallest[some], np.minimum.reduceat(values, starts))
            self.absolute[some] += np.add.reduceat(np.abs(values), starts)
            self._add_moments(some, counts, values, starts)
        self.counts[some] += counts

    def _add_moments(
        self, some: npt.NDArray[np.intp], counts: npt.NDArray[np.int64], values: Floats, starts: npt.NDArray[np.int64]
    ) -> None:
        added = np.add.reduceat(values, starts)
        self.total[some] += added
        here, before = counts[:, np.newaxis], self.counts[some][:, np.newaxis]
        mean = added / here
        away = np.square(values - np.repeat(mean, counts, axis=0))
        between = mean - self.mean[some]
        self.squares[some] += np.add.reduceat(away, starts) + np.square(between) * (here * before / (here + before))
        self.mean[some] += between * (here / (here + before))

    def pooled(self, name: str, direction: str) -> Floats:
        """Give a pooling, floating [R, W]; NaN where there was no step."""
        counts = np.maximum(self.counts, 1)[:, np.newaxis]
        ends = (self.first, self.last) if direction == "forward" else (self.last, self.first)
        found: dict[str, Floats] = {
            "mean": self.total / counts,
            "sum": self.total,
            "std": np.sqrt(self.squares / counts),
            "max": self.largest,
            "min": self.smallest,
            "first": ends[0],
            "last": ends[1],
            "final": ends[1],
        }
        return np.where(self.counts[:, np.newaxis] > 0, found[name], np.nan)

    def scale(self, name: str, pooled: Floats) -> Floats:
        """Give the size of the values that the errors of a pooling are in proportion to, floating [R, W]."""
        if name in ("sum", "mean"):
            return self.absolute / (1 if name == "sum" else np.maximum(self.counts, 1)[:, np.newaxis])
        if name == "std":
            return np.maximum(np.abs(self.largest), np.abs(self.smallest))
        return np.abs(pooled)
