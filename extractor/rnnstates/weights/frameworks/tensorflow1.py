"""TensorFlow 1's cells by the names of their variables: which feed each other, what is added to them at run time.

What a cell adds to its forget gate, where it clips and its activation are not in a checkpoint. They are read from the
graph where that lies beside it (``model.ckpt-100.meta``, ``saved_model.pb``), which is looked at and never run;
otherwise TensorFlow's defaults are assumed.
"""

import struct
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ...errors import BadWeights
from ..canonical import DIRECTIONS, Direction
from ..conventions import CONVENTIONS
from ..named import FoundStack, NamedModel, refusal
from ..readers import Container
from ..stack import StoredCell, StoredLayer
from .tensorflow1_names import TABLE, FoundCell, find_cells, place_of, roles_of, unknown_cells

__all__ = ["interpret", "recognises"]

# A cell's number among layers of both directions, and inside one direction.
Number = tuple[tuple[int, ...], tuple[int, ...]]
Layers = dict[Number, dict[Direction, FoundCell]]
# How a cell is run, and from where each setting is known.
Settings = tuple[dict[str, Any], dict[str, str]]


def recognises(container: Container) -> bool:
    """Tell whether a scope of the names is that of a cell."""
    if find_cells(container.tensors):
        return True
    # Other frameworks have cells of such names too.
    return container.kind.startswith("TensorFlow") and bool(unknown_cells(container.tensors, []))


def interpret(container: Container) -> NamedModel:
    """Find the cells and their stacks.

    Returns
    -------
    NamedModel
        A stack for each ``dynamic_rnn`` or the like; which of them feeds which is not in a checkpoint.
    """
    cells = find_cells(container.tensors)
    stacks: dict[str, list[FoundCell]] = defaultdict(list)
    for cell in cells:
        stacks[place_of(cell.scope).stack].append(cell)
    used = {id(tensor) for cell in cells for shards in cell.shards.values() for tensor in shards}
    others = [name for name, tensor in container.tensors.items() if id(tensor) not in used]
    graph = _Graph(getattr(container.documents.get("graph"), "node", ()))
    found = [_found(container, stack, members, graph) for stack, members in stacks.items()]
    foreign = [
        FoundStack("unknown", (scope,), problem=refusal(f"{container.path}: '{scope}'", names, "of an unknown cell"))
        for scope, names in unknown_cells(container.tensors, cells).items()
    ]
    tables = [container.tensors[name] for name in others if TABLE.search(name)]
    return NamedModel(f"TensorFlow 1 ({container.kind})", [*found, *foreign], others, tables=tables)


def _found(container: Container, stack: str, members: Sequence[FoundCell], graph: "_Graph") -> FoundStack:
    where = f"{container.path}: '{stack}'"
    kinds = " and ".join(dict.fromkeys(cell.kind.class_name for cell in members))
    try:
        layers = _layers(members, where)
        names = tuple(_name(stack, number) for number in layers)
        settings = {cell.scope: _settings(cell, graph, where) for cell in members}
        stored = tuple(
            StoredLayer(
                name,
                {
                    direction: _stored(cell, settings[cell.scope], f"{container.path}: '{cell.scope}'")
                    for direction, cell in sorted(cells.items(), key=lambda item: DIRECTIONS.index(item[0]))
                },
                _merge(number, list(layers)),
            )
            for name, (number, cells) in zip(names, layers.items(), strict=True)
        )
    except BadWeights as reason:
        return FoundStack(kinds, (stack,), problem=str(reason))
    return FoundStack(kinds, names, stored, notes=tuple(_notes(where, members, settings, len(names))))


def _layers(members: Sequence[FoundCell], where: str) -> Layers:
    """Put the cells of a stack in order.

    Raises
    ------
    BadWeights
        Some are missing, have more variables than such cells, or are wrapped into others.
    """
    layers: Layers = {}
    for cell in members:
        place = place_of(cell.scope)
        if place.wrapper:
            raise BadWeights(f"{where}: lies in '{place.wrapper}', which changes what it computes and is not run.")
        if cell.foreign:
            raise BadWeights(refusal(where, cell.foreign, f"which {cell.kind.class_name} does not have"))
        cells = layers.setdefault((place.outer, place.inner), {})
        if place.direction in cells:
            raise BadWeights(f"{where}: '{cell.scope}' and '{cells[place.direction].scope}' stand in one place.")
        cells[place.direction] = cell
    for outer in {number[0] for number in layers}:
        found = sorted(number[1] for number in layers if number[0] == outer)
        if found not in ([()], [(count,) for count in range(len(found))]):
            raise BadWeights(f"{where}: has the layers {found}; some are missing, or they are nested.")
    found = sorted({number[0] for number in layers})
    if found not in ([()], [(count,) for count in range(len(found))]):
        raise BadWeights(f"{where}: has the layers {found}; some are missing, or they are nested.")
    if len({frozenset(cells) for cells in layers.values()}) != 1:
        raise BadWeights(f"{where}: has both directions in some layers only; some variables are missing.")
    return dict(sorted(layers.items()))


