"""Finds TensorFlow 1's cells, versions 0.5 to 1.15, by the names of their variables.

``encoder/bidirectional_rnn/fw/multi_rnn_cell/cell_0/lstm_cell/kernel``: the scopes of the program, those of
``bidirectional_dynamic_rnn`` and ``MultiRNNCell``, the cell's, and the variable. Anything after a variable's name, such
as ``kernel/Adam``, belongs to an optimizer.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from ....errors import BadWeights
from ...readers import Tensor
from ...readers.base import computed, joined, reshaped, sliced
from .places import STACKED, Place, place_of

__all__ = [
    "KINDS", "TABLE", "FoundCell", "Kind", "cell_of", "find_cells", "opaque_arrays", "roles_of", "scopes_of",
    "unknown_cells",
]  # fmt: skip


@dataclass(frozen=True)
class Kind:
    """A class of cells: its name, and its cell and framework in ``CONVENTIONS``."""

    class_name: str
    cell: str
    framework: str = "tensorflow1"


_LSTM, _GRU = "lstm", "gru"
# By the name of the cell's scope, which may have a number after it.
KINDS = {
    "basic_lstm_cell": Kind("BasicLSTMCell", _LSTM),
    "BasicLSTMCell": Kind("BasicLSTMCell", _LSTM),
    "lstm_cell": Kind("LSTMCell", _LSTM),
    "LSTMCell": Kind("LSTMCell", _LSTM),
    "lstm_fused_cell": Kind("LSTMBlockFusedCell", _LSTM),
    "lstm_block_wrapper": Kind("LSTMBlockFusedCell", _LSTM),
    "cudnn_compatible_lstm_cell": Kind("CudnnLSTM", _LSTM, "cudnn"),
    "gru_cell": Kind("GRUCell", _GRU),
    "GRUCell": Kind("GRUCell", _GRU),
    "cudnn_compatible_gru_cell": Kind("CudnnGRU", _GRU, "cudnn"),
    "basic_rnn_cell": Kind("BasicRNNCell", "simple_rnn"),
    "BasicRNNCell": Kind("BasicRNNCell", "simple_rnn"),
}
_MATRIX, _VECTOR = "kernel|weights|Linear/Matrix", "bias|biases|Linear/Bias"
# A matrix may be stored in shards of its rows: W_0, W_1, ….
_SHARDED = r"(?:(?:/part)?_(?P<shard>\d{1,5}))?"
_LSTM_LEAVES = {
    "kernel": f"(?:{_MATRIX}|W){_SHARDED}",
    "bias": f"{_VECTOR}|B",
    "input_peephole": "w_i_diag|W_I_diag|wci",
    "forget_peephole": "w_f_diag|W_F_diag|wcf",
    "output_peephole": "w_o_diag|W_O_diag|wco",
    "projection": f"(?:projection/(?:kernel|weights)|W_P){_SHARDED}",
}
_GRU_LEAVES = {
    "gates": f"(?:[gG]ates/(?:{_MATRIX})|w_ru){_SHARDED}",
    "gates_bias": f"[gG]ates/(?:{_VECTOR})|b_ru",
    "candidate": f"(?:[cC]andidate/(?:{_MATRIX})|w_c){_SHARDED}",
    "candidate_bias": f"[cC]andidate/(?:{_VECTOR})|b_c",
}
_CUDNN_GRU_LEAVES = {
    "gates": "gates/kernel",
    "gates_bias": "gates/bias",
    "candidate_input": "candidate/input_projection/kernel",
    "candidate_hidden": "candidate/hidden_projection/kernel",
    "candidate_bias": "candidate/input_projection/bias",
    "candidate_hidden_bias": "candidate/hidden_projection/bias",
}
# Earlier versions of CudnnLSTM also stored the two parts of its bias.
_PARTS_OF_BIAS = {"part_of_bias": r"bias_cudnn_[01]"}
_LEAVES: dict[tuple[str, str], dict[str, str]] = {
    ("tensorflow1", _LSTM): _LSTM_LEAVES,
    ("cudnn", _LSTM): _LSTM_LEAVES | _PARTS_OF_BIAS,
    ("tensorflow1", _GRU): _GRU_LEAVES,
    ("cudnn", _GRU): _CUDNN_GRU_LEAVES,
    ("tensorflow1", "simple_rnn"): {"kernel": f"(?:{_MATRIX}){_SHARDED}", "bias": _VECTOR},
}
_PATTERNS = {key: {role: re.compile(leaf) for role, leaf in leaves.items()} for key, leaves in _LEAVES.items()}
# Longer names are not TensorFlow's, and would cost as many scopes as they have parts.
LONGEST_NAME = 2000
_NUMBERED = re.compile(r"_\d{1,5}$")
# Variables that identify a cell even if the program named its scope itself.
_DISTINCTIVE = {"w_f_diag": KINDS["lstm_cell"], "gates/kernel": KINDS["gru_cell"], "gates/weights": KINDS["gru_cell"]}
# Scopes named like a cell; there are many more than are read.
_ANY_CELL = re.compile(r"\w*(?:lstm|gru|rnn|sru)\w*_cell|\w*(?:LSTM|GRU|RNN)\w*Cell|nas_rnn")
# CudnnRNN's parameters, if they were saved as they are.
_OPAQUE = re.compile(r"(?:.*/)?opaque_(?:kernel|params?)|(?:.*/)?cudnn_(?:lstm|gru|rnn)\w*/params")
# Names of embedding tables.
TABLE = re.compile(r"(?:^|/)\w*(?:embed|emb|lookup)\w*(?::0)?$", re.IGNORECASE)


@dataclass(frozen=True)
class FoundCell:
    """The variables of one scope.

    Parameters
    ----------
    scope : str
    kind : Kind
    shards : mapping
        The arrays of each role, in the order of their shards.
    foreign : tuple of str
        Names of variables that it should not have.
    by_shape : bool
        Whether the scope has a custom name, so that only shapes show the kind.
    bare : bool
        Whether the cell has no scope of its own, but lies in that of a direction or layer.
    """

    scope: str
    kind: Kind
    shards: Mapping[str, list[Tensor]]
    foreign: tuple[str, ...] = ()
    by_shape: bool = False
    bare: bool = False

    @property
    def place(self) -> Place:
        """Its position in a stack."""
        return place_of(f"{self.scope}/cell" if self.bare else self.scope)

    @property
    def last(self) -> str:
        """The last part of its scope."""
        return self.scope.rpartition("/")[2]


def find_cells(tensors: Mapping[str, Tensor]) -> list[FoundCell]:
    """Find the scopes that hold a cell's variables.

    Parameters
    ----------
    tensors : mapping
        By their names, possibly ending in ``:0``.

    Returns
    -------
    list of FoundCell
        In the order of the names; a cell needs at least its kernel.
    """
    cells = []
    for scope, inside in sorted(scopes_of(tensors).items()):
        kind = KINDS.get(_NUMBERED.sub("", scope.split("/")[-1])) or _kind_by_variables(scope, inside)
        # Keras has cells with these names too, which have one more variable.
        if kind is not None and "recurrent_kernel" not in inside:
            found = cell_of(scope, kind, inside)
            cells += [found] if {"kernel", "gates"} & found.shards.keys() else []
    return cells


def scopes_of(tensors: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """Return the variables of each scope, including inner scopes, by the rest of their names."""
    by_scope: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        parts = name.removesuffix(":0").split("/") if len(name) <= LONGEST_NAME else []
        for depth in range(1, len(parts)):
            by_scope.setdefault("/".join(parts[:depth]), {})["/".join(parts[depth:])] = tensor
    return by_scope


def unknown_cells(tensors: Iterable[str], cells: Iterable[FoundCell]) -> dict[str, list[str]]:
    """Return the scopes named like a cell of an unknown kind, with their variables."""
    known = tuple(f"{cell.scope}/" for cell in cells)
    scopes: dict[str, list[str]] = {}
    for name in tensors:
        parts = [] if name.startswith(known) else name.split("/")[:-1]
        depth = next((depth for depth, part in enumerate(parts) if _is_unknown_cell(part)), None)
        if depth is not None:
            scopes.setdefault("/".join(parts[: depth + 1]), []).append(name)
    return scopes


def opaque_arrays(tensors: Iterable[str]) -> list[str]:
    """Return the names of arrays that hold all weights of a cuDNN layer at once, without an optimizer's copies."""
    return [name for name in tensors if _OPAQUE.fullmatch(name.removesuffix(":0"))]


