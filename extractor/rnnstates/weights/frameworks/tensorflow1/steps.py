"""Compares a TensorFlow 1 cell with the graph next to its checkpoint: what the graph shows is used, or refused.

A product with the cell's kernel is followed to the state that it produces, and that state to the next iteration of the
loop, or to the next product of an unrolled loop.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ....errors import BadWeights
from ..keras.exported.terms import TooMany
from .blocks import of_block
from .equations import Equations, Found, Product
from .flat import Operation
from .graph import WITHOUT_GRAPH, Graph
from .names import FoundCell
from .terms import Matrix, StepReader

__all__ = ["Shown", "shown_by"]

# By cell: the kernel whose product begins a step, and its bias.
_BEGINS = {"lstm": ("kernel", "bias"), "gru": ("gates", "gates_bias"), "simple_rnn": ("kernel", "bias")}
# An unrolled loop has one product per step.
MOST_PRODUCTS = 24
MOST_OPERATIONS = 160
FARTHEST = 18
MOST_NAMED = 8
MOST_PARTS = 4


@dataclass(frozen=True)
class Shown:
    """What a graph shows of a cell.

    Parameters
    ----------
    settings : mapping
        Activation, forget bias, clips, as far as they are certain.
    gates : tuple of str
        The order of the blocks; empty if it is not shown.
    state_first : frozenset of str
        Roles of the matrices whose first rows belong to the hidden state.
    is_whole : bool
        Whether the equations, the order of the rows and the next value of each state were all checked in the graph.
    reads, makes : str
        The values that are the inputs of a step and its hidden state; empty if not shown.
    """

    settings: Mapping[str, Any]
    gates: tuple[str, ...] = ()
    state_first: frozenset[str] = frozenset()
    is_whole: bool = False
    reads: str = ""
    makes: str = ""


def shown_by(graph: Graph, cell: FoundCell, where: str) -> Shown:
    """Return what a graph shows with certainty about how a cell is run.

    Raises
    ------
    BadWeights
        It shows a different cell.
    """
    variables = _variables(graph, cell)
    begins = _BEGINS[cell.kind.cell][0]
    is_known = (cell.kind.framework, cell.kind.cell) != ("cudnn", "gru")
    if not is_known or not any(matrix.role == begins and matrix.hidden for matrix in variables.values()):
        return Shown({})
    block = of_block(graph, variables, cell, where)
    if block is not None:
        return Shown(*block, is_whole=True)
    try:
        return _Steps(graph, cell, variables, where).shown()
    except TooMany:
        # A graph beyond the limits of what is followed shows nothing.
        return Shown({})


def _variables(graph: Graph, cell: FoundCell) -> dict[str, Matrix]:
    """Return the variables of a cell by their names in the graph, which has a variable per shard."""
    alone = {role: shards[0] for role, shards in cell.shards.items() if len(shards) == 1 and shards[0].shape}
    hidden = alone["projection"].shape[-1] if "projection" in alone else None
    found = {}
    for role, tensor in alone.items():
        width = tensor.shape[-1] // {"lstm": 4, "gru": 2 if role == "gates" else 1}.get(cell.kind.cell, 1)
        state = (hidden or width) if role in ("kernel", "gates", "candidate") and len(tensor.shape) == 2 else 0
        found[graph.variable(tensor.name.removesuffix(":0"))] = Matrix(role, tensor.shape, state)
    return found


@dataclass(frozen=True)
class _Step:
    """One product, the values that it multiplies, and the states that it may produce."""

    operation: Operation
    product: Product
    values: tuple[str, ...]
    found: tuple[Found, ...]


class _Steps:
    """All steps of a cell in a graph."""

    def __init__(self, graph: Graph, cell: FoundCell, variables: Mapping[str, Matrix], where: str) -> None:
        self._graph, self._cell, self._where = graph, cell, where
        self._reader = StepReader(graph, variables)
        self._terms = self._reader.terms
        # The value of each hidden state that was found.
        self._values: dict[int, str] = {}
        self._widths = {matrix.role: matrix.shape[-1] for matrix in variables.values()}
        self._names = {matrix.role: name for name, matrix in variables.items()}
        self._begins = _BEGINS[cell.kind.cell]
        self._units = self._widths[self._begins[0]] // {"lstm": 4, "gru": 2}.get(cell.kind.cell, 1)
        wide = self._widths[self._begins[0]]
        blocks = [(start, start + self._units) for start in range(0, wide, self._units)]
        self._kernels = {
            self._terms.variable(f"{self._begins[0]}/{part}", *block) for part in range(MOST_PARTS) for block in blocks
        }
        self._equations = Equations(self._terms, self._units, self._widths)
        is_gru = cell.kind.cell == "gru"
        self._candidates = [one for *_, one in self._products("candidate", "candidate_bias")] if is_gru else []

    def shown(self) -> Shown:
        """Compare every step with the cell's equations."""
        steps = [self._step(product, values, operation) for operation, values, product in self._products(*self._begins)]
        if not steps:
            return Shown({})
        # One step alone may not show whether an activation belongs to the cell.
        shown = [one for one in (self._hidden_state(step, steps) for step in steps) if one.settings] or [Shown({})]
        for other in shown[1:]:
            if (other.settings, other.gates) != (shown[0].settings, shown[0].gates):
                self._refuse(f"runs it in two ways ({_listed(shown[0].settings)}; {_listed(other.settings)})")
        certain = [one for one in shown if one.is_whole]
        if any(one.state_first != certain[0].state_first for one in certain):
            self._refuse("multiplies its kernel with the inputs first and with the hidden state first")
        return certain[0] if certain else shown[0]

    def _products(self, kernel: str, bias: str) -> Iterator[tuple[Operation, tuple[str, ...], Product]]:
        """Find the products with a kernel; if it was split by rows, the products of both parts that are added."""
        cut: dict[int, list[tuple[Operation, str]]] = {0: [], 1: []}
        count = 0
        for operation in self._graph.products(self._names[kernel]) if kernel in self._names else ():
            factors = self._reader.factors(operation)
            if count >= MOST_PRODUCTS or not factors:
                continue
            count += 1
            values = tuple(value for value, _, _ in factors)
            if self._reader.is_cut(operation):
                cut[factors[0][2]].append((operation, values[0]))
            else:
                yield operation, values, self._product(values, kernel, bias)
        for first, value in cut[0]:
            added = {one.name for one in self._graph.readers(first.name)}
            for second, other in cut[1]:
                if not added.isdisjoint(one.name for one in self._graph.readers(second.name)):
                    yield first, (value, other), self._product((value, other), kernel, bias)

    def _product(self, values: tuple[str, ...], kernel: str, bias: str) -> Product:
        return Product(tuple(self._reader.read(value) for value in values), kernel, bias)

    def _step(self, product: Product, values: tuple[str, ...], operation: Operation) -> _Step:
        found = {}
        for value in self._after(operation):
            one = self._recognised(product, self._reader.read(value))
            if one is not None:
                found[one.hidden] = one
                self._values.setdefault(one.hidden, self._graph.resolve(value))
        return _Step(operation, product, values, tuple(found.values()))

    def _recognised(self, product: Product, term: int) -> Found | None:
        if self._cell.kind.cell == "gru":
            return self._equations.gru(product, self._candidates, term)
        if self._cell.kind.cell == "lstm":
            return self._equations.lstm(product, term)
        return self._equations.simple_rnn(product, term)

    def _after(self, operation: Operation) -> Iterator[str]:
        """Walk from a product to what is computed from it in the same step."""
        waiting, seen = [(operation, 0)], {operation.name}
        while waiting:
            here, depth = waiting.pop(0)
            yield here.name
            outputs = [here.name, *(f"{here.name}:{number}" for number in range(1, 4) if here.op in _SEVERAL)]
            for reader in (one for output in outputs for one in self._graph.readers(output)):
                is_near = depth < FARTHEST and len(seen) < MOST_OPERATIONS and reader.op not in _ENDS
                if reader.name not in seen and is_near:
                    seen.add(reader.name)
                    waiting.append((reader, depth + 1))

    def _hidden_state(self, step: _Step, steps: list[_Step]) -> Shown:
        """Determine which of its possible states is the hidden state of a step, and that it is passed on."""
        if not step.found:
            self._refuse(self._equations.problem or f"has {', '.join(self._kinds(step))} after the product with it")
        turns = [self._turned(value) for value in step.values]
        made = {found.hidden: found for found in step.found}
        for place in reversed(range(len(turns))):
            found = self._equations.passed_on(made, turns[place])
            if found is not None and found.before in (-1, step.product.factors[place]):
                self._check_cell(found)
                return self._shown(step, found, place)
        if len(turns) > 1 and (last := turns[-1]) is not None:
            self._refuse(f"passes on {self._terms.described(last)} as the hidden state")
        return self._written_out(step, [other for other in steps if other is not step])

    def _written_out(self, step: _Step, other_steps: list[_Step]) -> Shown:
        """Determine the hidden state from the other steps of an unrolled loop: it is multiplied in the next one."""
        multiplied = {factor for other in other_steps for factor in other.product.factors}
        made = {found.hidden: found for other in other_steps for found in other.found}
        before = [self._equations.passed_on(made, factor) for factor in step.product.factors]
        places = [place for place, found in enumerate(before) if found is not None]
        last = step.product.factors[-1]
        if not places and len(before) > 1 and len(other_steps) + 1 < MOST_PRODUCTS and self._depends(last):
            self._refuse(f"passes on {self._terms.described(last)} as the hidden state")
        passed_on = [found for found in step.found if found.hidden in multiplied]
        if not passed_on and self._cell.kind.cell == "simple_rnn" and len(step.found) > 1:
            # It is not shown whether the activation belongs to the cell or comes after it.
            return Shown({})
        found = (passed_on or list(step.found))[-1]
        cells = {one.cell: one for other in other_steps for one in other.found}
        if places and self._depends(found.cell_before) and self._equations.passed_on(cells, found.cell_before) is None:
            self._refuse(f"passes on {self._terms.described(found.cell_before)} as the cell state")
        shown = self._shown(step, found, places[-1] if places else -1)
        return shown if places else replace(shown, is_whole=False)

    def _depends(self, term: int) -> bool:
        """Return whether a term is made of products with the cell's own kernel."""
        waiting = [term] if term >= 0 else []
        seen = set(waiting)
        while waiting:
            here = waiting.pop()
            inner = self._terms.operands(here)
            if self._terms.function(here) == "matmul" and inner[1] in self._kernels:
                return True
            waiting += [part for part in inner if part not in seen]
            seen.update(inner)
        return False

    def _turned(self, value: str) -> int | None:
        following = self._graph.next_turn(value)
        return None if following is None else self._reader.read(following)

    def _check_cell(self, found: Found) -> None:
        """Refuse a loop that passes on anything but the new cell state."""
        before = self._terms[found.cell_before] if found.cell_before >= 0 else ("none",)
        turned = self._turned(str(before[1])) if before[0] == "leaf" else None
        if turned is not None and self._equations.passed_on({found.cell: found}, turned) is None:
            self._refuse(f"passes on {self._terms.described(turned)} as the cell state")

    def _shown(self, step: _Step, found: Found, place: int) -> Shown:
        kernel = step.product.kernel
        first = {kernel} if place == 0 and len(step.values) > 1 else set()
        if self._cell.kind.cell == "gru":
            places = {self._resets(product, found.before) for product in self._candidates} - {0}
            first |= {"candidate"} if places == {1} else set()
        reads = step.values[1 - place] if len(step.values) == 2 and place >= 0 else ""
        is_whole = len(step.values) > 1
        return Shown(found.settings, found.gates, frozenset(first), is_whole, reads, self._values[found.hidden])

    def _kinds(self, step: _Step) -> list[str]:
        """List the kinds of operations after a product, for a message."""
        found = dict.fromkeys(one.op for value in self._after(step.operation) if (one := self._graph.operation(value)))
        return [kind for kind in found if kind not in ("Enter", "Identity", "MatMul")][:MOST_NAMED] or ["nothing"]

    def _resets(self, product: Product, before: int) -> int:
        """Return which factor of a candidate's product contains the hidden state, from 1; 0 for none."""
        for place, factor in enumerate(product.factors):
            if self._terms.function(factor) == "product" and before in self._terms.operands(factor):
                return place + 1
        return 0

    def _refuse(self, problem: str) -> None:
        raise BadWeights(
            f"{self._where}: its graph {problem}; expected the equations of {self._cell.kind.class_name}, since others "
            f"are not run. If it is one nevertheless, {WITHOUT_GRAPH}."
        )


def _listed(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in settings.items())


_SEVERAL = {"Split", "SplitV", "Unpack"}
_ENDS = {"NextIteration", "StackPush", "StackPushV2", "TensorArrayWriteV3", "TensorListPushBack", "TensorListSetItem"}
