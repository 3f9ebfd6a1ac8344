"""Explains which parts of an ONNX graph are not read: foreign operators, loop bodies, unrolled layers."""

import re
from collections.abc import Container, Iterator

from ....errors import BadWeights
from ....errors.articles import with_article
from ...named import FoundStack
from ...readers.onnx.graph import Graph, Node
from .cells import CELLS

__all__ = ["check_readable", "foreign", "in_a_loop", "written_loops"]

_RECURRENT = re.compile(r"lstm|gru|rnn", re.IGNORECASE)
# Names of the matrices of nn.LSTMCell and the like; those of layers also have a number.
_CELL = re.compile(r"(^|[./])weight_(ih|hh)$")
# The producer of models from PyTorch, and the prefix of names made up by its older exporter.
PYTORCH, OLDER = "pytorch", "onnx::"
LOOPS = ("Loop", "Scan")
MOST_NAMED = 8
QUANTISED, ANOTHER = "Quantize", "This kind of cell is not supported"
# This many products with the same matrix mean unrolled steps.
WRITTEN_OUT = 3
ORIGINAL = (
    "Give the file that the model was exported from instead (.keras or .h5 of Keras, a state_dict of PyTorch, a "
    "checkpoint of TensorFlow)"
)


def in_a_loop(node: Node) -> bool:
    """Return whether a node is run once per iteration of a loop."""
    return any(body.op != "If" for body in node.inside)


def foreign(graph: Graph, layers: Container[Node], path: str, *, inside: bool) -> Iterator[FoundStack]:
    """Refuse foreign recurrent operators, and those that a loop runs.

    Parameters
    ----------
    graph : Graph
    layers : container of Node
        The nodes that are read.
    path : str
    inside : bool
        Whether to report nodes in bodies, rather than in the main graph.
    """
    for node in graph.nodes:
        if _RECURRENT.search(node.op) and node not in layers and bool(node.inside) == inside:
            yield FoundStack(node.op, (node.called,), problem=_refusal(node, path))


def _refusal(node: Node, path: str) -> str:
    if node.op in CELLS and node.standard:
        body = next(body for body in node.inside if body.op != "If")
        return (
            f"{path}: '{node.called}' is {with_article(node.op)} in the body of '{body.owner}' ({body.op}), which runs "
            f"it again and again; expected it in the main graph, a function or a branch of an If. {ORIGINAL}."
        )
    return (
        f"{path}: '{node.called}' is {with_article(node.op)} of the domain '{node.domain}', which is not ONNX's own; "
        f"expected LSTM, GRU or RNN. {'Give the model from before quantisation' if QUANTISED in node.op else ANOTHER}."
    )


def check_readable(graph: Graph, path: str) -> None:
    """Refuse a graph without any recurrent operator; say what it has instead if that is recognisable.

    Raises
    ------
    BadWeights
    """
    if any(_RECURRENT.search(node.op) for node in graph.nodes):
        return
    loops, products = _loops(graph), _written_out(graph)
    cell = next((name for name in graph.constants if _CELL.search(name)), None)
    if cell is not None:
        found = f"'{cell}' belongs to a PyTorch cell (nn.LSTMCell and the like), whose steps are unrolled"
        remedy = "Give the state_dict of the model instead"
    elif loops:
        found, remedy = f"the graph has {loops}, by which exporters write a layer out step by step", ORIGINAL
    elif products:
        found = f"the graph multiplies by '{products[0]}' {products[1]} times, as a layer with unrolled steps does"
        newer = PYTORCH in graph.version and not products[0].startswith(OLDER)
        remedy = ORIGINAL if not newer else f"{ORIGINAL}, or export it with torch.onnx.export(..., dynamo=False)"
    else:
        found, remedy = "the graph has none of these operators", "Expected a model with recurrent layers"
    names = sorted(graph.constants, key=lambda name: not _RECURRENT.search(name))
    some = ", ".join(f"'{name}' {graph.constants[name].shape}" for name in names[:MOST_NAMED]) or "no arrays"
    raise BadWeights(f"{path}: no recurrent layer found (LSTM, GRU or RNN): {found}. {remedy}. Its arrays: {some}.")


def written_loops(graph: Graph, path: str) -> tuple[str, ...]:
    """Note the loops of a graph that also has layers."""
    loops = _loops(graph)
    described = f"{path}: the graph also has {loops}, by which exporters write a layer out step by step; it is not run."
    return (described,) if loops else ()


def _loops(graph: Graph) -> str:
    loops = [node for node in graph.nodes if node.op in LOOPS and node.standard and not node.inside]
    return ", ".join(f"'{node.called}' ({node.op})" for node in loops[:3])


def _written_out(graph: Graph) -> tuple[str, int] | None:
    """Return the matrix shared by most products, and their number, if there are many."""
    count: dict[str, int] = {}
    turned: dict[str, str] = {}
    for node in graph.nodes:
        if node.op == "Transpose" and node.standard and node.inputs and node.outputs:
            turned[node.outputs[0]] = node.inputs[0]
        elif node.op in ("MatMul", "Gemm") and node.standard and len(node.inputs) > 1:
            matrix = turned.get(node.inputs[1], node.inputs[1])
            count[matrix] = count.get(matrix, 0) + 1
    most = max(count.items(), key=lambda item: item[1], default=("", 0))
    return most if most[1] >= WRITTEN_OUT else None
