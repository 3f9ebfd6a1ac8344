"""Compares recomputed sequences with the stored ones: how far apart they are, and where the difference is too large."""

import numpy as np
import numpy.typing as npt

from ..arrays.axes import Array
from ..output.format import DatasetSpec
from ..output.states import States
from .blocks import BLOCK_VALUES, read, steps_of
from .findings import Findings
from .promised import Promise, narrowest
from .recomputing import Original, Rows, groups, magnitude, products, recomputed
from .reducing import Expected
from .tolerance import computed_within, difference, rounding

__all__ = ["compare_sample"]


def compare_sample(
    states: States, promise: Promise, original: Original, rows: Rows, findings: Findings
) -> dict[str, float]:
    """Recompute some sequences and compare every dataset with them.

    Parameters
    ----------
    states : States
    promise : Promise
    original : Original
    rows : int64 [R]
    findings : Findings
        Receives the differences that are too large.

    Returns
    -------
    dict
        The largest absolute difference by dataset name.
    """
    differences = dict.fromkeys((spec.name for spec in promise.specs), 0.0)
    for group in groups(promise, original, rows):
        with recomputed(states, promise, original, group) as exact:
            for place, row in enumerate(group.tolist()):
                sizes = {"magnitude": magnitude(exact, place), "products": products(states, promise, original, row)}
                length = int(promise.shape.lengths[row])
                for spec in promise.specs:
                    expected = Expected(exact, promise, spec, place, length)
                    bound = computed_within(states.provenance["precision"], spec.pooling, length=length, **sizes)
                    away = _Comparison(states, expected, spec, row, bound).run(findings)
                    differences[spec.name] = max(differences[spec.name], away)
    return differences


class _Comparison:
    """One dataset of one sequence."""

    def __init__(self, states: States, expected: Expected, spec: DatasetSpec, row: int, bound: float) -> None:
        self._states, self._expected, self._spec, self._row, self._bound = states, expected, spec, row, bound
        self._length, self._narrowest = int(states.lengths[row]), narrowest(states, spec)

    def run(self, findings: Findings) -> float:
        """Compare all of it; return the largest difference, and note the first value that differs too much."""
        largest, reported = 0.0, False
        at_once = max(1, BLOCK_VALUES // self._spec.width)
        whole = self._spec.pooling is not None
        for first in range(0, 1 if whole else self._length, at_once):
            steps = slice(first, min(first + at_once, self._length))
            stored, expected = self._values(steps)
            away = difference(stored, expected)
            if self._states.provenance["allow_nonfinite"]:
                away[~np.isfinite(expected)] = 0
            largest = max(largest, float(away.max(initial=0.0)))
            wrong = away > self._bound + rounding(np.nan_to_num(expected, posinf=0.0, neginf=0.0), self._narrowest)
            if wrong.any() and not reported:
                reported = True
                self._note(findings, stored, expected, np.argwhere(wrong)[0], None if whole else first)
        return largest

    def _values(self, steps: slice) -> tuple[Array, npt.NDArray[np.float64]]:
        name = self._spec.name
        if self._spec.pooling is not None:
            return read(self._states, name, np.s_[self._row : self._row + 1]), self._expected.pooled()
        return steps_of(self._states, name, self._row, steps), self._expected.steps(steps)

    def _note(
        self,
        findings: Findings,
        stored: Array,
        expected: Array,
        where: npt.NDArray[np.int64],
        first: int | None,
    ) -> None:
        step, unit = (int(axis) for axis in where)
        place = f"unit {unit}" if first is None else f"step {first + step}, unit {unit}"
        findings.add(
            f"'{self._spec.name}' differs from the result in float64",
            self._row,
            f"{place} is {stored[step, unit]}, recomputed {expected[step, unit]}",
            expected=f"a difference of at most {self._bound:.1e} plus the rounding of {stored.dtype}",
        )
