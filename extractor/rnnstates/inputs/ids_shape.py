"""The accepted shapes of ids: one axis, a row, a column, or a matrix of single characters."""

from collections.abc import Callable
from typing import Any, Protocol

import h5py
import numpy as np

from ..arrays.axes import Array, Names
from ..errors import BadInput

__all__ = ["Owner", "Read", "are_characters", "check_shape", "listed"]

Read = Callable[[int, int], Names]


class Owner(Protocol):
    """The ``Source`` that the ids belong to; only its name and number of sequences matter here."""

    @property
    def name(self) -> str:
        """For messages."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, …)."""


def check_shape(shape: tuple[int, ...], dtype: np.dtype[Any], where: str, owner: Owner) -> None:
    """Refuse ids whose shape is not one id per sequence.

    Raises
    ------
    BadInput
    """
    count = owner.shape[0]
    if are_characters(shape, dtype, count):
        return
    # One row or column too, as for lengths.
    if len(shape) == 2 and 1 in shape:
        shape = shape[:1] if shape[1] == 1 else shape[1:]
    if len(shape) != 1:
        raise BadInput(f"{where}: shape {shape}; expected ({count},), one id per sequence. Reshape them.")
    if shape[0] != count:
        raise BadInput(f"{where}: {shape[0]} ids, but {owner.name} has {count} sequences; give one id per sequence.")


def are_characters(shape: tuple[int, ...], dtype: np.dtype[Any], count: int) -> bool:
    """Return whether each row holds the characters of one id, as netCDF stores strings."""
    return len(shape) == 2 and shape[0] == count and shape[1] > 0 and dtype == "S1"


def listed(stored: Array | h5py.Dataset, count: int) -> Read:
    """Return a function that reads ids of an accepted shape as [stop - start]."""
    shape = tuple(stored.shape)
    if are_characters(shape, stored.dtype, count):
        width = np.dtype(f"S{shape[1]}")
        return lambda start, stop: np.ascontiguousarray(stored[start:stop]).view(width)[:, 0]
    if len(shape) == 1:
        return lambda start, stop: stored[start:stop]
    if shape[1] == 1:
        return lambda start, stop: stored[start:stop, 0]
    return lambda start, stop: stored[0, start:stop]
