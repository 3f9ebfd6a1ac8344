"""ONNX' operators LSTM, GRU and RNN: each node is a layer, and the graph tells which of them reads which.

What an operator computes is in its attributes, so hardly anything has to be assumed. Lengths that the model takes
itself (``sequence_lens``) are not needed. Of a sequence without steps ONNX Runtime gives zeros as the final states,
rnnstates the states that it starts from.
"""

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from ....errors import BadWeights
from ...canonical import GATES, Direction
from ...conventions import CONVENTIONS
from ...named import FoundStack, NamedModel
from ...readers import Container, Tensor
from ...readers.base import reshaped, row_of, sliced
from ...readers.onnx_file import STANDARD, Graph, Node
from ...stack import StoredCell, StoredLayer
from .folding import BOTH, FOLDED, ONE, UNITS, WIDTH, WRONG, Folding, NotConstant, moved

__all__ = ["interpret", "recognises"]

CELLS = {"LSTM": "lstm", "GRU": "gru", "RNN": "simple_rnn"}
# Before version 7 of ONNX' operators these had other attributes. Some dozens of nodes are usual, 6 functions the most.
OLDEST, MOST, MOST_FUNCTIONS = 7, 1000, 6
WAYS: dict[str, tuple[Direction, ...]] = {
    "forward": ("forward",),
    "reverse": ("backward",),
    "bidirectional": ("forward", "backward"),
}
# Which settings the functions in ``activations`` are, in their order.
SETTINGS = {
    "lstm": ("recurrent_activation", "activation", "output_activation"),
    "gru": ("recurrent_activation", "activation"),
    "simple_rnn": ("activation",),
}
# Functions by their names in lower case: ours, and what alpha and beta are where they are not given. For None there is
# nothing to go by: ONNX Runtime takes 0 there, and ONNX has other defaults or no operator of that name any more.
FUNCTIONS: dict[str, tuple[str, tuple[float | None, ...]]] = {
    **{name: (name, ()) for name in ("relu", "sigmoid", "softplus", "softsign", "tanh")},
    "affine": ("affine", (None, None)),
    "elu": ("elu", (1.0,)),
    "hardsigmoid": ("hard_sigmoid", (0.2, 0.5)),
    "leakyrelu": ("leaky_relu", (0.01,)),
    "scaledtanh": ("scaled_tanh", (None, None)),
    "thresholdedrelu": ("thresholded_relu", (None,)),
}
_RECURRENT = re.compile(r"lstm|gru|rnn", re.IGNORECASE)


class Part(NamedTuple):
    """One recurrent node as a layer: its cells and units, or the problem with it."""

    name: str
    cells: Mapping[Direction, StoredCell]
    units: int = 0
    notes: tuple[str, ...] = ()
    problem: str = ""


class Flow(NamedTuple):
    """What a node reads: states of others, rows of a table, or a value; the axes where they are known."""

    below: tuple[Node, ...] = ()
    table: str = ""
    value: str = ""
    computed: bool = False
    axes: tuple[str, ...] = ()
    width: int = 0


def recognises(container: Container) -> bool:
    """Tell whether a container holds a graph."""
    return isinstance(container.documents.get("graph"), Graph)


def interpret(container: Container) -> NamedModel:
    """Find the recurrent nodes and the stacks that they make.

    Each node whose states no other one reads ends a stack. What does more than rearrange states parts two nodes.
    """
    graph: Graph = container.documents["graph"]
    folding = Folding(graph)
    named = _own(graph, container.path)
    parts = {node: _part(node, name, container.path, graph.opset, folding) for node, name in named.items()}
    flows = {node: _read_by(node, parts, folding) for node in parts}
    read = {node for flow in flows.values() for node in flow.below}
    found = [_stack(node, parts, flows, folding) for node in parts if node not in read]
    found += _foreign(graph, parts, container.path)
    others = [node for node in graph.nodes if node not in parts and node.op not in (*FOLDED, "Constant", "Shape")]
    version = f"opset {graph.opset} {graph.version}".strip()
    return NamedModel("ONNX model", found, [f"{node.called} ({node.op})" for node in others], version)


