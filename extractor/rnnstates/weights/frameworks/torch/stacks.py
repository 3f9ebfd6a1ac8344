"""Finds PyTorch's ``nn.LSTM``, ``nn.GRU``, ``nn.RNN`` and cells by names such as ``lstm.weight_ih_l0_reverse``.

The rows of ``weight_hh`` determine the cell: four times the units for an LSTM, three for a GRU, one for an RNN; with a
projection the units are the columns of ``weight_hr``. The nonlinearity of an ``nn.RNN`` is not stored. Names that
wrap a state_dict (``state_dict``, ``model``, ``module.``) are removed by the reader or are mere prefixes.
"""

import re
from collections.abc import Mapping
from dataclasses import replace

from ....network.model import DIRECTIONS, Direction
from ....network.note import Note
from ...around.names import words_of
from ...around.start_names import is_start
from ...conventions import CONVENTIONS
from ...named import FoundStack, NamedModel, refusal
from ...readers import Container, Tensor
from ...stack import StoredCell, StoredLayer
from .parametrised import Plain, plain_weights

__all__ = ["interpret", "recognises"]

_LAYER = re.compile(r"^(.*?)(weight|bias)_(ih|hh|hr)_l(\d{1,4})(_reverse)?$")
_CELL = re.compile(r"^(.*?)(weight|bias)_(ih|hh)$")
_RECURRENT = re.compile(r"(^|[._])weight_hh(_l\d{1,4})?($|[._])")
# Quantised weights; other arrays that stand for weights are read by ``plain_weights``. A Linear stores them under the
# same name as the gates of a quantised layer.
_PACKED = re.compile(r"^(.*?)_packed_params")
_PACKED_LINEAR = re.compile(r"^(?!.*(?:_all_weight_values|[ih]gates|weight_[ih]h)).*?_packed_params\._packed_params")
_TABLE = re.compile(r"(^|\.)\w*(embed|emb|wte|lookup)\w*(\.\w+)*\.weight$", re.IGNORECASE)
_SLOT = re.compile(r"\.((max_)?exp_avg(_sq)?|momentum_buffer|square_avg|acc_delta)$")
ROLE = {
    ("weight", "ih"): "kernel",
    ("weight", "hh"): "recurrent_kernel",
    ("weight", "hr"): "projection",
    ("bias", "ih"): "bias",
    ("bias", "hh"): "recurrent_bias",
}
# Words for a module that a model may feed with the last step first.
_BACKWARD = {"backward", "bw", "bwd", "r2l", "reverse", "reversed"}
CELL_BY_BLOCKS = {4: "lstm", 3: "gru", 1: "simple_rnn"}
CLASSES = {"lstm": "LSTM", "gru": "GRU", "simple_rnn": "RNN", "": "unknown"}

Layers = dict[int, dict[Direction, dict[str, Tensor]]]


def recognises(container: Container) -> bool:
    """Return whether an array has one of PyTorch's names."""
    return any(_RECURRENT.search(name) or _packed(name) is not None for name in container.tensors)


def interpret(container: Container) -> NamedModel:
    """Find the modules and their layers.

    Returns
    -------
    NamedModel
        A stack for each module; which module feeds which is not in the file.
    """
    plain = plain_weights(_without_training(container))
    container = plain.container
    modules = _modules(container)
    used = {id(tensor) for layers in modules.values() for tensor in _tensors(layers)}
    unused = [name for name, tensor in container.tensors.items() if id(tensor) not in used]
    found = [
        _noting(_found(container, prefix, layers, unused), plain.notes.get(prefix, ()))
        for prefix, layers in modules.items()
        if prefix not in plain.problems
    ]
    tables = [container.tensors[name] for name in unused if _TABLE.search(name)]
    found += _refused(plain, modules)
    return NamedModel(f"PyTorch state_dict ({container.kind})", found, unused, tables=tables)


def _without_training(container: Container) -> Container:
    """Leave out an optimizer's arrays, stored under the names of the weights."""
    weights = {name: tensor for name, tensor in container.tensors.items() if not _SLOT.search(name)}
    return replace(container, tensors=weights) if len(weights) < len(container.tensors) else container


def _noting(found: FoundStack, notes: tuple[str, ...]) -> FoundStack:
    return replace(found, notes=(*notes, *found.notes))


def _modules(container: Container) -> dict[str, Layers]:
    modules: dict[str, Layers] = {}
    for name, tensor in container.tensors.items():
        if (part := _part(name)) is not None:
            prefix, role, number, direction = part
            modules.setdefault(prefix, {}).setdefault(number, {}).setdefault(direction, {})[role] = tensor
    return {
        prefix: layers
        for prefix, layers in modules.items()
        if any("recurrent_kernel" in roles for cells in layers.values() for roles in cells.values())
    }


def _tensors(layers: Layers) -> list[Tensor]:
    return [tensor for cells in layers.values() for roles in cells.values() for tensor in roles.values()]


def _refused(plain: Plain, modules: Mapping[str, Layers]) -> list[FoundStack]:
    """Return the modules whose weights are quantised, or computed from stored arrays in an unknown way."""
    container, packed = plain.container, dict[str, list[str]]()
    for name in container.tensors:
        if (prefix := _packed(name)) is not None and prefix not in modules:
            packed.setdefault(prefix, []).append(name)
    problems = dict(plain.problems)
    for prefix, names in packed.items():
        where = f"{container.path}: '{prefix.rstrip('.')}'"
        problems[prefix] = refusal(where, names, "which hold quantised weights; save the model from before that")
    return [
        FoundStack("reparametrised or quantised RNN", (prefix.rstrip(".") or "rnn",), problem=problem)
        for prefix, problem in problems.items()
    ]


