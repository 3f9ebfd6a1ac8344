"""Recognises layers that an exporter unrolled: PyTorch's dynamo unrolls nn.RNN over the steps of its example.

A chain of steps ``act(h @ R + b + x[t])`` joined by one Concat, where ``x`` is a product of the inputs with one matrix,
is what ONNX's own operator RNN computes, which therefore replaces the Concat.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from ....errors import BadWeights
from ...readers import Tensor
from ...readers.onnx.graph import Graph, Node
from .folding import Folding, NotConstant
from .settings import WRONG, numbers, ranges

__all__ = ["with_layers"]

FUNCTIONS = {"Tanh": "Tanh", "Relu": "Relu"}
STEPS = (*FUNCTIONS, "Add", "Gather", "MatMul", "Slice", "Squeeze")
FAR = 2**31 - 1
# Most values in a step.
MOST_VALUES = 16


class Step(NamedTuple):
    """One step: what was added to which step of which inputs, and the function that made the state."""

    state: str
    before: str
    values: str
    place: int


class Product(NamedTuple):
    """A product with a matrix, possibly a transposed one, and the bias that is added, if any."""

    left: str
    matrix: str = ""
    transposed: bool = False
    bias: str = ""


def with_layers(graph: Graph) -> tuple[Graph, frozenset[str]]:
    """Return a graph in which unrolled layers are operators, and the names of the values that these replace."""
    if not any(node.op in FUNCTIONS for node in graph.nodes):
        return graph, frozenset()
    folding = Folding(graph)
    nodes: list[Node] = []
    constants: dict[str, Tensor] = {}
    spent: set[str] = set()
    for node in graph.nodes:
        found = None
        if node.op == "Concat" and node.standard and len(node.inputs) > 1 and node.attributes.get("axis") == 0:
            try:
                found = _layer(node, folding, constants)
                spent.update(_spent(node, found[0].inputs[0], folding) if found else ())
            except (NotConstant, BadWeights, *WRONG):
                found = None
        nodes += found or [node]
    return replace(graph, nodes=tuple(nodes), constants={**graph.constants, **constants}), frozenset(spent)


def _spent(node: Node, given: str, folding: Folding) -> set[str]:
    """Return the names of the values that steps are made of, from the joined ones back to the inputs of the layer."""
    pending, found = list(node.inputs), set(node.inputs) | {given}
    while pending and len(found) < MOST_VALUES * len(node.inputs):
        maker = folding.maker(pending.pop())
        if maker is not None and _is(maker, *STEPS):
            new = [read for read in maker.inputs if read not in found]
            pending += new
            found.update(new)
    return found - {given}


def _layer(node: Node, folding: Folding, constants: dict[str, Tensor]) -> list[Node] | None:
    """Return the operator that replaces a Concat, and one that drops its axis of directions."""
    steps = [_step(name, folding) for name in node.inputs]
    chain = [step for step in steps if step is not None]
    if len(chain) != len(steps):
        return None
    backward = _product(chain[0].before, folding).left == chain[1].state
    chain = chain[::-1] if backward else chain
    given = _source(chain, folding, backward=backward)
    recurrent = _recurrent(chain, folding)
    makers = [folding.maker(step.state) for step in chain]
    functions = {maker.op for maker in makers if maker is not None}
    if given is None or recurrent is None or len(functions) != 1:
        return None
    start = _start(chain[0].before, recurrent, folding)
    if start is None:
        return None
    arrays = _arrays(given, recurrent, folding)
    names = {key: f"{node.called}: {key} (written out)" for key in arrays}
    constants.update((names[key], Tensor(names[key], *array)) for key, array in arrays.items())
    reads = (given.left, names["W"], names["R"], names.get("B", ""), "", start)
    settings = {
        "hidden_size": arrays["R"][0][1],
        "direction": "reverse" if backward else "forward",
        "activations": [FUNCTIONS[functions.pop()]],
    }
    states = f"{node.called}: Y (written out)"
    layer = Node("RNN", "", node.name, reads, (states,), settings, inside=node.inside)
    return [layer, Node("Squeeze", "", node.name, (states,), node.outputs, {"axes": [1]}, inside=node.inside)]


def _step(name: str, folding: Folding) -> Step | None:
    """Read a function of the sum of one step of the inputs and a product with the previous state."""
    function = folding.maker(name)
    total = folding.maker(function.inputs[0]) if function is not None and _is(function, *FUNCTIONS) else None
    if total is None or not _is(total, "Add"):
        return None
    for before, values in (total.inputs, total.inputs[::-1]):
        found = _place(values, folding)
        if found is not None:
            return Step(name, before, *found)
    return None


def _is(node: Node | None, *operators: str) -> bool:
    return node is not None and node.standard and node.op in operators and bool(node.inputs)


def _place(name: str, folding: Folding) -> tuple[str, int] | None:
    """Return the sequence and step that a value is: a Slice of one step, without its axis, or a Gather."""
    node = folding.maker(name)
    if node is None or not _is(node, "Squeeze", "Gather"):
        return None
    settings = [None, *(folding.small(read) for read in node.inputs[1:])]
    if node.op == "Gather":
        index = settings[1] if len(settings) > 1 else None
        fits = index is not None and index.ndim == 0 and not node.attributes.get("axis")
        return (node.inputs[0], int(index)) if index is not None and fits else None
    cut = folding.maker(node.inputs[0])
    if numbers(node, "axes", settings, 1) != [0] or cut is None or not _is(cut, "Slice"):
        return None
    taken = ranges(cut, [None, *(folding.small(read) for read in cut.inputs[1:])], 3)
    one = taken[1:] == [slice(None)] * 2 and taken[0].stop == taken[0].start + 1 and taken[0].step == 1
    return (cut.inputs[0], int(taken[0].start)) if one else None


def _product(name: str, folding: Folding) -> Product:
    """Read a product with a matrix, and what is added to it; for anything else, no matrix."""
    node, bias = folding.maker(name), ""
    if node is not None and _is(node, "Add"):
        sides = [place for place in (0, 1) if _is(folding.maker(node.inputs[place]), "MatMul")]
        if len(sides) != 1:
            return Product("", bias=name)
        bias, node = node.inputs[1 - sides[0]], folding.maker(node.inputs[sides[0]])
    if node is None or not _is(node, "MatMul") or len(node.inputs) != 2:
        return Product("", bias=name)
    left, matrix = node.inputs
    # Without optimisation, each step transposes it again.
    turn = folding.maker(matrix)
    if turn is not None and _is(turn, "Transpose") and turn.attributes.get("perm") in (None, [1, 0]):
        return Product(left, turn.inputs[0], transposed=True, bias=bias)
    return Product(left, matrix, bias=bias)


def _source(chain: Sequence[Step], folding: Folding, *, backward: bool) -> Product | None:
    """Return the product whose steps the chain reads in order, from the first or the last one."""
    values = chain[0].values
    if [step.place for step in chain] != list(range(len(chain))) or {step.values for step in chain} != {values}:
        return None
    if backward:
        turn = folding.maker(values)
        if turn is None or not _is(turn, "Slice"):
            return None
        [first, *others] = ranges(turn, [None, *(folding.small(read) for read in turn.inputs[1:])], 3)
        if first.start != -1 or first.step != -1 or first.stop > -FAR or others != [slice(None)] * 2:
            return None
        values = turn.inputs[0]
    found = _product(values, folding)
    return found if found.matrix else None


def _recurrent(chain: Sequence[Step], folding: Folding) -> Product | None:
    """Return the product shared by all steps but the first, each with its previous state."""
    products = [_product(step.before, folding) for step in chain[1:]]
    linked = all(product.left == step.state for product, step in zip(products, chain, strict=False))
    same = {product[1:] for product in products}
    return products[0] if linked and len(same) == 1 and products[0].matrix else None


def _start(before: str, recurrent: Product, folding: Folding) -> str | None:
    """Return the name of the state that the first step starts from; empty for zeros, None if unknown."""
    first = _product(before, folding)
    if first.matrix:
        return first.left if first[1:] == recurrent[1:] else None
    # The exporter folded the product with zeros, which leaves the bias.
    bias = folding.values(recurrent.bias) if recurrent.bias else np.zeros(1)
    return "" if np.all(folding.values(before) == bias) else None


def _arrays(given: Product, recurrent: Product, folding: Folding) -> dict[str, tuple[tuple[int, ...], Any]]:
    """Return the shapes of the operator's arrays, and the functions that read them."""
    kernel, matrix = (_matrix(product, folding) for product in (given, recurrent))
    (features, units), (rows, columns) = kernel.shape, matrix.shape
    biases = [folding.tensor(product.bias) if product.bias else None for product in (given, recurrent)]
    if rows != columns or rows != units or any(bias is not None and bias.shape != (units,) for bias in biases):
        raise ValueError("the matrices do not fit each other")
    arrays: dict[str, tuple[tuple[int, ...], Any]] = {
        "W": ((1, units, features), lambda: kernel.read().T[None]),
        "R": ((1, units, units), lambda: matrix.read().T[None]),
    }
    if any(biases):
        halves = [(lambda: np.zeros(units, np.float32)) if bias is None else bias.read for bias in biases]
        arrays["B"] = ((1, 2 * units), lambda: np.concatenate([read() for read in halves])[None])
    return arrays


def _matrix(product: Product, folding: Folding) -> Tensor:
    stored = folding.tensor(product.matrix)
    return Tensor(stored.name, stored.shape[::-1], lambda: stored.read().T) if product.transposed else stored