def _own(graph: Graph, path: str) -> dict[Node, str]:
    """Name the nodes that ONNX itself defines; each name once."""
    standard = [node for node in graph.nodes if node.op in CELLS and node.domain in STANDARD]
    own = [node for node in standard if (node.domain, node.op) not in graph.functions]
    if len(own) > MOST:
        raise BadWeights(f"{path}: has {len(own)} recurrent operators; at most {MOST} are read. It is refused.")
    count = Counter(node.called for node in own)
    return {node: node.called if count[node.called] == 1 else f"{node.called} #{n}" for n, node in enumerate(own)}


def _foreign(graph: Graph, parts: Mapping[Node, Part], path: str) -> Iterator[FoundStack]:
    """Refuse the recurrent operators of others, and those inside functions and bodies."""
    for nodes, whose in ((graph.nodes, "is not ONNX' own"), (graph.inner, "lies in a function or a body")):
        for node in nodes:
            if _RECURRENT.search(node.op) and node not in parts:
                problem = (
                    f"{path}: '{node.called}' is a {node.op} of the domain '{node.domain}', which {whose}; expected "
                    "LSTM, GRU or RNN in the main graph. A cell of another kind is not run."
                )
                yield FoundStack(node.op, (node.called,), problem=problem)


def _stack(top: Node, parts: Mapping[Node, Part], flows: Mapping[Node, Flow], folding: Folding) -> FoundStack:
    """Give the stack that ends with a node."""
    chain: list[tuple[Node, ...]] = [(top,)]
    while below := flows[chain[0][0]].below:
        chain.insert(0, below)
    lowest, layers = flows[chain[0][0]], [[parts[node] for node in nodes] for nodes in chain]
    names = tuple(layer[0].name for layer in layers)
    if problem := next((part.problem for layer in layers for part in layer if part.problem), ""):
        return FoundStack(top.op, names, problem=problem)
    notes = [note for layer in layers for part in layer for note in part.notes]
    if lowest.computed:
        made = folding.told(lowest.value)
        notes.append(f"the model puts {made} before '{names[0]}', which is not run; inputs must be what that gives.")
    cells = [{way: cell for part in layer for way, cell in part.cells.items()} for layer in layers]
    table = folding.tensor(lowest.table) if lowest.table else None
    return FoundStack(top.op, names, tuple(map(StoredLayer, names, cells)), table, tuple(notes))


def _read_by(node: Node, parts: Mapping[Node, Part], folding: Folding) -> Flow:
    """Tell what a node reads: states or a table only where their axes stand as it expects them."""
    if parts[node].problem:
        return Flow()
    flow = _flow(node.inputs[0], parts, folding)
    expected = ("batch", "steps", WIDTH) if node.attributes.get("layout") else ("steps", "batch", WIDTH)
    right = flow.axes == expected if flow.below else flow.axes[-1:] == (WIDTH,) if flow.table else True
    return flow if right else Flow(value=node.inputs[0], computed=True)


def _flow(name: str, parts: Mapping[Node, Part], folding: Folding, *, joins: bool = True) -> Flow:
    """Follow a value back, through what only rearranges it, to what gives it."""
    name, path = folding.before_moves(name)
    maker = folding.maker(name)
    flow = Flow(value=name, computed=maker is not None)
    if maker and maker in parts and name == maker.outputs[0]:
        flow = _states(maker, parts[maker])
    elif maker and maker.op in ("Gather", "Concat") and maker.domain in STANDARD and joins:
        made = [_flow(read, parts, folding, joins=False) for read in maker.inputs]
        flow = (_rows(maker, made, folding) if maker.op == "Gather" else _joined(maker, made)) or flow
    return flow._replace(axes=moved(path, flow.axes, flow.width, folding))


def _states(node: Node, part: Part) -> Flow:
    ways, units = (BOTH, UNITS) if len(part.cells) == 2 else (ONE, WIDTH)
    axes = ("batch", "steps", ways, units) if node.attributes.get("layout") else ("steps", ways, "batch", units)
    return Flow((node,), axes=axes, width=part.units * len(part.cells))