def _name(stack: str, number: Number) -> str:
    return "/".join([stack, *(f"cell_{count}" for level in number for count in level)])


def _merge(number: Number, numbers: Sequence[Number]) -> str:
    """Inside MultiRNNCell a direction reads itself; its last layer is put together with the other direction's."""
    return "apart" if number != [other for other in numbers if other[0] == number[0]][-1] else "concat"


def _stored(cell: FoundCell, settings: Settings, where: str) -> StoredCell:
    return StoredCell(CONVENTIONS[cell.kind.framework][cell.kind.cell], roles_of(cell, where), where, *settings)


def _settings(cell: FoundCell, graph: "_Graph", where: str) -> Settings:
    settings: dict[str, Any] = {"activation": "tanh"}
    if cell.kind.cell == "lstm":
        settings["forget_bias"] = CONVENTIONS[cell.kind.framework]["lstm"].forget_bias
    told = graph.settings(cell, where)
    settings |= told
    return settings, {name: "file" if name in told else "default" for name in settings}


def _notes(where: str, members: Sequence[FoundCell], settings: Mapping[str, Settings], layers: int) -> Iterator[str]:
    notes: dict[str, None] = {}
    for cell in members:
        chosen, determined = settings[cell.scope]
        assumed = {"activation": "activation tanh (--activation)"}
        if cell.kind.cell == "lstm":
            assumed["forget_bias"] = f"{chosen['forget_bias']} added to the forget gate (--forget-bias)"
            assumed["cell_clip"] = "no clip of the cell state (--cell-clip)"
        if "projection" in cell.shards:
            assumed["projection_clip"] = "none of the projection (--projection-clip)"
        missing = [text for name, text in assumed.items() if determined.get(name) != "file"]
        if missing:
            kind = cell.kind.class_name
            notes[f"{where}: of a {kind} the checkpoint does not say, so assumed: {', '.join(missing)}."] = None
    yield from notes
    if any(cell.kind.class_name == "LSTMBlockFusedCell" for cell in members):
        yield f"{where}: TimeReversedFusedRNN would leave no trace in a checkpoint; it is taken to read forward."
    if layers > 1:
        yield f"{where}: residual connections between layers would leave no trace in a checkpoint; none is assumed."


# Operations between a kernel's product and a state, by the name of the activation that they compute.
_ACTIVATIONS = {
    "Elu": "elu",
    "Relu": "relu",
    "Relu6": "relu6",
    "Selu": "selu",
    "Sigmoid": "sigmoid",
    "Softplus": "softplus",
    "Softsign": "softsign",
    "Tanh": "tanh",
}
# What hands on what it reads; what only looks at it.
_SAME = {"Identity", "Enter", "RefEnter", "ReadVariableOp", "Switch", "RefSwitch"}
_WATCHING = {"Shape", "StackPush", "StackPushV2", "HistogramSummary", "Print"}
_ADD = ("BiasAdd", "Add", "AddV2")
DEEPEST = 50


