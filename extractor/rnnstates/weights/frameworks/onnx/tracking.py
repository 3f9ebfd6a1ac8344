"""Follows the values of an ONNX graph from its inputs, to find which layer reads the output of which, and how.

The graph is traversed once, in its order. Small constants are folded on the way, so that shapes computed by the graph
are known, as numbers or as products of the sizes of its inputs.
"""

import contextlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ....arrays.axes import Array
from ....errors import BadWeights
from ....network.model import Direction
from ...readers.onnx.graph import Graph, Node
from .folding import Folding
from .ids import Ids
from .laid import BATCH, SORTED, STEPS, UNITS, WAYS, WIDTH, Axis, Laid, Part, Piece, sizes_of
from .moving import MOVES, given_shape, taken_rows
from .operators import FOLDED
from .settings import WRONG, sizes_taken
from .sizes import AxisSize, Size, named, product

__all__ = ["WAYS_OF", "Flow", "Tracking"]

WAYS_OF: dict[str, tuple[Direction, ...]] = {
    "forward": ("forward",),
    "reverse": ("backward",),
    "bidirectional": ("forward", "backward"),
}
# Element-wise operators.
KEEPING_AXES = (
    "BatchNormalization", "Clip", "Elu", "Erf", "Gelu", "InstanceNormalization", "LayerNormalization", "LeakyRelu",
    "PRelu", "Relu", "Selu", "Sigmoid", "Softmax", "Softplus", "Softsign", "Tanh",
)  # fmt: skip

# Most operators followed back to say where states are joined or cut.
MOST_FOLLOWED = 100
# Operators that fill a shape, their last input, which the graph may compute.
FILLING = ("ConstantOfShape", "Expand")


class Flow(NamedTuple):
    """What a node reads: states of other nodes, rows of a table, or a value, possibly computed."""

    below: tuple[Piece, ...] = ()
    merge: str = "concat"
    table: str = ""
    value: str = ""
    computed: bool = False
    halved: bool = False


