"""Represents what a step of a TensorFlow 1 cell computes as terms of its inputs, states and variables."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from ..keras.exported.terms import Terms, TooMany
from .flat import Operation
from .graph import CUTS, Graph, index_of

__all__ = ["Matrix", "StepReader", "StepTerms"]

# Element-wise functions: columns of the result are the result of the columns.
_EACH = {
    *("Abs", "Elu", "Erf", "Erfc", "Exp", "Expm1", "Neg", "Relu", "Relu6", "Selu", "Sigmoid", "Sin", "Softplus"),
    *("Softsign", "Sqrt", "Square", "Tanh"),
}
# The number of inputs of the other operations that are followed.
_INPUTS = {
    **dict.fromkeys(_EACH | {"OnesLike", "Softmax", "ZerosLike"}, 1),
    **dict.fromkeys(("Div", "Greater", "Less", "LessEqual", "Maximum", "Minimum", "Mul", "Pow", "RealDiv", "Sub"), 2),
    **dict.fromkeys(("ClipByValue", "Select", "SelectV2", "Slice", "SplitV"), 3),
    "AddN": 0,
    "Add": 2,
    "AddV2": 2,
    "BiasAdd": 2,
    "MatMul": 2,
    "Split": 2,
    "StridedSlice": 4,
}
_NAMES = {"long sum": "Add", "matmul": "MatMul", "product": "Mul", "sum": "Add"}
_MADE_OF_TERMS = {"apply", "long sum", "matmul", "product", "sum"}


class Matrix(NamedTuple):
    """A variable of a cell: its role, its shape, and how many of its rows belong to the hidden state, if any."""

    role: str
    shape: tuple[int, ...]
    hidden: int = 0


class StepTerms(Terms):
    """Terms whose columns can also be taken through element-wise functions."""

    def __init__(self) -> None:
        super().__init__()
        # Constants that agree to six digits are equal terms; these are their exact values.
        self.exact: dict[int, float] = {}

    def width(self, number: int) -> int:
        """Count the columns of a term; -1 if variables do not determine it."""
        term = self[number]
        if term[0] == "apply" and term[1] in _EACH:
            return self.width(term[2])  # type: ignore[arg-type]
        return super().width(number)

    def columns(self, number: int, start: int, stop: int) -> int:
        """Take columns of a term."""
        term = self[number]
        if term[0] == "apply" and term[1] in _EACH:
            return self.apply(str(term[1]), self.columns(term[2], start, stop))  # type: ignore[arg-type]
        return super().columns(number, start, stop)

    def function(self, number: int) -> str:
        """Return what makes a term: ``sum``, ``product``, ``matmul``, or the operation that is applied."""
        term = self[number]
        return str(term[1] if term[0] == "apply" else term[0])

    def operands(self, number: int) -> list[int]:
        """Return the terms that a term is made of; none for variables, constants and what was not followed."""
        kind, *rest = self[number]
        return [part for part in rest if isinstance(part, int)] if kind in _MADE_OF_TERMS else []

    def described(self, number: int, deepest: int = 3) -> str:
        """Write a term for a message, with the names of TensorFlow's operations."""
        kind, *rest = self[number]
        if kind in ("constant", "leaf", "variable"):
            return str(rest[-1] if kind != "variable" else rest[0][0])  # type: ignore[index]
        name = _NAMES.get(self.function(number), self.function(number))
        inner = (
            [self.described(part, deepest - 1) for part in self.operands(number)]
            if deepest and kind != "matmul"
            else []
        )
        return f"{name}({', '.join(inner)})" if inner else name


