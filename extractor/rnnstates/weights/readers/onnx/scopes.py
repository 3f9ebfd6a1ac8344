"""Flattens an ONNX message into one list of operators: functions are inlined, bodies get unique names.

If the condition of an If is stored, the branch that it takes replaces it, and the other one is left out. Functions are
inlined up to a limit; protobuf parses at most a hundred levels of bodies. In the main graph a value that is never
produced, or produced twice, is an error; elsewhere it is ignored.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ....errors import BadWeights
from ..base import Tensor
from .bodies import bodies, held, taken
from .external import Beside
from .graph import STANDARD, Body, Node
from .tensor import Proto, text, to_tensor

__all__ = ["Flattening", "flatten"]

# Some thousands of operators are usual; an empty one takes two bytes in a file and far more in memory, as do the
# numbers of a list.
MOST_NODES, LONGEST_LIST = 50_000, 2**20
# Limits of inlining: calls, depth, and bytes (ROOM, plus TIMES the size of the model).
MOST_CALLS, DEEPEST_CALL, ROOM, TIMES = 20_000, 32, 2**22, 4
# Characters of a node's name in the prefix of the names inside it, and of the whole prefix.
LONGEST_CALLED, LONGEST_PREFIX = 80, 400
# Kinds of attributes by their numbers: the field that holds each.
ATTRIBUTES = {1: "f", 2: "i", 3: "s", 4: "t", 6: "floats", 7: "ints", 8: "strings"}


class Scope(NamedTuple):
    """A scope of names: their meaning, the prefix of new ones, the bodies around it, the functions being called."""

    known: dict[str, str]
    outer: "Scope | None" = None
    prefix: str = ""
    inside: tuple[Body, ...] = ()
    calls: tuple[tuple[str, str], ...] = ()
    given: Mapping[str, Any] = {}

    def find(self, name: str) -> str | None:
        """Return the meaning of a name here."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.known:
                return scope.known[name]
            scope = scope.outer
        return None


@dataclass(frozen=True, eq=False)
class Flattening:
    """The result of flattening a message, and its state meanwhile.

    Parameters
    ----------
    path : str
        The file, for messages.
    beside : Beside
        Files with values.
    functions : mapping
        Those of the model, by domain and name.
    room : dict
        How many more ``calls`` of functions, and ``bytes`` of them, may be inlined.
    sizes : dict
        The bytes of each function.
    nodes : list of Node
    constants : mapping
    sparse : list of str
        Constants in sparse form.
    types : mapping
        The type code of each other constant.
    names : dict
        How often each name of a value was requested.
    held : dict
        The values of Constant operators, by name.
    inputs : frozenset of str
        The model's inputs; a stored value of the same name is only a default.
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


def flatten(model: Proto, path: str, beside: Beside) -> Flattening:
    """Read the operators and constants of a model.

    Raises
    ------
    BadWeights, MissingInput
        There are too many, a constant does not store what it declares, or the main graph is inconsistent.
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


def _count(model: Proto) -> int:
    """Count the operators in functions and bodies, up to one more than allowed."""
    waiting = [proto for function in model.functions for proto in function.node] + list(held(model.graph.node))
    count = 0
    while waiting and count <= MOST_NODES:
        count += 1
        waiting += held([waiting.pop()])
    return count


def _constants(graph: Proto, scope: Scope, found: Flattening) -> None:
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
    """Return a unique name for a value; in the main graph it keeps its own."""
    wanted = new = f"{scope.prefix}{name}"
    while scope.prefix and new in found.names:
        found.names[wanted] += 1
        new = f"{wanted} #{found.names[wanted]}"
    found.names[new] = 1
    return new


def _prefix(scope: Scope, called: str, which: str = "") -> str:
    """Return the prefix of names in a body or function: bounded, however long the names around it are."""
    return f"{scope.prefix}{called[:LONGEST_CALLED]}/{which[:LONGEST_CALLED]}"[:LONGEST_PREFIX]