class Tracking:
    """The values of a graph, as far as it has been followed."""

    def __init__(self, graph: Graph, folding: Folding) -> None:
        self._graph, self._folding = graph, folding
        self._laid: dict[str, Laid] = {}
        # Nodes that the graph joins to one layer, with their merge.
        self.joined: dict[tuple[Node, ...], str] = {}
        # Values that hold the numbers of rows in another order.
        self._orders: set[str] = set()
        self._ids = Ids(folding)
        # Stored matrices whose rows are looked up, in the order of the graph.
        self.tables: dict[str, None] = {}

    def follow(self, node: Node) -> None:
        """Determine the outputs of an operator."""
        with contextlib.suppress(ValueError):
            if self._shape(node) or self._folding.fold_small(node):
                return
        self._order(node)
        self._move(node)

    def states(self, node: Node, units: int) -> AxisSize:
        """Record the states that a layer outputs, ``units`` wide; return the number of its steps."""
        ways = len(WAYS_OF[node.attributes.get("direction", "forward")])
        first, second = self._sizes_read(node.inputs[0])
        steps, batch = (second, first) if node.attributes.get("layout") else (first, second)
        both, width = ((Part(WAYS, ways),) if ways > 1 else ()), (Part(UNITS, units),)
        long, rows = (Part(STEPS, steps),), (Part(BATCH, batch),)
        axes = (rows, long, both, width) if node.attributes.get("layout") else (long, both, rows, width)
        final = (rows, both, width) if node.attributes.get("layout") else (both, rows, width)
        pieces = tuple(Piece(node, way) for way in range(ways))
        for place, name in enumerate(node.outputs):
            self._laid[name] = Laid(final, computed=name) if place else Laid(axes, pieces)
        return steps

    def flow(self, node: Node) -> Flow:
        """Return what a layer reads: states or rows only if their axes are in the order that it expects."""
        name = node.inputs[0]
        laid = self._find(name)
        if laid is None:
            return Flow(value=name, computed=self._folding.maker(name) is not None)
        if laid.computed or (laid.rounded and not laid.table):
            return Flow(value=laid.computed or laid.rounded, computed=True)
        if not self._fits(laid, bool(node.attributes.get("layout"))):
            return Flow(value=self._joined_or_cut(name, laid), computed=True)
        return Flow(laid.pieces, laid.merge, laid.table, name, halved=laid.halved)

    def _joined_or_cut(self, name: str, laid: Laid) -> str:
        """Return the value from which on states are no longer a whole layer's, past operators that only rearrange."""
        if not laid.pieces or _is_layer(laid):
            return name
        for _ in range(MOST_FOLLOWED):
            maker = self._folding.maker(name)
            before = self._laid.get(maker.inputs[0]) if maker is not None and maker.inputs else None
            if maker is None or before is None or (before.pieces, before.merge) != (laid.pieces, laid.merge):
                break
            name = maker.inputs[0]
        return name

    def computes(self, node: Node) -> bool:
        """Return whether an operator does more than rearrange the model's inputs."""
        if node.op not in FOLDED:
            return node.op != "Constant"
        laid = self._laid.get(node.outputs[0]) if node.outputs else None
        return laid is not None and laid.computed == node.outputs[0] and node.op not in FILLING

    def _fits(self, laid: Laid, batch_first: bool) -> bool:
        if laid.axes is None:
            return not laid.pieces
        if len(laid.axes) != 3:
            return not (laid.pieces or laid.table)
        outer = [[part.name for part in axis if part.size != 1] for axis in laid.axes[:2]]
        steps, batch = (outer[1], outer[0]) if batch_first else (outer[0], outer[1])
        last = [part.name for part in laid.axes[2]]
        if any(part.endswith(SORTED) for part in steps):
            return False
        if laid.pieces:
            kept = steps in ([STEPS], []) and [part.removesuffix(SORTED) for part in batch] in ([BATCH], [])
            return kept and last in ([UNITS], [WAYS, UNITS], [WIDTH]) and _is_layer(laid)
        return last == [WIDTH] if laid.table else _in_order(laid.axes)

    def _sizes_read(self, name: str) -> tuple[AxisSize, AxisSize]:
        laid = self._find(name)
        if laid is not None and laid.axes is not None and len(laid.axes) == 3:
            with contextlib.suppress(ValueError):
                first, second, _ = sizes_of(laid.axes)
                return first, second
        return named(f"first axis of {name}"[:200]), named(f"second axis of {name}"[:200])

    def _find(self, name: str) -> Laid | None:
        """Return what is known of a given or computed value; None for a constant, or if nothing is known."""
        if name in self._laid:
            return self._laid[name]
        if not name or self._folding.maker(name) is not None or self._folding.stored(name) is not None:
            return None
        sizes = self._graph.shapes.get(name)
        self._laid[name] = Laid(None if sizes is None else given_shape(name, sizes))
        return self._laid[name]

    def _shape(self, node: Node) -> bool:
        """Apply a Shape or a Size to a value that is laid out or stored."""
        if node.op not in ("Shape", "Size") or not node.standard or not node.inputs or not node.outputs:
            return False
        laid, stored = self._find(node.inputs[0]), self._folding.stored(node.inputs[0])
        sizes: list[AxisSize] | None = list(stored.shape) if stored is not None else None
        if laid is not None and laid.axes is not None:
            sizes = sizes_of(laid.axes)
        if sizes is not None:
            taken = sizes[sizes_taken(node)] if node.op == "Shape" else [product(sizes)]
            self._folding.keep(node.outputs[0], _array(taken).reshape((-1,) if node.op == "Shape" else ()))
        return sizes is not None

    def _order(self, node: Node) -> None:
        """Record values that reorder rows: the positions from TopK, and their inverse."""
        if not node.standard or not node.outputs:
            return
        if node.op == "TopK":
            lengths = self._find(node.inputs[0]) if node.inputs else None
            if lengths is not None and lengths.axes is not None and len(lengths.axes) == 1:
                self._orders.update(node.outputs[1:2])
        elif node.op in ("Cast", "Identity") and node.inputs and node.inputs[0] in self._orders:
            self._orders.add(node.outputs[0])
        elif node.op in ("Scatter", "ScatterElements") and len(node.inputs) == 3 and node.inputs[1] in self._orders:
            self._orders.update(node.outputs[: self._counts(node.inputs[2])])

    def _counts(self, name: str) -> bool:
        """Return whether a value is 0, 1, 2 and so on."""
        maker, values = self._folding.maker(name), self._folding.small(name)
        if values is not None:
            return values.ndim == 1 and np.array_equal(values, np.arange(len(values)))
        if maker is None or maker.op != "Range" or not maker.standard or len(maker.inputs) != 3:
            return False
        first, step = self._folding.small(maker.inputs[0]), self._folding.small(maker.inputs[2])
        return first is not None and step is not None and not first.any() and bool(np.all(step == 1))

    def _move(self, node: Node) -> None:
        laids = [self._find(name) for name in node.inputs]
        found = self._moved(node, laids) or []
        for place, name in enumerate(node.outputs):
            moved = found[place] if place < len(found) else None
            if name and (moved is not None or any(laids) or node.op in FILLING):
                self._laid[name] = moved or Laid(self._axes_of(node, laids), computed=name)
            if moved is not None and len({piece.node for piece in moved.pieces}) > 1 and _is_layer(moved):
                self.joined[tuple(dict.fromkeys(piece.node for piece in moved.pieces))] = moved.merge

    def _moved(self, node: Node, laids: list[Laid | None]) -> "list[Laid | None] | None":
        """Rearrange the inputs of an operator; None if it is not a rearranging one."""
        if not node.standard or node.op not in MOVES or (node.op == "Dropout" and self._trains(node)):
            return None
        settings = [self._folding.small(name) if name else None for name in node.inputs]
        try:
            if node.op == "Gather" and len(laids) == 2:
                rows = self._rows(node, laids)
                if rows is not None:
                    return [rows]
            made = MOVES[node.op](node, laids, settings)
        except (BadWeights, *WRONG):
            return None
        return None if made is None else list(made)

    def _trains(self, node: Node) -> bool:
        """Return whether a Dropout drops: before version 7, unless it says that it is a test."""
        return self._graph.opset < 7 and not node.attributes.get("is_test")

    def _rows(self, node: Node, laids: list[Laid | None]) -> Laid | None:
        """Read a Gather of rows as an embedding, if its table is stored and its ids are given, or as a reordering."""
        data, index = laids
        if data is not None and node.inputs[1] in self._orders:
            return taken_rows(node, data)
        table = self._folding.source(node.inputs[0])
        if table is None or len(table.shape) != 2 or node.attributes.get("axis") or index is None:
            return None
        self.tables[table.name] = None
        if index.computed and (same := self._ids.source(node.inputs[1], table.shape[0])) is not None:
            index = self._find(same) or index
        if index.pieces or index.table or index.computed:
            return None
        outer = index.axes if index.axes is not None else given_shape(node.inputs[1], [None, None])
        return index._replace(axes=(*outer, (Part(WIDTH, table.shape[1]),)), table=node.inputs[0])

    def _filled(self, node: Node) -> "tuple[tuple[Part, ...], ...] | None":
        """Return the axes of a value that is filled with one number, or stored and repeated."""
        shape = self._folding.small(node.inputs[-1]) if node.inputs else None
        if shape is None or shape.ndim != 1 or shape.dtype.kind not in "iO":
            return None
        sizes = _sizes(shape)
        stored = self._folding.stored(node.inputs[0]) if node.op == "Expand" else None
        if node.op == "Expand" and (stored is None or len(stored.shape) > len(sizes)):
            return None
        for place, size in enumerate(stored.shape[::-1] if stored is not None else (), 1):
            # Only axes of size 1 are repeated; a wanted size of 1 changes nothing.
            sizes[-place] = size if sizes[-place] == 1 else sizes[-place]
        return given_shape(node.outputs[0], sizes)

    def _axes_of(self, node: Node, laids: list[Laid | None]) -> "tuple[tuple[Part, ...], ...] | None":
        """Return the axes of a computed value: as the file declares, or as an operator of this kind keeps them."""
        declared = self._graph.shapes.get(node.outputs[0]) if node.outputs else None
        if declared is not None and node.op not in FILLING:
            return given_shape(node.outputs[0], declared)
        first = laids[0] if laids else None
        if node.op in FILLING and node.standard:
            return self._filled(node)
        if first is None or first.axes is None or not node.standard:
            return None
        if node.op in KEEPING_AXES:
            return first.axes
        weight = self._folding.stored(node.inputs[1]) if len(node.inputs) > 1 else None
        if node.op == "MatMul" and weight is not None and len(weight.shape) == 2:
            return (*first.axes[:-1], (Part(f"{node.outputs[0]}: width", weight.shape[1]),))
        elementwise = node.op in ("Add", "Div", "Mul", "Sub") and weight is not None
        return first.axes if elementwise and weight is not None and len(weight.shape) <= 1 else None


