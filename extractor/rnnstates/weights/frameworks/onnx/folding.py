"""What simple operators of an ONNX graph do: to constants, and to the axes of what a layer gives.

PyTorch's exporter, told not to fold constants, cuts and joins weights in the graph: Slice, Concat, Unsqueeze and the
like. These are done here with NumPy; whatever else a weight goes through is not, and the operator is named. How much
may be made is bounded by what the file stores.
"""

import math
from collections.abc import Callable, Container, Mapping, Sequence

import numpy as np

from ....arrays import Array
from ....errors import BadWeights
from ...readers import Tensor
from ...readers.onnx_file import STANDARD, Graph, Node

__all__ = ["BOTH", "FOLDED", "ONE", "UNITS", "WIDTH", "WRONG", "Folding", "NotConstant", "moved"]

# How many times the stored values may be made of them, and values beside those.
TIMES, SMALL = 4, 2**16
CASTS = {1: "f4", 6: "i4", 7: "i8", 10: "f2", 11: "f8"}
# Axes of what layers give: of one direction, of two, of one's units, and of what the next layer reads.
ONE, BOTH, UNITS, WIDTH = "one direction", "directions", "units", "width"

Inputs = Sequence[Array | None]
Axes = tuple[str, ...]


class NotConstant(Exception):  # noqa: N818 - it says what a value is, and never leaves this package
    """A value is given or computed when the model is run; says by what."""


def _numbers(node: Node, name: str, inputs: Inputs, place: int) -> list[int] | None:
    """Give what is an attribute in older versions and an input in newer ones; None where it is left out."""
    values = inputs[place] if place < len(inputs) else None
    if node.attributes.get(name) is not None:
        values = np.array(node.attributes[name])
    if values is not None and values.dtype.kind != "i":
        raise ValueError(f"{name} is not made of whole numbers")
    return None if values is None else [int(value) for value in values.reshape(-1)]


def _given(inputs: Inputs, place: int = 0) -> Array:
    values = inputs[place] if place < len(inputs) else None
    if values is None:
        raise ValueError("an input is missing")
    return values


def _joined(node: Node, inputs: Inputs) -> Array:
    return np.concatenate([_given(inputs, place) for place in range(len(inputs))], axis=node.attributes["axis"])


def _slice(node: Node, inputs: Inputs) -> Array:
    data = _given(inputs)
    starts, stops = _numbers(node, "starts", inputs, 1) or [], _numbers(node, "ends", inputs, 2) or []
    axes = _numbers(node, "axes", inputs, 3) or list(range(len(starts)))
    steps = _numbers(node, "steps", inputs, 4) or [1] * len(starts)
    index = [slice(None)] * data.ndim
    for axis, start, stop, step in zip(axes, starts, stops, steps, strict=True):
        index[axis] = slice(start, stop, step)
    return data[tuple(index)]


def _squeeze(node: Node, inputs: Inputs) -> Array:
    axes = _numbers(node, "axes", inputs, 1)
    return np.squeeze(_given(inputs), None if axes is None else tuple(axes))


def _unsqueeze(node: Node, inputs: Inputs) -> Array:
    return np.expand_dims(_given(inputs), tuple(_numbers(node, "axes", inputs, 1) or ()))


def _reshape(node: Node, inputs: Inputs) -> Array:
    data, shape = _given(inputs), _numbers(node, "shape", inputs, 1) or []
    if not node.attributes.get("allowzero"):
        shape = [data.shape[axis] if size == 0 else size for axis, size in enumerate(shape)]
    return data.reshape(shape)


def _filled(node: Node, inputs: Inputs) -> Array:
    value = node.attributes.get("value")
    filling = np.zeros(1, np.float32) if value is None else value.read()
    return np.broadcast_to(filling.reshape(()), _numbers(node, "", inputs, 0) or ())


FOLDED: dict[str, Callable[[Node, Inputs], Array]] = {
    "Cast": lambda node, inputs: _given(inputs).astype(CASTS[node.attributes["to"]]),
    "Concat": _joined,
    "ConstantOfShape": _filled,
    "Identity": lambda _node, inputs: _given(inputs),
    "Reshape": _reshape,
    "Slice": _slice,
    "Squeeze": _squeeze,
    "Transpose": lambda node, inputs: np.transpose(_given(inputs), node.attributes.get("perm")),
    "Unsqueeze": _unsqueeze,
}
# What can go wrong where attributes and shapes are anything.
WRONG = (ValueError, IndexError, TypeError, KeyError, OverflowError, AttributeError)
# What repeats rows as many times as the batch has, and what leaves them equal then.
REPEATING, KEEPING_ROWS = ("Expand", "Tile"), ("Slice", "Identity", "Cast")
# What repeats or rearranges values, or fills with one, so that all stay equal where they are.
SPREADING = {*FOLDED, *REPEATING, "Split"}


