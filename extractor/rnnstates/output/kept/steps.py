"""Which valid steps of each sequence are stored: all, every Nth, or the last N."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ...arrays.axes import Lengths, Places, Rows, StepStates

__all__ = ["ALL_STEPS", "Chosen", "KeptSteps"]


class Chosen(NamedTuple):
    """The stored steps of a piece of some sequences.

    Parameters
    ----------
    values : floating [B, T, W]
        Only those steps, from the front.
    counts : int64 [B]
        How many there are.
    places : int64 [B]
        How many are stored before them.
    """

    values: StepStates
    counts: Lengths
    places: Places


@dataclass(frozen=True)
class KeptSteps:
    """A choice among the valid steps of each sequence, which count from 0.

    Parameters
    ----------
    every : int or None
        Steps 0, N, 2N, … are stored.
    last : int or None
        The last N are stored, all of them where there are fewer.
    """

    every: int | None = None
    last: int | None = None

    @property
    def all(self) -> bool:
        """Whether no step is left out."""
        return self.every is None and self.last is None

    def named(self) -> dict[str, int]:
        """Return what is chosen by the name of its attribute in a file."""
        return {name: steps for name, steps in (("every", self.every), ("last_steps", self.last)) if steps is not None}

    def counts(self, lengths: Lengths) -> Lengths:
        """Return how many steps of each sequence are stored: int64 [B].

        Examples
        --------
        >>> lengths = np.array([0, 1, 6, 7])
        >>> KeptSteps(every=3).counts(lengths).tolist(), KeptSteps(last=2).counts(lengths).tolist()
        ([0, 1, 2, 3], [0, 1, 2, 2])
        """
        counts: Lengths = np.minimum(-(-lengths // (self.every or 1)), lengths if self.last is None else self.last)
        return counts

    def most(self, steps: int) -> int:
        """Return how many steps of a sequence as long as ``steps`` are stored."""
        return int(self.counts(np.array([steps]))[0])

    def numbers(self, length: int) -> Rows:
        """Return the numbers of the stored steps of a sequence, int64, ascending.

        Examples
        --------
        >>> KeptSteps(every=3).numbers(7).tolist(), KeptSteps(last=2).numbers(7).tolist()
        ([0, 3, 6], [5, 6])
        """
        return np.arange(0 if self.last is None else max(0, length - self.last), length, self.every or 1)

    def number(self, places: Rows, totals: Rows) -> Rows:
        """Return the numbers of stored steps, by their places among the stored ones and the lengths of the sequences.

        Parameters
        ----------
        places, totals : int64 [K]
        """
        skipped = 0 if self.last is None else np.maximum(totals - self.last, 0)
        numbers: Rows = places * (self.every or 1) + skipped
        return numbers

    def choose(self, values: StepStates, lengths: Lengths, before: Places, totals: Lengths) -> Chosen:
        """Choose the stored steps of a piece of some sequences.

        Parameters
        ----------
        values : floating [B, T, W]
        lengths, before, totals : int64 [B]
            Valid steps in the piece, before it, and in the whole sequences.
        """
        if self.all:
            return Chosen(values, lengths, before)
        stride = self.every or 1
        skipped = np.zeros_like(totals) if self.last is None else np.maximum(totals - self.last, 0)
        first = -before % stride if self.last is None else np.maximum(skipped - before, 0)
        counts = np.maximum(-(-(lengths - first) // stride), 0)
        steps = first[:, np.newaxis] + stride * np.arange(int(counts.max(initial=0)))
        rows = np.arange(len(values))[:, np.newaxis]
        return Chosen(
            values[rows, np.minimum(steps, values.shape[1] - 1)], counts, (before + first - skipped) // stride
        )


ALL_STEPS = KeptSteps()