class StepReader:
    """Turns a graph's values into terms.

    Parameters
    ----------
    graph : Graph
    variables : mapping
        A cell's variables by their names in the graph.
    """

    def __init__(self, graph: Graph, variables: Mapping[str, Matrix]) -> None:
        self.terms = StepTerms()
        self._graph, self._variables = graph, variables
        self._known: dict[str, int] = {}

    def read(self, value: str) -> int:
        """Return the term of a value.

        Raises
        ------
        TooMany
            There are more terms than in any cell, or a value contains itself.
        """
        first = self._graph.resolve(value)
        waiting, opened = [first], set[str]()
        while waiting:
            value = waiting[-1]
            operands = [self._graph.resolve(operand) for operand in self._operands(value)]
            missing = [operand for operand in operands if operand not in self._known]
            if value in self._known or not missing:
                waiting.pop()
                if value not in self._known:
                    self._known[value] = self._term(value, [self._known[operand] for operand in operands])
                continue
            if not opened.isdisjoint(missing):
                raise TooMany
            opened.add(value)
            waiting += missing
        return self._known[first]

    def factors(self, product: Operation) -> list[tuple[str, str, int]]:
        """Split a product with a variable: the factor, the variable's role, the number of its part of the rows.

        ``concat([x, h]) @ kernel`` is ``x`` with the first rows and ``h`` with the rest. Empty if it is not such a
        product.
        """
        if not _has_its_inputs(product) or product.attr["transpose_a"].b or product.attr["transpose_b"].b:
            return []
        matrix, part = self._rows(product.inputs[1])
        if matrix is None:
            return []
        joined = self._graph.source(product.inputs[0])
        if joined is None or joined.op not in ("Concat", "ConcatV2") or not matrix.hidden or part is not None:
            return [(self._graph.resolve(product.inputs[0]), matrix.role, part or 0)]
        if len(joined.inputs) < 2:
            return []
        axis, *parts = joined.inputs if joined.op == "Concat" else (joined.inputs[-1], *joined.inputs[:-1])
        if self._graph.numbers(axis) not in ([1], [-1]):
            return []
        return [(self._graph.resolve(value), matrix.role, number) for number, value in enumerate(parts)]

    def is_cut(self, product: Operation) -> bool:
        """Return whether a product is with only some rows of a kernel."""
        return self._rows(product.inputs[1])[1] is not None

    def _rows(self, value: str) -> tuple[Matrix | None, int | None]:
        """Return the variable that a matrix is, and if it was split, which rows: the first (0) or the rest (1)."""
        value = self._graph.resolve(value)
        if value in self._variables:
            return self._variables[value], None
        operation = self._graph.operation(value)
        if operation is None or operation.op not in _CUTS or not _has_its_inputs(operation):
            return None, None
        whole = self._graph.resolve(operation.inputs[CUTS[operation.op]])
        matrix = self._variables.get(whole)
        start = _CUTS[operation.op](self, operation, index_of(value), matrix) if matrix else None
        if matrix is None or start is None or start not in (0, matrix.hidden, matrix.shape[0] - matrix.hidden):
            return None, None
        return matrix, int(start > 0)

    def _split_start(self, operation: Operation, index: int, matrix: Matrix) -> int | None:
        count = operation.attr["num_split"].i
        is_rows = self._graph.numbers(operation.inputs[0]) in ([0], [-2])
        return index * (matrix.shape[0] // count) if is_rows and count else None

    def _sizes_start(self, operation: Operation, index: int, _matrix: Matrix) -> int | None:
        sizes, axis = (self._graph.numbers(value) for value in operation.inputs[1:3])
        return int(sum(sizes[:index])) if sizes and axis in ([0], [-2]) and min(sizes) >= 0 else None

    def _slice_start(self, operation: Operation, _index: int, _matrix: Matrix) -> int | None:
        start, second = (self._graph.numbers(value) for value in operation.inputs[1:3])
        if not start or not second or len(start) != len(second):
            return None
        if operation.op == "Slice":
            return int(start[0]) if [*start[1:], *second[1:]] == [0, -1] else None
        begin, end = operation.attr["begin_mask"].i, operation.attr["end_mask"].i
        all_columns = len(start) == 1 or (begin & 2 and end & 2)
        return (0 if begin & 1 else int(start[0])) if all_columns else None

    def _operands(self, value: str) -> tuple[str, ...]:
        operation = self._graph.operation(value)
        if operation is None or value in self._variables or not _has_its_inputs(operation):
            return ()
        if operation.op == "MatMul":
            return tuple(left for left, _, _ in self.factors(operation))
        place = CUTS.get(operation.op)
        return operation.inputs if place is None else operation.inputs[place : place + 1]

    def _term(self, value: str, operands: list[int]) -> int:
        operation = self._graph.operation(value)
        if value in self._variables:
            return self.terms.variable(self._variables[value].role, 0, self._variables[value].shape[-1])
        numbers = self._graph.numbers(value)
        if numbers and len(set(numbers)) == 1:
            number = self.terms.constant(numbers[0])
            self.terms.exact.setdefault(number, numbers[0])
            return number
        if operation is None or not operands:
            return self._leaf(value)
        rule = _RULES.get(operation.op)
        return self.terms.apply(operation.op, *operands) if rule is None else rule(self, value, operation, operands)

    def _leaf(self, value: str) -> int:
        operation = self._graph.operation(value)
        return self.terms.of("leaf", value, "an input" if operation is None else operation.op)

    def _matmul(self, _value: str, operation: Operation, operands: list[int]) -> int:
        factors = self.factors(operation)
        wide = {matrix.role: matrix.shape[-1] for matrix in self._variables.values()}
        return self.terms.sum(
            *(
                self.terms.matmul(left, self.terms.variable(f"{role}/{part}", 0, wide[role]))
                for left, (_, role, part) in zip(operands, factors, strict=True)
            )
        )

    def _add(self, _value: str, _operation: Operation, operands: list[int]) -> int:
        return self.terms.sum(*operands)

    def _multiply(self, _value: str, _operation: Operation, operands: list[int]) -> int:
        return self.terms.product(*operands)

    def _split(self, value: str, operation: Operation, operands: list[int]) -> int:
        count, index = operation.attr["num_split"].i, index_of(value)
        width = self.terms.width(operands[0])
        if self._graph.numbers(operation.inputs[0]) not in ([1], [-1]) or count < 1 or width < 1 or width % count:
            return self._leaf(value)
        return self._columns(value, operands[0], index * (width // count), width // count)

    def _split_sizes(self, value: str, operation: Operation, operands: list[int]) -> int:
        index = index_of(value)
        sizes, axis = (self._graph.numbers(source) for source in operation.inputs[1:3])
        if not sizes or axis not in ([1], [-1]) or min(sizes) < 0 or index >= len(sizes):
            return self._leaf(value)
        return self._columns(value, operands[0], int(sum(sizes[:index])), int(sizes[index]))

    def _slice(self, value: str, operation: Operation, operands: list[int]) -> int:
        """Read ``[:, start:stop]``."""
        start, second = (self._graph.numbers(source) for source in operation.inputs[1:3])
        width = self.terms.width(operands[0])
        if not (start and second and len(start) == len(second) == 2 and width > 0):
            return self._leaf(value)
        first, last = int(start[1]), int(second[1])
        if operation.op == "Slice":
            size = last if last >= 0 else width - first
            return self._columns(value, operands[0], first, size if start[0] == 0 and second[0] == -1 else -1)
        masks = {name: operation.attr[f"{name}_mask"].i for name in ("begin", "end", "new_axis", "shrink_axis")}
        first = 0 if masks["begin"] & 2 else first % width
        last = width if masks["end"] & 2 else last if last >= 0 else last + width
        steps = self._graph.numbers(operation.inputs[3]) if len(operation.inputs) == 4 else None
        whole = masks["begin"] & masks["end"] & 1 and not masks["new_axis"] and not masks["shrink_axis"]
        return self._columns(value, operands[0], first, last - first if whole and steps == [1, 1] else -1)

    def _columns(self, value: str, operand: int, start: int, size: int) -> int:
        is_within = start >= 0 and size > 0 and start + size <= self.terms.width(operand)
        return self.terms.columns(operand, start, start + size) if is_within else self._leaf(value)


def _has_its_inputs(operation: Operation) -> bool:
    """Return whether an operation is followed and has the right number of inputs."""
    count = _INPUTS.get(operation.op)
    return count is not None and (len(operation.inputs) == count or (count == 0 and len(operation.inputs) > 1))


_CUTS: dict[str, Callable[[StepReader, Operation, int, Matrix], int | None]] = {
    "Slice": StepReader._slice_start,
    "Split": StepReader._split_start,
    "SplitV": StepReader._sizes_start,
    "StridedSlice": StepReader._slice_start,
}
_RULES: dict[str, Callable[[StepReader, str, Operation, list[int]], int]] = {
    "Add": StepReader._add,
    "AddN": StepReader._add,
    "AddV2": StepReader._add,
    "BiasAdd": StepReader._add,
    "MatMul": StepReader._matmul,
    "Mul": StepReader._multiply,
    "Slice": StepReader._slice,
    "Split": StepReader._split,
    "SplitV": StepReader._split_sizes,
    "StridedSlice": StepReader._slice,
}
