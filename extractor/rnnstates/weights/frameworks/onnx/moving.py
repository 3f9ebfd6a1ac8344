"""Applies rearranging operators of ONNX to the layout of values that are computed when the graph runs.

``MOVES`` lists them. Each takes its inputs, as far as they are known, and returns its outputs; None if it does more
than rearrange.
"""

import itertools
from collections.abc import Callable, Sequence

import numpy as np

from ...readers.onnx.graph import Node
from .laid import SORTED, UNITS, WAYS, WIDTH, Axis, Laid, Part, Piece, reshaped, sizes_of
from .settings import Inputs, cast_to, numbers, ranges, split_edges
from .sizes import AxisSize, Size

__all__ = ["MOST_AXES", "MOVES", "given_shape", "taken_rows"]

SINGLE, HALF, DOUBLE, BRAIN = 1, 10, 11, 16
# Integer types that can hold every id.
WHOLE = (6, 7, 12, 13)
# A slice to the end may give this or more as its end.
FAR = 2**31 - 1
# Most characters in the name of a size.
LONGEST = 80
MOST_AXES = 32

Outputs = Sequence[Laid | None] | None
Reads = Sequence[Laid | None]


def _same(_node: Node, laid: Laid, _settings: Inputs) -> Laid | None:
    return laid


def _cast(node: Node, laid: Laid, _settings: Inputs) -> Laid | None:
    to = cast_to(node)
    if to in (HALF, BRAIN):
        return laid._replace(halved=True)
    if to in (SINGLE, DOUBLE):
        return laid
    if to not in WHOLE or laid.pieces or laid.table:
        return None
    return laid._replace(rounded=laid.rounded or node.outputs[0])


def _dropout(node: Node, laid: Laid, settings: Inputs) -> Laid | None:
    """Drop nothing, which is right unless the model says that it is training."""
    training = settings[2] if len(settings) > 2 else None
    has_training = len(node.inputs) > 2 and node.inputs[2]
    return laid if not has_training or (training is not None and not np.any(training)) else None


def _transposed(node: Node, laid: Laid, _settings: Inputs) -> Laid | None:
    if laid.axes is None:
        return laid
    order = node.attributes.get("perm") or list(range(len(laid.axes)))[::-1]
    if sorted(order) != list(range(len(laid.axes))):
        return None
    return laid._replace(axes=tuple(laid.axes[place] for place in order))


def _squeezed(node: Node, laid: Laid, settings: Inputs) -> Laid | None:
    if laid.axes is None:
        return laid
    sizes, rank = sizes_of(laid.axes), len(laid.axes)
    gone = numbers(node, "axes", settings, 1)
    places = [place for place, size in enumerate(sizes) if size == 1] if gone is None else [a % rank for a in gone]
    if any(sizes[place] != 1 for place in places) and laid.pieces:
        return None
    return laid._replace(axes=tuple(axis for place, axis in enumerate(laid.axes) if place not in places))


def _unsqueezed(node: Node, laid: Laid, settings: Inputs) -> Laid | None:
    new = numbers(node, "axes", settings, 1) or []
    if laid.axes is None:
        return laid
    left, rank = list(laid.axes), len(laid.axes) + len(new)
    if rank > MOST_AXES:
        return None
    places = {axis % rank for axis in new}
    return laid._replace(axes=tuple(() if place in places else left.pop(0) for place in range(rank)))


def _reshaped(node: Node, laid: Laid, settings: Inputs) -> Laid | None:
    """Redistribute the axes; a reshape across them makes something else, of which only the sizes are known."""
    shape = _shape(node, laid, settings)
    axes = None if laid.axes is None or shape is None else reshaped(laid.axes, shape)
    if axes is not None:
        return laid._replace(axes=axes)
    new = None if shape is None else given_shape(node.outputs[0], shape)
    return Laid(new, computed=laid.computed or node.outputs[0])


