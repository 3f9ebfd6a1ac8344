"""Opens sequences of different lengths that a Python program holds: lists of arrays, and ragged tensors.

================================  ==========================================================
TensorFlow's ``RaggedTensor``     one ragged axis: its rows
PyTorch's nested tensors          both layouts: their tensors
PyTorch's ``PackedSequence``      in the original order of its sequences
Awkward arrays                    lists of numbers, or of lists of numbers of one length
Arrow arrays                      lists of numbers, or of lists of numbers of one length
pandas' ``Series``                of lists or arrays
lists, tuples, object arrays      of whatever NumPy makes an array of
================================  ==========================================================
"""

import sys
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt

from ..errors import BadInput
from .axes import TOKENS
from .base import Source
from .form import Form
from .ragged import Expected, read_ragged

__all__ = ["open_list_of", "rows_of"]

EXPECTED = "expected sequences of steps, each of as many features"
Flat = Annotated[npt.NDArray[Any], "_ ..."]
Offsets = Annotated[npt.NDArray[np.int64], "_"]


def open_list_of(values: object, form: Form) -> Source | None:
    """Open sequences of different lengths; None for anything else, such as a padded array.

    Parameters
    ----------
    values : object
    form : Form

    Raises
    ------
    BadInput
        They are sequences, but their types or shapes are wrong.
    """
    rows = rows_of(values)
    if not rows or not _may_be_sequences(rows, form) or ((form.counted or form.axes) and _is_rectangle(rows)):
        return None
    # One number per step is a token id if there is a table.
    is_flat = form.univariate or (form.features == 1 and not form.tokens)
    if is_flat:
        rows = [_with_features(row) for row in rows]
    return read_ragged(rows, Expected(vocabulary=form.tokens), "inputs")


def rows_of(values: object) -> Sequence[Any] | None:
    """Return the sequences of a list, or of a tensor with a ragged axis; None for anything else.

    Raises
    ------
    BadInput
        It has another ragged axis.
    """
    return next((rows for find in RAGGED if (rows := find(values)) is not None), None)


def _of_tensorflow(values: Any) -> Sequence[Any] | None:
    kind = getattr(sys.modules.get("tensorflow"), "RaggedTensor", None)
    if kind is None or not isinstance(values, kind):
        return None
    return _of_ragged(values)


def _of_ragged(values: Any) -> Sequence[Any]:
    flat, splits = np.asarray(values.flat_values), np.asarray(values.row_splits)
    if values.ragged_rank > 1:
        # ``tf.ragged.constant`` makes the features of lists a ragged axis too.
        widths = np.unique(np.asarray(values.values.row_lengths()))
        if values.ragged_rank > 2 or len(widths) > 1:
            raise BadInput(f"inputs: a ragged tensor of shape {values.shape}; {EXPECTED}.")
        flat = flat.reshape(-1, int(widths[0]) if len(widths) else 1, *flat.shape[1:])
    return _split(flat, splits)


def _of_torch(values: Any) -> Sequence[Any] | None:
    torch: Any = sys.modules.get("torch")
    if torch is None:
        return None
    if isinstance(values, torch.nn.utils.rnn.PackedSequence):
        return list(torch.nn.utils.rnn.unpack_sequence(values))
    return list(values.unbind()) if isinstance(values, torch.Tensor) and values.is_nested else None


def _of_awkward(values: Any) -> Sequence[Any] | None:
    awkward: Any = sys.modules.get("awkward")
    if awkward is None or not isinstance(values, awkward.Array):
        return None
    try:
        flat = awkward.to_numpy(awkward.flatten(values, axis=1), allow_missing=False)
        counts = awkward.to_numpy(awkward.num(values, axis=1), allow_missing=False)
    # It has errors of its own for each type that does not fit.
    except Exception as reason:
        raise BadInput(f"inputs: an Awkward array of type {str(values.type)[:200]}; {EXPECTED}.") from reason
    return _split(flat, np.concatenate([[0], np.cumsum(counts)]))


def _of_arrow(values: object) -> Sequence[Flat] | None:
    pyarrow = sys.modules.get("pyarrow")
    if pyarrow is None or not isinstance(values, pyarrow.Array | pyarrow.ChunkedArray):
        return None
    # Only they need what reads them.
    from .arrow.ragged import sequences_of

    return sequences_of(values, "inputs")


def _of_pandas(values: object) -> Sequence[object] | None:
    kind = getattr(sys.modules.get("pandas"), "Series", None)
    if kind is None or not isinstance(values, kind):
        return None
    # Numbers are left to NumPy.
    return list(values) if values.dtype.kind == "O" else None


def _split(flat: Flat, splits: Offsets) -> list[Flat]:
    return [flat[start:stop] for start, stop in pairwise(splits.tolist())]


def _listed(values: Any) -> Sequence[Any] | None:
    if isinstance(values, np.ndarray):
        return list(values) if values.dtype.kind == "O" and values.ndim == 1 else None
    return values if isinstance(values, list | tuple) else None


# What finds the sequences in each type of value; None for any other type. The first match counts.
RAGGED: tuple[Callable[[Any], Sequence[Any] | None], ...] = (
    _of_tensorflow,
    _of_torch,
    _of_awkward,
    _of_arrow,
    _of_pandas,
    _listed,
)


def _may_be_sequences(rows: Sequence[Any], form: Form) -> bool:
    """Return whether rows have the axes of sequences, judged by the first one that is not empty."""
    axes = next((axes for row in rows if (axes := _axes(row)) is not None), 1)
    return axes == len(TOKENS) or (axes == 1 and (form.tokens or form.univariate or form.features == 1))


def _axes(row: Any) -> int | None:
    """Return the number of axes of an array or nested list; None for an empty list."""
    if hasattr(row, "shape"):
        return len(row.shape)
    axes = 0
    while isinstance(row, list | tuple):
        if not row:
            return None
        row, axes = row[0], axes + 1
    return axes + len(getattr(row, "shape", ()))


def _is_rectangle(rows: Sequence[Any]) -> bool:
    counts = {len(row) for row in rows if hasattr(row, "__len__")}
    return len(counts) == 1


def _with_features(row: Any) -> Any:
    """Give the steps of a sequence an axis of one feature, if they have none."""
    if hasattr(row, "shape"):
        return row[:, np.newaxis] if len(row.shape) == 1 else row
    return np.reshape(row, (-1, 1)) if _axes(row) == 1 else row
