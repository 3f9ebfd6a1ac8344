"""Datasets of the input in the output: ``per_sequence/NAME`` [N, ...] and ``per_step/NAME`` like the states."""

import hashlib
from collections.abc import Callable, Iterator
from typing import Annotated, Any, Protocol

import numpy as np
import numpy.typing as npt

from .format import Shape

__all__ = [
    "PER_SEQUENCE",
    "PER_STEP",
    "HasEntries",
    "blocks_of",
    "digest_of",
    "dimensions_of",
    "is_carried",
    "path_of",
    "shape_of",
]

PER_SEQUENCE, PER_STEP = "per_sequence", "per_step"
BYTES_AT_ONCE = 2**22

Values = Annotated[npt.NDArray[Any], "..."]


class HasEntries(Protocol):
    """A dataset of the input, such as ``inputs.carried.Carried``."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def per_step(self) -> bool:
        """Whether it has an entry for each step."""

    @property
    def tail(self) -> tuple[int, ...]:
        """The axes of an entry."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the stored values; ``S<k>`` for text."""

    @property
    def ascii(self) -> bool:
        """Whether all text is ASCII."""

    @property
    def read(self) -> Callable[[Annotated[npt.NDArray[np.int64], "_"]], Values]:
        """From the numbers of sequences to their entries, [n, ...] or [n, T, ...]."""


def is_carried(path: str) -> bool:
    """Return whether a dataset of the output is copied from the input, and so of no layer and no unit."""
    return path.partition("/")[0] in (PER_SEQUENCE, PER_STEP)


def path_of(carried: HasEntries) -> str:
    """Return its name in the output."""
    return f"{PER_STEP if carried.per_step else PER_SEQUENCE}/{carried.name}"


def shape_of(carried: HasEntries, shape: Shape) -> tuple[int, ...]:
    """Return its shape in the output."""
    if not carried.per_step:
        return (shape.sequences, *carried.tail)
    if shape.layout == "packed":
        return (shape.stored_valid_steps, *carried.tail)
    return (shape.sequences, shape.stored_steps, *carried.tail)


def dimensions_of(carried: HasEntries, shape: Shape) -> tuple[str, ...]:
    """Name its axes."""
    steps = ("step",) if shape.layout == "packed" else ("sequence", "time")
    own = tuple(f"{carried.name}_axis{number}" for number in range(len(carried.tail)))
    return (*(steps if carried.per_step else ("sequence",)), *own)


def blocks_of(carried: HasEntries, shape: Shape) -> Iterator[tuple[int, Values]]:
    """Yield (first row in the output, values) from the first to the last; padding is zero, or empty text."""
    entry = max(1, int(np.prod(carried.tail, dtype=object)) * carried.dtype.itemsize)
    rows = max(1, BYTES_AT_ONCE // (entry * (shape.steps if carried.per_step else 1)))
    for start in range(0, shape.sequences, rows):
        places = np.arange(start, min(start + rows, shape.sequences))
        values = carried.read(places)
        if not carried.per_step:
            yield start, values
        elif shape.layout == "packed":
            kept = [_kept(row, place, shape) for row, place in zip(values, places.tolist(), strict=True)]
            yield int(shape.offsets[start]), np.concatenate(kept)
        else:
            yield start, _padded(values, places, shape)


def _kept(row: Values, place: int, shape: Shape) -> Values:
    """Return the stored steps of one sequence."""
    length = int(shape.lengths[place])
    first = 0 if shape.padding == "post" else shape.steps - length
    return row[first + shape.kept.numbers(length)]


def _padded(values: Values, places: Annotated[npt.NDArray[np.int64], "_"], shape: Shape) -> Values:
    block = np.zeros((len(values), shape.stored_steps, *values.shape[2:]), values.dtype)
    for row, place in enumerate(places.tolist()):
        kept = _kept(values[row], place, shape)
        first = 0 if shape.padding == "post" else shape.stored_steps - len(kept)
        block[row, first : first + len(kept)] = kept
    return block


def digest_of(carried: HasEntries, shape: Shape) -> str:
    """Return what identifies its values."""
    digest = hashlib.sha256(f"{path_of(carried)} {shape_of(carried, shape)} {carried.dtype.str}".encode())
    for _, block in blocks_of(carried, shape):
        digest.update(np.ascontiguousarray(block.astype(carried.dtype)).tobytes())
    return digest.hexdigest()
