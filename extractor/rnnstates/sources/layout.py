"""Which dtypes and shapes are sequences."""

from typing import Any

import numpy as np

from ..errors import BadInput

__all__ = ["ACCEPTED", "check_layout", "is_numeric"]

ACCEPTED = "float16, float32, float64, longdouble or integers of any width, in either byte order"

# What a dtype's kind letter means to somebody who has never seen one.
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


def is_numeric(dtype: np.dtype[Any]) -> bool:
    """Tell whether values of this dtype can be features."""
    return dtype.kind in "iuf"


def check_layout(shape: tuple[int, ...], dtype: np.dtype[Any], where: str, *, tokens: bool) -> None:
    """Refuse what is not a batch of padded sequences.

    Parameters
    ----------
    shape : tuple of int
        Expected (N, T, I), or (N, T) with ``tokens``; N may be 0.
    tokens : bool
        The weights bring an embedding, so [N, T] holds token ids.

    Raises
    ------
    BadInput
        The dtype is not numeric, the rank is wrong, or there are no steps or no features.
    """
    if not is_numeric(dtype):
        kind = KINDS.get(dtype.kind, "no numbers")
        raise BadInput(f"{where}: dtype {dtype} ({kind}); expected {ACCEPTED}. Convert it with .astype.")
    if len(shape) == 2 and not tokens:
        raise BadInput(
            f"{where}: shape {shape}; expected (N, T, I). Token ids need weights with an embedding (--weights); for "
            "one feature a step, reshape to (N, T, 1)."
        )
    if len(shape) not in (2, 3):
        wanted = "(N, T, I), or (N, T) for token ids" if tokens else "(N, T, I): sequences, steps, features"
        raise BadInput(f"{where}: shape {shape}; expected {wanted}. Reshape it.")
    for axis, what in ((1, "steps (T)"), (2, "features (I)")):
        if len(shape) > axis and shape[axis] == 0:
            raise BadInput(f"{where}: shape {shape} has 0 {what}; expected at least 1. Make the file again.")
