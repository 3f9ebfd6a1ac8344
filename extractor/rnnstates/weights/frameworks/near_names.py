"""Reads arrays named almost like a framework's (``enc_w_ih``, ``Wx``, ``lstm0_l0_h2h_weight``), with ``convention=``.

Names and shapes show which array is which, and a note says how they were read. They do not show the order of the gates,
so nothing is read without ``convention=``.
"""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from ...errors import BadWeights, OptionError
from ...network.model import DIRECTIONS, Direction
from ..around.start_names import is_start
from ..conventions import CONVENTIONS
from ..named import FoundStack, NamedModel, refusal
from ..readers import Container, Tensor
from ..stack import StoredCell, StoredLayer
from .plain import ASSUMED, CELL_BY_BLOCKS, parted_bias

__all__ = ["interpret", "recognises"]

# Spellings of each role, in lower case.
SPELLINGS: dict[str, tuple[str, ...]] = {
    "kernel": (
        "w_ih", "wih", "weight_ih", "weights_ih", "kernel_ih", "w_xh", "wxh", "weight_xh", "weights_xh", "w_x", "wx",
        "weight_x", "w_in", "w_input", "weight_input", "input_weight", "input_weights", "input_kernel", "kernel_input",
        "i2h_weight", "w_i2h", "i2h", "kernel", "w",
    ),
    "recurrent_kernel": (
        "w_hh", "whh", "weight_hh", "weights_hh", "kernel_hh", "w_h", "wh", "weight_h", "w_rec", "w_recurrent",
        "weight_recurrent", "recurrent_weight", "recurrent_weights", "recurrent_kernel", "kernel_recurrent",
        "h2h_weight", "w_h2h", "h2h", "hidden_kernel", "hidden_weights", "u", "r",
    ),
    "bias": ("b_ih", "bih", "bias_ih", "biases_ih", "b_x", "bx", "bias_x", "input_bias", "i2h_bias", "b_input",
        "b_in", "bias_input", "bias", "b"),
    "recurrent_bias": (
        "b_hh", "bhh", "bias_hh", "biases_hh", "b_h", "bh", "bias_h", "h2h_bias", "recurrent_bias", "hidden_bias",
        "b_recurrent", "b_rec", "bias_recurrent", "rb",
    ),
}  # fmt: skip
_ROLES = {spelling: role for role, spellings in SPELLINGS.items() for spelling in spellings}
_LEAVES = "|".join(sorted(_ROLES, key=len, reverse=True))
_NAME = re.compile(
    rf"(?:(?P<module>.*?)[._/])??(?P<leaf>{_LEAVES})(?:[._]?l(?P<layer>\d{{1,3}}))?(?P<back>_(?:reverse|backward|bw))?(?::0)?",
    re.IGNORECASE,
)
# MXNet's Gluon: lstm0_l0_i2h_weight, with r0 for the backward direction.
_GLUON = re.compile(r"(?P<module>.*?)_?(?P<side>[lr])(?P<layer>\d{1,3})_(?P<leaf>[ih]2h_(?:weight|bias))")
# Arrays before or after the layers, which need not be known.
_HEAD = re.compile(
    r"(?i)(^|[._/])(w|weights?|b|bias)?_?(hy|out\w*|fc\d*|dense\w*|head\w*|lin\w*|y|\w*emb\w*)([._/]\w+)?$"
)
# How np.savez names arrays that are given without names.
_NUMBERED = re.compile(r"arr_\d+")

Roles = dict[str, Tensor]
Layers = dict[int, dict[Direction, Roles]]


class _Part(NamedTuple):
    module: str
    layer: int
    direction: Direction
    role: str


def recognises(container: Container) -> bool:
    """Return whether arrays have such names and matching shapes, or no names at all."""
    return bool(_modules(container)) or _without_names(container)


