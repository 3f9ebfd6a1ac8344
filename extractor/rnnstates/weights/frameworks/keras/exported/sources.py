"""Traces what a loop over time reads back through transposed axes and reversed time to its source."""

from collections.abc import Mapping
from dataclasses import dataclass

from .constants import integers, is_zero, number
from .loops import Loop
from .program import LOOPS, Program, Proto, Value
from .steps import Variable

__all__ = ["Source", "Tracer"]

MOST_FOLLOWED = 10_000
_CHOICES = {"Select", "SelectV2"}
_STILL_A_MASK = {"BroadcastTo", "Cast", "ExpandDims", "Identity", "Reshape", "Squeeze", "Tile", "Transpose"}
MERGES = {"AddV2": "sum", "Add": "sum", "Mul": "mul"}


@dataclass(frozen=True)
class Source:
    """Where a sequence comes from.

    Parameters
    ----------
    kind : str
        ``inputs``, ``cell``, ``merged`` (the two halves of a Bidirectional), ``embedding`` or ``other``.
    names : tuple of str
        The cells, the array of the table, or for ``other`` the arrays that contribute.
    backwards : bool
        Whether time is reversed on the way.
    time_first : bool
        Whether the source is (time, batch, features).
    merge : str
        How two halves are merged.
    operation : str
        The last operation of ``other``.
    """

    kind: str
    names: tuple[str, ...] = ()
    backwards: bool = False
    time_first: bool = False
    merge: str = ""
    operation: str = ""


