"""Computes the constant parts of an ONNX graph: weights that are cut, joined and rearranged, and shapes.

Exporters that do not fold constants cut and join weights in the graph. Operators in ``FOLDED`` are applied here with
NumPy, in any order; others that a weight passes through are not, and the first is named. The size of the results is
bounded by what the file stores.
"""

from collections import ChainMap
from collections.abc import Container, Mapping

import numpy as np

from ....arrays.axes import Array
from ....errors import BadWeights
from ...readers import Tensor
from ...readers.onnx.graph import Graph, Node
from .operators import FOLDED, bytes_made
from .settings import WRONG

__all__ = ["Folding", "NotConstant"]

# The results may take this many times the stored bytes, plus this many bytes.
TIMES, ROOM = 4, 2**19
# Most values in a shape or index that is folded while the graph is followed, and in what is made of them.
SMALL, MOST_SMALL = 64, 4096
# Most values visited in all to find what others are made of.
MOST_STEPS = 1_000_000
# Operators that repeat rows over the batch, and those that keep repeated rows equal.
REPEATING = ("Expand", "Tile")
KEEPING_ROWS = ("Cast", "Concat", "Gather", "Identity", "Slice", "Split", "Squeeze", "Transpose", "Unsqueeze")
# Operators that repeat or rearrange values, or fill with one, so that equal values stay equal.
SPREADING = {"Cast", "Concat", "Flatten", "Gather", "Identity", "Reshape", "Slice", "Split", "Squeeze", "Transpose"} | {
    "Unsqueeze", *REPEATING,
}  # fmt: skip
FILLING = ("ConstantOfShape", "ConstantFill")


class NotConstant(Exception):  # noqa: N818 - it says what a value is, and never leaves this package
    """A value is given or computed when the model runs; the message says from what."""


