"""Describes the axes of a value that a graph computes when it runs, and what they are made of.

Each axis is a sequence of named parts. Exporters only rearrange the output of a layer before the next one reads it:
they drop the axis of a single direction, put directions next to units, swap steps and batch. The parts show whether
that is all, whichever operators are used and whether or not the sizes are numbers.
"""

from collections.abc import Sequence
from typing import NamedTuple

from ...readers.onnx.graph import Node
from .sizes import AxisSize, Size, product

__all__ = [
    "BATCH",
    "SORTED",
    "STEPS",
    "UNITS",
    "WAYS",
    "WIDTH",
    "Axis",
    "Laid",
    "Part",
    "Piece",
    "reshaped",
    "sizes_of",
]

# Parts of the output of layers: directions, units of one; units of both, if they differ; columns of a table.
STEPS, BATCH, WAYS, UNITS, WIDTH = "steps", "batch", "directions", "units", "width"
# Suffix for the name of a part whose rows are in another order.
SORTED = " (sorted)"


class Part(NamedTuple):
    """A part of an axis: its name, its size, and its position among the axes of the model's inputs."""

    name: str
    size: AxisSize
    place: tuple[int, ...] = ()


class Piece(NamedTuple):
    """One direction of the output of a node."""

    node: Node
    way: int


Axis = tuple[Part, ...]


class Laid(NamedTuple):
    """A value and its axes.

    Parameters
    ----------
    axes : tuple of tuple of Part, or None
        None if unknown.
    pieces : tuple of Piece
        The directions whose states it holds, in order; empty for anything else.
    merge : str
        How the pieces were merged.
    table : str
        The table whose rows it is.
    computed : str
        The name of the value from which it was computed by more than rearranging.
    halved : bool
        Whether it was rounded to half precision on the way.
    rounded : str
        The value at which it was rounded to whole numbers, as ids may be.
    """

    axes: tuple[Axis, ...] | None
    pieces: tuple[Piece, ...] = ()
    merge: str = "concat"
    table: str = ""
    computed: str = ""
    halved: bool = False
    rounded: str = ""


def sizes_of(axes: Sequence[Axis]) -> list[AxisSize]:
    """Return the size of each axis."""
    return [product([part.size for part in axis]) for axis in axes]


def reshaped(axes: Sequence[Axis], shape: Sequence[AxisSize]) -> tuple[Axis, ...] | None:
    """Distribute the parts of all axes among those of another shape, in order; None if that is unclear.

    Parameters
    ----------
    axes : sequence of tuple of Part
    shape : sequence of int or Size
        At most one of them is -1, for whatever is left.
    """
    whole = list(shape)
    if any(isinstance(size, int) and size == -1 for size in whole):
        place = whole.index(-1)
        others = product(whole[:place] + whole[place + 1 :])
        whole[place] = product(sizes_of(axes)) // others if others else 0
    parts = [part for axis in axes for part in axis]
    found = []
    for size in whole:
        axis = _taken(parts, size)
        if axis is None:
            return None
        found.append(axis)
    if found and all(part.size == 1 for part in parts):
        # Trailing parts of size one belong to the axis before them.
        return (*found[:-1], (*found[-1], *parts))
    return None if parts else tuple(found)


def _taken(parts: list[Part], size: AxisSize) -> Axis | None:
    """Take parts from the front until they make up a size; None if they do not."""
    taken: list[Part] = []
    while parts and (product([part.size for part in taken]) != size or _belongs(parts[0], size, taken)):
        _cut(parts, product([part.size for part in taken]), size)
        taken.append(parts.pop(0))
        if len(taken) > 1 and not _may_become(taken, size):
            return None
    return tuple(taken) if product([part.size for part in taken]) == size else None


def _cut(parts: list[Part], made: AxisSize, size: AxisSize) -> None:
    """Cut the first part at the end of an axis if it belongs to an input of the model."""
    first = parts[0]
    if isinstance(made, int) and isinstance(size, int) and isinstance(first.size, int) and first.place and made > 0:
        wanted = size // made
        if made * wanted == size and 1 < wanted < first.size and first.size % wanted == 0:
            halves = enumerate((wanted, first.size // wanted))
            parts[:1] = [Part(f"{first.name}.{half}", many, (*first.place, half)) for half, many in halves]


def _belongs(part: Part, size: AxisSize, taken: list[Part]) -> bool:
    """Return whether a part of size one belongs to an axis that is complete without it: to an axis of size one."""
    return size == 1 and part.size == 1 and not taken


def _may_become(taken: list[Part], size: AxisSize) -> bool:
    made = product([part.size for part in taken])
    return isinstance(made, Size) or isinstance(size, Size) or made <= size
