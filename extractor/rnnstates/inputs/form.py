"""``Form``: what is known about an input before it is opened, which decides the meaning of its axes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import OptionError
from .axes import NUMBERS, TOKENS, Axes
from .container import Container

__all__ = ["ONE", "ONE_OF_NUMBERS", "PADDED", "Form"]

# Whether the first axis of an array with so many rows holds the steps of all sequences, one after another.
Follows = Callable[[Container | None, int], bool]

ONE, ONE_OF_NUMBERS = "TI", "T"
# The letters of each accepted order, sorted.
ACCEPTED = ("INT", "IT", "NT", "T")


def _unknown(_container: Container | None, _rows: int) -> bool:
    return False


@dataclass(frozen=True)
class Form:
    """What is known about an input before it is opened.

    Parameters
    ----------
    tokens : bool
        The weights have an embedding, so steps may be token ids.
    axes : str or None
        The stored order of the axes, as for ``extract``; None to find it.
    univariate : bool
        Whether a step is one number, a feature, so that there is no axis of features.
    features : int or None
        The features of a step, if the weights are given.
    counted : bool
        Whether lengths are given, so that rows of one length may be padded.
    follows : callable
        Takes the container of an array and its number of rows, and returns whether offsets or lengths say that these
        are the steps of all sequences, one after another. Only called if that matters, because it may read them.
    """

    tokens: bool = False
    axes: str | None = None
    univariate: bool = False
    features: int | None = None
    counted: bool = False
    follows: Follows = _unknown

    def axes_of(
        self, stored: Sequence[int], dtype: np.dtype[Any], where: str, container: Container | None = None
    ) -> Axes:
        """Decide the meaning of each axis of an array.

        An array of two axes is, in this order: what ``axes`` says; token ids or one feature per step (N, T); sequences
        that follow one another (T, I), if it ``follows``; what the width of the weights' steps leaves possible.

        Parameters
        ----------
        stored : sequence of int
            Its shape.
        dtype : dtype
        where : str
            The input, for messages.
        container : Container or None
            The file of several arrays that it is in.

        Returns
        -------
        Axes
            Without letters if no input has such a shape, which ``check_layout`` refuses.

        Raises
        ------
        OptionError
            ``axes`` is not such an order, or has another number of axes; ``univariate``, but there are features.
        """
        shape = tuple(stored)
        if self.univariate and len(shape) > len(TOKENS):
            raise OptionError(f"univariate=True: {where} has shape {shape}; expected (N, T), one number per step.")
        letters = self._found(shape, dtype, container) if self.axes is None else self._given(self.axes, shape, where)
        ids = self.tokens and not self.univariate and "I" not in letters
        if letters and "I" not in letters and not ids and not self._is_feature(dtype):
            letters = ""
        return Axes(letters, shape, ids=ids, is_given=self.axes is not None)

    def _found(self, shape: tuple[int, ...], dtype: np.dtype[Any], container: Container | None) -> str:
        if len(shape) == len(NUMBERS):
            return NUMBERS
        if len(shape) == 1:
            return ONE_OF_NUMBERS if self.tokens or self.univariate or self.features == 1 else ""
        return self._of_two(shape, dtype, container) if len(shape) == len(TOKENS) else ""

    def _of_two(self, shape: tuple[int, ...], dtype: np.dtype[Any], container: Container | None) -> str:
        if self.univariate or (self.tokens and (dtype.kind in "iu" or shape[1] != self.features)):
            return TOKENS
        if self.follows(container, shape[0]):
            return ONE
        if self.tokens or (self.features == 1 and shape[1] != 1 and dtype.kind == "f"):
            return TOKENS
        return ONE if self.features == shape[1] != 1 else ""

    def _is_feature(self, dtype: np.dtype[Any]) -> bool:
        """Return whether a number per step is a feature; an integer may be a token id."""
        return self.univariate or ((self.features == 1 or self.axes is not None) and dtype.kind == "f")

    def _given(self, axes: object, stored: tuple[int, ...], where: str) -> str:
        expected = (
            "the letters N, T and I (sequences, steps, features) in the order of the stored axes; only T and I for one "
            "sequence, N and T for token ids"
        )
        if not isinstance(axes, str) or "".join(sorted(axes.upper())) not in ACCEPTED:
            raise OptionError(f'axes={axes!r}: expected {expected}, such as axes="TNI" for time first.')
        if len(axes) != len(stored):
            raise OptionError(
                f'{where}: axes="{axes}" names {len(axes)} axes, but the shape {stored} has {len(stored)}; '
                f"expected {expected}."
            )
        return axes.upper()


# Of an input about which nothing is known: (N, T, I).
PADDED = Form()
