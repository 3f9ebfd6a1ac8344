"""Reads a padded array; its lengths are given, or found from the padding value."""

import math

import numpy as np

from ..arrays.axes import Array
from ..errors import BadInput, BadLengths
from ..inputs import read_lengths
from ..inputs.base import Source
from ..inputs.form import Form
from ..inputs.layout import check_layout
from ..inputs.memory import MemorySource
from ..inputs.ragged import Expected
from .expected import Lengths, Padding, Sequences

__all__ = ["given_lengths", "read_padded", "steps_before_padding"]


def read_padded(array: Array, lengths: object, padding: Padding, expected: Expected) -> Sequences:
    """Check an array; its values are only read to find padding.

    Parameters
    ----------
    array : numeric [N, T, I] or int [N, T]
    lengths : int [N], ``"full"`` or None
        None uses ``padding.value``.
    padding : Padding
    expected : Expected

    Raises
    ------
    BadInput, BadLengths
    """
    form = Form(tokens=expected.vocabulary)
    check_layout(form.axes_of(array.shape, array.dtype, "X"), array.dtype, "X", tokens=expected.vocabulary)
    ids = array.ndim == 2
    if expected.ids not in (None, ids):
        wanted = "(N, T), token ids," if expected.ids else f"(N, T, {expected.features}),"
        raise BadInput(f"X: shape {array.shape}; expected {wanted} {expected.why}.")
    if not ids and expected.features not in (None, array.shape[2]):
        raise BadInput(f"X: has {array.shape[2]} features per step; expected {expected.features}, {expected.why}.")
    source = MemorySource(array, form=form)
    source.name = "X"
    return Sequences(source, _lengths(array, lengths, padding, source), padding.side)


def given_lengths(lengths: object, source: Source) -> Lengths:
    """Check given lengths like ``extract``, except that files are not accepted."""
    if isinstance(lengths, str) and lengths != "full":
        raise BadLengths(f'lengths: {lengths!r}; expected whole numbers, one per sequence, or "full".')
    return read_lengths(lengths, source)


def steps_before_padding(array: Array, value: float, side: str) -> Lengths:
    """Count the steps of each sequence without its padding: steps at its end whose features all have this value.

    Parameters
    ----------
    array : numeric [N, T, I] or [N, T]
    value : float
        NaN for NaN.
    side : str
        ``post``, or ``pre`` for padding in front.

    Returns
    -------
    int64 [N]

    Examples
    --------
    >>> steps_before_padding(np.array([[1, 0, 2, 0, 0], [0, 0, 0, 0, 0], [1, 2, 3, 4, 5]]), 0, "post")
    array([3, 0, 5])
    """
    # Row by row, so that no mask of the whole array is in memory.
    return np.array([_counted(row, value, side) for row in array], np.int64)


def _counted(row: Array, value: float, side: str) -> int:
    same = np.isnan(row) if math.isnan(value) else row == value
    counts = np.flatnonzero(~same.reshape(len(row), -1).all(axis=1))
    if not len(counts):
        return 0
    return int(counts[-1]) + 1 if side == "post" else len(row) - int(counts[0])


def _lengths(array: Array, lengths: object, padding: Padding, source: Source) -> Lengths:
    if lengths is not None:
        return given_lengths(lengths, source)
    if padding.value is not None:
        return steps_before_padding(array, padding.value, padding.side)
    raise BadLengths(
        f"X: a padded array of shape {array.shape}, and no lengths given, so the padding is unknown. Give "
        'lengths=, or lengths="full" if every step counts; set padding_value to the value of the padding; or '
        "give a list of arrays without padding."
    )