def _rows(node: Node, made: list[Flow], folding: Folding) -> Flow | None:
    """Take a Gather of rows of a stored table for an embedding, where the ids are given to the model."""
    table = folding.stored(node.inputs[0]) if len(made) == 2 else None
    if table is None or len(table.shape) != 2 or node.attributes.get("axis") or made[1] != Flow(value=made[1].value):
        return None
    return Flow(table=node.inputs[0], value=node.outputs[0], axes=("first", "second", WIDTH), width=table.shape[1])


def _joined(node: Node, made: list[Flow]) -> Flow | None:
    """Take a forward and a backward node that read the same, one behind the other, for a layer of both directions."""
    below, axes = [read for flow in made for read in flow.below], made[0].axes if made else ()
    ways = [read.attributes.get("direction", "forward") for read in below]
    same = len(made) == 2 and made[1].axes == axes and len({read.inputs[:1] for read in below}) == 1
    if not same or ways != ["forward", "reverse"] or axes[2:] != (WIDTH,) or node.attributes.get("axis") not in (2, -1):
        return None
    return Flow(tuple(below), axes=axes, width=sum(flow.width for flow in made))


def _part(node: Node, name: str, path: str, opset: int, folding: Folding) -> Part:
    """Read one node; what is wrong with it is its own problem."""
    where = f"{path}: '{name}'"
    try:
        if opset < OLDEST:
            raise BadWeights(f"{where}: is of opset {opset}; expected {OLDEST} or later. Convert the model to one.")
        return _read(node, name, where, folding)
    except BadWeights as reason:
        problem = str(reason)
    except NotConstant as reason:
        problem = f"{where}: a weight comes from {reason}; expected it stored. Fold constants and save the model again."
    except WRONG as reason:
        problem = f"{where}: its attributes are damaged ({reason}); export the model again."
    return Part(name, {}, problem=problem)


def _read(node: Node, name: str, where: str, folding: Folding) -> Part:
    cell, ways = CELLS[node.op], WAYS.get(node.attributes.get("direction", "forward"), ())
    inputs = dict(zip(("X", "W", "R", "B", "lengths", "hidden", "cell", "P"), node.inputs, strict=False))
    tensors = {key: folding.tensor(inputs[key]) for key in ("W", "R", "B", "P") if inputs.get(key)}
    units = _check_shapes(tensors, len(ways), len(GATES[cell]), node.attributes.get("hidden_size"), where)
    notes = []
    for state in ("hidden", "cell"):
        if inputs.get(state):
            try:
                rows = _initial(inputs[state], folding, (len(ways), units), node, where)
                tensors |= {} if rows is None else {state: rows}
            except NotConstant as reason:
                notes.append(
                    f"{where}: the model starts its {state} state from {reason}; zero is taken (--initial-state)."
                )
    cells = {}
    for place, way in enumerate(ways):
        roles, (settings, determined) = _roles(tensors, place, units), _settings(node, place, where)
        cells[way] = StoredCell(CONVENTIONS["onnx"][cell], roles, f"{where} ({way})", settings, determined)
    return Part(name, cells, units, tuple(notes))


def _check_shapes(tensors: Mapping[str, Tensor], ways: int, gates: int, hidden_size: object, where: str) -> int:
    """Check all shapes against those of R; give the units."""
    shapes = {key: tensor.shape for key, tensor in tensors.items()}
    units, features = ((*shapes.get(key, ()), 0, 0, 0)[2] for key in ("R", "W"))
    rows = gates * units
    expected = {"W": (ways, rows, features), "R": (ways, rows, units), "B": (ways, 2 * rows), "P": (ways, 3 * units)}
    wrong = [key for key in ("W", "R", *shapes) if shapes.get(key) != expected[key] or not ways * units]
    if wrong or hidden_size not in (None, units) or ("P" in shapes and gates != 4):
        found = f"{where}: has the shapes {shapes}, hidden_size {hidden_size} and {ways} directions"
        raise BadWeights(
            f"{found}; expected W (directions, {gates} * units, features) and the others by it. Export again."
        )
    return units


