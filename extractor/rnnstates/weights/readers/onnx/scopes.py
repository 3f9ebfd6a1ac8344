"""Flattens an ONNX message into one list of operators: functions are inlined, bodies get unique names.

Where the condition of an If is stored, the branch that it takes stands in its place, and the other one is left out.
Functions are put in the place of their calls as far as there is room; protobuf parses a hundred levels of bodies at
most. In the main graph a value that nothing gives, or that is made twice, is an error; elsewhere it is left alone.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ....errors import BadWeights
from ..base import Tensor
from .bodies import bodies, held, taken
from .external import Beside
from .graph import STANDARD, Body, Node
from .tensor import text, to_tensor

__all__ = ["Flattening", "flatten"]

# Some thousands of operators are usual; an empty one takes two bytes in a file and far more in memory. So do the
# numbers of a list.
MOST_NODES, LONGEST_LIST = 50_000, 2**20
# How often functions are put in the place of calls, how deep, and how many bytes of them: these, and so many files.
MOST_CALLS, DEEPEST_CALL, ROOM, TIMES = 20_000, 32, 2**22, 4
# Letters of a node that the names of what is in it start with, and of all such nodes.
LONGEST_CALLED, LONGEST_PREFIX = 80, 400
# Kinds of attributes by their numbers: the field that holds each.
ATTRIBUTES = {1: "f", 2: "i", 3: "s", 4: "t", 6: "floats", 7: "ints", 8: "strings"}


class Scope(NamedTuple):
    """Where operators stand: what the names there mean, what stands before new ones, bodies, functions being called."""

    known: dict[str, str]
    outer: "Scope | None" = None
    prefix: str = ""
    inside: tuple[Body, ...] = ()
    calls: tuple[tuple[str, str], ...] = ()
    given: Mapping[str, Any] = {}

    def find(self, name: str) -> str | None:
        """Return what a name means here."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.known:
                return scope.known[name]
            scope = scope.outer
        return None


@dataclass(frozen=True, eq=False)
class Flattening:
    """What becomes of a message while its graphs are read.

    Parameters
    ----------
    path : str
        The file, for messages.
    beside : Beside
        Files with values.
    functions : mapping
        Those of the model, by domain and name.
    room : dict
        How many more ``calls`` of functions, and ``bytes`` of them, there may be.
    sizes : dict
        The bytes of each function.
    nodes : list of Node
    constants : mapping
    sparse : list of str
        Constants in sparse form.
    types : mapping
        The number of the type of each other constant.
    names : dict
        How often each name of a value was asked for.
    held : dict
        What operators Constant hold, by name.
    inputs : frozenset of str
        What the model is given; where such a value is stored too, it is only what is taken without.
    """

    path: str
    beside: Beside
    functions: Mapping[tuple[str, str], Any]
    room: dict[str, int] = field(default_factory=dict)
    sizes: dict[tuple[str, str], int] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)
    constants: dict[str, Tensor] = field(default_factory=dict)
    sparse: list[str] = field(default_factory=list)
    types: dict[str, int] = field(default_factory=dict)
    names: dict[str, int] = field(default_factory=dict)
    held: dict[str, Tensor] = field(default_factory=dict)
    inputs: frozenset[str] = frozenset()


def flatten(model: Any, path: str, beside: Beside) -> Flattening:
    """Read the operators and constants of a model.

    Raises
    ------
    BadWeights, MissingInput
        There are too many, a constant does not store what it declares, or the main graph makes no sense.
    """
    graph = model.graph
    if max(len(graph.node), len(graph.initializer), _count(model)) > MOST_NODES:
        raise BadWeights(f"{path}: has more than {MOST_NODES} operators or constants; it is refused.")
    functions = {(text(proto.domain), text(proto.name)): proto for proto in model.functions}
    room = {"calls": MOST_CALLS, "bytes": ROOM + TIMES * model.ByteSize()}
    sizes = {key: proto.ByteSize() for key, proto in functions.items()}
    inputs = [text(proto.name) for proto in graph.input]
    found = Flattening(path, beside, functions, room, sizes, inputs=frozenset(inputs))
    scope = Scope({name: name for name in inputs})
    found.names.update(dict.fromkeys(inputs, 1))
    _constants(graph, scope, found)
    _check_names(graph, scope, path)
    _operators(graph.node, scope, found)
    return found


