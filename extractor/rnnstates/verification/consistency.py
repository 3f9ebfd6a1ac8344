"""Checks that the values of a states file are consistent: padding is zero, states finite, poolings match the states."""

from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..arrays.axes import Array
from ..network.pooling import FINAL
from ..output.format import DatasetSpec
from ..output.states import States
from .blocks import Block, blocks, read
from .findings import Findings
from .promised import Promise, narrowest
from .tolerance import difference, pooled_within

__all__ = ["Running", "check_values"]

Floats = npt.NDArray[np.float64]


class Running:
    """The running poolings of a few sequences, in float64.

    The variance follows Chan, Golub and LeVeque: the squares of each piece about its own mean are merged using the
    distance of the means. A sequence without any step so far has NaN.

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
        """Add the next piece of the same sequences."""
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
        """Return a pooling, floating [R, W]; NaN where there was no step."""
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
        """Return the magnitude to which the errors of a pooling are proportional, floating [R, W]."""
        if name in ("sum", "mean"):
            return self.absolute / (1 if name == "sum" else np.maximum(self.counts, 1)[:, np.newaxis])
        if name == "std":
            return np.maximum(np.abs(self.largest), np.abs(self.smallest))
        return np.abs(pooled)


# Pooled rows read at a time.
ROWS_AT_ONCE = 4096
FINITE = "finite numbers, unless the network overflows in the precision of the computation"


def check_values(states: States, promise: Promise, findings: Findings) -> dict[str, float]:
    """Check every value, in one pass.

    Parameters
    ----------
    states : States
    promise : Promise
        What the file should hold.
    findings : Findings
        Receives what is wrong.

    Returns
    -------
    dict
        By name of each pooled dataset whose states are stored too: the largest absolute difference from the pooling
        of those states.
    """
    directions = {part: direction for part, _, direction, _ in (*promise.stored.parts(), *promise.stored.others())}
    differences: dict[str, float] = {}
    for spec in promise.specs:
        if spec.pooling is not None:
            _check_finite(states, spec, findings)
            continue
        # Of some steps a pooling of all cannot be computed.
        others = promise.specs if promise.shape.kept.all else ()
        pairs = [_Pair(states, spec, other, directions[spec.part]) for other in others if _is_of(other, spec)]
        differences |= dict.fromkeys((pair.pooled.name for pair in pairs), 0.0)
        for running, rows in _pool(states, spec, findings):
            for pair in pairs:
                name = pair.pooled.name
                differences[name] = max(differences[name], _compare(pair, running, rows, findings))
    return differences


class _Pair(NamedTuple):
    """The states of every step, and a pooling of them."""

    states: States
    every: DatasetSpec
    pooled: DatasetSpec
    direction: str


def _is_of(pooled: DatasetSpec, every: DatasetSpec) -> bool:
    same = (pooled.part, pooled.state, pooled.columns) == (every.part, every.state, every.columns)
    return pooled.pooling is not None and same


def _pool(states: States, spec: DatasetSpec, findings: Findings) -> Iterator[tuple[Running, slice]]:
    wrong = _wrong_values(states, spec)
    for _, pieces in groupby(blocks(states, spec.name), key=lambda block: block.rows.start):
        running: Running | None = None
        strays: dict[int, tuple[int, float]] = {}
        for block in pieces:
            running = running or Running(len(range(*block.rows.indices(states.sequences))), spec.width)
            running.add(block)
            rows, strays = block.rows, block.stray | strays
            _note_nonfinite(spec, block, wrong(block.values), findings)
        for row, (step, value) in strays.items():
            expected = "zeros there"
            findings.add(
                f"'{spec.name}' is not zero past the length", row, f"step {step} is {value}", expected=expected
            )
        if running is not None:
            yield running, rows


def _note_nonfinite(spec: DatasetSpec, block: Block, wrong: Array, findings: Findings) -> None:
    if not wrong.any():
        return
    ends = np.cumsum(block.counts)
    of_row = np.searchsorted(ends, np.flatnonzero(wrong.any(axis=1)), "right")
    for row in np.unique(of_row):
        begin = int(ends[row] - block.counts[row])
        step, unit = np.argwhere(wrong[begin : ends[row]])[0]
        detail = f"step {block.first_step + step}, unit {unit} is {block.values[begin + step, unit]}"
        findings.add(f"'{spec.name}' is not finite", block.rows.start + int(row), detail, expected=FINITE)


def _wrong_values(states: States, spec: DatasetSpec) -> Callable[[Array], Array]:
    """Return the function that finds bad values: NaN, and infinity unless it stands for a large number."""
    if states.provenance["allow_nonfinite"]:
        return lambda values: np.zeros(values.shape, np.bool_)
    computed = 8 if states.provenance["precision"] == "float64" else 4
    narrowed = narrowest(states, spec).itemsize < computed
    return np.isnan if narrowed else lambda values: ~np.isfinite(values)


def _check_finite(states: States, spec: DatasetSpec, findings: Findings) -> None:
    wrong = _wrong_values(states, spec)
    for start in range(0, states.sequences, ROWS_AT_ONCE):
        rows = slice(start, min(start + ROWS_AT_ONCE, states.sequences))
        values, empty = read(states, spec.name, rows), states.lengths[rows] == 0
        if spec.pooling != FINAL:
            for row in np.flatnonzero(empty & ~np.isnan(values).all(axis=1)):
                detail = f"unit 0 is {values[row, 0]}"
                findings.add(
                    f"'{spec.name}' is not NaN", start + int(row), detail, expected="NaN where the length is 0"
                )
            values = values[~empty]
        numbers = np.flatnonzero(~empty if spec.pooling != FINAL else np.ones_like(empty))
        bad = wrong(values)
        for row in np.flatnonzero(bad.any(axis=1)):
            unit = int(np.argmax(bad[row]))
            detail = f"unit {unit} is {values[row, unit]}"
            findings.add(f"'{spec.name}' is not finite", start + int(numbers[row]), detail, expected=FINITE)


def _compare(pair: _Pair, running: Running, rows: slice, findings: Findings) -> float:
    """Compare a pooled dataset with the states of some sequences; return the largest difference."""
    name: Any = pair.pooled.pooling
    stored = read(pair.states, pair.pooled.name, rows)
    expected = running.pooled(name, pair.direction)
    # States that are not finite say nothing about the pooled value; they are reported on their own.
    known = running.finite & (running.counts > 0)
    away = np.where(known[:, np.newaxis], difference(stored, expected), 0.0)
    every, pooled = (narrowest(pair.states, spec) for spec in (pair.every, pair.pooled))
    allowed = pooled_within(running.scale(name, expected), expected, running.counts, states=every, stored=pooled)
    for row in np.flatnonzero((away > allowed).any(axis=1)):
        unit = int(np.argmax(away[row] > allowed[row]))
        what = f"'{pair.pooled.name}' is not the {name} of '{pair.every.name}'"
        detail = f"unit {unit} is {stored[row, unit]}, from the states {expected[row, unit]}"
        findings.add(what, rows.start + int(row), detail, expected="both to be equal up to rounding")
    return float(away.max(initial=0.0))