def _is_unknown_cell(part: str) -> bool:
    stem = _NUMBERED.sub("", part)
    return _ANY_CELL.fullmatch(stem) is not None and not STACKED.fullmatch(part) and stem not in KINDS


def _kind_by_variables(scope: str, inside: Iterable[str]) -> Kind | None:
    """Detect a cell from variables that no other layer has."""
    if _is_unknown_cell(scope.split("/")[-1]):
        return None
    return next((kind for leaf, kind in _DISTINCTIVE.items() if leaf in inside), None)


def cell_of(scope: str, kind: Kind, inside: Mapping[str, Tensor], *, by_shape: bool = False) -> FoundCell:
    """Assign roles to the variables of a cell's scope."""
    found: dict[str, dict[int, Tensor]] = {}
    foreign = []
    for leaf, tensor in inside.items():
        for role, pattern in _PATTERNS[kind.framework, kind.cell].items():
            if match := pattern.fullmatch(leaf):
                found.setdefault(role, {})[int(match.groupdict().get("shard") or 0)] = tensor
                break
        else:
            if not _belongs_to_another(leaf, kind):
                foreign.append(tensor.name)
    for parts in found.values():
        if sorted(parts) != list(range(len(parts))):
            foreign += [tensor.name for tensor in parts.values()]
    shards = {role: [parts[number] for number in sorted(parts)] for role, parts in found.items()}
    return FoundCell(scope, kind, shards, tuple(foreign), by_shape)