class Folding:
    """The constants of a graph."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._places = {name: place for place, node in enumerate(graph.nodes) for name in node.outputs if name}
        self._known: dict[str, Array] = {}
        self._room = TIMES * sum(math.prod(tensor.shape) for tensor in graph.constants.values()) + SMALL

    def maker(self, name: str) -> Node | None:
        """Give the operator that makes a value; None for one that is stored, or given to the model."""
        return self._graph.nodes[self._places[name]] if name in self._places else None

    def stored(self, name: str) -> Tensor | None:
        """Give a value that stands in the file as it is: an initializer, or a Constant; None for others."""
        node = self.maker(name)
        if node is None:
            return self._graph.constants.get(name)
        return _constant(node) if node.op == "Constant" and node.domain in STANDARD else None

    def tensor(self, name: str) -> Tensor:
        """Give a constant; a stored one is read later, one that is made is made at once. Raises NotConstant."""
        found = self.stored(name)
        if found is not None:
            return Tensor(name, found.shape, found.read)
        values = self.values(name)
        return Tensor(name, values.shape, lambda: values)

    def values(self, name: str, *, repeated: bool = False) -> Array:
        """Compute a constant; where it is ``repeated`` for all rows of a batch, its one row.

        Raises
        ------
        NotConstant, BadWeights
        """
        # What has one row in place of many; it is not kept, because for other purposes it is wrong.
        rows: dict[str, Array] = {}
        for wanted in self._ancestors(name, repeated=repeated):
            stored, node = self.stored(wanted), self.maker(wanted)
            if wanted in self._known:
                continue
            if stored is not None:
                self._known[wanted] = stored.read()
            elif node is None:
                raise NotConstant(self.told(wanted))
            elif repeated and node.op in REPEATING and node.domain in STANDARD:
                rows[wanted] = {**self._known, **rows}[node.inputs[0]]
            elif rows.keys() & node.inputs:
                rows[wanted] = self._fold(node, wanted, {**self._known, **rows}, KEEPING_ROWS)
            else:
                self._known[wanted] = self._fold(node, wanted, self._known, FOLDED)
        return rows[name] if name in rows else self._known[name]

    def rows(self, name: str, shape: tuple[int, int, int]) -> Array:
        """Give a batch of rows as far as it is stored: one row where all are equal, by ``shape`` if by one value."""
        value = self._only_value(name)
        return self.values(name, repeated=True) if value is None else np.full(shape, value)

    def _only_value(self, name: str) -> float | None:
        """Give the one value that an array is filled with, though its shape may not be known; None for any other."""
        pending, seen, found = [name], {name}, set[float]()
        while pending:
            here = pending.pop()
            node, stored = self.maker(here), self.stored(here)
            if node is not None and node.op == "ConstantOfShape" and node.domain in STANDARD:
                stored = node.attributes.get("value")
                found |= _extremes(stored) if isinstance(stored, Tensor) else {0.0}
            elif stored is not None:
                found |= _extremes(stored)
            elif node is None or node.domain not in STANDARD or node.op not in SPREADING:
                return None
            else:
                reads = set(node.inputs if node.op == "Concat" else node.inputs[:1]) - seen
                pending += reads
                seen |= reads
        return found.pop() if len(found) == 1 else None

    def told(self, name: str) -> str:
        """Say where a value comes from that is no constant."""
        node = self.maker(name)
        if node is not None:
            return f"'{node.called}' ({node.op})"
        return f"the sparse initializer '{name}'" if name in self._graph.sparse else f"the model's input '{name}'"

    def before_moves(self, name: str) -> tuple[str, list[Node]]:
        """Go back through ``MOVES``; give the value before them, and them in their order."""
        path: list[Node] = []
        while (node := self.maker(name)) and node.op in MOVES and node.domain in STANDARD and node.inputs:
            path.append(node)
            name = node.inputs[0]
        return name, path[::-1]

    def _ancestors(self, name: str, *, repeated: bool) -> list[str]:
        """List the values that a value is made of, each behind those it needs itself."""
        pending, found = [name], {name}
        while pending:
            node = self.maker(pending.pop())
            if node is not None and node.op != "Constant":
                reads = node.inputs[:1] if repeated and node.op in REPEATING else node.inputs
                new = {read for read in reads if read} - found
                found |= new
                pending += new
        return sorted(found, key=lambda value: self._places.get(value, -1))

    def _fold(self, node: Node, name: str, known: Mapping[str, Array], allowed: Container[str]) -> Array:
        if node.op not in allowed or node.domain not in STANDARD or name != node.outputs[0]:
            raise NotConstant(self.told(name))
        inputs = [known[read] if read else None for read in node.inputs]
        try:
            self._room -= _made(node, inputs)
            if self._room < 0:
                raise ValueError("it makes far more than the file stores")
            return FOLDED[node.op](node, inputs)
        except WRONG as reason:
            raise NotConstant(f"{self.told(name)}, which cannot be done: {reason}") from reason


def _made(node: Node, inputs: Inputs) -> int:
    """Tell how many values an operator makes anew; most only look at what is there in another way."""
    if node.op == "ConstantOfShape":
        return math.prod(abs(size) for size in _numbers(node, "", inputs, 0) or ())
    making = node.op in ("Cast", "Concat", "Reshape")
    return sum(values.size for values in inputs if values is not None) if making else 0


def _extremes(tensor: Tensor) -> set[float]:
    """Give the least and the largest value; they are the same where all are."""
    values = tensor.read()
    return {float(values.min()), float(values.max())} if values.size else set()


def _constant(node: Node) -> Tensor | None:
    """Give what a Constant holds; None for text and sparse tensors."""
    value = next((value for name, value in node.attributes.items() if name.startswith("value")), None)
    if value is None or isinstance(value, Tensor):
        return value
    values = np.array(value)
    values = values.astype(np.float32) if values.dtype.kind == "f" else values
    return Tensor(node.called, values.shape, lambda: values) if values.dtype.kind in "fi" else None


def _transpose_axes(node: Node, axes: Axes) -> Axes | None:
    order = node.attributes.get("perm") or list(range(len(axes)))[::-1]
    return tuple(axes[place] for place in order) if sorted(order) == list(range(len(axes))) else None


def _squeeze_axes(axes: Axes, gone: list[int]) -> Axes | None:
    """Drop the axis of a single direction, and no other."""
    return tuple(name for name in axes if name != ONE) if [axes[place] for place in gone] == [ONE] else None


def _reshape_axes(axes: Axes, shape: list[int], width: int) -> Axes | None:
    """Join directions and units, which stand last, or drop the axis of a single direction.

    Halving the steps and doubling the width, say, is something else: one of the first two axes must be kept and the
    width be told, or both be kept, for then nothing else can have changed.
    """
    left = tuple(name for name in axes if name != ONE)
    left = (*left[:-2], WIDTH) if left[-2:] == (BOTH, UNITS) else left
    if len(shape) != 3 or len(left) != 3 or left[-1] != WIDTH:
        return None
    kept = [shape[place] == 0 and axes[place] == left[place] for place in (0, 1)]
    lost = any(shape[place] == 0 and not kept[place] for place in (0, 1))
    told = (shape[2] == width and any(kept)) or (shape[2] == -1 and all(kept))
    return left if told and not lost else None


# What rearranges a layer's states on their way to the next one, and does nothing else to them.
MOVES = ("Cast", "Dropout", "Identity", "Reshape", "Squeeze", "Transpose")


def moved(path: Sequence[Node], axes: Axes, width: int, folding: Folding) -> Axes:
    """Tell where the named axes of states ``width`` wide are behind some of ``MOVES``; none where they do more."""
    try:
        for node in path:
            axes = _moved(node, axes, width, folding) or ()
    except (NotConstant, BadWeights, *WRONG):
        return ()
    return axes


def _moved(node: Node, axes: Axes, width: int, folding: Folding) -> Axes | None:
    settings: Inputs = [None, *(folding.values(name) for name in node.inputs[1:2] if name)]
    if node.op == "Transpose":
        return _transpose_axes(node, axes)
    if node.op == "Squeeze":
        return _squeeze_axes(axes, _numbers(node, "axes", settings, 1) or [])
    if node.op == "Reshape" and not node.attributes.get("allowzero"):
        return _reshape_axes(axes, _numbers(node, "shape", settings, 1) or [], width)
    same = node.op == "Identity" or (node.op == "Cast" and node.attributes.get("to") in (1, 11))
    return axes if same or (node.op == "Dropout" and node.inputs[2:3] in ((), ("",))) else None
