"""Finds the recurrent operators of an ONNX graph and the stacks that they form."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from ....errors import BadWeights
from ...named import FoundStack, NamedModel
from ...readers import Container, Tensor
from ...readers.onnx.graph import Graph, Node
from ...stack import StoredLayer
from .cells import CELLS, Layer, read_layer, stored_lengths, takes_lengths
from .folding import Folding
from .sizes import AxisSize
from .tracking import Flow, Tracking
from .unread import check_readable, foreign, in_a_loop, written_loops
from .written_out import with_layers

__all__ = ["interpret", "recognises"]

# Most recurrent nodes; a few dozen are usual.
MOST = 1000


def recognises(container: Container) -> bool:
    """Return whether a container holds a graph."""
    return isinstance(container.documents.get("graph"), Graph)


class OnnxModel(NamedModel):
    """The stacks of a graph, each under its own name; only some are candidates if none is named."""

    def __init__(
        self,
        found: Sequence[FoundStack],
        chosen: Sequence[str],
        operators: Mapping[str, str],
        unused: list[str],
        version: str,
        tables: Sequence[Tensor],
    ) -> None:
        super().__init__("ONNX model", found, unused, version, tables=tables, connected=True)
        self._chosen, self._operators = list(chosen), operators

    def recurrent(self) -> Mapping[str, str]:
        """Return the operator of each layer by its name; a stack may have several."""
        return {**super().recurrent(), **self._operators}

    def tops(self) -> list[str]:
        """Return the names of the stacks that can be chosen without being named."""
        return self._chosen


def interpret(container: Container) -> NamedModel:
    """Find the recurrent nodes and the stacks that they form.

    Each node whose states no other node reads ends a stack. Operators that do more than rearrange states separate two
    nodes. Layers in the branches of an If are chosen only if there are no others.

    Raises
    ------
    BadWeights
        There are none, or far too many.
    """
    graph, spent = with_layers(container.documents["graph"])
    check_readable(graph, container.path)
    followed = _followed(graph, container.path)
    stacks = {top: _stack(top, followed) for top in _tops(followed)}
    main = [stack for top, stack in stacks.items() if not top[0].inside]
    inner = [stack for top, stack in stacks.items() if top[0].inside]
    main += foreign(graph, followed.layers, container.path, inside=False)
    inner += foreign(graph, followed.layers, container.path, inside=True)
    loops = written_loops(graph, container.path)
    main = [replace(stack, notes=(*stack.notes, *loops)) for stack in main]
    chosen = main or [stack for stack in inner if not stack.problem] or inner
    # If none can be computed, there is nothing to choose: the first problem is reported at once.
    chosen = chosen[:1] if all(stack.problem for stack in chosen) else chosen
    # Nodes joined to one layer can also be named individually.
    own = [_stack((node,), followed) for top in stacks for node in top if len(top) > 1]
    others = [node for node in graph.nodes if not node.inside and not spent.intersection(node.outputs)]
    described = [
        f"{node.called} ({node.op})" for node in others if node not in followed.layers and followed.computes(node)
    ]
    version = f"opset {graph.opset} {graph.version}".strip()
    operators = {layer.name: node.op for node, layer in followed.layers.items()}
    tables = [container.tensors[name] for name in followed.tables if graph.is_floating(name)]
    chosen_names = [stack.names[-1] for stack in chosen]
    return OnnxModel([*main, *inner, *own], chosen_names, operators, described, version, tables)


class Followed(NamedTuple):
    """The layer and inputs of each recurrent node, which nodes are joined, and what else the graph computes."""

    layers: dict[Node, Layer]
    flows: dict[Node, Flow]
    joined: dict[tuple[Node, ...], str]
    folding: Folding
    computes: Callable[[Node], bool]
    tables: Collection[str]
    steps: dict[Node, AxisSize]


def _followed(graph: Graph, path: str) -> Followed:
    """Follow the graph from its inputs."""
    folding = Folding(graph)
    named, tracking = _own(graph, path), Tracking(graph, folding)
    layers: dict[Node, Layer] = {}
    flows: dict[Node, Flow] = {}
    steps: dict[Node, AxisSize] = {}
    for node in graph.nodes:
        if node in named:
            layers[node] = read_layer(node, named[node], path, folding)
        if node in layers and not layers[node].problem:
            flows[node] = tracking.flow(node)
            steps[node] = tracking.states(node, layers[node].units)
        else:
            tracking.follow(node)
    return Followed(layers, flows, tracking.joined, folding, tracking.computes, tracking.tables, steps)


def _tops(followed: Followed) -> list[tuple[Node, ...]]:
    """Return the nodes that end each stack: one, or a forward and a backward one joined by the graph."""
    read = {
        piece.node: node
        for node, flow in followed.flows.items()
        for piece in flow.below
        if node.inside == piece.node.inside
    }
    ends = [node for node in followed.layers if node not in read]
    pairs = {nodes[0]: nodes for nodes in followed.joined if all(node in ends for node in nodes)}
    second = {node for nodes in pairs.values() for node in nodes[1:]}
    return [pairs.get(node, (node,)) for node in ends if node not in second]


def _own(graph: Graph, path: str) -> dict[Node, str]:
    """Return the recurrent nodes that ONNX itself defines, with unique names."""
    own = [node for node in graph.nodes if node.op in CELLS and node.standard and not in_a_loop(node)]
    if len(own) > MOST:
        raise BadWeights(f"{path}: has {len(own)} recurrent operators; at most {MOST} are read. It is refused.")
    count = Counter(node.called for node in own)
    return {node: node.called if count[node.called] == 1 else f"{node.called} #{n}" for n, node in enumerate(own)}


def _stack(top: tuple[Node, ...], followed: Followed) -> FoundStack:
    """Return the stack that ends with a node, or with two joined ones."""
    layers, flows, joined, folding, *_ = followed
    chain, merges = [top], [joined.get(top, "concat")]
    while (flow := flows.get(chain[0][0], Flow())).below:
        chain.insert(0, tuple(dict.fromkeys(piece.node for piece in flow.below)))
        merges.insert(0, flow.merge)
    parts = [[layers[node] for node in nodes] for nodes in chain]
    # If two nodes end a stack, each can be named individually.
    names = (*(nodes[0].name for nodes in parts[:-1]), "+".join(layer.name for layer in parts[-1]))
    if problem := next((layer.problem for nodes in parts for layer in nodes if layer.problem), ""):
        return FoundStack(top[0].op, names, problem=problem)
    cells = [{way: cell for layer in nodes for way, cell in layer.cells.items()} for nodes in parts]
    stored = tuple(
        StoredLayer(name, own, merge, masked=all(map(takes_lengths, nodes)))
        for name, own, merge, nodes in zip(names, cells, merges, chain, strict=True)
    )
    table = folding.tensor(flow.table) if flow.table else None
    notes = [note for nodes in parts for layer in nodes for note in layer.notes]
    notes += _notes([node for nodes in chain for node in nodes], names[0], followed)
    return FoundStack(top[0].op, names, stored, table, tuple(notes))


def _notes(nodes: Sequence[Node], lowest: str, followed: Followed) -> list[str]:
    """Say what the model does besides running the layers."""
    flows, notes = followed.flows, []
    first = flows[nodes[0]]
    if first.computed:
        made = followed.folding.described(first.value)
        notes.append(f"the model has {made} before '{lowest}', which is not run; inputs must be its output.")
    for node in nodes:
        runs = stored_lengths(node, followed.folding)
        if runs is not None and runs != (followed.steps[node],) * 2:
            shown = " to ".join(str(steps) for steps in dict.fromkeys(runs))
            notes.append(
                f"the model itself always runs '{followed.layers[node].name}' over {shown} steps; here only the given "
                "lengths count."
            )
    if any(flows[node].halved or followed.folding.graph.is_half(node.inputs[2]) for node in nodes):
        notes.append(
            "the model rounds to half precision (float16) on the way, which is not done here; its own states differ "
            "accordingly."
        )
    bodies = dict.fromkeys(node.inside[-1] for node in nodes if node.inside)
    return notes + [
        f"'{lowest}' is in the {body.name} of '{body.owner}' ({body.op}) and is run as if that branch is taken."
        for body in bodies
    ]
