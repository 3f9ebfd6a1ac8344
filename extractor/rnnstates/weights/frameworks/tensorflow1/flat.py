"""Flattens the loops and functions of TensorFlow 1's graph into operations by name, without running it.

``tf.while_loop`` was written as Enter, Merge, Switch, NextIteration and Exit until TensorFlow 1.14, and since then as
an operation with a function for its body; both are converted to the first form.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

__all__ = ["Flat", "Operation", "flattened"]

# A graph of TensorFlow, or a function of it; protobuf makes their classes at run time, without types.
Proto: TypeAlias = Any

# Scopes that compute gradients read the same values for another purpose.
_GRADIENTS = ("gradients", "gradient_tape")
_LOOPS = {"While", "StatelessWhile"}
_BRANCHES = {"If": ("then_branch", "else_branch"), "StatelessIf": ("then_branch", "else_branch")}
_CALLS = {"PartitionedCall": ("f",), "StatefulPartitionedCall": ("f",)}
DEEPEST = 16
# Functions may call each other more often than a graph has operations.
MOST_INLINED = 200_000


class Operation(NamedTuple):
    """One operation; an input is the name of another, with ``:`` and the index of its output unless that is 0."""

    op: str
    name: str
    inputs: tuple[str, ...]
    attr: Proto = None


@dataclass(frozen=True)
class Flat:
    """Operations by name, and values that are aliases of others."""

    operations: dict[str, Operation] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)


def flattened(graph: Proto) -> Flat:
    """Flatten a GraphDef; functions beyond the number in any model are not expanded."""
    flat = Flat()
    functions = {function.signature.name: function for function in graph.library.function}
    waiting = deque((operation, 0) for operation in _read(graph.node, "", _outermost))
    limit = len(waiting) + MOST_INLINED
    while waiting and len(flat.operations) < limit:
        operation, depth = waiting.popleft()
        flat.operations[operation.name] = operation
        if depth < DEEPEST:
            waiting += [(inner, depth + 1) for inner in _opened(flat, operation, functions)]
    return flat


def _read(nodes: Iterable[Proto], prefix: str, value: Callable[[str], str]) -> Iterator[Operation]:
    for node in nodes:
        if not any(part.startswith(_GRADIENTS) for part in node.name.split("/")):
            inputs = tuple(value(text) for text in node.input if not text.startswith("^"))
            yield Operation(node.op, prefix + node.name, inputs, node.attr)


def _outermost(text: str) -> str:
    return text.removesuffix(":0")


def _opened(flat: Flat, operation: Operation, functions: Mapping[str, Any]) -> Iterator[Operation]:
    """Yield the operations of the functions that one operation calls, and connect their arguments and results to it."""
    if operation.op in _LOOPS:
        function = functions.get(operation.attr["body"].func.name)
        if function is not None:
            yield from _body(flat, operation, function)
        return
    for branch in _BRANCHES.get(operation.op, _CALLS.get(operation.op, ())):
        function = functions.get(operation.attr[branch].func.name)
        if function is None:
            continue
        prefix = f"{operation.name}/{branch}/"
        given = operation.inputs[1:] if operation.op in _BRANCHES else operation.inputs
        value = _inside(prefix)
        flat.aliases.update(zip(_arguments(function, prefix), given, strict=False))
        if operation.op in _CALLS:
            results = (value(text) for text in _results(function))
            flat.aliases.update((_output(operation.name, number), result) for number, result in enumerate(results))
        yield from _read(function.node_def, prefix, value)


def _body(flat: Flat, loop: Operation, function: Proto) -> Iterator[Operation]:
    """Yield the operations of a loop's body; loop variables become a Merge, as in earlier versions."""
    prefix = f"{loop.name}/body/"
    value = _inside(prefix)
    operations = list(_read(function.node_def, prefix, value))
    names = {operation.name: operation for operation in operations}
    arguments = _arguments(function, prefix)
    for argument, first, text in zip(arguments, loop.inputs, _results(function), strict=False):
        result = last = value(text)
        for _ in range(DEEPEST):
            passing = names.get(last)
            last = passing.inputs[0] if passing is not None and passing.op == "Identity" and passing.inputs else last
        if last == argument:
            flat.aliases[argument] = first
        else:
            yield Operation("NextIteration", f"{argument}/next", (result,))
            yield Operation("Merge", argument, (first, f"{argument}/next"))
    yield from operations


def _inside(prefix: str) -> Callable[[str], str]:
    """Parse inputs in the notation of functions: ``argument`` or ``operation:output:number``."""

    def value(text: str) -> str:
        name, _, rest = text.partition(":")
        return _output(prefix + name, rest.rpartition(":")[2])

    return value


def _arguments(function: Proto, prefix: str) -> list[str]:
    return [prefix + argument.name for argument in function.signature.input_arg]


def _results(function: Proto) -> list[str]:
    return [function.ret[result.name] for result in function.signature.output_arg]


def _output(name: str, number: int | str) -> str:
    return name if str(number) in ("", "0") else f"{name}:{number}"
