"""Whether a contestant computed the right states: an LSTM in float64, written from its equations, on a few sequences.

References
----------
Hochreiter & Schmidhuber 1997, Long short-term memory; Gers et al. 2000, Learning to forget.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from cases import Data
from peers.base import Part, sequence

TOLERANCE = 1e-5
CHECKED_SEQUENCES = 32
# A million steps one by one would take longer than the contest.
CHECKED_STEPS = 100_000

Doubles = npt.NDArray[np.float64]


class Expected(NamedTuple):
    """The states of the checked sequences, float64 [C, T', H]; only the first ``counts`` [C] steps of each matter."""

    rows: npt.NDArray[np.int64]
    counts: npt.NDArray[np.int64]
    hidden: Doubles
    cell: Doubles


def expect(data: Data) -> Expected:
    """Compute the states of some sequences, spread over all lengths, the shortest and the longest among them."""
    by_length = np.argsort(data.lengths, kind="stable")
    places = np.linspace(0, len(by_length) - 1, min(CHECKED_SEQUENCES, len(by_length))).astype(np.int64)
    rows = np.sort(by_length[places])
    counts = np.minimum(data.lengths[rows], CHECKED_STEPS)
    hidden, cell = equations(data, data.inputs[rows, : counts.max()].astype(np.float64))
    return Expected(rows, counts, hidden, cell)


def equations(data: Data, inputs: Doubles) -> tuple[Doubles, Doubles]:
    """Map inputs float64 [C, T', I] to hidden and cell [C, T', H]."""
    kernel, recurrent_kernel, bias = (array.astype(np.float64) for array in data[2:])
    h = c = np.zeros((len(inputs), data.units))
    hidden, cell = (np.empty((*inputs.shape[:2], data.units)) for _ in range(2))
    for step in range(inputs.shape[1]):
        gates = inputs[:, step] @ kernel + h @ recurrent_kernel + bias
        i, f, g, o = np.split(gates, 4, axis=1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        hidden[:, step], cell[:, step] = h, c
    return hidden, cell


def sigmoid(values: Doubles) -> Doubles:
    return 1 / (1 + np.exp(-values))


def save(expected: Expected, folder: Path) -> None:
    np.savez(folder / "expected.npz", **expected._asdict())


def load(folder: Path) -> Expected:
    with np.load(folder / "expected.npz") as stored:
        return Expected(*(stored[name] for name in Expected._fields))


def largest_difference(parts: Sequence[Part], expected: Expected) -> float:
    """Compare what a contestant gave with what is expected.

    Raises
    ------
    ValueError
        It did not give every sequence once.
    """
    given = np.sort(np.concatenate([part.rows for part in parts]))
    if not np.array_equal(given, np.arange(len(given))) or not np.isin(expected.rows, given).all():
        raise ValueError("not every sequence was given once")
    return max(float(np.abs(got - right).max()) for got, right in _pairs(parts, expected))


def _pairs(parts: Sequence[Part], expected: Expected) -> Iterator[tuple[Any, Doubles]]:
    """Go through the checked sequences and states: what was given, and what is right."""
    for part in parts:
        for place in np.flatnonzero(np.isin(part.rows, expected.rows)):
            which = int(np.searchsorted(expected.rows, part.rows[place]))
            count = int(expected.counts[which])
            yield sequence(part.hidden, place, count), expected.hidden[which, :count]
            if part.cell is not None:
                yield sequence(part.cell, place, count), expected.cell[which, :count]