def _count(model: Any) -> int:
    """Count the operators in functions and bodies, up to one more than may be."""
    waiting = [proto for function in model.functions for proto in function.node] + list(held(model.graph.node))
    count = 0
    while waiting and count <= MOST_NODES:
        count += 1
        waiting += held([waiting.pop()])
    return count


def _constants(graph: Any, scope: Scope, found: Flattening) -> None:
    own: set[str] = set()
    for proto in graph.initializer:
        tensor = to_tensor(proto, found.path, found.beside)
        if tensor.name in own:
            raise BadWeights(f"{found.path}: two initializers have the same name; the file is damaged.")
        own.add(tensor.name)
        name = scope.known[tensor.name] = _taken(tensor.name, scope, found)
        found.constants[name] = Tensor(name, tensor.shape, tensor.read)
        found.types[name] = proto.data_type
    for proto in graph.sparse_initializer:
        name = text(proto.values.name)
        scope.known[name] = _taken(name, scope, found)
        found.sparse.append(scope.known[name])


def _taken(name: str, scope: Scope, found: Flattening) -> str:
    """Return a value a name that no other one has; in the main graph it keeps its own."""
    wanted = new = f"{scope.prefix}{name}"
    while scope.prefix and new in found.names:
        found.names[wanted] += 1
        new = f"{wanted} #{found.names[wanted]}"
    found.names[new] = 1
    return new


def _prefix(scope: Scope, called: str, which: str = "") -> str:
    """Return what the names in a body or function start with: short, however long those of the nodes around it are."""
    return f"{scope.prefix}{called[:LONGEST_CALLED]}/{which[:LONGEST_CALLED]}"[:LONGEST_PREFIX]


def _check_names(graph: Any, scope: Scope, path: str) -> None:
    """Refuse a value of the main graph that is made twice, or read before it is made: so that there is no circle."""
    made = {*scope.known, ""}
    for proto in graph.node:
        missing = [text(name) for name in proto.input if text(name) not in made]
        if missing:
            raise BadWeights(
                f"{path}: '{_called(proto)}' ({text(proto.op_type)}) reads '{missing[0]}', which nothing before it "
                "gives; the graph is damaged or not sorted."
            )
        again = [text(name) for name in proto.output if name and text(name) in made]
        if again:
            raise BadWeights(f"{path}: '{again[0]}' is made twice; the graph is damaged.")
        made.update(map(text, proto.output))


def _operators(protos: Iterable[Any], scope: Scope, found: Flattening) -> None:
    for proto in protos:
        key = (text(proto.domain), text(proto.op_type))
        function = found.functions.get(key)
        if function is not None and key[0] not in STANDARD and _has_room(key, scope, found):
            _call(proto, function, scope, found)
            continue
        standard = key[0] in STANDARD and function is None
        branch = taken(proto, _condition(proto, scope, found)) if standard and key[1] == "If" else None
        if branch is None:
            _operator(proto, scope, found, standard=standard)
        else:
            _branch(proto, *branch, scope, found)


def _condition(proto: Any, scope: Scope, found: Flattening) -> Tensor | None:
    """Return what is stored as the first input of an operator; None where that is computed, or given to the model."""
    name = _read(text(proto.input[0]), scope) if proto.input else ""
    return found.held.get(name) or (None if name in found.inputs else found.constants.get(name))


def _branch(proto: Any, which: str, body: Any, scope: Scope, found: Flattening) -> None:
    """Put a branch in the place of its If."""
    prefix = _prefix(scope, _called(proto), f"{which}/")
    inner = Scope({}, scope, prefix, scope.inside, scope.calls, scope.given)
    _constants(body, inner, found)
    _operators(body.node, inner, found)
    for inside, outside in zip(body.output, map(text, proto.output), strict=False):
        if outside:
            scope.known[outside] = inner.find(text(inside.name)) or _taken(outside, scope, found)


