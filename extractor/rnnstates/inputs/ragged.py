"""``Source`` for sequences that are stored one by one, padded block by block as they are read."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Protocol

import numpy as np
import numpy.typing as npt

from ..arrays.axes import AllLengths, Stored, empty_window
from ..errors import BadInput
from ..untrusted.given import as_array
from .axes import NUMBERS, TOKENS, Axes
from .base import Bare
from .identity import identify, sample_array
from .layout import ACCEPTED, KINDS, is_numeric
from .writers import check_order, doubt_of

__all__ = ["MEND", "Expected", "RaggedSource", "Rows", "read_ragged"]

# The steps of a sequence, of one number or of features.
Row = Annotated[npt.NDArray[Any], "_ ..."]
# What to do about a sequence that is not an array.
MEND = "Expected one number per feature in each step."
# Sequences whose values are part of the identity: the first, those in between, the last.
SAMPLED = 16
# Rows with a shape and dtype, by number. An empty list has neither features nor a dtype.
Informative = dict[int, Row]


@dataclass(frozen=True)
class Expected:
    """What the sequences must be.

    Parameters
    ----------
    vocabulary : bool
        Whether the weights have an embedding, so that sequences may be token ids.
    features : int or None
        I; None if the sequences determine it.
    ids : bool or None
        Whether they must be token ids; None if the sequences determine it.
    why : str
        The reason for these, for messages.
    no_embedding : str
        Why the weights have no embedding, if they have arrays that may be one.
    """

    vocabulary: bool = False
    features: int | None = None
    ids: bool | None = None
    why: str = ""
    no_embedding: str = ""


class Rows(Protocol):
    """Sequences by number."""

    def read(self, row: int, steps: slice) -> Row:
        """Return some steps of a sequence, [steps, ...], in native byte order; fewer if it ends."""

    def check_unchanged(self) -> None:
        """Raise ``InputChanged`` if the file has changed since it was opened."""

    def close(self) -> None:
        """Close the file; safe to call twice."""


class ArrayRows:
    """Sequences in memory."""

    def __init__(self, arrays: Sequence[Row]) -> None:
        self._arrays = arrays

    def read(self, row: int, steps: slice) -> Row:
        """Return some steps of a sequence."""
        return self._arrays[row][steps]

    def check_unchanged(self) -> None:
        """Do nothing: there is no file."""

    def close(self) -> None:
        """Do nothing; the arrays are the caller's."""


class RaggedSource(Bare):
    """Sequences that are padded with zeros block by block, as they are read; see ``Source`` for the attributes.

    Parameters
    ----------
    rows : Rows
    lengths : int64 [N]
    features : int or None
        I; None for token ids.
    dtype : dtype
        One that can hold the values of all rows, in native byte order.
    name : str
    identity : mapping
        What is known beside shape and dtype, as for ``identify``, with ``kind``.

    Examples
    --------
    >>> rows = ArrayRows([np.array([1, 2]), np.array([3])])
    >>> source = RaggedSource(rows, np.array([2, 1]), None, np.dtype(int), "x", {"kind": "memory"})
    >>> source.read(slice(0, 2), slice(0, 2))
    array([[1, 2],
           [3, 0]])
    """

    def __init__(
        self, rows: Rows, lengths: AllLengths, features: int | None, dtype: "np.dtype[Any]", name: str,
        identity: Mapping[str, Any],
    ) -> None:  # fmt: skip
        self.name, self.lengths, self.dtype = name, lengths, dtype
        steps = max(1, int(lengths.max(initial=0)))
        self.shape: tuple[int, ...] = (len(lengths), steps) if features is None else (len(lengths), steps, features)
        self._rows = rows
        self.axes = Axes(TOKENS if features is None else NUMBERS, self.shape, ids=features is None)
        self.rows_together = self.steps_together = 1
        self.notes: tuple[str, ...] = ()
        self.identity = identify(shape=self.shape, dtype=dtype, **identity)

    def read(self, rows: slice, steps: slice) -> Stored:
        """Return rows and steps as an array [rows, steps, ...], zero after each sequence."""
        block = empty_window((rows.stop - rows.start, steps.stop - steps.start, *self.shape[2:]), self.dtype)
        for place, row in enumerate(range(rows.start, rows.stop)):
            part = self._rows.read(row, steps)
            if len(part):
                # One feature per step may be stored without an axis.
                block[place, : len(part)] = part.reshape(len(part), *self.shape[2:])
        return block

    def check_unchanged(self) -> None:
        """Raise ``InputChanged`` if the file has changed since it was opened."""
        self._rows.check_unchanged()

    def close(self) -> None:
        """Close the file; safe to call twice."""
        self._rows.close()


