"""Reads whatever was given as X."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import BadInput
from ..errors.articles import with_article
from ..inputs.form import Form
from ..inputs.ragged import MEND, Expected, read_ragged
from ..inputs.writers import check_order, doubt_of
from ..untrusted.given import as_array
from .expected import Padding, Sequences
from .padded import given_lengths, read_padded

__all__ = ["read_sequences"]

EXPECTED = "expected a list of arrays, one per sequence, or a padded array"


def read_sequences(X: object, lengths: object, padding: Padding, expected: Expected) -> Sequences:  # noqa: N803
    """Check X, which may be a list of sequences or a padded array.

    Parameters
    ----------
    X : list, tuple or object array [N] of numeric [length, I] or int [length]; or numeric [N, T, I] or int [N, T]
    lengths : int [N], ``"full"`` or None
        Of a padded array; None uses ``padding.value``.
    padding : Padding
        Of a padded array.
    expected : Expected

    Raises
    ------
    BadInput
        It is something else, has no sequences, or other features than expected.
    BadLengths
        A padded array without lengths, or lengths that do not fit these sequences.
    """
    if isinstance(X, list | tuple):
        return _of_list(X, lengths, expected)
    _refuse(X)
    array = as_array(X, "X", BadInput, MEND)
    if array.shape[:1] == (0,) or array.dtype.kind == "O":
        return _of_list(_objects(array), lengths, expected)
    letters = Form(tokens=True).axes_of(array.shape, array.dtype, "X").letters
    check_order(doubt_of(X, letters, "X"), letters)
    return read_padded(array, lengths, padding, expected)


def _of_list(rows: Sequence[Any], lengths: object, expected: Expected) -> Sequences:
    if not len(rows):
        raise BadInput("X: has no sequences; expected at least one. Check what selects them.")
    source = read_ragged(rows, expected)
    return Sequences(source, given_lengths("full" if lengths is None else lengths, source).lengths)


def _objects(array: "np.ndarray[Any, Any]") -> Sequence[Any]:
    if array.ndim == 1 or not len(array):
        return list(array)
    raise BadInput(
        f"X: Python objects in an array of shape {array.shape}; {EXPECTED}. NumPy makes this of sequences that happen "
        "to have the same length; give the list itself."
    )


def _refuse(X: object) -> None:  # noqa: N803
    kind = type(X).__name__
    if hasattr(X, "iloc") or hasattr(X, "columns"):
        raise BadInput(
            f"X: {with_article(kind)}; {EXPECTED}. Make one array of each sequence's rows: "
            "[rows.to_numpy() for _, rows in frame.groupby(name)]."
        )
    if hasattr(X, "toarray"):
        raise BadInput(f"X: a sparse {kind}; {EXPECTED}. Take .toarray() of each sequence.")
    if not hasattr(X, "__array__"):
        raise BadInput(f"X: {with_article(kind)}; {EXPECTED}. Files are read by rnnstates.extract.")
