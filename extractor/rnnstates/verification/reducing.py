"""What a file with some layers, units or steps should hold, from the recomputed states of everything."""

from typing import Any

import numpy as np
import numpy.typing as npt

from ..network.pooling import pool
from ..output.format import DatasetSpec
from ..output.states import States
from .blocks import steps_of
from .promised import Promise

__all__ = ["Expected"]

Float64 = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.floating[Any]]


class Expected:
    """The expected values of one dataset for one sequence.

    Parameters
    ----------
    exact : States
        Recomputed, with all layers, units and steps, in the packed layout.
    promise : Promise
    spec : DatasetSpec
    place : int
        The sequence in ``exact``.
    length : int
        Its valid steps.
    """

    def __init__(self, exact: States, promise: Promise, spec: DatasetSpec, place: int, length: int) -> None:
        self._exact, self._spec, self._place, self._length = exact, spec, place, length
        self._steps = promise.shape.kept.numbers(length)
        self._average = promise.stored.averages.get(spec.part)

    def pooled(self) -> Float64:
        """Return the pooled state, float64 [1, W]."""
        if self._average is not None and self._spec.pooling is not None:
            whole = self._of_sources(slice(0, self._length))[np.newaxis]
            vectors: Numbers = pool(
                self._spec.pooling, whole, np.array([self._length]), direction=self._average.direction
            )
        else:
            vectors = np.asarray(self._exact[self._spec.name][self._place])[np.newaxis]
        return self._units(vectors)

    def steps(self, stored: slice) -> Float64:
        """Return some of the stored steps, float64 [S, W]."""
        numbers = self._steps[stored]
        if not len(numbers):
            return self._units(self._of_sources(slice(0, 0)))
        first = int(numbers[0])
        return self._units(self._of_sources(slice(first, int(numbers[-1]) + 1))[numbers - first])

    def _of_sources(self, steps: slice) -> Float64:
        sources = (self._spec.part,) if self._average is None else self._average.sources
        names = [f"{part}/{self._spec.state}".strip("/") for part in sources]
        values = [steps_of(self._exact, name, self._place, steps).astype(np.float64, copy=False) for name in names]
        return values[0] if len(values) == 1 else np.mean(values, axis=0)

    def _units(self, values: Numbers) -> Float64:
        kept = values if self._spec.columns is None else values[:, self._spec.columns]
        return kept.astype(np.float64, copy=False)