def _shape(node: Node, laid: Laid, settings: Inputs) -> list[AxisSize] | None:
    """Return the shape that a Reshape makes, -1 for the rest; None if it is unknown."""
    values = settings[1] if len(settings) > 1 else None
    if node.attributes.get("shape") is not None:
        values = np.array(node.attributes["shape"])
    if values is None or values.ndim != 1 or values.size > MOST_AXES or values.dtype.kind not in "iuO":
        return None
    shape: list[AxisSize] = [value if isinstance(value, Size) else int(value) for value in values]
    if node.attributes.get("allowzero") or laid.axes is None:
        return shape
    sizes = sizes_of(laid.axes)
    return [sizes[place] if size == 0 else size for place, size in enumerate(shape)]


def _flattened(node: Node, laid: Laid, _settings: Inputs) -> Laid | None:
    if laid.axes is None:
        return None
    axis = node.attributes.get("axis", 1)
    axis = axis + len(laid.axes) if axis < 0 else axis
    halves = (laid.axes[:axis], laid.axes[axis:])
    return laid._replace(axes=tuple(tuple(part for one in half for part in one) for half in halves))


def _sliced(node: Node, laid: Laid, settings: Inputs) -> Laid | None:
    if laid.axes is None:
        return None
    sizes, found = sizes_of(laid.axes), laid
    for axis, part in enumerate(ranges(node, settings, len(laid.axes))):
        size = sizes[axis]
        if part.start in (0, None) and (part.stop is None or part.stop >= FAR) and part.step in (1, None):
            continue
        if isinstance(size, Size):
            return None
        taken = _part_of(found, axis, range(size)[part])
        if taken is None:
            return None
        found = taken
    return found


