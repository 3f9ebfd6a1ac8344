"""Whether states to start from belong to the sequences: the order of their axes, and their ids."""

from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

import h5py
import numpy as np

from ..arrays import Array
from ..errors import BadInput
from .ids import ids_of
from .writers import SEQUENCES, UNITS, axis_names, mark_of, userblock_of

__all__ = ["Named", "check_ids", "check_square"]

ROWS_AT_ONCE = 65536
PLAIN = "Save them as (sequences, units) in a .npz file."


class Named(Protocol):
    """The ids of a run, as ``Ids`` has them."""

    def blocks(self, rows: int) -> Iterator[tuple[int, Array]]:
        """Yield (start, ids)."""


class Rows(NamedTuple):
    """The sequences of a run, as many as the ids must be."""

    name: str
    shape: tuple[int, ...]


def check_square(values: Any, where: str) -> None:
    """Refuse states of as many sequences as units where something says that the axes are exchanged, or may be.

    Parameters
    ----------
    values : array, or h5py.Dataset [N, N]
        As it was given: one of xarray names its axes.
    where : str

    Raises
    ------
    BadInput
        Its axes are called the other way round; or it was written by a program that stores axes in reverse order, and
        they have no names.
    """
    named = axis_names(values)
    first, second = [name.lower() for name in named] if len(named) == 2 else ("", "")
    right = (first in SEQUENCES) + (second in UNITS)
    turned = (first in UNITS) + (second in SEQUENCES)
    if turned > right:
        raise BadInput(
            f"{where} has its axes called {named[0]!r}, {named[1]!r}; expected sequences first, then units, which its "
            f"shape, {tuple(values.shape)}, does not tell apart. Transpose it."
        )
    if turned == right and isinstance(values, h5py.Dataset) and (marked := mark_of(values, userblock_of(values))):
        program, mark = marked
        raise BadInput(
            f"{where} was written by {program} ({mark}), which stores axes in reverse order, and its shape, "
            f"{tuple(values.shape)}, does not tell sequences from units. {PLAIN}"
        )


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
