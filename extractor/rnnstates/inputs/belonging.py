"""Checks by id that initial states belong to the sequences of the run."""

from collections.abc import Iterator
from typing import NamedTuple, Protocol

import h5py
import numpy as np

from ..arrays.axes import Array
from ..errors import BadInput
from .ids import ids_of

__all__ = ["Named", "check_ids"]

ROWS_AT_ONCE = 65536


class Named(Protocol):
    """The ids of a run, as ``Ids`` has them."""

    def blocks(self, rows: int) -> Iterator[tuple[int, Array]]:
        """Yield (start, ids)."""


class Rows(NamedTuple):
    """The sequences of a run, as many as the ids must be."""

    name: str
    shape: tuple[int, ...]


def check_ids(stored: Array | h5py.Dataset, ids: Named, sequences: int, where: str) -> None:
    """Refuse states whose ids are not those of the sequences, row by row.

    Raises
    ------
    BadInput
        Naming the first row that differs.
    """
    known = ids_of(stored, f"{where}: 'ids'", Rows("the run", (sequences,)))
    for start, block in ids.blocks(ROWS_AT_ONCE):
        here, there = (part.astype(np.bytes_) for part in (block, known.read(start, start + len(block))))
        if (here != there).any():
            row = int(np.argmax(here != there))
            texts = [part[row].decode("utf-8", "replace") for part in (there, here)]
            raise BadInput(
                f"{where}: has the states of other sequences: row {start + row} has the id {texts[0]!r} there, and "
                f"{texts[1]!r} in this run. Bring both into one order; if their rows belong together all the same, "
                "give the states without ids, or the same ids with ids=."
            )
