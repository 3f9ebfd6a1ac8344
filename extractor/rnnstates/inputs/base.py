"""The ``Source`` protocol: an input's shape, and reading one block of it."""

from typing import Any, Protocol

import numpy as np

from ..arrays.axes import Array
from .axes import Axes, Doubt

__all__ = ["Source"]


class Source(Protocol):
    """Sequences in a file, a stream or memory.

    Attributes
    ----------
    name : str
        What to call it in a message, e.g. ``in.h5: dataset 'inputs'``.
    shape : tuple of int
        (N, T, I), or (N, T) for token ids.
    dtype : dtype
        Of what ``read`` gives, but for byte order.
    rows_together : int
        Rows that are best read at once (a chunk's rows); 1 where it does not matter.
    steps_together : int
        Steps that are best read at once (a chunk's; of a stream, which is read once, all of them); 1 where it does
        not matter.
    identity : dict
        What tells this input from another one, in JSON types: kind, path, size, time of change (None of what is no
        file: then all of its values have to be compared), digest of a sample.
    notes : tuple of str
        What makes reading it cost more than it need, or how it was understood, one sentence each; for the summary.
    axes : Axes
        The order in which its axes are stored.
    doubt : Doubt or None
        Why that order may be another one.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    rows_together: int
    steps_together: int
    identity: dict[str, object]
    notes: tuple[str, ...]
    axes: Axes
    doubt: Doubt | None

    def read(self, rows: slice, steps: slice) -> Array:
        """Return rows and steps as an array [rows, steps, ...], memory of its own or read-only.

        Both slices have a start and a stop inside the shape and no step. Memory stays proportional to the result.
        """

    def check_unchanged(self) -> None:
        """Raise ``InputChanged`` where the file is not what it was when it was opened; memory and streams pass."""

    def close(self) -> None:
        """Close the file; safe to call twice."""
