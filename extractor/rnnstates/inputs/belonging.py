"""Checks by id that initial states belong to the sequences of the run."""

from collections.abc import Iterator
from typing import NamedTuple, Protocol

import h5py
import numpy as np

from ..arrays.axes import Array, Names
from ..errors import BadInput
from .ids import ids_of

__all__ = ["Named", "check_ids"]

ROWS_AT_ONCE = 65536


class Named(Protocol):
    """The ids of a run, such as ``Ids``."""

    def blocks(self, rows: int) -> Iterator[tuple[int, Names]]:
        """Yield (start, ids)."""


class Rows(NamedTuple):
    """The sequences of a run; there must be as many ids."""

    name: str
    shape: tuple[int, ...]


def check_ids(stored: Array | h5py.Dataset, ids: Named, sequences: int, where: str) -> None:
    """Refuse initial states whose ids differ from those of the sequences in any row.

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
                f"{texts[1]!r} in this run. Put both in the same order; if the rows match anyway, "
                "give the states without ids, or the same ids with ids=."
            )
