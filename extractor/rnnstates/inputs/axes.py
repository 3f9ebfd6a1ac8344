"""The stored order of an input's axes, and reading it as (N, T, I)."""

from typing import NamedTuple, Protocol

import numpy as np

from ..arrays.axes import Array

__all__ = ["NUMBERS", "TOKENS", "Axes", "Doubt", "transposed"]

# N sequences, T steps, I features: the usual orders, assumed unless stated otherwise.
NUMBERS, TOKENS = "NTI", "NT"


class Doubt(NamedTuple):
    """Why axes may be stored in another order than assumed.

    Parameters
    ----------
    why : str
        What was found, a sentence.
    advice : str
        What each order would mean, a sentence.
    other : str
        The likely order; "" if unknown.
    """

    why: str
    advice: str
    other: str

    def __str__(self) -> str:
        return f"{self.why} {self.advice}"

    def is_settled(self, taken: str, shape: tuple[int, ...], features: int) -> bool:
        """Return whether the width of a step rules out one of both orders; it cannot tell sequences from steps.

        Examples
        --------
        >>> Doubt("", "", "ITN").is_settled("NTI", (3, 5, 6), 6), Doubt("", "", "TNI").is_settled("NTI", (3, 5, 6), 6)
        (True, False)
        """
        if len(shape) < 3 or len(self.other) != len(taken) or self.other.index("I") == taken.index("I"):
            return False
        return shape[2] == features and shape.count(features) == 1


class Axes:
    """One order of axes.

    An axis that is not stored has one entry: a single sequence (``TI``), or one feature per step (``NT``).

    Parameters
    ----------
    letters : str
        One of N, T and I per stored axis (``TNI`` for time first); "" if no input has this rank.
    stored : tuple of int
        The stored shape.
    ids : bool
        Whether a step is a token id, which has no axis of features.
    is_given : bool
        Whether the caller stated the order.

    Attributes
    ----------
    shape : tuple of int
        (N, T, I) or (N, T); the stored shape without letters, which ``check_layout`` refuses.

    Examples
    --------
    >>> Axes("TNI", (10, 2, 8)).shape, Axes("TI", (10, 8)).shape, Axes("NT", (2, 10), ids=True).shape
    ((2, 10, 8), (1, 10, 8), (2, 10))
    """

    def __init__(self, letters: str, stored: tuple[int, ...], *, ids: bool = False, is_given: bool = False) -> None:
        self.letters, self.ids, self.is_given = letters, ids, is_given
        self._wanted = TOKENS if ids else NUMBERS
        self._order = tuple(letters.index(letter) for letter in NUMBERS if letter in letters)
        sizes = dict(zip(letters, stored, strict=False))
        self.shape = tuple(sizes.get(letter, 1) for letter in self._wanted) if letters else stored

    @property
    def is_turned(self) -> bool:
        """Whether the axes are stored in another order than N, T, I."""
        return self.letters != "".join(letter for letter in NUMBERS if letter in self.letters)

    @property
    def is_one_sequence(self) -> bool:
        """Whether no axis counts sequences: there is one, or several follow one another."""
        return bool(self.letters) and "N" not in self.letters

    def place(self, rows: slice, steps: slice) -> tuple[slice, ...]:
        """Return the slice of each stored axis that holds these rows and steps."""
        whole = {"N": rows, "T": steps, "I": slice(0, self.shape[-1])}
        return tuple(whole[letter] for letter in self.letters)

    def turn(self, block: Array) -> Array:
        """Transpose a block in stored order to [N, T, I] or [N, T]; nothing is copied."""
        stored = [letter for letter in self._wanted if letter in self.letters]
        turned = block.transpose(self._order)
        missing = (slice(None) if letter in stored else np.newaxis for letter in self._wanted)
        return turned[tuple(missing)]

    def stored_axis(self, letter: str) -> int | None:
        """Return the stored axis of a letter; None if it is not stored."""
        return self.letters.index(letter) if letter in self.letters else None

    def identity(self) -> dict[str, str]:
        """Return the axes for the identity of an input; nothing for the usual order."""
        return {} if self.letters in (self._wanted, "") else {"axes": self.letters}

    def swapped(self, one: str, other: str) -> str:
        """Return the order with two axes swapped, for advice.

        Examples
        --------
        >>> Axes("NTI", (2, 10, 8)).swapped("T", "I")
        'NIT'
        """
        return self.letters.translate(str.maketrans(one + other, other + one))


def transposed(source: "Turned", letter: str, size: int) -> str:
    """Suggest another order if a different axis of an input has the size that one should have; else "".

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> axes = Axes("NTI", (2, 8, 10))
    >>> transposed(SimpleNamespace(axes=axes, shape=axes.shape), "I", 8)
    ' Its axis 1 has 8: transposed? axes="NIT" reads it so.'
    """
    for other, found in zip(NUMBERS, source.shape, strict=False):
        if other != letter and found == size and {letter, other} <= set(source.axes.letters):
            place, order = source.axes.stored_axis(other), source.axes.swapped(letter, other)
            return f' Its axis {place} has {size}: transposed? axes="{order}" reads it so.'
    return ""


class Turned(Protocol):
    """A ``Source``; only the shape and the order of its axes matter here."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, T, I) or (N, T)."""

    @property
    def axes(self) -> Axes:
        """The order in which they are stored."""
