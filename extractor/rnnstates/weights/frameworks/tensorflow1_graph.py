"""How TensorFlow 1's graph beside a checkpoint runs a cell: activation, forget bias, clips. It is read, never run."""

import struct
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from ...errors import BadWeights
from .tensorflow1_names import FoundCell

__all__ = ["Graph"]

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


class Graph:
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
        said = _activation(candidates, where)
        said |= self._only("forget_bias", self._after(splits, *_ADD, output=2), needed=True)
        states = self._after(self._after(candidates, "Mul"), *_ADD)
        if not states or not said:
            return said
        clips = self._after(states, "Minimum")
        said |= self._only("cell_clip", clips)
        if "projection" in cell.shards and len(cell.shards["projection"]) == 1:
            products = [node for node in self._reading(cell.shards["projection"][0].name) if node.op == "MatMul"]
            said |= self._only("projection_clip", self._after(products, "Minimum")) if products else {}
        return said

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