class _Graph:
    """A graph, to be asked how it runs a cell.

    Parameters
    ----------
    nodes : iterable of NodeDef
    """

    def __init__(self, nodes: Iterable[Any]) -> None:
        # What computes gradients reads the same values to another end.
        self._nodes = {node.name: node for node in nodes if "gradients" not in node.name}
        self._readers: dict[str, list[Any]] = defaultdict(list)
        for node in self._nodes.values():
            for source in node.input:
                self._readers[source].append(node)

    def settings(self, cell: FoundCell, where: str) -> dict[str, Any]:
        """Give what the graph says for certain: activation, forget bias, clips.

        Raises
        ------
        BadWeights
            Its activation is not known here.
        """
        matrix = cell.shards.get("candidate" if cell.kind.cell == "gru" else "kernel", [])
        if cell.kind.framework == "cudnn" or len(matrix) != 1:
            return {}
        name = matrix[0].name
        blocks = [node for node in self._reading(name) if node.op in ("BlockLSTM", "LSTMBlockCell", "GRUBlockCell")]
        if blocks:
            return _of_block(blocks[0], cell)
        sums = self._after([node for node in self._reading(name) if node.op == "MatMul"], *_ADD)
        if cell.kind.cell != "lstm":
            return _activation(self._after(sums), where)
        return self._lstm(self._after(sums, "Split"), cell, where)

    def _lstm(self, splits: Sequence[Any], cell: FoundCell, where: str) -> dict[str, Any]:
        """Follow an LSTMCell from the four parts of its product: input gate, candidate, forget gate, output gate."""
        candidates = self._after(splits, output=1)
        told = _activation(candidates, where)
        told |= self._only("forget_bias", self._after(splits, *_ADD, output=2), needed=True)
        states = self._after(self._after(candidates, "Mul"), *_ADD)
        if not states or not told:
            return told
        clips = self._after(states, "Minimum")
        told |= self._only("cell_clip", clips)
        if "projection" in cell.shards and len(cell.shards["projection"]) == 1:
            products = [node for node in self._reading(cell.shards["projection"][0].name) if node.op == "MatMul"]
            told |= self._only("projection_clip", self._after(products, "Minimum")) if products else {}
        return told

    def _only(self, name: str, nodes: Sequence[Any], *, needed: bool = False) -> dict[str, Any]:
        """Give the one constant that operations read; without any operation there is none, unless it is needed."""
        if not nodes:
            return {} if needed else {name: None}
        sources = [self._source(source) for node in nodes for source in node.input]
        values = {value for source in sources if source is not None and (value := _constant(source)) is not None}
        return {name: values.pop()} if len(values) == 1 else {}

    def _after(self, nodes: Sequence[Any], *kinds: str, output: int = 0) -> list[Any]:
        names = [f"{node.name}:{output}" if output else node.name for node in nodes]
        return [reader for name in names for reader in self._readers.get(name, ()) if not kinds or reader.op in kinds]

    def _reading(self, variable: str) -> list[Any]:
        """Find what reads a variable, behind what only hands it on."""
        waiting, seen = [variable.removesuffix(":0")], dict[str, Any]()
        while waiting:
            for node in self._readers.get(waiting.pop(), ()):
                if node.name not in seen:
                    seen[node.name] = node
                    waiting += [node.name] if node.op in _SAME else []
        return [node for node in seen.values() if node.op not in _SAME]

    def _source(self, name: str) -> Any:
        node = self._nodes.get(name)
        for _ in range(DEEPEST):
            if node is None or node.op not in _SAME or not node.input:
                break
            node = self._nodes.get(node.input[0])
        return node


def _of_block(node: Any, cell: FoundCell) -> dict[str, Any]:
    """Read the attributes of an operation that is a whole cell; left out, they have the operation's defaults."""
    if cell.kind.cell == "gru":
        return {"activation": "tanh"}
    clip = node.attr["cell_clip"].f if "cell_clip" in node.attr else 3.0
    forget_bias = node.attr["forget_bias"].f if "forget_bias" in node.attr else 1.0
    return {"activation": "tanh", "forget_bias": forget_bias, "cell_clip": clip if clip > 0 else None}


def _activation(nodes: Sequence[Any], where: str) -> dict[str, Any]:
    kinds = {node.op for node in nodes} - _WATCHING
    if not kinds:
        return {}
    if len(kinds) == 1 and kinds <= _ACTIVATIONS.keys():
        return {"activation": _ACTIVATIONS[kinds.pop()]}
    raise BadWeights(
        f"{where}: its graph computes the candidate by {', '.join(sorted(kinds))}, no activation known here. If it "
        "is one all the same, remove the graph's file from beside the checkpoint and say --activation."
    )


def _constant(node: Any) -> float | None:
    """Read a constant that is one float or double; the shape that it declares is not believed."""
    tensor = node.attr["value"].tensor
    listed = {1: tensor.float_val, 2: tensor.double_val}.get(tensor.dtype)
    if node.op != "Const" or listed is None or any(axis.size != 1 for axis in tensor.tensor_shape.dim):
        return None
    code = "<f" if tensor.dtype == 1 else "<d"
    if len(tensor.tensor_content) == struct.calcsize(code):
        return float(struct.unpack(code, tensor.tensor_content)[0])
    return float(listed[0]) if len(listed) == 1 else None
