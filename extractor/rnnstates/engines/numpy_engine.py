"""The NumPy engine: the readable definition of an unroll, and the quickest for small jobs."""

import math
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Annotated, Any

import numpy as np

from ..arrays.axes import Floats, Inputs, Lengths, Rows, State, clear_padding
from ..arrays.workspace import Workspace
from ..errors import EngineUnavailable
from ..network.cells import CELLS, state_width
from ..network.model import LayerWeights
from ..runtime.blas import one_thread
from .arithmetic import machine, of_numpy
from .base import Executor, Starts, States

__all__ = ["NUMPY", "NumpyEngine", "NumpyOps", "NumpyUnroll", "live_rows", "start_states"]

AnyFloats = Annotated[Floats, "*axes"]


class NumpyOps:
    """The array functions of a cell's equations, in NumPy."""

    matmul = staticmethod(np.matmul)
    tanh = staticmethod(np.tanh)
    exp = staticmethod(np.exp)
    log1p = staticmethod(np.log1p)
    sqrt = staticmethod(np.sqrt)
    maximum = staticmethod(np.maximum)
    minimum = staticmethod(np.minimum)
    where = staticmethod(np.where)

    @staticmethod
    def split(values: State, parts: int) -> list[Annotated[Floats, "B _"]]:
        """[B, parts * M] into ``parts`` views [B, M]; far cheaper than ``np.split`` in a loop over steps."""
        width = values.shape[1] // parts
        return [values[:, part * width : (part + 1) * width] for part in range(parts)]

    @staticmethod
    def sigmoid(values: AnyFloats) -> AnyFloats:
        """1 / (1 + exp(-x)); where exp overflows, the quotient is 0 as it should be."""
        return 1 / (1 + np.exp(-values))

    @staticmethod
    def erf(values: AnyFloats) -> AnyFloats:
        """Error function, value by value: NumPy has none, and few activations need it."""
        return np.reshape([math.erf(value) for value in np.ravel(values)], np.shape(values)).astype(values.dtype)

    @staticmethod
    def sum_units(values: State) -> Annotated[Floats, "B 1"]:
        """[B, H] to the sums [B, 1]."""
        sums: Floats = values.sum(axis=1, keepdims=True)
        return sums

    @staticmethod
    def max_units(values: State) -> Annotated[Floats, "B 1"]:
        """[B, H] to the largest [B, 1]."""
        largest: Floats = values.max(axis=1, keepdims=True)
        return largest


NUMPY = Executor("numpy", call=2.1e-5, rate=6.0e10, elementwise=3.1e-9)


class NumpyEngine:
    """Unrolls layers step by step in NumPy.

    Parameters
    ----------
    precision : str
        ``float32`` or ``float64``.

    Raises
    ------
    EngineUnavailable
        The precision is bfloat16.
    """

    name, device = "numpy", "CPU"
    start, tile_rows = 0.0, 64

    def __init__(self, precision: str, kernel: str | None = None) -> None:  # noqa: ARG002
        if precision == "bfloat16":
            raise EngineUnavailable(
                'precision="bfloat16": NumPy does not multiply in it; use engine="compiled" or precision="float32".'
            )
        self.precision, self.dtype = precision, np.dtype(precision)

    @staticmethod
    def begin() -> None:
        """Do nothing: no part of the start is slow."""

    @staticmethod
    def is_able(layers: Sequence[LayerWeights], precision: str) -> bool:  # noqa: ARG004
        """Return true for every cell, except in bfloat16."""
        return precision != "bfloat16"

    @staticmethod
    def executor_of(weights: LayerWeights, precision: str) -> Executor:  # noqa: ARG004
        """Choose NumPy for every layer."""
        return NUMPY

    @property
    def arithmetic(self) -> dict[str, Any]:
        """See ``base.Engine``: NumPy's description."""
        return {"machine": machine(), "numpy": of_numpy()}

    def running(self) -> AbstractContextManager[None]:
        """Limit each of NumPy's products to one thread."""
        return one_thread()

    def unroll(self, weights: LayerWeights, gates: Sequence[str] = ()) -> "NumpyUnroll":
        """Make the function that runs one layer in one direction and also collects the named gates."""
        return NumpyUnroll(weights, self.dtype, gates)


class NumpyUnroll:
    """One layer, one direction, over all steps of a tile."""

    def __init__(self, weights: LayerWeights, dtype: "np.dtype[Any]", gates: Sequence[str]) -> None:
        self._cell = CELLS[weights.cell]
        self._parameters = self._cell.prepare(weights, dtype)
        self._widths = {name: state_width(weights, name) for name in (*self._cell.state._fields, *gates)}
        self._gates, self._dtype = tuple(gates), dtype

    def __call__(
        self,
        inputs: Inputs,
        lengths: Lengths,
        initial: Starts | None = None,
        workspace: Workspace | None = None,
    ) -> States:
        """Run the tile; each step computes only the sequences that are still live. See ``base.Unroll``."""
        rows, steps = inputs.shape[:2]
        space = workspace or Workspace()
        collected = {name: space.array(name, (rows, steps, width), self._dtype) for name, width in self._widths.items()}
        for values in collected.values():
            clear_padding(values, lengths)
        state = self._cell.state(**start_states(self._cell.state._fields, rows, self._widths, self._dtype, initial))
        with np.errstate(over="ignore", invalid="ignore"):
            for step, live in enumerate(live_rows(lengths, steps)):
                before = self._cell.state(*(values[:live] for values in state))
                state, gates = self._cell.step(NumpyOps(), self._parameters, inputs[:live, step], before)
                for name, values in state._asdict().items():
                    collected[name][:live, step] = values
                for name in self._gates:
                    collected[name][:live, step] = getattr(gates, name)
        return dict(collected)


def start_states(
    names: Sequence[str],
    rows: int,
    widths: Mapping[str, int],
    dtype: "np.dtype[Any]",
    initial: Starts | None,
) -> dict[str, Annotated[Floats, "B _"]]:
    """Return the states before the first step, floating [B, W] by name: as given, else zero."""
    given = initial or {}
    return {
        name: np.asarray(given[name], dtype) if name in given else np.zeros((rows, widths[name]), dtype)
        for name in names
    }


def live_rows(lengths: Lengths, steps: int) -> Rows:
    """Count, for each step, the sequences that are still live.

    Parameters
    ----------
    lengths : int64 [B]
        Never increasing, so that live sequences come first.
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
    counts: Rows = np.searchsorted(-lengths, -np.arange(1, steps + 1), side="right")
    return counts
