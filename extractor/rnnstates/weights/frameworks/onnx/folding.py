"""The constant parts of an ONNX graph: weights that are cut, joined and rearranged, and the sizes of shapes.

Exporters that do not fold constants cut and join weights in the graph. What ``FOLDED`` names is done here with
NumPy, whatever order it comes in; whatever else a weight goes through is not, and the operator is named. How much may
be made is bounded by what the file stores.
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

# How many times the stored bytes may be made of them, and bytes beside those.
TIMES, ROOM = 4, 2**19
# What is looked at while the graph is followed: shapes, indices and single numbers; and what may be made of those.
SMALL, MOST_SMALL = 64, 4096
# Values that are looked at to find what others are made of, all together.
MOST_STEPS = 1_000_000
# What repeats rows as many times as the batch has, and what leaves them equal then.
REPEATING = ("Expand", "Tile")
KEEPING_ROWS = ("Cast", "Concat", "Gather", "Identity", "Slice", "Split", "Squeeze", "Transpose", "Unsqueeze")
# What repeats or rearranges values, or fills with one, so that all stay equal where they are.
SPREADING = {"Cast", "Concat", "Flatten", "Gather", "Identity", "Reshape", "Slice", "Split", "Squeeze", "Transpose"} | {
    "Unsqueeze", *REPEATING,
}  # fmt: skip
FILLING = ("ConstantOfShape", "ConstantFill")


class NotConstant(Exception):  # noqa: N818 - it says what a value is, and never leaves this package
    """A value is given or computed when the model is run; says by what."""


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
        """Give the operator that makes a value; None for one that is stored, or given to the model."""
        return self.graph.nodes[self._places[name]] if name in self._places else None

    def place(self, name: str) -> int:
        """Tell how many operators stand before the one that makes a value; -1 for none that does."""
        return self._places.get(name, -1)

    def stored(self, name: str) -> Tensor | None:
        """Give a value that stands in the file as it is: an initializer, or a Constant; None for others."""
        node = self.maker(name)
        if node is None:
            return self.graph.constants.get(name)
        return _constant(node) if node.op == "Constant" and node.standard else None

    def declared(self, name: str) -> tuple[int | str | None, ...] | None:
        """Give what the model says of the axes of one of its inputs; None for any other value."""
        return self.graph.shapes.get(name) if self.maker(name) is None else None

    def source(self, name: str) -> Tensor | None:
        """Give the stored value that a value is, perhaps of another type; None for others."""
        while (node := self.maker(name)) is not None and node.op in ("Cast", "Identity") and node.standard:
            if not node.inputs:
                return None
            name = node.inputs[0]
        return self.stored(name)

    def tensor(self, name: str) -> Tensor:
        """Give a constant; a stored one is read later, one that is made is made at once. Raises NotConstant."""
        while (node := self.maker(name)) is not None and node.op == "Identity" and node.standard and node.inputs:
            name = node.inputs[0]
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
        """Give a batch of rows as far as it is stored: one row where all are equal, by ``shape`` if by one value."""
        value = self._only_value(name)
        return self.values(name, repeated=True) if value is None else np.full(shape, value)

    def small(self, name: str) -> Array | None:
        """Give a shape, an index or a single number, as far as it is known; None for anything else."""
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
        """Do an operator on shapes where all that it reads are known; tell whether it was done."""
        inputs = {name: self.small(name) for name in node.inputs if name}
        known = {name: values for name, values in inputs.items() if values is not None}
        if len(known) < len(inputs) or not (inputs or node.op == "Constant"):
            return False
        try:
            made = self._made(node, known, room=8 * MOST_SMALL) if node.op in FOLDED and node.standard else {}
        except (BadWeights, *WRONG):
            return False
        for name, values in made.items():
            self.keep(name, values)
        return bool(made)

    def described(self, name: str) -> str:
        """Say where a value comes from that is no constant."""
        node = self.maker(name)
        if node is not None:
            return f"'{node.called}' ({node.op})"
        return f"the sparse initializer '{name}'" if name in self.graph.sparse else f"the model's input '{name}'"

    def _only_value(self, name: str) -> float | None:
        """Give the one value that an array is filled with, though its shape may not be known; None for any other."""
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
        """Tell whether an operator repeats rows, or takes some in an order that is known when the model is run."""
        if not node.standard or not node.inputs:
            return False
        if node.op != "Gather" or len(node.inputs) != 2:
            return node.op in REPEATING
        return self.small(node.inputs[1]) is None and self.stored(node.inputs[1]) is None

    def _row(self, node: Node, known: Mapping[str, Array]) -> Array:
        """Give the row that is repeated; in whatever order, those of one are equal."""
        data = known[node.inputs[0]]
        if node.op == "Gather" and data.shape[node.attributes.get("axis", 0) :][:1] != (1,):
            raise NotConstant(self.described(node.outputs[0]))
        return data

    def _step(self, name: str) -> None:
        """Count a value that is looked at; some graphs would take for ever."""
        self._steps -= 1
        if self._steps < 0:
            raise NotConstant(f"{self.described(name)}, which takes too many steps to follow")

    def _ancestors(self, name: str, *, repeated: bool) -> list[str]:
        """List the values that a value is made of and that are not known, each behind those it needs itself."""
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
        """Do an operator; give all that it makes by name."""
        if node.op not in allowed or not node.standard:
            raise NotConstant(self.described(name))
        try:
            made = self._made(node, known, room=self._room)
        except WRONG as reason:
            raise NotConstant(f"{self.described(name)}, which cannot be done: {reason}") from reason
        if name not in made:
            raise NotConstant(self.described(name))
        return made

    def _made(self, node: Node, known: Mapping[str, Array], *, room: int) -> dict[str, Array]:
        inputs = [known[read] if read else None for read in node.inputs]
        needed = bytes_made(node, inputs)
        if needed > room:
            raise ValueError("it makes far more than the file stores")
        if room == self._room:
            self._room -= needed
        with np.errstate(all="ignore"):
            made = FOLDED[node.op](node, inputs)
        # Of an array of objects, NumPy gives a single one as it is.
        arrays = map(np.asarray, made if isinstance(made, tuple) else (made,))
        return dict(zip(node.outputs, arrays, strict=False))


def _filling(node: Node) -> set[float]:
    """Give what ConstantOfShape fills an array with, or what stood in its place before version 9."""
    value = node.attributes.get("value")
    return _extremes(value) if isinstance(value, Tensor) else {float(value or 0)}


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