class Tracer:
    """Traces sequences back to their sources."""

    def __init__(self, program: Program, loops: list[Loop], variables: Mapping[Value, Variable]) -> None:
        self._program, self._variables = program, variables
        self._loops = {loop.place: loop for loop in loops}

    def source(self, value: Value, *, axis: int = 0) -> Source:
        """Find the source of a sequence.

        Parameters
        ----------
        value : Value
        axis : int
            The axis that is time; a loop runs along the first one.
        """
        backwards = False
        for _ in range(MOST_FOLLOWED):
            value = self._program.resolve(value)
            node = self._program.node(value)
            if node is None:
                kind = "other" if value in self._variables else "inputs"
                return Source(kind, (), backwards, axis == 0)
            below = self._below(value, axis)
            if below is None:
                return self._maker(value, node.op, axis, backwards)
            value, axis, turned = below
            backwards ^= turned
        return Source("other", (), backwards, axis == 0, operation="a long chain of operations")

    def _below(self, value: Value, axis: int) -> tuple[Value, int, bool] | None:
        """Look through an operation that only transposes axes, reverses time or applies a mask; None for others."""
        node, inputs = self._program.node(value), self._program.inputs(value)
        if node.op == "Transpose" and integers(self._program, inputs[1]) == [1, 0, 2]:
            return inputs[0], 1 - axis, False
        if _turns_time(self._program, node, inputs, axis):
            return inputs[0], axis, True
        if node.op in _CHOICES and self._is_mask(inputs[0]) and is_zero(self._program, inputs[2]):
            return inputs[1], axis, False
        return (inputs[0], axis, False) if node.op == "Mul" and self._is_mask(inputs[1]) else None

    def _maker(self, value: Value, operation: str, axis: int, backwards: bool) -> Source:
        cell = self._written(value, axis)
        if cell:
            return Source("cell", (cell,), backwards)
        merged = self._merged(value, operation, axis)
        if merged is not None:
            return Source("merged", merged[1], backwards, merge=merged[0])
        table = self._table(value, operation)
        if table:
            return Source("embedding", (table,), backwards, axis == 0)
        return Source("other", self._ancestors(value), backwards, axis == 0, operation=operation)

    def _written(self, value: Value, axis: int) -> str:
        """Return the name of the cell whose states a sequence is, with time along an axis."""
        node = self._program.node(value)
        whole = self._loops.get(Value(value.frame, value.node))
        if whole is not None and value.port == "output" and whole.axis == axis and node.op not in LOOPS:
            return whole.written.get(value.index, "")
        if node is None or node.op != "TensorListStack" or axis != 0:
            return ""
        made = self._program.resolve(self._program.inputs(value)[0])
        loop = self._loops.get(Value(made.frame, made.node))
        return loop.written.get(made.index, "") if loop is not None else ""

    def _merged(self, value: Value, operation: str, axis: int) -> tuple[str, tuple[str, str]] | None:
        """Return how two cells are merged, the second of which runs backwards and is reversed again."""
        inputs = self._program.inputs(value)
        if operation == "ConcatV2" and len(inputs) == 3 and integers(self._program, inputs[2]) in ([-1], [2]):
            return self._halves("concat", inputs[:2], axis)
        if operation in ("RealDiv", "Div") and number(self._program, inputs[1]) == 2:
            summed = self._program.resolve(inputs[0])
            node = self._program.node(summed)
            if node is not None and node.op in ("AddV2", "Add"):
                return self._halves("ave", self._program.inputs(summed), axis)
        return self._halves(MERGES[operation], inputs, axis) if operation in MERGES else None

    def _halves(self, mode: str, values: list[Value], axis: int) -> tuple[str, tuple[str, str]] | None:
        one, other = (self._plain(value, axis) for value in values)
        if one is None or other is None or one.backwards or not other.backwards:
            return None
        return mode, (one.names[0], other.names[0])

    def _plain(self, value: Value, axis: int) -> Source | None:
        """Return the source of a sequence if it is a cell; merged cells are not looked for, since they do not nest."""
        backwards = False
        for _ in range(MOST_FOLLOWED):
            value = self._program.resolve(value)
            node = self._program.node(value)
            if node is None:
                return None
            if cell := self._written(value, axis):
                return Source("cell", (cell,), backwards)
            below = self._below(value, axis)
            if below is None:
                return None
            value, axis, turned = below
            backwards ^= turned
        return None

    def _is_mask(self, value: Value) -> bool:
        """Return whether a factor is just a mask, cast from true or false."""
        for _ in range(16):
            node = self._program.node(value)
            if node is None:
                return False
            if node.op in ("Any", "NotEqual"):
                return True
            if node.op not in _STILL_A_MASK:
                return False
            value = self._program.inputs(value)[0]
        return False

    def _table(self, value: Value, operation: str) -> str:
        """Return the name of the table whose rows are looked up by ids that the model is given."""
        inputs = self._program.inputs(value)
        if operation == "ResourceGather":
            table = self._variables.get(self._program.resolve(inputs[0]))
        elif operation == "GatherV2" and integers(self._program, inputs[2]) == [0]:
            read = self._program.resolve(inputs[0])
            node = self._program.node(read)
            of_variable = node is not None and node.op == "ReadVariableOp"
            table = self._variables.get(self._program.resolve(self._program.inputs(read)[0])) if of_variable else None
        else:
            return ""
        return "" if table is None or len(table.shape) != 2 or self._ancestors(inputs[1]) else table.name

    def _ancestors(self, value: Value) -> tuple[str, ...]:
        """Return the names of the variables and loops that a value is made of, going no further than these loops."""
        found: dict[str, None] = {}
        waiting, seen = [self._program.resolve(value)], set[Value]()
        while waiting and len(seen) < MOST_FOLLOWED:
            here = waiting.pop()
            if here in seen:
                continue
            seen.add(here)
            node = self._program.node(here)
            if here in self._variables:
                found[self._variables[here].name] = None
            elif node is not None and (node.op in LOOPS or node.op in ("Shape", "Const")):
                found |= {f"loop {here.node}": None} if node.op in LOOPS else {}
            elif node is not None:
                waiting += [self._program.resolve(operand) for operand in self._program.inputs(here)]
        return tuple(found)


def _turns_time(program: Program, node: Proto, inputs: list[Value], axis: int) -> bool:
    """Return whether an operation reverses time: all steps, or only the valid ones."""
    if node.op == "ReverseSequence":
        return bool(node.attr["seq_dim"].i == axis and node.attr["batch_dim"].i == 1 - axis)
    return node.op == "ReverseV2" and integers(program, inputs[1]) == [axis]
