"""The ``Source`` protocol: an input's shape, and reading one block of it."""

from typing import Any, Protocol

import numpy as np

from ..arrays.axes import AllLengths, Stored
from .axes import Axes, Doubt
from .container import Container

__all__ = ["Bare", "Source"]


class Source(Protocol):
    """Sequences in a file, a stream or memory.

    Attributes
    ----------
    name : str
        What to call it in a message, e.g. ``in.h5: dataset 'inputs'``.
    shape : tuple of int
        (N, T, I), or (N, T) for token ids.
    dtype : dtype
        Of the arrays that ``read`` returns, except for byte order.
    rows_together : int
        Rows that are best read at once (those of a chunk); 1 if it does not matter.
    steps_together : int
        Steps that are best read at once (those of a chunk; all of them for a stream, which is read once); 1 if it
        does not matter.
    identity : dict
        What distinguishes this input from others, in JSON types: kind, path, size, time of change (None without a
        file: then all values must be compared), digest of a sample.
    notes : tuple of str
        What makes reading it slower than necessary, or how it was interpreted, one sentence each; for the summary.
    axes : Axes
        The stored order of its axes.
    doubt : Doubt or None
        Why the stored order may be another one.
    container : Container or None
        The file of several arrays that it is in.
    lengths : int64 [N] or None
        The lengths of sequences that are stored without padding; None if they are padded.
    own_ids : object
        The names that the sequences are stored under, as ``open_ids`` takes them; None if they have none.
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
    container: Container | None
    lengths: AllLengths | None
    own_ids: object

    def read(self, rows: slice, steps: slice) -> Stored:
        """Return rows and steps as an array [rows, steps, ...], in its own memory or read-only.

        Both slices have a start and a stop inside the shape and no step. Memory stays proportional to the result.
        """

    def check_unchanged(self) -> None:
        """Raise ``InputChanged`` if the file has changed since it was opened; memory and streams pass."""

    def close(self) -> None:
        """Close the file; safe to call twice."""


class Bare:
    """What a ``Source`` has if nothing is known but its array; an implementation states what differs."""

    container: Container | None = None
    lengths: AllLengths | None = None
    own_ids: object = None
    doubt: Doubt | None = None
