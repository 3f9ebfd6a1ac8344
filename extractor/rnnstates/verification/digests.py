"""Whether the bytes of states are those that were written: each window of each dataset against its stored sums."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from ..arrays.checksums import Sums, add
from ..output.format import DatasetSpec, Shape
from ..output.integrity import window_slice, window_sums
from ..output.states import States
from .findings import shortened
from .promised import Promise
from .raw_file import RawFile

__all__ = ["ELSEWHERE", "Damage", "Grid", "Located", "damaged_windows", "located", "shape_of", "told"]

# From dataset name to the stretches of sequences that are wrong: (the first, the last).
Damage = dict[str, list[tuple[int, int]]]

ELSEWHERE = "something outside the states was changed (attributes, lengths, ids, …)"


class Located(NamedTuple):
    """A dataset, and the position of its first byte in the file."""

    spec: DatasetSpec
    offset: int


class Grid(NamedTuple):
    """How sequences are cut into windows."""

    shape: Shape
    window_rows: int


def shape_of(states: States, promise: Promise) -> Shape:
    """Give the shape of the job that a file is of."""
    return Shape(
        states.lengths.astype(np.int64), promise.steps, states.attributes["layout"], states.attributes["padding"]
    )


def located(states: States, promise: Promise) -> list[Located] | str:
    """Find each dataset of states in the file; gives the name of one that does not lie there in one piece."""
    found = []
    for promised in promise.specs:
        dataset = states[promised.name]
        # The final states are as precise as they were computed.
        spec = replace(promised, dtype=dataset.dtype)
        offset = dataset.id.get_offset()
        if offset is None and spec.nbytes:
            return spec.name
        found.append(Located(spec, offset or 0))
    return found


def damaged_windows(
    raw: RawFile, datasets: Sequence[Located], grid: Grid, windows: Sequence[int], written: Callable[[int, int], Sums]
) -> Damage:
    """Find the windows whose bytes do not have the sums they were written with.

    Parameters
    ----------
    raw : RawFile
    datasets : sequence of Located
    grid : Grid
    windows : sequence of int
        The numbers of those that are looked at, the least first.
    written : callable
        Gives the sums of a window, by its number, of a dataset, by its place among them.

    Returns
    -------
    dict
        By dataset, those with damage only.
    """
    damage: Damage = {}
    for place, dataset in enumerate(datasets):
        for number in windows:
            sequences = window_slice(grid.shape, number, grid.window_rows)
            found = _sums(raw, dataset, grid.shape.rows_of(dataset.spec, sequences))
            if found != written(number, place):
                _note(damage.setdefault(dataset.spec.name, []), sequences)
    return damage


def told(damage: Damage) -> list[str]:
    """Tell which sequences are damaged: a clause each dataset, at most five.

    Examples
    --------
    >>> told({"cell": [(128, 191)], "hidden": [(5, 5), (7, 8)]})
    ["'cell': sequences 128 to 191 are not as they were written", "'hidden': sequences 5, 7 to 8 are not as they were \
written"]
    """
    return shortened((_clause(name, stretches) for name, stretches in damage.items()), "and {} more datasets")


def _sums(raw: RawFile, dataset: Located, rows: tuple[int, int]) -> Sums:
    """Sum up some rows; of those that lie in holes nothing needs to be read, zeros add nothing."""
    width = dataset.spec.width * dataset.spec.dtype.itemsize
    begin, end = (dataset.offset + row * width for row in rows)
    total: Sums = (0, 0)
    done = rows[0]
    for start, stop in raw.stretches(begin, min(end, raw.size)):
        first = max(done, (start - dataset.offset) // width)
        done = min(rows[1], -(-(stop - dataset.offset) // width))
        total = add(total, window_sums(raw.read, dataset.offset, dataset.spec, (first, done)))
    return total


def _note(stretches: list[tuple[int, int]], sequences: slice) -> None:
    """Add a window, to the stretch before where it follows that."""
    first = sequences.start
    if stretches and stretches[-1][1] + 1 == first:
        first = stretches.pop()[0]
    stretches.append((first, sequences.stop - 1))


def _clause(name: str, stretches: list[tuple[int, int]]) -> str:
    shown = ", ".join(
        shortened(
            (f"{first} to {last}" if last > first else f"{first}" for first, last in stretches), "and {} more stretches"
        )
    )
    if len(stretches) == 1 and stretches[0][0] == stretches[0][1]:
        return f"'{name}': sequence {shown} is not as it was written"
    return f"'{name}': sequences {shown} are not as they were written"
