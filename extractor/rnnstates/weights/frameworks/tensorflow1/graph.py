"""Answers which operation makes a value in the TensorFlow 1 graph next to a checkpoint, without running it."""

import math
from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from .flat import Flat, Operation, flattened

__all__ = ["CUTS", "VARIABLES", "WITHOUT_GRAPH", "Graph", "index_of"]

# How a user can have a file read as if there were no graph.
WITHOUT_GRAPH = "remove the graph file (.meta) next to the checkpoint; for a SavedModel, give variables/variables"
# Operations that pass on their first input; a cast changes only precision, since states are always floating point.
_SAME = {
    *("Cast", "CheckNumerics", "EnsureShape", "Enter", "Identity", "PreventGradient", "ReadVariableOp", "RefEnter"),
    *("RefIdentity", "RefSwitch", "Snapshot", "StopGradient", "Switch"),
}
VARIABLES = {"Variable", "VariableV2", "VarHandleOp"}
# Operations that take a part of an input, and the index of that input.
CUTS = {"Slice": 0, "Split": 1, "SplitV": 0, "StridedSlice": 0}
_CHOICES = {"Select": (1, 2), "SelectV2": (1, 2)}
_ZEROS = {"Const", "Fill", "ZerosLike"}
# Operations that compute dropout's rate and the factor that compensates for it.
_OF_A_RATE = {"Const", "Div", "Placeholder", "PlaceholderWithDefault", "RealDiv", "Sub"}
# By TensorFlow's number of a dtype: its layout in bytes, and the field that lists values otherwise.
_DTYPES = {1: ("<f4", "float_val"), 2: ("<f8", "double_val"), 3: ("<i4", "int_val"), 9: ("<i8", "int64_val")}
PARTITIONED = "/part_"
MOST_HOPS = 200
MOST_NUMBERS = 16
LONGEST_INDEX = 6


