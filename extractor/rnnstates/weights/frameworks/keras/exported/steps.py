"""Turns the body of a loop into terms: what one step computes from its inputs and states."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .constants import constant, integers, number
from .program import Frame, Program, Proto, Value
from .terms import Columns, Terms, TooMany

__all__ = ["StepReader", "Variable"]

MOST_OPERANDS = 8


class Variable:
    """A variable of the model: the name of its array in the checkpoint, and its shape."""

    def __init__(self, name: str, shape: tuple[int, ...]) -> None:
        self.name, self.shape = name, shape


class StepReader:
    """Reads the operations of one loop's body, or of steps outside a loop.

    Parameters
    ----------
    program : Program
    body : Frame or None
    variables : mapping
        The variables by the argument through which the outermost function receives them.
    """

    def __init__(self, program: Program, body: Frame | None, variables: Mapping[Value, Variable]) -> None:
        self.terms = Terms()
        # For each ("item", number) and ("step", number), the list or sequence that it is taken from.
        self.lists: list[Value] = []
        self._program, self._body, self._variables = program, body, variables
        self._known: dict[Value, int] = {}

    def read(self, value: Value) -> int:
        """Return the term of a value."""
        first = value = self._program.resolve(value)
        waiting, opened = [value], set[Value]()
        while waiting:
            value = waiting[-1]
            if value in self._known:
                waiting.pop()
                continue
            operands = [self._program.resolve(operand) for operand in self._operands(value)]
            missing = [operand for operand in operands if operand not in self._known]
            if missing:
                # An opened value that is still unknown is part of a cycle.
                if not opened.isdisjoint(missing):
                    raise TooMany
                opened.add(value)
                waiting += missing
                continue
            self._known[value] = self._term(value, [self._known[operand] for operand in operands])
            waiting.pop()
        return self._known[first]

    def _operands(self, value: Value) -> Sequence[Value]:
        node = self._program.node(value)
        if node is None or node.op in _WITHOUT_OPERANDS:
            return ()
        inputs = self._program.inputs(value)
        if (node.op == "Unpack" and self._is_computed(inputs[0])) or self._is_zero_from_outside(value, node):
            return ()
        if node.op in _FIRST_ONLY:
            return inputs[_FIRST_ONLY[node.op] :][:1]
        return inputs[:MOST_OPERANDS]

    def _is_zero_from_outside(self, value: Value, node: Proto) -> bool:
        """Detect zeros shaped like a step taken before the loop, of which Keras uses only the shape."""
        return node.op == "ZerosLike" and self._body is not None and value.frame.depth < self._body.depth

    def _is_computed(self, value: Value) -> bool:
        node = self._program.node(self._program.resolve(value))
        return node is not None and node.op != "ReadVariableOp"

    def _term(self, value: Value, operands: list[int]) -> int:
        node = self._program.node(value)
        if node is None:
            return self._argument(value)
        if node.op in _RULES:
            return _RULES[node.op](self, value, node, operands)
        if len(operands) == MOST_OPERANDS or node.op in ("While", "StatelessWhile"):
            return self.terms.apply(f"{node.op} {len(self._known)}")
        return self.terms.apply(node.op if value.index == 0 else f"{node.op}:{value.index}", *operands)

    def _argument(self, value: Value) -> int:
        if self._body is not None and value.frame is self._body:
            return self.terms.of("state", value.node)
        return self._variable(value)

    def _variable(self, value: Value) -> int:
        found = self._variables.get(value)
        if found is None or not 1 <= len(found.shape) <= 2:
            return self.terms.apply(f"argument {len(self._known)}")
        return self.terms.variable(found.name, 0, found.shape[-1])

    def _read_variable(self, value: Value, _node: Proto, _operands: list[int]) -> int:
        return self._variable(self._program.resolve(self._program.inputs(value)[0]))

    def _constant(self, value: Value, node: Proto, _operands: list[int]) -> int:
        found = number(self._program, value)
        if found is not None:
            return self.terms.constant(found)
        several = constant(self._program, value)
        if several is not None and len(set(several)) == 1 and len(node.attr["value"].tensor.tensor_shape.dim) < 2:
            return self.terms.constant(several[0])
        return self.terms.of("fill", value)

    def _fill(self, value: Value, node: Proto, operands: list[int]) -> int:
        if operands:
            return self.terms.apply(node.op, *operands)
        # Two states that start from equal values are still two terms.
        return self.terms.of("fill", value)

    def _item(self, value: Value, _node: Proto, operands: list[int]) -> int:
        return self.terms.of("item", self._list(value), *operands)

    def _list(self, value: Value) -> int:
        """Return the number of the list or sequence from which an item or step is taken."""
        source = self._program.resolve(self._program.inputs(value)[0])
        if source not in self.lists:
            self.lists.append(source)
        return self.lists.index(source)

    def _matmul(self, _value: Value, node: Proto, operands: list[int]) -> int:
        turned = node.attr["transpose_a"].b or node.attr["transpose_b"].b
        if turned or self.terms[operands[1]][0] != "variable":
            return self.terms.apply("MatMul", *operands, turned)
        return self.terms.matmul(*operands)

    def _add(self, _value: Value, node: Proto, operands: list[int]) -> int:
        return self.terms.sum(*operands) if operands else self.terms.apply(node.op)

    def _multiply(self, _value: Value, _node: Proto, operands: list[int]) -> int:
        # Inactive dropout multiplies by ones; steps without a loop share those of the first one.
        for one, other in (operands, operands[::-1]):
            if self.terms[one][:2] == ("apply", "OnesLike"):
                return other
        return self.terms.product(*operands)

    def _split(self, value: Value, node: Proto, operands: list[int]) -> int:
        axes = integers(self._program, self._program.inputs(value)[0])
        return self._part(operands[0], axes[0] if axes else None, value.index, node.attr["num_split"].i)

    def _unpack(self, value: Value, node: Proto, operands: list[int]) -> int:
        if not operands:
            return self.terms.of("step", self._list(value), value.index, node.attr["num"].i, node.attr["axis"].i)
        return self._part(operands[0], node.attr["axis"].i, value.index, node.attr["num"].i)

    def _part(self, operand: int, axis: int | None, index: int, count: int) -> int:
        term, width = self.terms[operand], self.terms.width(operand)
        is_list = term[0] == "variable" and self._axes(operand) == 1
        if axis == 0 and term[0] == "variable" and not is_list:
            return self._row(operand, index)
        if axis in ((0, -1) if is_list else (1, -1)) and count > 0 and width > 0 and width % count == 0:
            size = width // count
            return self.terms.columns(operand, index * size, (index + 1) * size)
        return self.terms.apply(f"part {index} of {count} by {axis}", operand)

    def _axes(self, operand: int) -> int:
        """Count the axes of a variable or of one of its rows."""
        columns = self.terms[operand][1]
        assert isinstance(columns, Columns)
        shapes = (variable.shape for variable in self._variables.values() if variable.name == columns.variable)
        return len(next(shapes, ())) - (columns.row >= 0)

    def _split_sizes(self, value: Value, _node: Proto, operands: list[int]) -> int:
        inputs = self._program.inputs(value)
        sizes, axis = integers(self._program, inputs[1]), integers(self._program, inputs[2])
        width = self.terms.width(operands[0])
        if sizes is not None and sizes.count(-1) == 1 and width > 0:
            # The remaining columns.
            sizes[sizes.index(-1)] = width - sum(sizes) - 1
        if sizes is None or axis not in ([1], [-1]) or min(sizes) < 0 or value.index >= len(sizes):
            return self.terms.apply(f"SplitV {value.index}", *operands)
        start = sum(sizes[: value.index])
        return self.terms.columns(operands[0], start, start + sizes[value.index])

    def _row(self, operand: int, row: int) -> int:
        columns = self.terms[operand][1]
        if not isinstance(columns, Columns) or columns.row >= 0:
            return self.terms.apply(f"row {row}", operand)
        return self.terms.variable(columns.variable, columns.start, columns.stop, row)

    def _slice(self, value: Value, node: Proto, operands: list[int]) -> int:
        """Read ``[:, start:stop]`` and ``[row]``; any other slice is its own term."""
        start, stop, step = (integers(self._program, bound) for bound in self._program.inputs(value)[1:4])
        masks = {name: node.attr[name].i for name in _MASKS}
        width = self.terms.width(operands[0])
        if start and stop and step and set(step) == {1} and not masks["new_axis_mask"]:
            axes = self._axes(operands[0]) if self.terms[operands[0]][0] == "variable" else 0
            if masks["shrink_axis_mask"] == 1 and len(start) == 1 and axes == 2:
                return self._row(operands[0], start[0])
            if axes == len(start) == 1 and not masks["shrink_axis_mask"]:
                # As columns of a matrix with all its rows.
                start, stop = [0, *start], [0, *stop]
                masks |= {"begin_mask": 1 | masks["begin_mask"] << 1, "end_mask": 1 | masks["end_mask"] << 1}
            whole = masks["ellipsis_mask"] == 1 or (masks["begin_mask"] & 1 and masks["end_mask"] & 1)
            if len(start) == 2 and whole and not masks["shrink_axis_mask"] and width > 0:
                first = 0 if masks["begin_mask"] & 2 else start[1] % width
                last = width if masks["end_mask"] & 2 else min(stop[1] if stop[1] >= 0 else stop[1] + width, width)
                return self.terms.columns(operands[0], first, last)
        arguments = "|".join(str(part) for part in (start, stop, step, *masks.values()))
        return self.terms.apply(f"StridedSlice {arguments}", operands[0])

    def _leaky(self, _value: Value, node: Proto, operands: list[int]) -> int:
        # Attributes with their default value may be omitted.
        alpha = node.attr["alpha"].f if "alpha" in node.attr else 0.2
        return self.terms.apply(f"LeakyRelu {alpha:.6g}", *operands)

    def _same(self, _value: Value, _node: Proto, operands: list[int]) -> int:
        return operands[0]


_WITHOUT_OPERANDS = {"Const", "Fill", "ReadVariableOp", "StatelessWhile", "While"}
_MASKS = ("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask")
# Operations of which only one input is a term, and the index of that input.
_FIRST_ONLY = {"Split": 1, "SplitV": 0, "StridedSlice": 0, "Squeeze": 0, "TensorListGetItem": 1, "Unpack": 0}
_RULES: dict[str, Callable[[StepReader, Value, Any, list[int]], int]] = {
    "Add": StepReader._add,
    "AddN": StepReader._add,
    "AddV2": StepReader._add,
    "BiasAdd": StepReader._add,
    "Const": StepReader._constant,
    "Fill": StepReader._fill,
    "LeakyRelu": StepReader._leaky,
    "MatMul": StepReader._matmul,
    "Mul": StepReader._multiply,
    "ReadVariableOp": StepReader._read_variable,
    "Split": StepReader._split,
    "SplitV": StepReader._split_sizes,
    "Squeeze": StepReader._same,
    "StridedSlice": StepReader._slice,
    "TensorListGetItem": StepReader._item,
    "Unpack": StepReader._unpack,
    "ZerosLike": StepReader._fill,
}