def _part_of(laid: Laid, axis: int, taken: range) -> Laid | None:
    """Take some positions of an axis: all of them, or some directions of states."""
    parts = (laid.axes or ())[axis]
    whole = sizes_of([parts])[0]
    if taken == range(whole if isinstance(whole, int) else 0):
        return laid
    names = [part.name for part in parts]
    units = parts[1].size if names == [WAYS, UNITS] else 1
    if names not in ([WAYS], [WAYS, UNITS]) or laid.merge != "concat" or not isinstance(units, int):
        return None
    ways = list(taken)[::units] if units > 1 and taken.step == 1 else list(taken)
    if not ways or any(way % units for way in ways) or len(ways) * units != len(taken):
        return None
    pieces = tuple(laid.pieces[way // units] for way in ways)
    left: Axis = parts[1:] if len(pieces) == 1 else (Part(WAYS, len(pieces)), *parts[1:])
    axes = list(laid.axes or ())
    axes[axis] = left
    return laid._replace(axes=tuple(axes), pieces=pieces)


def _split(node: Node, laids: Reads, settings: Inputs) -> Outputs:
    laid = laids[0]
    if laid is None or laid.axes is None:
        return None
    axis = node.attributes.get("axis", 0) % len(laid.axes)
    size = sizes_of(laid.axes)[axis]
    if isinstance(size, Size):
        return None
    edges = [0, *split_edges(node, settings, size)]
    return [_part_of(laid, axis, range(start, stop)) for start, stop in itertools.pairwise(edges)]


def _gathered(node: Node, laids: Reads, settings: Inputs) -> Outputs:
    """Take one direction, or some."""
    laid, index = laids[0], settings[1]
    if laid is None or laid.axes is None or index is None or index.ndim > 1 or index.dtype.kind not in "iu":
        return None
    axis = node.attributes.get("axis", 0) % len(laid.axes)
    size = sizes_of(laid.axes)[axis]
    if isinstance(size, Size):
        return None
    places = [place + (size if place < 0 else 0) for place in index.reshape(-1).tolist()]
    taken = range(places[0], places[-1] + 1)
    found = _part_of(laid, axis, taken) if list(taken) == places and places[-1] < size else None
    if found is None or found.axes is None or index.ndim:
        return [found]
    return [found._replace(axes=found.axes[:axis] + found.axes[axis + 1 :]) if not found.axes[axis] else None]


def taken_rows(node: Node, laid: Laid) -> Laid | None:
    """Put the rows of an axis in another order."""
    if laid.axes is None:
        return None
    axes, axis = list(laid.axes), node.attributes.get("axis", 0) % len(laid.axes)
    axes[axis] = tuple(Part(f"{part.name.removesuffix(SORTED)}{SORTED}", part.size) for part in axes[axis])
    return laid._replace(axes=tuple(axes))


def _joined(node: Node, laids: Reads, _settings: Inputs) -> Outputs:
    """Join directions, with equal numbers of units or not."""
    known = [laid for laid in laids if laid is not None and laid.axes is not None and len(laid.pieces) == 1]
    if len(known) != len(laids) or not known or known[0].axes is None:
        return [laids[0]] if len(laids) == 1 else None
    axis = node.attributes.get("axis", 1) % len(known[0].axes)
    around = {(*(laid.axes or ())[:axis], None, *(laid.axes or ())[axis + 1 :]) for laid in known}
    joined = [(laid.axes or ())[axis] for laid in known]
    if len(around) != 1 or {tuple(part.name for part in one) for one in joined} not in ({()}, {(UNITS,)}):
        return None
    if len(set(joined)) == 1:
        new: Axis = (Part(WAYS, len(known)), *joined[0])
    else:
        new = (Part(WIDTH, sum(int(part.size) for one in joined for part in one if isinstance(part.size, int))),)
    axes = (*known[0].axes[:axis], new, *known[0].axes[axis + 1 :])
    halved = any(laid.halved for laid in known)
    return [known[0]._replace(axes=axes, pieces=tuple(laid.pieces[0] for laid in known), halved=halved)]


def _is_backward(piece: Piece) -> bool:
    return piece.way > 0 or piece.node.attributes.get("direction") == "reverse"


def _merged(merge: str) -> Callable[[Node, Reads, Inputs], Outputs]:
    """Add, multiply or average the directions, as Keras merges them."""

    def merged(node: Node, laids: Reads, settings: Inputs) -> Outputs:
        known = [laid for laid in laids if laid is not None and len(laid.pieces) == 1 and laid.axes is not None]
        if merge and len(laids) == len(known) == 2 and known[0].axes == known[1].axes:
            # Whatever the order of the operands.
            both = tuple(sorted(known[0].pieces + known[1].pieces, key=_is_backward))
            return [known[0]._replace(pieces=both, merge=merge, halved=known[0].halved or known[1].halved)]
        factors = [float(values.reshape(())) for values in settings if values is not None and values.size == 1]
        sums = [laid for laid in laids if laid is not None and laid.merge == "sum"]
        halves = {"Mul": 0.5, "Div": 2.0}.get(node.op)
        if len(sums) == 1 and factors == [halves] and (node.op == "Mul" or laids[0] is not None):
            return [sums[0]._replace(merge="ave")]
        return None

    return merged


def _one(move: Callable[[Node, Laid, Inputs], Laid | None]) -> Callable[[Node, Reads, Inputs], Outputs]:
    def moved(node: Node, laids: Reads, settings: Inputs) -> Outputs:
        return None if not laids or laids[0] is None else [move(node, laids[0], settings)]

    return moved


MOVES: dict[str, Callable[[Node, Reads, Inputs], Outputs]] = {
    "Add": _merged("sum"),
    "Cast": _one(_cast),
    "Concat": _joined,
    "Div": _merged(""),
    "Dropout": _one(_dropout),
    "Flatten": _one(_flattened),
    "Gather": _gathered,
    "Identity": _one(_same),
    "Mean": _merged("ave"),
    "Mul": _merged("mul"),
    "Reshape": _one(_reshaped),
    "Slice": _one(_sliced),
    "Split": _split,
    "Squeeze": _one(_squeezed),
    "Sum": _merged("sum"),
    "Transpose": _one(_transposed),
    "Unsqueeze": _one(_unsqueezed),
}


def given_shape(name: str, sizes: Sequence[AxisSize | str | None]) -> tuple[Axis, ...]:
    """Lay out a value of which only the sizes of its axes are known."""
    axes = []
    for place, size in enumerate(sizes[:MOST_AXES]):
        own = f"{name}: {place}"
        if size is None or (isinstance(size, int) and size < 1):
            size = own
        axes.append((Part(own, Size(1, (size[:LONGEST],)) if isinstance(size, str) else size, (place,)),))
    return tuple(axes)
