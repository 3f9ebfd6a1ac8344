"""Finds Haiku's cores by names such as ``lstm/linear/w``, ``gru/w_i`` and ``vanilla_rnn/linear_1/b``.

An LSTM is one Linear of inputs and hidden state side by side, ``w`` [I + H, 4 * H]. Programs that store the arrays may
separate module and parameter differently, as in ``lstm/linear|w``. All activations are fixed.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

from ..conventions import CONVENTIONS
from ..named import FoundStack, NamedModel, refusal
from ..readers import Container, Tensor
from ..readers.base import sliced
from ..stack import StoredCell, StoredLayer
from .jax_names import TreePath, of_optimiser, path_of, strangers

__all__ = ["interpret", "recognises"]

CONVOLUTIONAL = "convolutional"
CLASSES = {"lstm": "LSTM", "gru": "GRU", "simple_rnn": "VanillaRNN", CONVOLUTIONAL: "ConvLSTM"}
# The arrays of each cell, by their path below it; a VanillaRNN may have just one bias.
ARRAYS = {
    "lstm": {"linear/w", "linear/b"},
    "gru": {"w_i", "w_h", "b"},
    "simple_rnn": {"linear/w", "linear/b", "linear_1/w", "linear_1/b"},
    CONVOLUTIONAL: {f"{linear}/{part}" for linear in ("input_to_hidden", "hidden_to_hidden") for part in "wb"},
}
# Modules are named after their classes, unless they are given a name.
_CALLED = {"lstm": re.compile(r"lstm(_\d+)?"), "simple_rnn": re.compile(r"vanilla_rnn(_\d+)?")}
_SIMILAR = {"lstm": "lstm", "simple_rnn": "vanilla_rnn"}
_LEAVES = {leaf for arrays in ARRAYS.values() for leaf in arrays}


class _Core(NamedTuple):
    cell: str
    arrays: Mapping[str, Tensor]
    strangers: list[str]


def recognises(container: Container) -> bool:
    """Return whether a module has the arrays of one of Haiku's cores, and a matching name."""
    return bool(_cores(container))


def interpret(container: Container) -> NamedModel:
    """Find the cores.

    Returns
    -------
    NamedModel
        A stack for each core; which feeds which is not in the file.
    """
    cores = _cores(container)
    used = {tensor.name for core in cores.values() for tensor in core.arrays.values()}
    unused = [name for name in container.tensors if name not in used]
    found = [_found(container, path, core) for path, core in cores.items()]
    tables = [
        container.tensors[name]
        for name in unused
        if path_of(name)[-1] == "embeddings" and not of_optimiser(path_of(name))
    ]
    return NamedModel(f"Haiku parameters ({container.kind})", found, unused, tables=tables)


def _cores(container: Container) -> dict[TreePath, _Core]:
    modules: dict[TreePath, dict[str, Tensor]] = {}
    for name, tensor in container.tensors.items():
        path = path_of(name)
        for depth in (1, 2):
            if len(path) > depth and "/".join(path[-depth:]) in _LEAVES and not of_optimiser(path):
                modules.setdefault(path[:-depth], {})["/".join(path[-depth:])] = tensor
    foreign = strangers(container, {path: arrays.values() for path, arrays in modules.items()})
    cores = {
        path: _Core(_cell(path[-1], arrays, foreign[path]), arrays, foreign[path]) for path, arrays in modules.items()
    }
    return {path: core for path, core in cores.items() if core.cell}


def _cell(name: str, arrays: Mapping[str, Tensor], strangers: list[str]) -> str:
    """Detect a core from its arrays and its name, because heads are called ``linear`` too; empty if it is not one."""
    for cell, wanted in ARRAYS.items():
        optional = {"linear_1/b"} if cell == "simple_rnn" else set()
        if not wanted - optional <= set(arrays) <= wanted:
            continue
        if cell not in _CALLED or _CALLED[cell].fullmatch(name):
            return cell
        if _SIMILAR[cell] in name.lower() and not strangers:
            return cell if cell != "lstm" or _units(arrays["linear/w"].shape) else ""
    return ""


def _found(container: Container, path: TreePath, core: _Core) -> FoundStack:
    name = "/".join(path)
    where = f"{container.path}: '{name}'"
    if problem := _problem(core, where):
        return FoundStack(CLASSES[core.cell], (name,), problem=problem)
    convention = CONVENTIONS["haiku"][core.cell]
    settings = {"activation": "relu"} if core.cell == "simple_rnn" else {}
    stored = StoredCell(convention, _roles(core), where, settings=settings)
    layer = StoredLayer(name, {"forward": stored})
    return FoundStack(CLASSES[core.cell], (name,), (layer,), notes=tuple(_assumed(core.cell, path[-1], where)))


def _assumed(cell: str, called: str, where: str) -> list[str]:
    notes = [f"{where}: Haiku does not store which core feeds which; it is read forward, as a stack of its own."]
    if cell in _CALLED and not _CALLED[cell].fullmatch(called):
        notes.append(f"{where}: is taken for a Haiku {CLASSES[cell]} because of its name and the shapes of its arrays.")
    return notes


def _problem(core: _Core, where: str) -> str:
    """Say why a core cannot be computed; empty if it can."""
    if core.cell == CONVOLUTIONAL:
        return refusal(where, [tensor.name for tensor in core.arrays.values()], "which are those of a ConvLSTM")
    if core.strangers:
        return refusal(where, core.strangers, f"which a Haiku {CLASSES[core.cell]} does not have")
    odd = [f"'{key}' {array.shape}" for key, array in core.arrays.items() if len(array.shape) != 1 + _matrix(key)]
    if odd:
        return f"{where}: has {', '.join(odd)}; expected the matrices and vectors of one core, not several stacked."
    if core.cell == "lstm" and not _units(core.arrays["linear/w"].shape):
        return f"{where}: 'linear/w' has shape {core.arrays['linear/w'].shape}; expected (features + units, 4 * units)."
    return ""


def _matrix(key: str) -> bool:
    return not key.endswith("b")


def _units(shape: tuple[int, ...]) -> int:
    """Return the units of an LSTM from its one matrix; 0 if it is not one."""
    if len(shape) != 2 or shape[1] % 4 or shape[0] <= shape[1] // 4:
        return 0
    return shape[1] // 4


def _roles(core: _Core) -> dict[str, Tensor]:
    arrays = core.arrays
    if core.cell == "gru":
        return {"kernel": arrays["w_i"], "recurrent_kernel": arrays["w_h"], "bias": arrays["b"]}
    if core.cell == "lstm":
        both, units = arrays["linear/w"], _units(arrays["linear/w"].shape)
        features = both.shape[0] - units
        inputs, hidden = sliced(both, 0, features), sliced(both, features, features + units)
        return {"kernel": inputs, "recurrent_kernel": hidden, "bias": arrays["linear/b"]}
    roles = {"kernel": "linear/w", "bias": "linear/b", "recurrent_kernel": "linear_1/w", "recurrent_bias": "linear_1/b"}
    return {role: arrays[key] for role, key in roles.items() if key in arrays}
