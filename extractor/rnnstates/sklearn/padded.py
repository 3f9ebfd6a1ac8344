"""Reads a padded array; its lengths are given, or found from the padding value."""

from ..arrays.axes import Array
from ..errors import BadInput, BadLengths
from ..inputs import read_lengths
from ..inputs.base import Source
from ..inputs.form import Form
from ..inputs.layout import check_layout
from ..inputs.lengths import ValidSteps
from ..inputs.memory import MemorySource
from ..inputs.padding_value import PaddingValue, steps_before_padding
from ..inputs.ragged import Expected
from .expected import Padding, Sequences

__all__ = ["given_lengths", "read_padded"]


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
    valid = _valid(array, lengths, padding, source)
    return Sequences(source, valid.lengths, valid.padding)


def given_lengths(lengths: object, source: Source, side: str = "post") -> ValidSteps:
    """Check given lengths like ``extract``, except that files are not accepted."""
    if isinstance(lengths, str) and lengths != "full":
        raise BadLengths(f'lengths: {lengths!r}; expected whole numbers, one per sequence, or "full".')
    return read_lengths(lengths, source, padding=side)


def _valid(array: Array, lengths: object, padding: Padding, source: Source) -> ValidSteps:
    if lengths is not None:
        return given_lengths(lengths, source, padding.side)
    if padding.value is not None:
        value = PaddingValue(padding.side, padding.value, f"padding_value={padding.value}")
        return ValidSteps(steps_before_padding(source, value), padding.side, value.word)
    raise BadLengths(
        f"X: a padded array of shape {array.shape}, and no lengths given, so the padding is unknown. Give "
        'lengths=, or lengths="full" if every step counts; set padding_value to the value of the padding; or '
        "give a list of arrays without padding."
    )
