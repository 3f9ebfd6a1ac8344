"""Checks lengths that were given: one whole number from 0 to T per sequence."""

from typing import Annotated, Any

import numpy as np
import numpy.typing as npt

from ..arrays.axes import AllLengths
from ..errors import BadLengths
from .axes import transposed
from .base import Source
from .counts import Counted, no_numbers
from .layout import is_numeric

__all__ = ["check_lengths"]


def check_lengths(counted: Counted, source: Source) -> AllLengths:
    """Compare lengths as they were given with the sequences.

    Returns
    -------
    int64 [N], each from 0 to T

    Raises
    ------
    BadLengths
        They do not fit this input.
    """
    _check_form(counted, source)
    lengths = _check_values(counted.values, counted.where, source)
    if source.lengths is not None:
        _check_agreement(lengths, source.lengths, counted.where, source)
    return lengths


def _check_form(counted: Counted, source: Source) -> None:
    values, where, count = counted.values, counted.where, source.shape[0]
    if not is_numeric(values.dtype):
        raise no_numbers(values.dtype, counted.called, where)
    # One row too: programs that reverse axes write a column so.
    shape = values.shape
    if len(shape) == 2 and 1 in shape:
        shape = shape[:1] if shape[1] == 1 else shape[1:]
    if len(shape) != 1:
        raise BadLengths(f"{where}: shape {shape}; expected ({count},), one length per sequence. Reshape them.")
    if shape[0] != count:
        raise BadLengths(
            f"{where}: {shape[0]} lengths, but {source.name} has {count} sequences; give one length per sequence."
            f"{transposed(source, 'N', shape[0])}"
        )


def _check_agreement(given: AllLengths, own: AllLengths, where: str, source: Source) -> None:
    """Refuse lengths that contradict those of sequences without padding."""
    if (given != own).any():
        row = int(np.argmax(given != own))
        raise BadLengths(
            f"{where}: row {row} is {given[row]}, but sequence {row} of {source.name} has {own[row]} steps, which all "
            "count, because it is stored without padding. Leave the lengths out, or cut the sequences; if they are "
            'next to it and every step counts, pass lengths="full".'
        )


def _check_values(values: Annotated[npt.NDArray[Any], "*one_axis"], where: str, source: Source) -> AllLengths:
    steps = source.shape[1]
    values = values.reshape(-1)
    if values.dtype.kind == "f":
        # T may exceed float16.
        with np.errstate(invalid="ignore"):
            values = values.astype(np.promote_types(values.dtype, np.float64))
    with np.errstate(invalid="ignore"):  # NaN, which is reported below
        valid = (values >= 0) & (values <= steps) & (values == np.trunc(values))
    if not valid.all():
        row = int(np.argmin(valid))
        raise BadLengths(
            f"{where}: row {row} has length {_plain(values[row])}, but {source.name} has {steps} steps "
            f"(wrong in {np.count_nonzero(~valid)} of {len(values)} rows). Lengths must be whole numbers from 0 to "
            f"{steps}; check that they were made for these inputs.{_other_steps(values, source)}"
        )
    return values.astype(np.int64)


def _other_steps(values: Annotated[npt.NDArray[Any], "N"], source: Source) -> str:
    """Suggest swapped axes if there are as many features as the longest sequence has steps."""
    longest = values.max(initial=0)
    return transposed(source, "T", int(longest)) if np.isfinite(longest) and longest > source.shape[1] else ""


def _plain(value: Any) -> str:
    return str(int(value)) if np.isfinite(value) and value == int(value) else str(value)
