"""Finds TensorFlow 1's cells in scopes with custom names by the shapes of a kernel and a bias.

``rnn/fw/kernel`` [I + H, 4 H] and ``rnn/fw/bias`` [4 H] are read as an LSTMCell only if the user says so
(``convention="tensorflow1"``): a Dense layer may have such shapes too.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from ...readers import Tensor
from .names import KINDS, FoundCell, Kind, cell_of, scopes_of
from .places import DIRECTION_BY_PART, LAYER, STACKED

__all__ = ["cells_by_shape", "placed"]

# Names of other layers with a kernel and a bias; used only if there is nothing else.
_OTHER_LAYER = re.compile(
    r"(?:dense|fully_connected|fc|linear|logits|softmax|output|classifier|head|conv\w*|\w*projection|\w*norm\w*)(?:_?\d+)?",
    re.IGNORECASE,
)
# Cells of TensorFlow 1 that compute something different with a kernel and a bias of such shapes.
_OTHER_CELL = re.compile(
    r"(?:ugrnn|nas|nas_rnn|intersection_rnn|layer_norm_basic_lstm|phased_lstm|coupled_input_forget_gate_lstm|glstm|grid\w*|"
    r"time_freq_lstm|sru|cfn|minimal_rnn|multiplicative_lstm|mlstm|ind\w*|conv\w*)(?:_cell|Cell)?(?:_\d+)?",
    re.IGNORECASE,
)
_COUNTER = re.compile(r"global_step|beta[12]_power(?:_\d+)?")
# A simple cell's kernel differs from a Dense layer's only in its scope.
_RECURRENT_PLACE = re.compile(r"rnn|cell|recurrent|encoder|decoder", re.IGNORECASE)


def cells_by_shape(tensors: Mapping[str, Tensor], known: Iterable[FoundCell]) -> list[FoundCell]:
    """Find the scopes whose variables may belong to a cell.

    Parameters
    ----------
    tensors : mapping
        By their names.
    known : iterable of FoundCell
        Cells found by their names, which own all variables in them.

    Returns
    -------
    list of FoundCell
        In the order of the names.
    """
    inside = tuple(f"{cell.scope}/" for cell in known)
    scopes = {scope: held for scope, held in scopes_of(tensors).items() if not f"{scope}/".startswith(inside)}
    scopes |= _at_root(tensors)
    found = [cell for scope, held in sorted(scopes.items()) if (cell := _fitting(scope, held)) is not None]
    return [cell for cell in found if not _OTHER_LAYER.fullmatch(cell.last)] or found


def _at_root(tensors: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """Return the variables without any scope, except counters."""
    named = {name.removesuffix(":0"): tensor for name, tensor in tensors.items() if "/" not in name}
    held = {name: tensor for name, tensor in named.items() if not _COUNTER.fullmatch(name)}
    return {"": held} if held else {}


def placed(cells: Iterable[FoundCell]) -> list[FoundCell]:
    """Record for each cell whether it has its own scope or lies in that of a direction or layer; in order."""
    ordered = sorted(cells, key=lambda cell: cell.scope)
    scopes = {cell.scope for cell in ordered}
    return [replace(cell, bare=_is_bare(cell, scopes)) for cell in ordered]


def _is_bare(cell: FoundCell, scopes: set[str]) -> bool:
    if cell.last in DIRECTION_BY_PART:
        # Alone, fw is an ordinary name, but bw still reads backward.
        return cell.last == "bw" or f"{cell.scope[:-2]}bw" in scopes
    return bool(LAYER.fullmatch(cell.last) and STACKED.fullmatch("/".join(cell.scope.split("/")[-2:-1])))


def _fitting(scope: str, inside: Mapping[str, Tensor]) -> FoundCell | None:
    last = scope.rpartition("/")[2]
    if "recurrent_kernel" in inside or _OTHER_CELL.fullmatch(last):
        return None
    gru = cell_of(scope, KINDS["gru_cell"], inside, by_shape=True)
    if {"gates", "candidate"} <= gru.shards.keys():
        return gru
    lstm = cell_of(scope, KINDS["lstm_cell"], inside, by_shape=True)
    kind = _kind(lstm) if {"kernel", "bias"} <= lstm.shards.keys() else None
    if kind is None:
        return None
    return lstm if kind is lstm.kind else cell_of(scope, kind, inside, by_shape=True)


def _kind(cell: FoundCell) -> Kind | None:
    """Detect an LSTMCell or a BasicRNNCell from shapes; None if it is neither."""
    kernels, bias = cell.shards["kernel"], cell.shards["bias"][0]
    columns = bias.shape[0] if len(bias.shape) == 1 else 0
    if not columns or any(len(kernel.shape) != 2 or kernel.shape[1] != columns for kernel in kernels):
        return None
    rows = sum(kernel.shape[0] for kernel in kernels)
    projection = cell.shards.get("projection")
    hidden = projection[0].shape[-1] if projection and projection[0].shape else columns // 4
    if columns % 4 == 0 and rows > hidden:
        return KINDS["lstm_cell"]
    is_simple = rows > columns and cell.shards.keys() == {"kernel", "bias"} and _RECURRENT_PLACE.search(cell.scope)
    return KINDS["basic_rnn_cell"] if is_simple else None
