"""Lists of a column as arrays: the lengths of some sequences, and all their steps one after another."""

from itertools import pairwise
from typing import Annotated, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ...arrays.axes import AllLengths
from ...errors import BadInput
from .started import Arrow, arrow_errors, import_arrow, is_of

__all__ = ["NOTHING", "TEXT", "Lists", "Ragged", "is_list", "lists_of", "ragged", "sequences_of"]

# Steps one after another, of one feature or several.
Values = Annotated[npt.NDArray[Any], "_ *features"]


Offsets = Annotated[npt.NDArray[np.int64], "_"]


class Ragged(NamedTuple):
    """Some sequences.

    Parameters
    ----------
    offsets : int64 [K + 1]
        Where each begins, and where the last one ends.
    values : numeric [steps of all, I] or [steps of all]
    """

    offsets: Offsets
    values: Values

    @property
    def rows(self) -> int:
        """K."""
        return len(self.offsets) - 1

    def steps(self, row: int, steps: slice) -> Values:
        """Return some steps of a sequence, fewer if it ends before."""
        begin, end = self.offsets[row : row + 2].tolist()
        return self.values[min(begin + steps.start, end) : min(begin + steps.stop, end)]

    def row(self, row: int) -> Values:
        """Return all steps of a sequence."""
        begin, end = self.offsets[row : row + 2].tolist()
        return self.values[begin:end]


# Types of strings.
TEXT = ("string", "large_string", "string_view")
NOTHING = Ragged(np.zeros(1, np.int64), np.zeros(0))


class Lists(NamedTuple):
    """What the lists of a column hold.

    Parameters
    ----------
    dtype : dtype
        Of a single value.
    is_nested : bool
        Whether a step is a list of features; else it is one number.
    features : int or None
        The features of each step, if the type says that.
    """

    dtype: np.dtype[Any]
    is_nested: bool
    features: int | None


def is_list(kind: Arrow) -> bool:
    """Return whether a type is one of lists."""
    return is_of(kind, "list", "large_list", "fixed_size_list", "list_view", "large_list_view")


def lists_of(kind: Arrow, *, text: bool = False) -> Lists | None:
    """Return what a column of lists of numbers, or of ``text`` too, holds; None for any other type."""
    if not is_list(kind):
        return None
    step = kind.value_type
    is_nested = is_list(step)
    value = step.value_type if is_nested else step
    if text and is_of(value, *TEXT):
        return Lists(np.dtype(object), is_nested, None)
    if not is_of(value, "integer", "floating", "boolean"):
        return None
    features = step.list_size if is_nested and is_of(step, "fixed_size_list") else None
    return Lists(np.dtype(value.to_pandas_dtype()), is_nested, features)


def ragged(column: Arrow, lists: Lists, first: int, where: str) -> Ragged:
    """Turn an array of lists into arrays of NumPy, without copying where that is possible.

    Parameters
    ----------
    column : pyarrow.Array [K]
    lists : Lists
    first : int
        The row of its first list, for messages.
    where : str

    Raises
    ------
    BadInput
        A list or value is null, or steps have different numbers of features.
    """
    if column.null_count:
        raise BadInput(
            f"{where}: row {first + _first_null(column)} is null; expected a list in every row, empty if there are no "
            "steps. Fill or drop it."
        )
    lengths = _lengths(column)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    steps = column.flatten()
    if steps.null_count:
        _refuse_null(_first_null(steps), offsets, first, where, lists)
    if not lists.is_nested:
        return Ragged(offsets, _numbers(steps))
    widths, values = _lengths(steps), steps.flatten()
    features = int(widths[0]) if lists.features is None and len(widths) else lists.features or 0
    if (widths != features).any():
        step = int(np.argmax(widths != features))
        row, at = _place(step, offsets)
        raise BadInput(
            f"{where}: row {first + row}, step {at} has {widths[step]} features, but the step before has {features}; "
            "expected as many in every step of every row. Make the file again."
        )
    if values.null_count:
        _refuse_null(_first_null(values) // max(1, features), offsets, first, where, lists)
    return Ragged(offsets, _numbers(values).reshape(len(steps), features))


def sequences_of(values: Arrow, where: str) -> list[Values]:
    """Return the sequences of an array of lists in memory, each [steps, I] or [steps].

    Parameters
    ----------
    values : pyarrow.Array or pyarrow.ChunkedArray [N]
    where : str

    Raises
    ------
    BadInput
        It is not one of lists of numbers, or as for ``ragged``.
    """
    lists = lists_of(values.type)
    if lists is None:
        raise BadInput(
            f"{where}: an Arrow array of type {str(values.type)[:100]}; expected lists of numbers, or of lists of "
            "numbers. Group the steps of each sequence."
        )
    found: list[Values] = []
    for part in getattr(values, "chunks", [values]):
        with arrow_errors(where, BadInput):
            some = ragged(part, lists, len(found), where)
        found += [some.values[start:stop] for start, stop in pairwise(some.offsets.tolist())]
    return found


def _lengths(array: Arrow) -> AllLengths:
    counts: AllLengths = import_arrow().compute.list_value_length(array).to_numpy(zero_copy_only=False)
    return counts.astype(np.int64)


def _numbers(array: Arrow) -> Values:
    values: Values = array.to_numpy(zero_copy_only=False)
    return values


def _first_null(array: Arrow) -> int:
    return int(np.argmax(array.is_null().to_numpy(zero_copy_only=False)))


def _place(step: int, offsets: Offsets) -> tuple[int, int]:
    """Return the row of a step, and its number in that row."""
    row = int(np.searchsorted(offsets, step, side="right")) - 1
    return row, step - int(offsets[row])


def _refuse_null(step: int, offsets: Offsets, first: int, where: str, lists: Lists) -> None:
    row, at = _place(step, offsets)
    found = f"{where}: row {first + row}, step {at} is null or has a null in it"
    if lists.dtype.kind == "O":
        raise BadInput(f"{found}; expected text. Fill it, or drop the row.")
    raise BadInput(
        f"{found}; expected numbers. Fill it, with NaN and allow_nonfinite=True if it is missing, or drop the row."
    )