def _packed(name: str) -> str | None:
    """Return the prefix of a quantised layer that an array belongs to."""
    match = _PACKED.match(name)
    return match[1] if match and not _PACKED_LINEAR.match(name) else None


def _part(name: str) -> tuple[str, str, int, Direction] | None:
    """Split a name: (prefix, role, number of the layer, direction)."""
    if found := _LAYER.match(name):
        role = ROLE.get((found[2], found[3]))
        return None if role is None else (found[1], role, int(found[4]), "backward" if found[5] else "forward")
    if found := _CELL.match(name):
        return found[1], ROLE[found[2], found[3]], 0, "forward"
    return None


def _found(container: Container, prefix: str, layers: Layers, unused: list[str]) -> FoundStack:
    module = prefix.rstrip(".")
    numbers = sorted(layers)
    names = tuple(module or "rnn" if len(numbers) == 1 else f"{module}.l{number}".strip(".") for number in numbers)
    where = f"{container.path}: '{module}'" if module else container.path
    problem = _problem(container, prefix, layers, unused, where)
    cell = _cell(layers)
    if problem:
        return FoundStack(CLASSES[cell], names, problem=problem)
    stored = tuple(
        StoredLayer(name, _cells(layers[number], cell, f"{container.path}: '{name}'"))
        for number, name in zip(numbers, names, strict=True)
    )
    notes: tuple[str, ...] = ()
    if cell == "simple_rnn":
        assumed = f"{where}: PyTorch does not store the nonlinearity of an RNN; tanh is assumed (activation=)."
        notes = (Note(assumed, "activation"),)
    if _BACKWARD & set(words_of(module)) and "backward" not in layers[0]:
        notes += (f"{where}: is called backward, but reads inputs in the order given; reverse them if the model does.",)
    return FoundStack(CLASSES[cell], names, stored, notes=notes)


def _problem(container: Container, prefix: str, layers: Layers, unused: list[str], where: str) -> str:
    """Say why a module cannot be computed; empty if it can."""
    # Other arrays in a module mean a subclass: normalisation, attention, quantisation.
    beside = [name for name in unused if name.startswith(prefix) and (prefix or _is_own(name)) and not is_start(name)]
    beside += [] if prefix else _norms(container, layers, unused)
    if beside:
        return refusal(where, beside, "which PyTorch's own LSTM, GRU and RNN do not have")
    if sorted(layers) != list(range(len(layers))):
        return (
            f"{where}: has layers {sorted(layers)}; expected 0 to {len(layers) - 1}. Some are missing, save it again."
        )
    shapes = {tuple(sorted(cells)) for cells in layers.values()}
    if len(shapes) != 1 or "forward" not in layers[0]:
        return f"{where}: has both directions in only some layers; some arrays are missing, save it again."
    for number, cells in layers.items():
        for roles in cells.values():
            if not {"kernel", "recurrent_kernel"} <= roles.keys() or ("bias" in roles) != ("recurrent_bias" in roles):
                return f"{where}: layer {number} has only {', '.join(sorted(roles))}; some arrays are missing."
    if not _cell(layers):
        shape = layers[0]["forward"]["recurrent_kernel"].shape
        return f"{where}: weight_hh has shape {shape}; expected (4, 3 or 1 times its columns, columns)."
    return ""


def _norms(container: Container, layers: Layers, unused: list[str]) -> list[str]:
    """Find the normalisations in the same module as the arrays of a cell at the root.

    One with a value per row of the gates can belong nowhere else. One of the width of the states may also follow an
    ``nn.LSTM``, but a cell with anything besides its own arrays is a class of the user's.
    """
    kernel = next(iter(layers[0].values())).get("recurrent_kernel") if 0 in layers else None
    if kernel is None or len(kernel.shape) != 2:
        return []
    rows, units = kernel.shape
    widths = ({rows} if rows != units else set()) | ({units} if _CELL.match(kernel.name) else set())
    modules: dict[str, list[str]] = {}
    for name in unused:
        modules.setdefault(name.rpartition(".")[0], []).append(name)
    shapes = {name: container.tensors[name].shape for name in unused}
    return [
        name
        for module, names in modules.items()
        if module and all(shapes[name] in ((), *((width,) for width in widths)) for name in names)
        for name in names
        if shapes[name]
    ]


def _is_own(name: str) -> bool:
    """Return whether an array at the root belongs to a module there; names of other modules have a prefix."""
    return "." not in name or name.startswith("parametrizations.")


def _cell(layers: Layers) -> str:
    """Detect the cell from the blocks of its rows; empty if they fit none."""
    roles = next(iter(next(iter(layers.values())).values()))
    shape = roles["recurrent_kernel"].shape if "recurrent_kernel" in roles else ()
    if "projection" in roles and len(roles["projection"].shape) == 2:
        shape = (*shape[:1], roles["projection"].shape[1])
    if len(shape) != 2 or not shape[1] or shape[0] % shape[1]:
        return ""
    return CELL_BY_BLOCKS.get(shape[0] // shape[1], "")


def _cells(found: Mapping[Direction, Mapping[str, Tensor]], cell: str, where: str) -> dict[Direction, StoredCell]:
    convention = CONVENTIONS["torch"][cell]
    determined = {"activation": "default"} if cell == "simple_rnn" else {}
    return {
        direction: StoredCell(convention, found[direction], f"{where} ({direction})", determined=determined)
        for direction in DIRECTIONS
        if direction in found
    }
