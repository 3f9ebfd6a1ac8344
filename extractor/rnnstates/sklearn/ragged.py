"""``Source`` for a list of in-memory sequences of different lengths, padded block by block as they are read."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..arrays.axes import Array, empty_window
from ..errors import BadInput
from ..inputs.axes import NUMBERS, TOKENS, Axes
from ..inputs.base import Bare
from ..inputs.identity import identify
from ..inputs.layout import ACCEPTED, KINDS, is_numeric
from ..inputs.writers import check_order, doubt_of
from ..untrusted.given import as_array
from .expected import MEND, Expected, Sequences

__all__ = ["RaggedSource", "read_ragged"]

# Rows with a shape and dtype, by number. An empty list has neither features nor a dtype.
Informative = dict[int, Array]


class RaggedSource(Bare):
    """Arrays that are padded with zeros block by block, as they are read; see ``Source`` for the attributes.

    Parameters
    ----------
    rows : sequence of numeric [length, I] or [length]
        Anything of shape (0,) is an empty sequence too.
    shape : tuple of int
        (N, T, I) or (N, T); T is the longest length and at least 1.
    dtype : dtype
        One that can hold the values of all rows, in native byte order.

    Examples
    --------
    >>> source = RaggedSource([np.array([1, 2]), np.array([3])], (2, 2), np.dtype(int))
    >>> source.read(slice(0, 2), slice(0, 2))
    array([[1, 2],
           [3, 0]])
    """

    def __init__(self, rows: Sequence[Array], shape: tuple[int, ...], dtype: "np.dtype[Any]") -> None:
        self.name = "X"
        self._rows, self.shape, self.dtype = rows, shape, dtype
        ids = len(shape) == len(TOKENS)
        self.axes = Axes(TOKENS if ids else NUMBERS, shape, ids=ids)
        self.rows_together = self.steps_together = 1
        self.notes: tuple[str, ...] = ()
        # No run is resumed with these, so the checksums that replace a time of change are not needed.
        self.identity = identify("memory", shape, dtype, mtime_ns=0)

    def read(self, rows: slice, steps: slice) -> Array:
        """Return rows and steps as an array [rows, steps, ...], zero after each sequence."""
        block = empty_window((rows.stop - rows.start, steps.stop - steps.start, *self.shape[2:]), self.dtype)
        for place, row in enumerate(self._rows[rows]):
            part = row[steps]
            if len(part):
                block[place, : len(part)] = part
        return block

    def check_unchanged(self) -> None:
        """Do nothing: there is no file."""

    def close(self) -> None:
        """Do nothing; the arrays are the caller's."""


def read_ragged(X: Sequence[Any], expected: Expected) -> Sequences:  # noqa: N803
    """Check arrays, except for their values.

    Parameters
    ----------
    X : sequence of numeric [length, I] or int [length]
        At least one; anything that converts to an array.
    expected : Expected

    Raises
    ------
    BadInput
        Names the row.
    """
    rows = [as_array(row, f"X: row {number}", BadInput, MEND) for number, row in enumerate(X)]
    for number, row in enumerate(X):
        check_order(doubt_of(row, "TI", f"X: row {number}"), "TI")
    informative = {number: row for number, row in enumerate(rows) if row.shape != (0,)}
    axes = _axes(informative, expected)
    for number, row in informative.items():
        _check_row(row, axes, expected, f"X: row {number}")
    features = () if axes == 1 else (_features(informative, expected),)
    lengths = np.array([len(row) for row in rows], np.int64)
    types = {row.dtype for row in rows if len(row)} or {np.dtype(np.float32)}
    shape = (len(rows), max(1, int(lengths.max())), *features)
    return Sequences(RaggedSource(rows, shape, np.result_type(*types).newbyteorder("=")), lengths)


def _axes(informative: Informative, expected: Expected) -> int:
    if not expected.vocabulary:
        return 2
    if expected.ids is not None:
        return 1 if expected.ids else 2
    return next((1 if row.ndim < 2 else 2 for row in informative.values()), 1)


def _check_row(row: Array, axes: int, expected: Expected, where: str) -> None:
    if not is_numeric(row.dtype):
        kind = KINDS.get(row.dtype.kind, "no numbers")
        raise BadInput(f"{where}: dtype {row.dtype} ({kind}); expected {ACCEPTED}. Convert it with .astype.")
    if row.ndim == axes:
        return
    if not expected.vocabulary:
        raise BadInput(
            f"{where}: shape {row.shape}; expected (steps, features). {_about_ids(row, expected)}For one feature per "
            "step, reshape to (steps, 1)."
        )
    form = "(steps,), token ids," if axes == 1 else "(steps, features),"
    why = "as the rows before it are" if expected.ids is None else expected.why
    raise BadInput(f"{where}: shape {row.shape}; expected {form} {why}.")


def _about_ids(row: Array, expected: Expected) -> str:
    if row.dtype.kind not in "iu":
        return ""
    return f"Token ids need weights with an embedding. {expected.no_embedding} ".replace("  ", " ")


def _features(informative: Informative, expected: Expected) -> int:
    """Return the number of features, after checking that all rows have it."""
    wanted, why = expected.features, expected.why
    if wanted is None:
        if not informative:
            raise BadInput("X: all sequences are empty and have no features; expected one of shape (0, features).")
        first, row = next(iter(informative.items()))
        wanted, why = row.shape[1], f"as row {first} has"
    if not wanted:
        raise BadInput(f"X: row {first} has 0 features per step; expected at least 1.")
    for number, row in informative.items():
        if row.shape[1] != wanted:
            raise BadInput(f"X: row {number} has {row.shape[1]} features per step; expected {wanted}, {why}.")
    return wanted
