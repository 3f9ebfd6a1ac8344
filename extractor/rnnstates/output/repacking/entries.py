"""Turns datasets with an entry for each step (``per_step/NAME``) from one layout into the other."""

from collections.abc import Iterator
from typing import Annotated, Any

import h5py
import numpy as np
import numpy.typing as npt

from ..carried import PER_STEP
from ..format import Shape

__all__ = ["axes_in", "changes_layout", "entries_in", "shape_in"]

BYTES_AT_ONCE = 2**22
# How many axes the steps of all sequences take.
STEP_AXES = {"packed": 1, "padded": 2}

Values = Annotated[npt.NDArray[Any], "..."]


def changes_layout(name: str, old: Shape, new: Shape) -> bool:
    """Return whether a dataset has an entry for each step, and these are laid out differently in the new file."""
    return name.startswith(f"{PER_STEP}/") and old.layout != new.layout


def shape_in(dataset: h5py.Dataset, old: Shape, new: Shape) -> tuple[int, ...]:
    """Return its shape in the new file."""
    tail = dataset.shape[STEP_AXES[old.layout] :]
    return (new.stored_valid_steps, *tail) if new.layout == "packed" else (new.sequences, new.stored_steps, *tail)


def axes_in(axes: tuple[str, ...], old: Shape, new: Shape) -> tuple[str, ...]:
    """Return the names of its axes in the new file."""
    return (*(("step",) if new.layout == "packed" else ("sequence", "time")), *axes[STEP_AXES[old.layout] :])


def entries_in(dataset: h5py.Dataset, old: Shape, new: Shape) -> Iterator[tuple[int, Values]]:
    """Yield (first row in the new file, values), from the first to the last; padding is zero, or empty text."""
    tail = dataset.shape[STEP_AXES[old.layout] :]
    entry = max(1, int(np.prod(tail, dtype=object)) * dataset.dtype.itemsize)
    rows = max(1, BYTES_AT_ONCE // (entry * max(1, old.stored_steps)))
    for start in range(0, old.sequences, rows):
        sequences = slice(start, min(start + rows, old.sequences))
        parts = _sequences(dataset, sequences, old)
        if new.layout == "packed":
            yield int(new.offsets[start]), np.concatenate(parts)
            continue
        block = np.zeros((len(parts), new.stored_steps, *tail), dataset.dtype)
        for row, part in enumerate(parts):
            first = 0 if new.padding == "post" else new.stored_steps - len(part)
            block[row, first : first + len(part)] = part
        yield start, block


def _sequences(dataset: h5py.Dataset, sequences: slice, shape: Shape) -> list[Values]:
    """Read the entries of some sequences."""
    lengths = shape.stored_lengths[sequences].tolist()
    if shape.layout == "packed":
        first, last = (int(shape.offsets[place]) for place in (sequences.start, sequences.stop))
        return np.split(dataset[first:last], np.cumsum(lengths)[:-1])
    block = dataset[sequences]
    total = shape.stored_steps
    return [
        row[:length] if shape.padding == "post" else row[total - length :]
        for row, length in zip(block, lengths, strict=True)
    ]