def _roles(tensors: Mapping[str, Tensor], place: int, units: int) -> dict[str, Tensor]:
    """Take what belongs to one direction, by role; the bias is two, one behind the other."""
    own = {key: row_of(tensor, place) for key, tensor in tensors.items()}
    roles = {"kernel": own["W"], "recurrent_kernel": own["R"]}
    if "B" in own:
        half = own["B"].shape[0] // 2
        roles |= {"bias": sliced(own["B"], 0, half), "recurrent_bias": sliced(own["B"], half, 2 * half)}
    if "P" in own:
        roles["peepholes"] = reshaped(own["P"], (3, units))
    return roles | {f"initial_{state}": own[state] for state in ("hidden", "cell") if state in own}


def _initial(name: str, folding: Folding, sizes: tuple[int, int], node: Node, where: str) -> Tensor | None:
    """Give the row that all sequences start from, for each direction; None for zeros."""
    layout = node.attributes.get("layout")
    rows = folding.rows(name, (1, *sizes) if layout else (sizes[0], 1, sizes[1]))
    rows = np.swapaxes(rows, 0, 1) if layout else rows
    if rows.shape[:1] + rows.shape[2:] != sizes or not rows.size or np.any(rows != rows[:, :1]):
        found = f"{where}: starts from '{name}' of shape {rows.shape}, which differs between sequences or does not fit"
        raise BadWeights(f"{found}; expected one row of {sizes[1]}. Take it out of the model, use --initial-state.")
    return Tensor(name, sizes, lambda: rows[:, 0]) if np.any(rows) else None


def _settings(node: Node, place: int, where: str) -> tuple[dict[str, Any], dict[str, str]]:
    """Give the settings of one direction, and where each is known from."""
    given, cell = node.attributes, CELLS[node.op]
    names, functions, ways = SETTINGS[cell], _functions(given, where), len(WAYS[given.get("direction", "forward")])
    # An RNN's default is a list of two even where it has one direction.
    if len(functions) not in (0, ways * len(names)) and (cell, len(functions)) != ("simple_rnn", 2):
        raise BadWeights(f"{where}: has {len(functions)} activations; expected {len(names)} a direction. Export again.")
    settings: dict[str, Any] = dict(zip(names, functions[place * len(names) :], strict=False))
    if given.get("clip") is not None:
        settings["preactivation_clip"] = _short(given["clip"])
    if given.get("input_forget") and cell == "lstm":
        settings["coupled"] = True
    if given.get("linear_before_reset") is not None and cell == "gru":
        settings["reset_after"] = bool(given["linear_before_reset"])
    return settings, dict.fromkeys(settings, "file")


def _functions(given: Mapping[str, Any], where: str) -> list[str]:
    """Name the activation functions in our words; alpha and beta are used up by those that have them, in order."""
    numbers = [list(given.get(f"activation_{which}") or ()) for which in ("alpha", "beta")]
    named = []
    for stored in (given.get("activations") or ())[: MOST_FUNCTIONS + 1]:
        ours, defaults = FUNCTIONS.get(stored.lower(), ("", (None,)))
        used = [_short(own.pop(0) if own else usual) for own, usual in zip(numbers, defaults, strict=False)]
        if not ours or not all(map(math.isfinite, used)):
            raise BadWeights(
                f"{where}: has the activation '{stored}'; expected {', '.join(sorted(FUNCTIONS))}, with alpha and beta "
                "as numbers where it has no default of them. Export it again."
            )
        named.append(f"{ours}({', '.join(map(str, used))})" if used else ours)
    if any(numbers):
        raise BadWeights(f"{where}: gives more alpha or beta than its activations take; it is unclear which they are.")
    return named


def _short(number: float | None) -> float:
    """Give a stored float32 as the decimal that was meant; NaN for none."""
    return math.nan if number is None else float(str(np.float32(number)))
