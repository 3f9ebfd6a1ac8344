"""Detects padding that seems to be on the other side of the sequences than stated."""

import contextlib
import math
from typing import Annotated, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..arrays.axes import AllLengths
from ..errors import BadInput
from .base import Source
from .form import Form
from .memory import MemorySource
from .stream import StreamSource

__all__ = ["seems_turned"]

# Sequences that are examined, and the steps and bytes of each that are read at a time.
MOST_ROWS, MOST_STEPS, MOST_BYTES = 8, 32, 2**20

# Whether something is so of each feature.
Features = Annotated[npt.NDArray[np.bool_], "I"]


class Look(NamedTuple):
    """A sequence as seen from the side on which its valid steps are stated to be.

    Parameters
    ----------
    start : [S, I]
        Of the steps that padding on this side would take: the first ones and the last ones.
    behind : [I]
        The step after them.
    called : [S, I]
        The first and the last step of the stated padding; one step if they coincide.
    """

    start: Annotated[npt.NDArray[Any], "_ I"]
    behind: Annotated[npt.NDArray[Any], "I"]
    called: Annotated[npt.NDArray[Any], "_ I"]


def seems_turned(source: Source, lengths: AllLengths, padding: str) -> bool:
    """Return whether sequences shorter than T look as if their padding were on the other side.

    Then the first ``T - length`` steps of each are all the same, the data begin right after them, and the stated
    padding is not constant. A sequence that is constant, or begins with silence, changes elsewhere. One feature of
    several may continue in the padding, such as a step number.

    Parameters
    ----------
    source : Source
        Of a stream, only the first rows are examined.
    lengths : int64 [N]
    padding : str
        ``post`` or ``pre``.

    Returns
    -------
    bool
        Whether the few examined sequences all begin with the same step, and more than half of them then change.
    """
    if source.lengths is not None:
        return False
    if isinstance(source, StreamSource):
        if not ((lengths > 0) & (lengths < source.shape[1])).any():
            return False
        first = source.first_rows(MOST_BYTES)
        source, lengths = MemorySource(first, form=Form(tokens=first.ndim == 2)), lengths[: len(first)]
    short = np.flatnonzero((lengths > 0) & (lengths < source.shape[1]))
    looks: list[Look] = []
    # Damage is reported by whoever needs the data.
    with contextlib.suppress(BadInput):
        for row in short[np.linspace(0, len(short) - 1, min(MOST_ROWS, len(short))).astype(int)].tolist():
            looks.append(_look(source, row, source.shape[1] - int(lengths[row]), padding))
            if not _still(looks).any():
                return False
    return bool(looks) and _is_turned(looks, _still(looks))


def _still(looks: list[Look]) -> Features:
    """Return which features are constant over all first steps of the sequences: [I]; none if several are not."""
    starts = np.concatenate([look.start for look in looks])
    same = np.asarray(_same(starts, starts[0]).all(axis=0))
    few_differ = np.count_nonzero(~same) <= (1 if same.size > 2 else 0)
    return same if few_differ else np.zeros_like(same)


def _is_turned(looks: list[Look], still: Features) -> bool:
    padded = looks[0].start[0, still]
    called = np.concatenate([look.called[:, still] for look in looks])
    is_one_number = bool(still.all() and _same(padded, padded[0]).all())
    # A single shared first step may be a start marker.
    if not is_one_number and all(len(look.called) == 1 for look in looks):
        return False
    if len(called) > 1 and _same(called, called[0]).all():
        return False
    changed = [not any(_same(step[still], padded).all() for step in (look.behind, look.called[-1])) for look in looks]
    return 2 * sum(changed) > len(looks)


def _look(source: Source, row: int, padded: int, padding: str) -> Look:
    """Read a few steps of a sequence with so many padded steps."""
    total = source.shape[1]
    step_bytes = math.prod(source.shape[2:]) * source.dtype.itemsize
    most = max(1, min(MOST_STEPS, MOST_BYTES // max(1, step_bytes)))

    def read(start: int, stop: int) -> Annotated[npt.NDArray[Any], "_ I"]:
        """Read steps, counted from the side of the valid steps: [S, values]."""
        steps = slice(start, stop) if padding == "post" else slice(total - stop, total - start)
        block = np.asarray(source.read(slice(row, row + 1), steps)[0]).reshape(stop - start, -1)
        return block if padding == "post" else block[::-1]

    start = np.concatenate([read(0, min(most, padded)), read(max(0, padded - most), padded)])
    called = np.concatenate([read(step, step + 1) for step in sorted({total - padded, total - 1})])
    return Look(start, read(padded, padded + 1)[0], called)


def _same(
    values: Annotated[npt.NDArray[Any], "*steps I"], step: Annotated[npt.NDArray[Any], "I"]
) -> Annotated[npt.NDArray[np.bool_], "*steps I"]:
    """Compare values [..., I] with a step [I]; NaN equals NaN."""
    same: npt.NDArray[np.bool_] = (values == step) | (np.isnan(values) & np.isnan(step))
    return same
