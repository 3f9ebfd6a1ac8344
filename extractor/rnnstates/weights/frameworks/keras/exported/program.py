"""Represents the functions of a SavedModel as data: which operation computes each value from which others.

Values are traced backwards only, through function calls and loop bodies, and nothing is computed. Frames and steps are
counted, so that functions made to call each other endlessly are refused.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from .....errors import BadWeights

__all__ = ["CALLS", "CUDNN", "LOOPS", "Frame", "Program", "Proto", "Value"]

# A graph of TensorFlow, or a function, node or tensor of it; protobuf makes their classes at run time, without types.
Proto: TypeAlias = Any

CUDNN = {"CudnnRNN", "CudnnRNNV2", "CudnnRNNV3"}
# A conditional counts as a call if it is Keras 2's for masked layers: cuDNN or the loop.
_CHOICES = {"If", "StatelessIf"}
CALLS = {"PartitionedCall", "StatefulPartitionedCall", *_CHOICES}
LOOPS = {"While", "StatelessWhile"}
# Operations that pass on their first input unchanged. Casts only change precision: states are always floating point.
_TRANSPARENT = {"Identity", "IdentityN", "StopGradient", "PreventGradient", "EnsureShape", "Cast", "CheckNumerics"}
# The number of inputs of operations whose inputs are accessed by position.
_INPUTS = {
    **dict.fromkeys(_TRANSPARENT - {"IdentityN"}, 1),
    **dict.fromkeys(("ReadVariableOp", "Squeeze", "Unpack"), 1),
    **dict.fromkeys(("Add", "AddV2", "BiasAdd", "Div", "Fill", "MatMul", "Mul", "RealDiv", "ResourceGather", "Sub"), 2),
    **dict.fromkeys(("Any", "BroadcastTo", "ExpandDims", "Reshape", "ReverseV2", "Split", "Tile", "Transpose"), 2),
    "ReverseSequence": 2,
    **dict.fromkeys(("TensorListFromTensor", "TensorListStack"), 2),
    **dict.fromkeys(("GatherV2", "Select", "SelectV2", "SplitV", "TensorListGetItem", "TensorListSetItem"), 3),
    "StridedSlice": 4,
}
MOST_FRAMES = 20_000
MOST_STEPS = 1_000_000
# Most hops from the use of a value to its computation.
MOST_HOPS = 10_000
DEEPEST = 64


@dataclass(frozen=True)
class Value:
    """An output of an operation, or an argument of a function if ``node`` names one."""

    frame: "Frame"
    node: str
    port: str = ""
    index: int = 0


@dataclass(eq=False)
class Frame:
    """One call of a function.

    Parameters
    ----------
    function : FunctionDef
    nodes : mapping
        Its operations by name.
    arguments : mapping
        The caller's value of each argument, except for the arguments of the outermost call and those that change
        from one iteration of a loop to the next.
    depth : int
    """

    function: Proto
    nodes: Mapping[str, Any]
    arguments: dict[str, Value] = field(default_factory=dict)
    depth: int = 0
    inner: "dict[str, Frame]" = field(default_factory=dict)

    def is_argument(self, name: str) -> bool:
        """Return whether a name does not belong to an operation."""
        return name not in self.nodes

    def names(self) -> list[str]:
        """List the arguments."""
        return [argument.name for argument in self.function.signature.input_arg]

    def results(self) -> list[str]:
        """List the source of each result, written like inputs."""
        return [self.function.ret[result.name] for result in self.function.signature.output_arg]


class Program:
    """All functions of a graph.

    Parameters
    ----------
    graph : GraphDef
    where : str
        The file.
    """

    def __init__(self, graph: Proto, where: str) -> None:
        self.where = where
        self._functions = {function.signature.name: function for function in graph.library.function}
        self._nodes: dict[str, dict[str, Any]] = {}
        self._frames = self._steps = 0

    def call(self, name: str) -> Frame | None:
        """Open a function as the outermost one; None if there is none of that name."""
        return self._frame(name, {}, 0)

    def node(self, value: Value) -> Proto:
        """Return the operation of a value; None for an argument."""
        return value.frame.nodes.get(value.node)

    def inputs(self, value: Value) -> list[Value]:
        """Return the inputs of an operation, without control inputs."""
        self._count()
        node = value.frame.nodes[value.node]
        inputs = [self.value(value.frame, text) for text in node.input if not text.startswith("^")]
        if len(inputs) != _INPUTS.get(node.op, len(inputs)):
            raise BadWeights(
                f"{self.where}: an operation {node.op} has {len(inputs)} inputs; expected {_INPUTS[node.op]}. The "
                "graph is damaged, copy it again."
            )
        return inputs

    def value(self, frame: Frame, text: str) -> Value:
        """Parse an input in the notation of functions: ``argument`` or ``operation:output:number``."""
        name, _, rest = text.partition(":")
        port, _, number = rest.partition(":")
        if name not in frame.nodes and name not in frame.names():
            raise BadWeights(f"{self.where}: an operation reads '{text[:100]}', which is not in its function.")
        return Value(frame, name, port, int(number) if number.isdecimal() and len(number) < 9 else 0)

    def resolve(self, value: Value) -> Value:
        """Follow a value to the operation that computes it, into and out of functions."""
        for _ in range(MOST_HOPS):
            self._count()
            node = self.node(value)
            if node is None:
                outer = value.frame.arguments.get(value.node)
                if outer is None:
                    return value
                value = outer
            elif node.op in _TRANSPARENT:
                inputs = self.inputs(value)
                if value.index >= len(inputs):
                    return value
                value = inputs[value.index]
            elif node.op in CALLS:
                inside = self._result(value)
                if inside is None:
                    return value
                value = inside
            else:
                return value
        raise BadWeights(f"{self.where}: a value of its graph is passed on endlessly; it is refused.")

    def enter(self, value: Value) -> Frame | None:
        """Open the function that an operation calls, or the body of a loop; once per call."""
        frame, node = value.frame, value.frame.nodes[value.node]
        if value.node not in frame.inner:
            inner = self._frame(self._called(node), {}, frame.depth + 1)
            if inner is None:
                return None
            # The first input of a conditional is its condition.
            inputs = self.inputs(value)[node.op in _CHOICES :]
            if len(inputs) != len(inner.names()):
                return None
            given = dict(zip(inner.names(), inputs, strict=True))
            frame.inner[value.node] = inner
            inner.arguments.update(given)
            if node.op in LOOPS:
                for name in set(given) - self._passed_on(inner):
                    del inner.arguments[name]
        return frame.inner[value.node]

    def _called(self, node: Proto) -> str:
        """Return the function that an operation calls; empty for a conditional without a cuDNN branch."""
        if node.op not in _CHOICES:
            return str(node.attr["body" if node.op in LOOPS else "f"].func.name)
        other = self._functions.get(node.attr["then_branch"].func.name)
        same = other is not None and any(inside.op in CUDNN for inside in other.node_def)
        return str(node.attr["else_branch"].func.name) if same else ""

    def operations(self, frame: Frame, kinds: Collection[str]) -> Iterator[Value]:
        """Find the operations of some kinds in a call and in all calls inside it, but not inside loops."""
        waiting = [frame]
        while waiting:
            here = waiting.pop(0)
            for name, node in here.nodes.items():
                self._count()
                if node.op in kinds:
                    yield Value(here, name)
                elif node.op in CALLS:
                    inner = self.enter(Value(here, name))
                    waiting += [] if inner is None else [inner]

    def used(self, frame: Frame) -> set[Value]:
        """Find the operations that contribute to the results of a call, outside loops."""
        waiting = [self.resolve(self.value(frame, result)) for result in frame.results()]
        found = set[Value]()
        while waiting:
            value = waiting.pop()
            here = Value(value.frame, value.node)
            if here not in found and self.node(value) is not None:
                found.add(here)
                waiting += [self.resolve(operand) for operand in self.inputs(value)]
        return found

    def _passed_on(self, body: Frame) -> set[str]:
        """Find the arguments of a loop's body that it passes on unchanged."""
        passed = set()
        for name, result in zip(body.names(), body.results(), strict=False):
            value = self.value(body, result)
            while (node := self.node(value)) is not None and node.op == "Identity":
                value = self.inputs(value)[0]
            passed |= {name} if value.node == name else set()
        return passed

    def _result(self, value: Value) -> Value | None:
        inner = self.enter(value)
        results = [] if inner is None else inner.results()
        return self.value(inner, results[value.index]) if inner is not None and value.index < len(results) else None

    def _frame(self, name: str, arguments: dict[str, Value], depth: int) -> Frame | None:
        function = self._functions.get(name)
        if function is None:
            return None
        self._frames += 1
        if self._frames > MOST_FRAMES or depth > DEEPEST:
            raise BadWeights(
                f"{self.where}: its functions call each other more often than in any model; it is refused."
            )
        if name not in self._nodes:
            self._nodes[name] = {node.name: node for node in function.node_def}
        results = {result.name for result in function.signature.output_arg}
        if results - set(function.ret):
            raise BadWeights(f"{self.where}: a function does not define its results; the file is damaged.")
        return Frame(function, self._nodes[name], arguments, depth)

    def _count(self) -> None:
        self._steps += 1
        if self._steps > MOST_STEPS:
            raise BadWeights(f"{self.where}: its graph has more operations than any model; it is refused.")
