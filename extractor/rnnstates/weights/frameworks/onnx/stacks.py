"""The recurrent operators of an ONNX graph and the stacks that they make."""

from collections import Counter
from collections.abc import Mapping, Sequence

from ....errors import BadWeights
from ...named import FoundStack, NamedModel
from ...readers import Container
from ...readers.onnx_graph import Graph, Node
from ...stack import StoredLayer
from .cells import CELLS, Layer, read_layer
from .folding import Folding
from .operators import FOLDED
from .tracking import Flow, Tracking
from .unread import check_readable, foreign, in_a_loop

__all__ = ["interpret", "recognises"]

# Some dozens of nodes are usual.
MOST = 1000


def recognises(container: Container) -> bool:
    """Tell whether a container holds a graph."""
    return isinstance(container.documents.get("graph"), Graph)


class OnnxModel(NamedModel):
    """The stacks of a graph; those in the branches of an If are named, but chosen only where there is no other."""

    def __init__(
        self, main: Sequence[FoundStack], inner: Sequence[FoundStack], others: list[str], version: str
    ) -> None:
        super().__init__("ONNX model", [*main, *inner], others, version, connected=True)
        sound = [stack for stack in inner if not stack.problem]
        self._chosen = list(main) or sound or list(inner)[:1]

    def tops(self) -> list[str]:
        """Name the stacks that can be chosen without being named."""
        return [stack.names[-1] for stack in self._chosen]


def interpret(container: Container) -> NamedModel:
    """Find the recurrent nodes and the stacks that they make.

    Each node whose states no other one reads ends a stack. What does more than rearrange states parts two nodes.

    Raises
    ------
    BadWeights
        There is none, or far too many.
    """
    graph: Graph = container.documents["graph"]
    check_readable(graph, container.path)
    folding = Folding(graph)
    layers, flows = _followed(graph, container.path, folding)
    read = {
        piece.node: node for node, flow in flows.items() for piece in flow.below if node.inside == piece.node.inside
    }
    tops = [node for node in layers if node not in read]
    main = [_stack(node, layers, flows, folding) for node in tops if not node.inside]
    inner = [_stack(node, layers, flows, folding) for node in tops if node.inside]
    main += foreign(graph, layers, container.path, inside=False)
    inner += foreign(graph, layers, container.path, inside=True)
    others = [node for node in graph.nodes if node not in layers and not node.inside and _is_told(node)]
    version = f"opset {graph.opset} {graph.version}".strip()
    return OnnxModel(main, inner, [f"{node.called} ({node.op})" for node in others], version)


def _is_told(node: Node) -> bool:
    return node.op not in (*FOLDED, "Constant", "Shape")


def _followed(graph: Graph, path: str, folding: Folding) -> tuple[dict[Node, Layer], dict[Node, Flow]]:
    """Go through the graph; give what each recurrent node is, and what it reads."""
    named, tracking = _own(graph, path), Tracking(graph, folding)
    layers: dict[Node, Layer] = {}
    flows: dict[Node, Flow] = {}
    for node in graph.nodes:
        if node in named:
            layers[node] = read_layer(node, named[node], path, folding)
        if node in layers and not layers[node].problem:
            flows[node] = tracking.flow(node)
            tracking.states(node, layers[node].units)
        else:
            tracking.follow(node)
    return layers, flows


def _own(graph: Graph, path: str) -> dict[Node, str]:
    """Name the nodes that ONNX itself defines; each name once."""
    own = [node for node in graph.nodes if node.op in CELLS and node.standard and not in_a_loop(node)]
    if len(own) > MOST:
        raise BadWeights(f"{path}: has {len(own)} recurrent operators; at most {MOST} are read. It is refused.")
    count = Counter(node.called for node in own)
    return {node: node.called if count[node.called] == 1 else f"{node.called} #{n}" for n, node in enumerate(own)}


def _stack(top: Node, layers: Mapping[Node, Layer], flows: Mapping[Node, Flow], folding: Folding) -> FoundStack:
    """Give the stack that ends with a node."""
    chain: list[tuple[Node, ...]] = [(top,)]
    merges = ["concat"]
    while (flow := flows.get(chain[0][0], Flow())).below:
        chain.insert(0, tuple(dict.fromkeys(piece.node for piece in flow.below)))
        merges.insert(0, flow.merge)
    parts = [[layers[node] for node in nodes] for nodes in chain]
    names = tuple(nodes[0].name for nodes in parts)
    if problem := next((layer.problem for nodes in parts for layer in nodes if layer.problem), ""):
        return FoundStack(top.op, names, problem=problem)
    cells = [{way: cell for layer in nodes for way, cell in layer.cells.items()} for nodes in parts]
    stored = tuple(map(StoredLayer, names, cells, merges))
    table = folding.tensor(flow.table) if flow.table else None
    notes = [note for nodes in parts for layer in nodes for note in layer.notes]
    notes += _notes([node for nodes in chain for node in nodes], names[0], flows, folding)
    return FoundStack(top.op, names, stored, table, tuple(notes))


def _notes(nodes: Sequence[Node], lowest: str, flows: Mapping[Node, Flow], folding: Folding) -> list[str]:
    """Say what the model does beside running the layers."""
    first, notes = flows[nodes[0]], []
    if first.computed:
        made = folding.told(first.value)
        notes.append(f"the model puts {made} before '{lowest}', which is not run; inputs must be what that gives.")
    if any(flows[node].halved or folding.is_half(node.inputs[2]) for node in nodes):
        notes.append(
            "the model rounds to half precision (float16) on its way, which is not done here; its own states differ by "
            "as much."
        )
    bodies = dict.fromkeys(node.inside[-1] for node in nodes if node.inside)
    return notes + [
        f"'{lowest}' stands in the {body.name} of '{body.owner}' ({body.op}) and is run as if that is taken."
        for body in bodies
    ]
