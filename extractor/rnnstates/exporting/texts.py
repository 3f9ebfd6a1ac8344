"""The ids of sequences: numbers, or text read in blocks."""

from collections.abc import Iterator

import numpy as np

from ..arrays.axes import Rows
from ..errors import BadStates
from ..untrusted.hdf5 import reading
from .runs import runs_of
from .stored import Stored

__all__ = ["Names", "has_text", "id_blocks", "ids_at"]

# Ids as Python has them.
Names = list[int] | list[str]
ROWS_AT_ONCE = 65536


def has_text(stored: Stored) -> bool:
    """Return whether the ids are text."""
    return bool(stored.ids.dtype.kind in "SU")


def ids_at(stored: Stored, rows: Rows) -> Names:
    """Read the ids of some sequences."""
    names: list[int | str] = []
    with reading(f"{stored.where}: 'ids'", BadStates):
        for first, last in runs_of(rows):
            read = stored.ids[int(rows[first]) : int(rows[last - 1]) + 1].tolist()
            names += map(_plain, read)
    return names  # type: ignore[return-value]


def _plain(name: int | str | bytes) -> int | str:
    """Return an id as a number or as text that can be encoded."""
    if isinstance(name, str):
        name = name.encode("utf-8", "replace")
    return name.decode("utf-8", "replace") if isinstance(name, bytes) else name


def id_blocks(stored: Stored) -> Iterator[tuple[int, Names]]:
    """Yield (first sequence, ids), from the first sequence to the last."""
    count = stored.shape.sequences
    for first in range(0, count, ROWS_AT_ONCE):
        yield first, ids_at(stored, np.arange(first, min(first + ROWS_AT_ONCE, count)))
