"""Checks that a dtype and shape are those of padded sequences."""

from typing import Any

import numpy as np

from ..errors import BadInput
from .axes import Axes

__all__ = ["ACCEPTED", "KINDS", "IdsWithoutTable", "check_layout", "dtype_notes", "is_numeric"]

ACCEPTED = "float16, float32, float64, longdouble, booleans or integers of any width, in either byte order"

# NumPy's kind codes in words.
KINDS = {
    "b": "booleans",
    "c": "complex numbers",
    "O": "Python objects, references or strings of varying length",
    "S": "strings",
    "T": "strings",
    "U": "strings",
    "V": "structured or raw values",
    "m": "time spans",
    "M": "dates",
}


# For integers with two axes; callers that know the weights' tables say more.
FOR_IDS = "Token ids need weights with an embedding (weights=). "

WORDS = (
    "Convert it with .astype if it holds numbers as text; map words to token ids, an integer array (N, T), by the "
    "vocabulary of weights with an embedding (weights=)."
)
MEND = "Convert it with .astype."
# What to do with such values; any others are converted.
MENDS = {
    "c": "Give the real and the imaginary parts as features of their own.",
    "U": WORDS,
    "S": WORDS,
    "T": WORDS,
    "V": "Save one of its fields, or its numbers as features.",
    "m": "Convert it to numbers, such as seconds.",
    "M": "Convert it to numbers, such as seconds since the first.",
}
# Integers of this many bytes or more may be too large for float32, which is exact up to 2**24.
WIDE = 4


class IdsWithoutTable(BadInput):
    """Integers that may be token ids, but the weights have no embedding; ``found`` says so without advice."""

    def __init__(self, text: str, found: str) -> None:
        super().__init__(text)
        self.found = found


def is_numeric(dtype: np.dtype[Any]) -> bool:
    """Return whether values of this dtype can be features."""
    return dtype.kind in "iuf"


def check_layout(axes: Axes, dtype: np.dtype[Any], where: str, *, tokens: bool) -> None:
    """Refuse anything but sequences.

    Parameters
    ----------
    axes : Axes
        Of a shape (N, T, I), or (N, T) with ``tokens``; N may be 0. T may be 0 too if several sequences may follow one
        another.
    tokens : bool
        The weights have an embedding, so [N, T] holds token ids.

    Raises
    ------
    BadInput
        The dtype is not numeric, the rank is wrong, or there are no steps or no features.
    """
    shape = axes.shape
    if not is_numeric(dtype) and not (dtype.kind == "b" and len(shape) == 3):
        kind = KINDS.get(dtype.kind, "no numbers")
        raise BadInput(f"{where}: dtype {dtype} ({kind}); expected {ACCEPTED}. {MENDS.get(dtype.kind, MEND)}")
    if len(shape) != 3 and not (tokens and len(shape) == 2):
        wanted = "(N, T, I), or (N, T) for token ids" if tokens else "(N, T, I): sequences, steps, features"
        problem = f"{where}: shape {shape}; expected {wanted}. {_reshaping(shape, dtype)}"
        if dtype.kind in "iu" and len(shape) == 2 and not tokens:
            raise IdsWithoutTable(problem, f"{where}: shape {shape}, as token ids have; expected {wanted}.")
        raise BadInput(problem)
    for axis, what in ((1, "steps (T)"), (2, "features (I)")):
        if axis == 1 and axes.is_one_sequence:
            continue
        if len(shape) > axis and shape[axis] == 0:
            raise BadInput(f"{where}: shape {shape} has 0 {what}; expected at least 1. Make the file again.")


def _reshaping(shape: tuple[int, ...], dtype: np.dtype[Any]) -> str:
    """Say how to make sequences of an array of another rank."""
    if len(shape) > 3:
        return f"Merge the axes after the steps: x.reshape({shape[0]}, {shape[1]}, -1)."
    ids = dtype.kind in "iu"
    if len(shape) == 2:
        return (FOR_IDS if ids else "") + (
            "One feature per step is x[:, :, np.newaxis], one sequence x[np.newaxis]; of a file, univariate=True and "
            f'axes="TI" read them. Sequences that follow one another need lengths= that sum to their {shape[0]} rows.'
        )
    if len(shape) == 1:
        return (
            FOR_IDS if ids else ""
        ) + "One sequence of one feature is x.reshape(1, -1, 1); of a file, univariate=True reads it."
    return "It is a single number; give the array of all steps."


def dtype_notes(shape: tuple[int, ...], dtype: np.dtype[Any], where: str) -> tuple[str, ...]:
    """Say what reading features of this dtype costs, one sentence each; nothing for token ids.

    Parameters
    ----------
    shape : tuple of int
        (N, T, I), or (N, T) for token ids.
    """
    notes = []
    if not dtype.isnative:
        turned = np.dtype(dtype.name).str
        notes.append(
            f"{where} is in the other byte order, {dtype.str}; every value is byte-swapped as it is read, "
            f"{turned} is faster."
        )
    if len(shape) == 3 and dtype.kind in "iu" and dtype.itemsize >= WIDE:
        notes.append(
            f"{where} holds {dtype.name} features, which are converted to floating-point numbers: float32 rounds "
            'numbers beyond 16777216, precision="float64" those beyond 2**53.'
        )
    return tuple(notes)
