"""Where the axes of a value stand that a graph computes when it is run, and what it is made of.

Each axis is a row of named parts. Exporters only rearrange what a layer gives before the next one reads it: they drop
the axis of a single direction, put directions beside units, exchange steps and batch. Whether that is all they do can
be seen from the parts, whatever the operators are and whether the sizes are numbers or not.
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

# Parts of what layers give: directions, units of one; of both, where they differ; columns of a table.
STEPS, BATCH, WAYS, UNITS, WIDTH = "steps", "batch", "directions", "units", "width"
# Behind the name of a part: its rows were put in another order.
SORTED = " (sorted)"


class Part(NamedTuple):
    """A part of an axis: what it is, how many, and where it stands among the axes of what the model is given."""

    name: str
    size: AxisSize
    place: tuple[int, ...] = ()


class Piece(NamedTuple):
    """One direction of what a node gives."""

    node: Node
    way: int


Axis = tuple[Part, ...]


class Laid(NamedTuple):
    """A value and its axes.

    Parameters
    ----------
    axes : tuple of tuple of Part, or None
        None where they are not known.
    pieces : tuple of Piece
        Whose states it is, in order; empty for anything else.
    merge : str
        How the pieces were put together.
    table : str
        The table whose rows it is.
    computed : str
        What it was computed from by more than rearranging: the name of that value.
    halved : bool
        It was rounded to half precision on the way.
    rounded : str
        The value in which it was rounded to whole numbers, as ids may be.
    """

    axes: tuple[Axis, ...] | None
    pieces: tuple[Piece, ...] = ()
    merge: str = "concat"
    table: str = ""
    computed: str = ""
    halved: bool = False
    rounded: str = ""


def sizes_of(axes: Sequence[Axis]) -> list[AxisSize]:
    """Give the size of each axis."""
    return [product([part.size for part in axis]) for axis in axes]


def reshaped(axes: Sequence[Axis], shape: Sequence[AxisSize]) -> tuple[Axis, ...] | None:
    """Share the parts of all axes out among those of another shape, in order; None where that cannot be seen.

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
        # Where the last ones are of one, they belong to the axis before them.
        return (*found[:-1], (*found[-1], *parts))
    return None if parts else tuple(found)


def _taken(parts: list[Part], size: AxisSize) -> Axis | None:
    """Take parts from the front until they make a size; None where they do not."""
    taken: list[Part] = []
    while parts and (product([part.size for part in taken]) != size or _belongs(parts[0], size, taken)):
        _cut(parts, product([part.size for part in taken]), size)
        taken.append(parts.pop(0))
        if len(taken) > 1 and not _may_become(taken, size):
            return None
    return tuple(taken) if product([part.size for part in taken]) == size else None


def _cut(parts: list[Part], made: AxisSize, size: AxisSize) -> None:
    """Cut the first part where it goes past an axis, if it is one of what the model is given."""
    first = parts[0]
    if isinstance(made, int) and isinstance(size, int) and isinstance(first.size, int) and first.place and made > 0:
        wanted = size // made
        if made * wanted == size and 1 < wanted < first.size and first.size % wanted == 0:
            halves = enumerate((wanted, first.size // wanted))
            parts[:1] = [Part(f"{first.name}.{half}", many, (*first.place, half)) for half, many in halves]


def _belongs(part: Part, size: AxisSize, taken: list[Part]) -> bool:
    """Tell whether a part of one belongs to an axis that is whole without it: to an axis of one."""
    return size == 1 and part.size == 1 and not taken


def _may_become(taken: list[Part], size: AxisSize) -> bool:
    made = product([part.size for part in taken])
    return isinstance(made, Size) or isinstance(size, Size) or made <= size
