"""The NumPy engine: the readable statement of what an unroll does, and the quick one for small jobs."""

import contextlib
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arrays import Array
from ..weights.canonical import LayerWeights
from .cells import CELLS

__all__ = ["NumpyEngine", "NumpyOps"]


class NumpyOps:
    """The array functions of a cell's equations, in NumPy."""

    matmul = staticmethod(np.matmul)
    tanh = staticmethod(np.tanh)
    exp = staticmethod(np.exp)
    log1p = staticmethod(np.log1p)
    maximum = staticmethod(np.maximum)
    minimum = staticmethod(np.minimum)

    @staticmethod
    def split(values: Any, parts: int) -> list[Any]:
        """[B, parts * M] into views [B, M]; far cheaper than ``np.split`` in a loop over steps."""
        width = values.shape[1] // parts
        return [values[:, part * width : (part + 1) * width] for part in range(parts)]

    @staticmethod
    def sigmoid(values: Any) -> Any:
        """1 / (1 + exp(-x)); where exp overflows the quotient is the right 0."""
        return 1 / (1 + np.exp(-values))


class NumpyEngine:
    """Unrolls layers step by step in NumPy.

    Parameters
    ----------
    precision : str
        ``float32`` or ``float64``.
    """

    name = "numpy"
    device = "CPU"

    def __init__(self, precision: str) -> None:
        self.dtype = np.dtype(precision)

    def running(self) -> AbstractContextManager[None]:
        """Change nothing: NumPy has no settings to keep."""
        return contextlib.nullcontext()

    def unroll(self, weights: LayerWeights) -> "NumpyUnroll":
        """Make the function that runs one layer in one direction."""
        return NumpyUnroll(weights, self.dtype)


class NumpyUnroll:
    """One layer, one direction, over all steps of a tile."""

    def __init__(self, weights: LayerWeights, dtype: "np.dtype[Any]") -> None:
        self._cell = CELLS[weights.cell]
        self._parameters = self._cell.prepare(weights, dtype)
        self._units, self._dtype = weights.units, dtype

    def __call__(self, inputs: Array, lengths: npt.NDArray[np.int64]) -> Any:
        """Run the tile; at each step only the sequences that still have steps are computed.

        Parameters
        ----------
        inputs : floating [B, T, I]
            Steps past a length are never read.
        lengths : int64 [B]
            Never increasing.

        Returns
        -------
        NamedTuple of floating [B, T, H]
            Each state at each step; zero past the length.
        """
        rows, steps = inputs.shape[:2]
        fields = range(len(self._cell.state._fields))
        states = self._cell.state(*(np.zeros((rows, steps, self._units), self._dtype) for _ in fields))
        state = self._cell.state(*(np.zeros((rows, self._units), self._dtype) for _ in fields))
        with np.errstate(over="ignore", invalid="ignore"):
            for step, live in enumerate(live_rows(lengths, steps)):
                before = self._cell.state(*(values[:live] for values in state))
                state = self._cell.step(NumpyOps(), self._parameters, inputs[:live, step], before)
                for collected, values in zip(states, state, strict=True):
                    collected[:live, step] = values
        return states


def live_rows(lengths: npt.NDArray[np.int64], steps: int) -> npt.NDArray[np.int64]:
    """Count, for each step, the sequences that still have it.

    Parameters
    ----------
    lengths : int64 [B]
        Never increasing, so that the counted ones stand first.
    steps : int
        T.

    Returns
    -------
    int64 [T]

    Examples
    --------
    >>> live_rows(np.array([3, 1]), 3)
    array([2, 1, 1])
    """
    counts: npt.NDArray[np.int64] = np.searchsorted(-lengths, -np.arange(1, steps + 1), side="right")
    return counts