def interpret(container: Container, convention: str | None) -> NamedModel:
    """Make each module a stack of layers.

    Raises
    ------
    BadWeights
        No convention was given, or the arrays have no names.
    OptionError
        The convention is unknown.
    """
    modules = _modules(container)
    if not modules:
        raise BadWeights(
            f"{container.path}: its arrays are called {', '.join(list(container.tensors)[:3])}, as np.savez does for "
            "arrays without names; save them by name, np.savez(FILE, kernel=..., recurrent_kernel=..., bias=...), and "
            "pass convention=NAME."
        )
    if convention is None:
        understood = "; ".join(_understood(layers) for layers in modules.values())
        fitting = dict.fromkeys(name for layers in modules.values() for name in _fitting(layers))
        raise BadWeights(
            f"{container.path}: holds {understood[:600]}, by their names and shapes, but not the order of the gates; "
            f"pass convention=NAME, one of {', '.join(fitting or CONVENTIONS)}."
        )
    if convention not in CONVENTIONS:
        raise OptionError(f"convention={convention!r}: unknown; known are {', '.join(CONVENTIONS)}.")
    used = {id(tensor) for layers in modules.values() for roles in _cells(layers) for tensor in roles.values()}
    unused = [name for name, tensor in container.tensors.items() if id(tensor) not in used]
    found = [_found(container, module, layers, convention, unused) for module, layers in modules.items()]
    return NamedModel(f"arrays with similar names ({container.kind})", found, unused)


def _without_names(container: Container) -> bool:
    return container.kind == "npz" and all(_NUMBERED.fullmatch(name) for name in container.tensors)


def _part(name: str) -> _Part | None:
    if found := _GLUON.fullmatch(name):
        way: Direction = "backward" if found["side"] == "r" else "forward"
        return _Part(found["module"], int(found["layer"]), way, _ROLES[found["leaf"]])
    if found := _NAME.fullmatch(name):
        way = "backward" if found["back"] else "forward"
        return _Part(found["module"] or "", int(found["layer"] or 0), way, _ROLES[found["leaf"].lower()])
    return None


def _modules(container: Container) -> dict[str, Layers]:
    """Group the arrays by module, keeping those in which the kernels of every layer fit each other."""
    modules: dict[str, Layers] = {}
    for name, tensor in container.tensors.items():
        if (part := _part(name)) is not None:
            roles = modules.setdefault(part.module, {}).setdefault(part.layer, {}).setdefault(part.direction, {})
            if part.role in roles:
                # Two spellings of one array: which is meant is unknown.
                modules[part.module].setdefault(-1, {})
            roles[part.role] = tensor
    return {module: layers for module, layers in modules.items() if all(_orientations(cell) for cell in _cells(layers))
            and -1 not in layers and _cells(layers)}  # fmt: skip


def _cells(layers: Layers) -> list[Roles]:
    return [roles for directions in layers.values() for roles in directions.values()]