class Graph:
    """A flattened graph.

    Parameters
    ----------
    graph : GraphDef or None
        None if there is none next to the checkpoint: then nothing is found in it.
    """

    def __init__(self, graph: object) -> None:
        flat = Flat() if graph is None else flattened(graph)
        self._operations, self._aliases = flat.operations, flat.aliases
        self._readers: dict[str, list[Operation]] = defaultdict(list)
        self._by_kind: dict[str, list[Operation]] = defaultdict(list)
        self._products: dict[str, list[Operation]] | None = None
        for operation in self._operations.values():
            self._by_kind[operation.op].append(operation)
            for source in operation.inputs:
                self._readers[source].append(operation)
        # Where the parts of a partitioned variable are joined, the first one stands for the whole.
        for operation in self.operations("ConcatV2") if self._has_parts() else ():
            if (first := self._first_part(operation)) is not None:
                self._aliases[operation.name] = first

    def variable(self, name: str) -> str:
        """Return the name of the operation that represents a variable in the graph."""
        first = f"{name}{PARTITIONED}0"
        return first if first in self._operations else name

    def operation(self, value: str) -> Operation | None:
        """Return the operation that makes a value."""
        return self._operations.get(value.partition(":")[0])

    def operations(self, *kinds: str) -> list[Operation]:
        """List the operations of some kinds."""
        return [operation for kind in kinds for operation in self._by_kind.get(kind, ())]

    def products(self, variable: str) -> list[Operation]:
        """List the products with a variable, or with a part that was cut from it."""
        if self._products is None:
            self._products = defaultdict(list)
            for operation in self.operations("MatMul"):
                matrix = self.source(operation.inputs[1]) if len(operation.inputs) == 2 else None
                if matrix is not None and matrix.op in CUTS and len(matrix.inputs) > 1:
                    matrix = self.source(matrix.inputs[CUTS[matrix.op]])
                if matrix is not None:
                    self._products[matrix.name].append(operation)
        return self._products.get(variable, [])

    def readers(self, value: str) -> list[Operation]:
        """List the operations that read a value unchanged."""
        return self._readers.get(value, [])

    def resolve(self, value: str) -> str:
        """Follow a value back to the operation that computes it, past operations that pass it on and dropout."""
        for _ in range(MOST_HOPS):
            value = self._before(value)
            operation = self.operation(value)
            kept = self._undropped(operation) if operation is not None and value not in self._aliases else ""
            if not kept:
                break
            value = kept
        return value

    def _before(self, value: str) -> str:
        """Follow a value back past operations that pass it on unchanged."""
        for _ in range(MOST_HOPS):
            operation = self.operation(value)
            if value in self._aliases:
                value = self._aliases[value]
            elif operation is not None and operation.op in _SAME and operation.inputs:
                value = operation.inputs[0]
            else:
                break
        return value

    def source(self, value: str) -> Operation | None:
        """Return the operation that computes a value, past all that pass it on."""
        return self.operation(self.resolve(value))

    def next_turn(self, value: str) -> str | None:
        """Return the next value of a loop's state; None if a value is not one."""
        merge = self.source(value)
        if merge is None or merge.op != "Merge":
            return None
        turns = [self.operation(source) for source in merge.inputs]
        results = [turn.inputs[0] for turn in turns if turn is not None and turn.op == "NextIteration" and turn.inputs]
        return self._chosen(results[0], merge.name) if len(results) == 1 else None

    def numbers(self, value: str) -> list[float] | None:
        """Read a constant of few finite numbers, or None. The shape that it declares is not trusted."""
        constant = self.source(value)
        if constant is None or constant.op != "Const":
            return None
        stored = constant.attr["value"].tensor
        size = math.prod(axis.size for axis in stored.tensor_shape.dim)
        if stored.dtype not in _DTYPES or not 0 < size <= MOST_NUMBERS:
            return None
        dtype, listed = _DTYPES[stored.dtype]
        if stored.tensor_content:
            fits = len(stored.tensor_content) == size * np.dtype(dtype).itemsize
            numbers = [float(number) for number in np.frombuffer(stored.tensor_content, dtype)] if fits else [math.nan]
        else:
            numbers = [float(number) for number in getattr(stored, listed)[:size]] or [0.0]
            # The last number is repeated.
            numbers += numbers[-1:] * (size - len(numbers))
        return numbers if all(map(math.isfinite, numbers)) else None

    def _has_parts(self) -> bool:
        return any(name.endswith(f"{PARTITIONED}0") for name in self._operations)

    def _first_part(self, operation: Operation) -> str | None:
        """Return the first part of a variable that an operation joins by rows; None for other operations."""
        parts = [self.resolve(value) for value in operation.inputs[:-1]]
        name, mark, _ = parts[0].rpartition(PARTITIONED) if parts else ("", "", "")
        expected = [f"{name}{PARTITIONED}{number}" for number in range(len(parts))]
        is_whole = bool(mark) and parts == expected and self.numbers(operation.inputs[-1]) == [0]
        return parts[0] if is_whole else None

    def _chosen(self, value: str, state: str) -> str:
        """Return the new state if a selection by length chooses between it and the previous one."""
        operation = self.source(value)
        places = _CHOICES.get(operation.op if operation is not None else "", ())
        if operation is not None and len(operation.inputs) == 3:
            either = [self.resolve(operation.inputs[place]) for place in places]
            if state in either:
                return next((new for new in either if new != state), value)
        return self.resolve(value)

    def _undropped(self, operation: Operation) -> str:
        """Return the input of a dropout, which drops nothing once a model is trained; empty if it is not one."""
        if operation.op in _CHOICES and len(operation.inputs) == 3:
            mask, kept, other = operation.inputs
            zero = self.operation(self._before(other))
            if zero is not None and zero.op in _ZEROS and self._is_random(mask):
                return self._unscaled(kept)
        if operation.op == "Mul" and len(operation.inputs) == 2:
            for mask, kept in (operation.inputs, operation.inputs[::-1]):
                if self._is_random(mask):
                    return self._unscaled(kept)
        return ""

    def _unscaled(self, value: str) -> str:
        """Remove the factor by which dropout compensates for what it drops."""
        operation = self.operation(self._before(value))
        if operation is None or operation.op not in ("Div", "Mul", "RealDiv") or len(operation.inputs) != 2:
            return value
        left, right = operation.inputs
        return right if operation.op == "Mul" and self._is_factor(left) else left if self._is_factor(right) else value

    def _is_factor(self, value: str) -> bool:
        return all(operation.op in _OF_A_RATE for operation in self._above(value))

    def _is_random(self, value: str) -> bool:
        """Return whether a value is a mask made of random numbers."""
        mask = self.operation(self._before(value))
        is_mask = mask is not None and mask.op in ("Floor", "GreaterEqual")
        return is_mask and any("Random" in operation.op for operation in self._above(value))

    def _above(self, value: str) -> Iterator[Operation]:
        """Walk up from a value, over a few operations."""
        waiting = [self._before(value)]
        for _ in range(MOST_NUMBERS):
            operation = self.operation(waiting.pop(0)) if waiting else None
            if operation is None:
                break
            yield operation
            waiting += [self._before(source) for source in operation.inputs]


def index_of(value: str) -> int:
    """Return the index of the operation's output that a value is."""
    number = value.partition(":")[2]
    return int(number) if number.isdecimal() and len(number) < LONGEST_INDEX else 0