def _check_names(graph: Proto, scope: Scope, path: str) -> None:
    """Refuse a value of the main graph that is produced twice, or read before: so that there is no cycle."""
    made = {*scope.known, ""}
    for proto in graph.node:
        missing = [text(name) for name in proto.input if text(name) not in made]
        if missing:
            raise BadWeights(
                f"{path}: '{_called(proto)}' ({text(proto.op_type)}) reads '{missing[0]}', which nothing before it "
                "produces; the graph is damaged or not sorted."
            )
        again = [text(name) for name in proto.output if name and text(name) in made]
        if again:
            raise BadWeights(f"{path}: '{again[0]}' is produced twice; the graph is damaged.")
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


def _condition(proto: Proto, scope: Scope, found: Flattening) -> Tensor | None:
    """Return the stored first input of an operator; None if it is computed, or a model input."""
    name = _read(text(proto.input[0]), scope) if proto.input else ""
    return found.held.get(name) or (None if name in found.inputs else found.constants.get(name))


def _branch(proto: Proto, which: str, body: Proto, scope: Scope, found: Flattening) -> None:
    """Replace an If by one of its branches."""
    prefix = _prefix(scope, _called(proto), f"{which}/")
    inner = Scope({}, scope, prefix, scope.inside, scope.calls, scope.given)
    _constants(body, inner, found)
    _operators(body.node, inner, found)
    for inside, outside in zip(body.output, map(text, proto.output), strict=False):
        if outside:
            scope.known[outside] = inner.find(text(inside.name)) or _taken(outside, scope, found)


def _called(proto: Proto) -> str:
    """Return the display name of an operator: its own, or that of its first output."""
    return text(proto.name) or next((text(name) for name in proto.output if name), f"unnamed {text(proto.op_type)}")


def _has_room(key: tuple[str, str], scope: Scope, found: Flattening) -> bool:
    """Return whether a function may be inlined once more, and count it if so."""
    small = len(found.nodes) < 2 * MOST_NODES and len(scope.calls) < DEEPEST_CALL and key not in scope.calls
    if not small or found.room["calls"] < 1 or found.room["bytes"] < found.sizes[key]:
        return False
    found.room["calls"] -= 1
    found.room["bytes"] -= found.sizes[key]
    return True


def _read(name: str, scope: Scope) -> str:
    """Return the meaning of a name; a name without one is marked, so that it matches no other."""
    return name and (scope.find(name) or f"{scope.prefix}{name} (given by nothing)")


def _operator(proto: Proto, scope: Scope, found: Flattening, *, standard: bool) -> None:
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


def _call(proto: Proto, function: Proto, scope: Scope, found: Flattening) -> None:
    """Inline a function call."""
    key = (text(proto.domain), text(proto.op_type))
    reads = [_read(text(name), scope) for name in proto.input]
    known = dict(zip(map(text, function.input), reads, strict=False))
    given = {text(entry.name): _attribute(entry, found) for entry in function.attribute_proto}
    given |= _attributes(proto, scope, found)
    inner = Scope(known, None, _prefix(scope, _called(proto)), scope.inside, (*scope.calls, key), given)
    _operators(function.node, inner, found)
    for inside, outside in zip(map(text, function.output), map(text, proto.output), strict=False):
        if outside:
            # The value keeps its name in the function, if the function produces it.
            scope.known[outside] = inner.known.get(inside) or _taken(outside, scope, found)


def _attributes(proto: Proto, scope: Scope, found: Flattening) -> dict[str, Any]:
    """Read the attributes of an operator; in a function, some refer to those of the call."""
    attributes = {}
    for attribute in proto.attribute:
        name, reference = text(attribute.name), text(attribute.ref_attr_name)
        if not reference:
            attributes[name] = _attribute(attribute, found)
        elif reference in scope.given:
            attributes[name] = scope.given[reference]
    return attributes


def _attribute(proto: Proto, found: Flattening) -> Any:
    """Return the value of an attribute; None for kinds that no supported operator has."""
    name = ATTRIBUTES.get(proto.type)
    if name is None:
        return None
    value = getattr(proto, name)
    if name in ("f", "i", "t"):
        return to_tensor(value, found.path, found.beside) if name == "t" else value
    if len(value) > LONGEST_LIST:
        raise BadWeights(f"{found.path}: an attribute has {len(value)} parts; it is refused.")
    return value.decode() if name == "s" else [item.decode() if name == "strings" else item for item in value]