def _belongs_to_another(leaf: str, kind: Kind) -> bool:
    """Return whether it is an optimizer's or average's copy, whose name follows the variable's."""
    whole = leaf.rpartition("/")[0]
    return any(pattern.fullmatch(whole) for pattern in _PATTERNS[kind.framework, kind.cell].values())


def roles_of(cell: FoundCell, where: str, state_first: Collection[str] = ()) -> dict[str, Tensor]:
    """Turn a cell's variables into arrays for ``rnnstates.weights.convert``, keeping the order of the blocks.

    Parameters
    ----------
    cell : FoundCell
    where : str
    state_first : collection of str
        Roles of the matrices whose first rows belong to the hidden state instead of the inputs.

    Raises
    ------
    BadWeights
        One is missing, or they do not fit each other.
    """
    return {"lstm": _lstm, "gru": _gru, "simple_rnn": _simple_rnn}[cell.kind.cell](cell, where, state_first)


def _whole(cell: FoundCell, role: str, where: str) -> Tensor:
    """Join the shards of a matrix, or return a vector."""
    if role not in cell.shards:
        raise BadWeights(f"{where}: has no {role.replace('_', ' ')}; the checkpoint is incomplete, save it again.")
    shards = cell.shards[role]
    return shards[0] if len(shards) == 1 else joined(shards, 0, where)


def _parted(matrix: Tensor, hidden: int, where: str, *, state_first: bool) -> tuple[Tensor, Tensor]:
    """Split a kernel into the rows of the inputs and those of the hidden state, which usually come last."""
    if len(matrix.shape) != 2 or not 0 < hidden < matrix.shape[0]:
        raise BadWeights(
            f"{where}: '{matrix.name}' has shape {matrix.shape}; expected rows for inputs and {hidden} units."
        )
    if state_first:
        return sliced(matrix, hidden, matrix.shape[0]), sliced(matrix, 0, hidden)
    inputs = matrix.shape[0] - hidden
    return sliced(matrix, 0, inputs), sliced(matrix, inputs, matrix.shape[0])


def _lstm(cell: FoundCell, where: str, state_first: Collection[str]) -> dict[str, Tensor]:
    kernel = _whole(cell, "kernel", where)
    hidden = units = kernel.shape[-1] // 4 if kernel.shape else 0
    roles = {"bias": _whole(cell, "bias", where)}
    if "projection" in cell.shards:
        roles["projection"] = _whole(cell, "projection", where)
        hidden = roles["projection"].shape[-1] if roles["projection"].shape else 0
    if any(role.endswith("peephole") for role in cell.shards):
        three = [_whole(cell, f"{gate}_peephole", where) for gate in ("input", "forget", "output")]
        roles["peepholes"] = joined([reshaped(vector, (1, units)) for vector in three], 0, where)
    roles["kernel"], roles["recurrent_kernel"] = _parted(kernel, hidden, where, state_first="kernel" in state_first)
    return roles


def _gru(cell: FoundCell, where: str, state_first: Collection[str]) -> dict[str, Tensor]:
    gates, bias = _whole(cell, "gates", where), _whole(cell, "gates_bias", where)
    units = gates.shape[-1] // 2 if gates.shape else 0
    parts = _parted(gates, units, where, state_first="gates" in state_first)
    if cell.kind.framework == "tensorflow1":
        candidate = _whole(cell, "candidate", where)
        width = candidate.shape[-1] if candidate.shape else 0
        others = _parted(candidate, width, where, state_first="candidate" in state_first)
        extra = {}
    else:
        others = _whole(cell, "candidate_input", where), _whole(cell, "candidate_hidden", where)
        # CudnnGRU stores the sum of the two biases of the gates, but both biases of the candidate.
        hidden = _whole(cell, "candidate_hidden_bias", where)
        extra = {"recurrent_bias": joined([computed(bias, np.zeros_like), hidden], 0, where)}
    kernel, recurrent = (joined(pair, 1, where) for pair in zip(parts, others, strict=True))
    whole = joined([bias, _whole(cell, "candidate_bias", where)], 0, where)
    return {"kernel": kernel, "recurrent_kernel": recurrent, "bias": whole, **extra}


def _simple_rnn(cell: FoundCell, where: str, state_first: Collection[str]) -> dict[str, Tensor]:
    kernel = _whole(cell, "kernel", where)
    units = kernel.shape[-1] if kernel.shape else 0
    inputs, recurrent = _parted(kernel, units, where, state_first="kernel" in state_first)
    return {"kernel": inputs, "recurrent_kernel": recurrent, "bias": _whole(cell, "bias", where)}