def read_ragged(given: Sequence[Any], expected: Expected, name: str = "X") -> RaggedSource:
    """Check arrays, except for their values.

    Parameters
    ----------
    given : sequence of numeric [length, I] or int [length]
        At least one; anything that converts to an array.
    expected : Expected
    name : str
        Its name in messages.

    Raises
    ------
    BadInput
        Names the row.
    """
    rows = [as_array(row, f"{name}: row {number}", BadInput, MEND) for number, row in enumerate(given)]
    for number, row in enumerate(given):
        check_order(doubt_of(row, "TI", f"{name}: row {number}"), "TI")
    informative = {number: row for number, row in enumerate(rows) if row.shape != (0,)}
    axes = _axes(informative, expected)
    for number, row in informative.items():
        _check_row(row, axes, expected, f"{name}: row {number}")
    features = _features(informative, expected, name) if axes > 1 else None
    lengths = np.array([len(row) for row in rows], np.int64)
    types = {row.dtype for row in rows if len(row)} or {np.dtype(np.float32)}
    dtype = np.result_type(*types).newbyteorder("=")
    return RaggedSource(ArrayRows(rows), lengths, features, dtype, name, {"kind": "memory", **_sample(rows)})


def _sample(rows: Sequence[Row]) -> dict[str, object]:
    """Return the bytes of all sequences, and a digest of some; all are compared when a run is resumed."""
    digest = hashlib.sha256()
    for row in np.linspace(0, len(rows) - 1, min(SAMPLED, len(rows))).astype(int).tolist():
        digest.update(str(sample_array(rows[row])).encode())
    return {"size": sum(row.nbytes for row in rows), "sample_sha256": digest.hexdigest()}


def _axes(informative: Informative, expected: Expected) -> int:
    if not expected.vocabulary:
        return 2
    if expected.ids is not None:
        return 1 if expected.ids else 2
    return next((1 if row.ndim < 2 else 2 for row in informative.values()), 1)


def _check_row(row: Row, axes: int, expected: Expected, where: str) -> None:
    if not is_numeric(row.dtype) and not (row.dtype.kind == "b" and axes > 1):
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


def _about_ids(row: Row, expected: Expected) -> str:
    if row.dtype.kind not in "iu":
        return ""
    return f"Token ids need weights with an embedding. {expected.no_embedding} ".replace("  ", " ")


def _features(informative: Informative, expected: Expected, name: str) -> int:
    """Return the number of features, after checking that all rows have it."""
    wanted, why = expected.features, expected.why
    if wanted is None:
        if not informative:
            raise BadInput(
                f"{name}: all sequences are empty and have no features; expected one of shape (0, features)."
            )
        first, row = next(iter(informative.items()))
        wanted, why = row.shape[1], f"as row {first} has"
    if not wanted:
        raise BadInput(f"{name}: row {first} has 0 features per step; expected at least 1.")
    for number, row in informative.items():
        if row.shape[1] != wanted:
            raise BadInput(f"{name}: row {number} has {row.shape[1]} features per step; expected {wanted}, {why}.")
    return wanted
