"""Reads the settings of TensorFlow operations that compute a whole cell from their attributes."""

from collections.abc import Mapping
from typing import Any

from ....errors import BadWeights
from .flat import Operation
from .graph import WITHOUT_GRAPH, Graph
from .names import FoundCell
from .terms import Matrix

__all__ = ["of_block"]

_LSTM_GATES = ("input_gate", "candidate", "forget_gate", "output_gate")
_KINDS = {
    "lstm": ("BlockLSTM", "BlockLSTMV2", "LSTMBlockCell"),
    "gru": ("GRUBlockCell",),
}


def of_block(
    graph: Graph, variables: Mapping[str, Matrix], cell: FoundCell, where: str
) -> tuple[dict[str, Any], tuple[str, ...]] | None:
    """Return the settings of the operation that is the cell, and the order of its gates; None if there is none.

    Raises
    ------
    BadWeights
        It does not use the peepholes that are in the file.
    """
    for operation in graph.operations(*_KINDS.get(cell.kind.cell, ())):
        read = {variables[name].role for name in map(graph.resolve, operation.inputs) if name in variables}
        if not read & {"kernel", "gates"}:
            continue
        if cell.kind.cell == "gru":
            return {"activation": "tanh"}, ()
        if "input_peephole" in cell.shards and not operation.attr["use_peephole"].b:
            raise BadWeights(
                f"{where}: its graph runs it without peepholes ({operation.op}), but the file has some; they cannot be "
                f"left out. Save it without them. To run it with them, {WITHOUT_GRAPH}."
            )
        return _lstm(operation)
    return None


def _lstm(operation: Operation) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Read attributes; missing ones have the operation's defaults."""
    is_second = operation.op == "BlockLSTMV2"
    clip = operation.attr["cell_clip"].f if "cell_clip" in operation.attr else 0.0 if is_second else 3.0
    forget_bias = operation.attr["forget_bias"].f if "forget_bias" in operation.attr else 1.0
    settings = {
        "activation": "tanh",
        "forget_bias": 0.0 if is_second else forget_bias,
        "cell_clip": clip if clip > 0 else None,
    }
    return settings, _V2_GATES if is_second else _LSTM_GATES


_V2_GATES = ("input_gate", "forget_gate", "candidate", "output_gate")
