"""Layers whose steps an exporter wrote out: PyTorch's dynamo does so with nn.RNN, for as many steps as its example has.

A chain of steps ``act(h @ R + b + x[t])`` that one Concat puts behind each other, where ``x`` is a product of the
inputs with one matrix, is what ONNX' own operator RNN computes: it is put in the place of the Concat.
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
# Values of a step.
MOST_VALUES = 16


class Step(NamedTuple):
    """One step: what was added to which step of what, and what gave the state."""

    state: str
    before: str
    values: str
    place: int


class Product(NamedTuple):
    """A product with a matrix, which may be another one transposed, and the bias that is added, which may be none."""

    left: str
    matrix: str = ""
    transposed: bool = False
    bias: str = ""


def with_layers(graph: Graph) -> tuple[Graph, frozenset[str]]:
    """Give a graph in which layers that are written out are operators, and the values that those stand for."""
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
    """Name the values that steps are made of, from what is put behind each other back to what the layer is given."""
    pending, found = list(node.inputs), set(node.inputs) | {given}
    while pending and len(found) < MOST_VALUES * len(node.inputs):
        maker = folding.maker(pending.pop())
        if maker is not None and _is(maker, *STEPS):
            new = [read for read in maker.inputs if read not in found]
            pending += new
            found.update(new)
    return found - {given}


def _layer(node: Node, folding: Folding, constants: dict[str, Tensor]) -> list[Node] | None:
    """Give the operator that a Concat stands for, and one that drops its axis of directions."""
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
    """Take a function of the sum of a product with the state before and of one step of the inputs."""
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
    """Tell which step of what a value is: a Slice of one step, without its axis, or a Gather."""
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
    """Take a product with a matrix, and what is added to it; of anything else, no matrix."""
    node, bias = folding.maker(name), ""
    if node is not None and _is(node, "Add"):
        sides = [place for place in (0, 1) if _is(folding.maker(node.inputs[place]), "MatMul")]
        if len(sides) != 1:
            return Product("", bias=name)
        bias, node = node.inputs[1 - sides[0]], folding.maker(node.inputs[sides[0]])
    if node is None or not _is(node, "MatMul") or len(node.inputs) != 2:
        return Product("", bias=name)
    left, matrix = node.inputs
    # Without optimising, each step transposes it anew.
    turn = folding.maker(matrix)
    if turn is not None and _is(turn, "Transpose") and turn.attributes.get("perm") in (None, [1, 0]):
        return Product(left, turn.inputs[0], transposed=True, bias=bias)
    return Product(left, matrix, bias=bias)


def _source(chain: Sequence[Step], folding: Folding, *, backward: bool) -> Product | None:
    """Give the product whose steps the chain reads, in order, from the first or the last one on."""
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
    """Give the product that all steps but the first have in common, each of the state before it."""
    products = [_product(step.before, folding) for step in chain[1:]]
    linked = all(product.left == step.state for product, step in zip(products, chain, strict=False))
    same = {product[1:] for product in products}
    return products[0] if linked and len(same) == 1 and products[0].matrix else None


def _start(before: str, recurrent: Product, folding: Folding) -> str | None:
    """Name the state that the first step starts from; empty for zeros, None where it cannot be known."""
    first = _product(before, folding)
    if first.matrix:
        return first.left if first[1:] == recurrent[1:] else None
    # What the exporter computed itself: of zeros, the bias is left.
    bias = folding.values(recurrent.bias) if recurrent.bias else np.zeros(1)
    return "" if np.all(folding.values(before) == bias) else None


def _arrays(given: Product, recurrent: Product, folding: Folding) -> dict[str, tuple[tuple[int, ...], Any]]:
    """Give the shapes of the operator's arrays, and what reads them."""
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
