"""The stored order of an input's axes, and reading it as (N, T, I)."""

from typing import NamedTuple, Protocol

from ..arrays.axes import Array
from ..errors import OptionError

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

    Parameters
    ----------
    given : str or None
        The letters N, T and I in stored order (``TNI`` for time first), only N and T for token ids; None for ``NTI``
        and ``NT``.
    stored : tuple of int
        The stored shape.
    where : str
        The input, for messages.

    Attributes
    ----------
    letters : str
        One per stored axis.
    shape : tuple of int
        (N, T, I) or (N, T); the stored shape if no input has its rank, which ``check_layout`` refuses.

    Raises
    ------
    OptionError
        ``given`` is not such an order, or has another number of axes.

    Examples
    --------
    >>> Axes("TNI", (10, 2, 8), "x.npy").shape
    (2, 10, 8)
    """

    def __init__(self, given: str | None, stored: tuple[int, ...], where: str) -> None:
        self.is_given = given is not None
        known = {3: NUMBERS, 2: TOKENS}.get(len(stored), "")
        if given is not None:
            known = _checked(given, stored, where)
        self.letters = known
        self._order = tuple(known.index(letter) for letter in NUMBERS if letter in known)
        self.shape = tuple(stored[axis] for axis in self._order) if known else stored

    @property
    def is_turned(self) -> bool:
        """Whether the axes are stored in another order than N, T, I."""
        return self.letters not in (NUMBERS, TOKENS, "")

    def place(self, rows: slice, steps: slice) -> tuple[slice, ...]:
        """Return the slice of each stored axis that holds these rows and steps."""
        whole = {"N": rows, "T": steps, "I": slice(0, self.shape[2] if len(self.shape) > 2 else 0)}
        return tuple(whole[letter] for letter in self.letters)

    def turn(self, block: Array) -> Array:
        """Transpose a block in stored order to [N, T, I]; nothing is copied."""
        return block.transpose(self._order)

    def stored_axis(self, letter: str) -> int:
        """Return the stored axis of a letter."""
        return self.letters.index(letter)

    def identity(self) -> dict[str, str]:
        """Return the axes for the identity of an input; nothing for the usual order."""
        return {"axes": self.letters} if self.is_turned else {}

    def swapped(self, one: str, other: str) -> str:
        """Return the order with two axes swapped, for advice.

        Examples
        --------
        >>> Axes(None, (2, 10, 8), "x.npy").swapped("T", "I")
        'NIT'
        """
        return self.letters.translate(str.maketrans(one + other, other + one))


def transposed(source: "Turned", letter: str, size: int) -> str:
    """Suggest another order if a different axis of an input has the size that one should have; else "".

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> axes = Axes(None, (2, 8, 10), "x.npy")
    >>> transposed(SimpleNamespace(axes=axes, shape=axes.shape), "I", 8)
    ' Its axis 1 has 8: transposed? axes="NIT" reads it so.'
    """
    for other, found in zip(NUMBERS, source.shape, strict=False):
        if other != letter and found == size and letter in source.axes.letters:
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


def _checked(given: object, stored: tuple[int, ...], where: str) -> str:
    expected = "the letters N, T and I (sequences, steps, features) in the order of the stored axes, or N and T"
    if not isinstance(given, str) or "".join(sorted(given.upper())) not in ("INT", "NT"):
        raise OptionError(f'axes={given!r}: expected {expected} for token ids, such as axes="TNI" for time first.')
    if len(given) != len(stored):
        raise OptionError(
            f'{where}: axes="{given}" names {len(given)} axes, but the shape {stored} has {len(stored)}; expected '
            f"{expected} for token ids."
        )
    return given.upper()