class Folding:
    """The constants of a graph.

    Parameters
    ----------
    graph : Graph
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._places = {name: place for place, node in enumerate(graph.nodes) for name in node.outputs if name}
        self._known: dict[str, Array] = {}
        self._small: dict[str, Array] = {}
        self._room = self._small_room = TIMES * graph.stored + ROOM
        self._steps = MOST_STEPS

    def maker(self, name: str) -> Node | None:
        """Return the operator that makes a value; None for one that is stored or given to the model."""
        return self.graph.nodes[self._places[name]] if name in self._places else None

    def place(self, name: str) -> int:
        """Return the position of the operator that makes a value; -1 if there is none."""
        return self._places.get(name, -1)

    def stored(self, name: str) -> Tensor | None:
        """Return a value that is stored in the file, an initializer or a Constant; None for others."""
        node = self.maker(name)
        if node is None:
            return self.graph.constants.get(name)
        return _constant(node) if node.op == "Constant" and node.standard else None

    def declared(self, name: str) -> tuple[int | str | None, ...] | None:
        """Return the declared axes of one of the model's inputs; None for any other value."""
        return self.graph.shapes.get(name) if self.maker(name) is None else None

    def source(self, name: str) -> Tensor | None:
        """Return the stored value that a value equals, except perhaps in type; None for others."""
        while (node := self.maker(name)) is not None and node.op in ("Cast", "Identity") and node.standard:
            if not node.inputs:
                return None
            name = node.inputs[0]
        return self.stored(name)

    def tensor(self, name: str) -> Tensor:
        """Return a constant; a stored one is read lazily, a computed one is computed at once. Raises NotConstant."""
        while (node := self.maker(name)) is not None and node.op == "Identity" and node.standard and node.inputs:
            name = node.inputs[0]
        found = self.stored(name)
        if found is not None:
            return Tensor(name, found.shape, found.read)
        values = self.values(name)
        return Tensor(name, values.shape, lambda: values)

    def values(self, name: str, *, repeated: bool = False) -> Array:
        """Compute a constant or, if it is ``repeated`` for all rows of a batch, its one row.

        Raises
        ------
        NotConstant, BadWeights
        """
        # Values with one row in place of many; not kept, because they are wrong for other purposes.
        rows: dict[str, Array] = {}
        known = ChainMap(rows, self._known)
        for wanted in self._ancestors(name, repeated=repeated):
            node, stored = self.maker(wanted), self.stored(wanted)
            if wanted in self._known or wanted in rows:
                continue
            if wanted in self._small:
                self._known[wanted] = self._small[wanted]
            elif stored is not None:
                self._known[wanted] = stored.read()
            elif node is None:
                raise NotConstant(self.described(wanted))
            elif repeated and self._repeats(node):
                rows[wanted] = self._row(node, known)
            elif any(read in rows for read in node.inputs):
                rows.update(self._fold(node, wanted, known, KEEPING_ROWS))
            else:
                self._known |= self._fold(node, wanted, self._known, FOLDED)
        if known[name].dtype.kind not in "fiub":
            raise NotConstant(self.described(name))
        return known[name]

    def rows(self, name: str, shape: tuple[int, int, int]) -> Array:
        """Return a stored batch of rows: one row if all are equal, of ``shape`` if filled with one value."""
        value = self._only_value(name)
        return self.values(name, repeated=True) if value is None else np.full(shape, value)

    def small(self, name: str) -> Array | None:
        """Return a known shape, index or single number; None for anything else."""
        if name not in self._small and (stored := self.stored(name)) is not None:
            if len(stored.shape) > 1 or int(np.prod(stored.shape)) > SMALL:
                return None
            try:
                self._small[name] = stored.read()
            except BadWeights:
                return None
        return self._small.get(name)

    def keep(self, name: str, values: Array) -> None:
        """Remember a shape."""
        self._small_room -= 8 * values.size
        if values.size <= MOST_SMALL and self._small_room >= 0:
            self._small[name] = values

    def fold_small(self, node: Node) -> bool:
        """Apply an operator on shapes if all its inputs are known; return whether that was done."""
        inputs = {name: self.small(name) for name in node.inputs if name}
        known = {name: values for name, values in inputs.items() if values is not None}
        if len(known) < len(inputs) or not (inputs or node.op == "Constant"):
            return False
        try:
            made = self._outputs(node, known, room=8 * MOST_SMALL) if node.op in FOLDED and node.standard else {}
        except (BadWeights, *WRONG):
            return False
        for name, values in made.items():
            self.keep(name, values)
        return bool(made)

    def described(self, name: str) -> str:
        """Say where a value that is not a constant comes from."""
        node = self.maker(name)
        if node is not None:
            return f"'{node.called}' ({node.op})"
        return f"the sparse initializer '{name}'" if name in self.graph.sparse else f"the model's input '{name}'"

    def _only_value(self, name: str) -> float | None:
        """Return the one value that an array is filled with, even if its shape is unknown; None for any other array."""
        pending, seen, found = [name], {name}, set[float]()
        while pending:
            here = pending.pop()
            self._step(here)
            node, stored = self.maker(here), self.stored(here)
            if node is not None and node.op in FILLING and node.standard:
                found |= _filling(node)
            elif stored is not None:
                found |= _extremes(stored)
            elif node is None or not node.standard or node.op not in SPREADING:
                return None
            else:
                reads = [read for read in (node.inputs if node.op == "Concat" else node.inputs[:1]) if read not in seen]
                pending += reads
                seen.update(reads)
        return found.pop() if len(found) == 1 else None

    def _repeats(self, node: Node) -> bool:
        """Return whether an operator repeats rows, or takes rows in an order known only when the model runs."""
        if not node.standard or not node.inputs:
            return False
        if node.op != "Gather" or len(node.inputs) != 2:
            return node.op in REPEATING
        return self.small(node.inputs[1]) is None and self.stored(node.inputs[1]) is None

    def _row(self, node: Node, known: Mapping[str, Array]) -> Array:
        """Return the row that is repeated; equal rows stay equal in any order."""
        data = known[node.inputs[0]]
        if node.op == "Gather" and data.shape[node.attributes.get("axis", 0) :][:1] != (1,):
            raise NotConstant(self.described(node.outputs[0]))
        return data

    def _step(self, name: str) -> None:
        """Count a visited value; some graphs would take forever."""
        self._steps -= 1
        if self._steps < 0:
            raise NotConstant(f"{self.described(name)}, which takes too many steps to follow")

    def _ancestors(self, name: str, *, repeated: bool) -> list[str]:
        """List the unknown values that a value is made of, each after those that it needs itself."""
        pending, found = [name], {name: None}
        while pending:
            here = pending.pop()
            self._step(here)
            node = self.maker(here)
            if node is not None and node.op != "Constant" and here not in self._small and here not in self._known:
                reads = node.inputs[:1] if repeated and self._repeats(node) else node.inputs
                new = dict.fromkeys(read for read in reads if read and read not in found)
                found |= new
                pending += new
        return sorted(found, key=self.place)

    def _fold(self, node: Node, name: str, known: Mapping[str, Array], allowed: Container[str]) -> dict[str, Array]:
        """Apply an operator; return all its outputs by name."""
        if node.op not in allowed or not node.standard:
            raise NotConstant(self.described(name))
        try:
            made = self._outputs(node, known, room=self._room)
        except WRONG as reason:
            raise NotConstant(f"{self.described(name)}, which cannot be computed: {reason}") from reason
        if name not in made:
            raise NotConstant(self.described(name))
        return made

    def _outputs(self, node: Node, known: Mapping[str, Array], *, room: int) -> dict[str, Array]:
        inputs = [known[read] if read else None for read in node.inputs]
        needed = bytes_made(node, inputs)
        if needed > room:
            raise ValueError("its result is far larger than the file")
        if room == self._room:
            self._room -= needed
        with np.errstate(all="ignore"):
            made = FOLDED[node.op](node, inputs)
        # NumPy returns a single element of an object array as it is.
        arrays = map(np.asarray, made if isinstance(made, tuple) else (made,))
        return dict(zip(node.outputs, arrays, strict=False))


def _filling(node: Node) -> set[float]:
    """Return what ConstantOfShape, or its predecessor before version 9, fills an array with."""
    value = node.attributes.get("value")
    return _extremes(value) if isinstance(value, Tensor) else {float(value or 0)}


def _extremes(tensor: Tensor) -> set[float]:
    """Return the smallest and the largest value, one if they are equal."""
    values = tensor.read()
    return {float(values.min()), float(values.max())} if values.size else set()


def _constant(node: Node) -> Tensor | None:
    """Return the value of a Constant; None for text and sparse tensors."""
    value = next((value for name, value in node.attributes.items() if name.startswith("value")), None)
    if value is None or isinstance(value, Tensor):
        return value
    values = np.array(value)
    values = values.astype(np.float32) if values.dtype.kind == "f" else values
    return Tensor(node.called, values.shape, lambda: values) if values.dtype.kind in "fi" else None
