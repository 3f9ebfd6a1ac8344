"""Determines the sizes of the axes of a value that is stored, filled, given to the model or rearranged from these.

Nothing is computed: an initial state has to fit its layer even if it is filled with one value. Shapes that the file
declares for values between operators are not trusted, because nobody checks them.
"""

from collections.abc import Callable

from ....arrays.axes import Array
from ...readers.onnx.graph import Node
from .folding import Folding
from .laid import Laid, sizes_of
from .moving import MOST_AXES, MOVES, given_shape
from .settings import WRONG, Inputs, ranges, split_edges
from .sizes import AxisSize, Size

__all__ = ["known_sizes"]

# Most operators followed back.
MOST_FOLLOWED = 100
Sizes = list[AxisSize | str | None]


def known_sizes(name: str, folding: Folding) -> list[int | None] | None:
    """Return the size of each axis, None for an unknown one; None if the axes themselves are unknown.

    Parameters
    ----------
    name : str
        A value of the main graph or of a body.
    folding : Folding
        With the shapes before the value folded.
    """
    chain: list[tuple[Node, int]] = []
    while (node := folding.maker(name)) is not None and node.standard and node.op in CHANGES and node.inputs:
        if len(chain) == MOST_FOLLOWED:
            return None
        chain.append((node, node.outputs.index(name)))
        name = node.inputs[0]
    stored, declared = folding.stored(name), folding.declared(name)
    known = declared if stored is None else stored.shape
    sizes: Sizes | None = None if known is None else list(known)
    for node, place in reversed(chain):
        settings = [None, *(folding.small(read) if read else None for read in node.inputs[1:])]
        if node.op == "ConstantOfShape":
            settings = [folding.small(node.inputs[0])]
        try:
            sizes = CHANGES[node.op](node, sizes, settings, place)
        except WRONG:
            sizes = None
    return None if sizes is None else [size if isinstance(size, int) and size > 0 else None for size in sizes]


def _moved(node: Node, sizes: Sizes | None, settings: Inputs, _place: int) -> Sizes | None:
    """Lay out the value and rearrange it as states are."""
    moved = MOVES[node.op](node, [Laid(None if sizes is None else given_shape("before", sizes))], settings)
    axes = moved[0].axes if moved and moved[0] is not None else None
    return None if axes is None else list(sizes_of(axes))


def _filled(_node: Node, _sizes: Sizes | None, settings: Inputs, _place: int) -> Sizes | None:
    return _numbers(settings[0])


def _expanded(_node: Node, sizes: Sizes | None, settings: Inputs, _place: int) -> Sizes | None:
    wanted = _numbers(settings[1])
    if sizes is None or wanted is None:
        return None
    rank = max(len(sizes), len(wanted))
    own, wanted = ([*[1] * (rank - len(given)), *given] for given in (sizes, wanted))
    # A wanted size of 1 changes nothing; only axes of size 1 are repeated.
    return [
        one if other == 1 or (isinstance(one, int) and one > 1) else other
        for one, other in zip(own, wanted, strict=True)
    ]


def _tiled(_node: Node, sizes: Sizes | None, settings: Inputs, _place: int) -> Sizes | None:
    times = _numbers(settings[1])
    if sizes is None or times is None:
        return None
    return [
        size * time if isinstance(size, int) and isinstance(time, int) else None
        for size, time in zip(sizes, times, strict=True)
    ]


def _cut(node: Node, sizes: Sizes | None, settings: Inputs, _place: int) -> Sizes | None:
    if sizes is None:
        return None
    parts = ranges(node, settings, len(sizes))
    return [
        len(range(size)[part]) if isinstance(size, int) else size if part == slice(None) else None
        for size, part in zip(sizes, parts, strict=True)
    ]


def _split(node: Node, sizes: Sizes | None, settings: Inputs, place: int) -> Sizes | None:
    if sizes is None:
        return None
    axis, found = node.attributes.get("axis", 0), list(sizes)
    size = sizes[axis]
    edges = [0, *split_edges(node, settings, size)] if isinstance(size, int) else None
    found[axis] = None if edges is None else edges[place + 1] - edges[place]
    return found


def _gathered(node: Node, sizes: Sizes | None, settings: Inputs, _place: int) -> Sizes | None:
    index = settings[1]
    if sizes is None or index is None:
        return None
    axis = node.attributes.get("axis", 0) % len(sizes)
    return [*sizes[:axis], *index.shape, *sizes[axis + 1 :]]


def _joined(node: Node, sizes: Sizes | None, _settings: Inputs, _place: int) -> Sizes | None:
    """Return the sizes of the axes that are not joined; that of the joined one is left open."""
    if sizes is None:
        return None
    found = list(sizes)
    if len(node.inputs) > 1:
        found[node.attributes.get("axis", 1)] = None
    return found


def _numbers(shape: Array | None) -> Sizes | None:
    if shape is None or shape.ndim != 1 or len(shape) > MOST_AXES or shape.dtype.kind not in "iuO":
        return None
    return [value if isinstance(value, Size) else int(value) for value in shape]


CHANGES: dict[str, Callable[[Node, Sizes | None, Inputs, int], Sizes | None]] = {
    **dict.fromkeys(("Cast", "Flatten", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze"), _moved),
    "Concat": _joined,
    "ConstantOfShape": _filled,
    "Expand": _expanded,
    "Gather": _gathered,
    "Slice": _cut,
    "Split": _split,
    "Tile": _tiled,
}