def _orientations(roles: Mapping[str, Tensor]) -> dict[bool, str]:
    """Return the cell by whether its blocks are rows; both if the kernels are square."""
    kernel, recurrent = (roles[role].shape if role in roles else () for role in ("kernel", "recurrent_kernel"))
    if len(kernel) != 2 or len(recurrent) != 2:
        return {}
    found = {}
    for transposed, (units, blocks, same) in {
        False: (recurrent[0], recurrent[1], kernel[1]),
        True: (recurrent[1], recurrent[0], kernel[0]),
    }.items():
        if units and blocks == same and not blocks % units and blocks // units in CELL_BY_BLOCKS:
            found[transposed] = CELL_BY_BLOCKS[blocks // units]
    return found


def _fitting(layers: Layers) -> Iterator[str]:
    """Name the conventions that match the orientation of the first layer's matrices."""
    cells = _orientations(_cells(layers)[0])
    for framework, rows in CONVENTIONS.items():
        if any(cell in rows and rows[cell].transposed == transposed for transposed, cell in cells.items()):
            yield framework


def _understood(layers: Layers) -> str:
    return ", ".join(f"'{tensor.name}' as {role}" for roles in _cells(layers) for role, tensor in roles.items())


def _found(container: Container, module: str, layers: Layers, framework: str, unused: list[str]) -> FoundStack:
    called = module or "layer"
    where = f"{container.path}: '{called}'"
    numbers = sorted(layers)
    names = tuple(called if len(layers) == 1 else f"{called}.l{number}" for number in numbers)
    try:
        _check(layers, framework, [name for name in unused if _is_beside(name, module)], where)
        stored = tuple(
            StoredLayer(name, {
                way: _stored(layers[number][way], framework, f"{container.path}: '{name}' ({way})")
                for way in DIRECTIONS if way in layers[number]
            })
            for number, name in zip(numbers, names, strict=True)
        )  # fmt: skip
    except BadWeights as reason:
        return FoundStack("?", names, problem=str(reason))
    read = f"{_understood(layers)[:600]}, by the convention '{framework}', as given"
    notes = [f"{where}: {read}; tanh and sigmoid are assumed."]
    first = _cells(layers)[0]
    cell = stored[0].cells["forward"].convention.cell
    if cell == "gru" and framework in ("keras", "onnx") and not (framework == "keras" and "bias" in first):
        place = "after" if CONVENTIONS[framework][cell].reset_after else "before"
        notes.append(f"{where}: its arrays do not say where the GRU resets; {place} the product is assumed.")
    return FoundStack(cell, names, stored, notes=tuple(notes))


def _is_beside(name: str, module: str) -> bool:
    """Return whether an array lies among a module's own, and is not named like a head or table."""
    inside = re.match(rf"{re.escape(module)}[._/]", name) if module else not re.search(r"[./]", name)
    return bool(inside) and not _HEAD.search(name) and not is_start(name)


def _check(layers: Layers, framework: str, beside: list[str], where: str) -> None:
    if beside:
        raise BadWeights(refusal(where, beside, "which this layer does not have"))
    if sorted(layers) != list(range(len(layers))) or len({tuple(sorted(cells)) for cells in layers.values()}) != 1:
        raise BadWeights(
            f"{where}: holds the layers {sorted(layers)[:10]}, or both directions of only some; some are missing."
        )
    if "forward" not in layers[0]:
        raise BadWeights(f"{where}: holds only the backward direction; save the forward one with it.")
    for roles in _cells(layers):
        _check_cell(roles, framework, where)


def _check_cell(roles: Mapping[str, Tensor], framework: str, where: str) -> None:
    cells = _orientations(roles)
    fitting = [cell for transposed, cell in cells.items()
               if cell in CONVENTIONS[framework] and CONVENTIONS[framework][cell].transposed == transposed]  # fmt: skip
    kernel, recurrent = roles["kernel"], roles["recurrent_kernel"]
    if not fitting:
        lie = "rows" if True in cells else "columns"
        raise BadWeights(
            f"{where}: '{kernel.name}' has shape {kernel.shape} and '{recurrent.name}' {recurrent.shape}, gates in "
            f"{lie}, which is not a cell of '{framework}'; name a convention that stores them so, or transpose both."
        )
    convention = CONVENTIONS[framework][fitting[0]]
    if fitting[0] == "gru" and convention.reset_after and len(_biases(roles)) == 1 and framework != "keras":
        raise BadWeights(
            f"{where}: has one bias, '{_biases(roles)[0].name}', but a GRU of '{framework}' adds one after each of "
            "two products; save both, as bias and recurrent_bias."
        )


def _biases(roles: Mapping[str, Tensor]) -> list[Tensor]:
    return [roles[role] for role in ("bias", "recurrent_bias") if role in roles]


def _stored(roles: Roles, framework: str, where: str) -> StoredCell:
    transposed = next(iter(CONVENTIONS[framework].values())).transposed
    cell = _orientations(roles)[transposed]
    if "bias" not in roles and "recurrent_bias" in roles:
        # A single bias is often named after the state: bh.
        roles = {**roles, "bias": roles["recurrent_bias"]}
        del roles["recurrent_bias"]
    parted = parted_bias(roles, cell)
    reset = (
        {"reset_after": "recurrent_bias" in parted}
        if cell == "gru" and framework == "keras" and "bias" in parted
        else {}
    )
    return StoredCell(CONVENTIONS[framework][cell], parted, where, reset, determined=ASSUMED)