def _called(proto: Any) -> str:
    """Return what to call an operator: its name, or that of its first output."""
    return text(proto.name) or next((text(name) for name in proto.output if name), f"unnamed {text(proto.op_type)}")


def _has_room(key: tuple[str, str], scope: Scope, found: Flattening) -> bool:
    """Return whether a function may be put in the place of one more call, and note that it is."""
    small = len(found.nodes) < 2 * MOST_NODES and len(scope.calls) < DEEPEST_CALL and key not in scope.calls
    if not small or found.room["calls"] < 1 or found.room["bytes"] < found.sizes[key]:
        return False
    found.room["calls"] -= 1
    found.room["bytes"] -= found.sizes[key]
    return True


def _read(name: str, scope: Scope) -> str:
    """Say what a name means; one that nothing gives keeps it, behind what no other name starts with."""
    return name and (scope.find(name) or f"{scope.prefix}{name} (given by nothing)")


def _operator(proto: Any, scope: Scope, found: Flattening, *, standard: bool) -> None:
    attributes = _attributes(proto, scope, found)
    reads = tuple(_read(text(name), scope) for name in proto.input)
    op, domain, name, called = text(proto.op_type), text(proto.domain), text(proto.name), _called(proto)
    for which, body in bodies(proto):
        inside = (*scope.inside, Body(op, called, which))
        inner = Scope({}, scope, _prefix(scope, called, f"{which}/"), inside, scope.calls, scope.given)
        for value in body.input:
            inner.known[text(value.name)] = _taken(text(value.name), inner, found)
        _constants(body, inner, found)
        _operators(body.node, inner, found)
    gives = []
    for value in map(text, proto.output):
        gives.append(value and _taken(value, scope, found))
        if value:
            scope.known[value] = gives[-1]
    if op == "Constant" and standard and gives and isinstance(attributes.get("value"), Tensor):
        found.held[gives[0]] = attributes["value"]
    found.nodes.append(Node(op, domain, name, reads, tuple(gives), attributes, standard, scope.inside))


def _call(proto: Any, function: Any, scope: Scope, found: Flattening) -> None:
    """Put what a function does in the place of a call of it."""
    key = (text(proto.domain), text(proto.op_type))
    reads = [_read(text(name), scope) for name in proto.input]
    known = dict(zip(map(text, function.input), reads, strict=False))
    given = {text(entry.name): _attribute(entry, found) for entry in function.attribute_proto}
    given |= _attributes(proto, scope, found)
    inner = Scope(known, None, _prefix(scope, _called(proto)), scope.inside, (*scope.calls, key), given)
    _operators(function.node, inner, found)
    for inside, outside in zip(map(text, function.output), map(text, proto.output), strict=False):
        if outside:
            # The value keeps the name that it has in the function, where that gives it.
            scope.known[outside] = inner.known.get(inside) or _taken(outside, scope, found)


def _attributes(proto: Any, scope: Scope, found: Flattening) -> dict[str, Any]:
    """Read the attributes of an operator; in a function, some are those of the call."""
    attributes = {}
    for attribute in proto.attribute:
        name, reference = text(attribute.name), text(attribute.ref_attr_name)
        if not reference:
            attributes[name] = _attribute(attribute, found)
        elif reference in scope.given:
            attributes[name] = scope.given[reference]
    return attributes


def _attribute(proto: Any, found: Flattening) -> Any:
    """Return the value; None for kinds that no operator read here has."""
    name = ATTRIBUTES.get(proto.type)
    if name is None:
        return None
    value = getattr(proto, name)
    if name in ("f", "i", "t"):
        return to_tensor(value, found.path, found.beside) if name == "t" else value
    if len(value) > LONGEST_LIST:
        raise BadWeights(f"{found.path}: an attribute has {len(value)} parts; it is refused.")
    return value.decode() if name == "s" else [item.decode() if name == "strings" else item for item in value]