def _sizes(values: Array) -> list[AxisSize]:
    return [value if isinstance(value, Size) else int(value) for value in values.reshape(-1)]


def _array(sizes: list[AxisSize]) -> Array:
    """Make an array of sizes: of numbers if all are known."""
    whole = all(isinstance(size, int) for size in sizes)
    found = np.empty(len(sizes), np.int64 if whole else object)
    for place, size in enumerate(sizes):
        found[place] = size
    return found


def _in_order(axes: Sequence[Axis]) -> bool:
    """Return whether axes are in the order of the model's inputs, except that steps and sequences may be swapped."""
    first, second, last = ([part.place for part in axis if part.size != 1] for axis in axes)
    orders = ([*first, *second, *last], [*second, *first, *last])
    return any(order == sorted(order) for order in orders)


def _is_layer(laid: Laid) -> bool:
    """Return whether pieces are one whole node, or a forward and a backward one that read the same."""
    nodes = list(dict.fromkeys(piece.node for piece in laid.pieces))
    ways = [WAYS_OF[piece.node.attributes.get("direction", "forward")][piece.way] for piece in laid.pieces]
    if len(nodes) == 1 and len(WAYS_OF[nodes[0].attributes.get("direction", "forward")]) != len(ways):
        return False
    same = len({node.inputs[0] for node in nodes}) == 1
    return same and (ways in (["forward"], ["backward"], ["forward", "backward"]))
