"""Reads arrays called ``kernel``, ``recurrent_kernel`` and ``bias`` from any program, with ``convention=``.

The names may have a layer's name before them: ``encoder/kernel``. Shapes determine the cell: four blocks of columns for
an LSTM, three for a GRU, one for a simple RNN. The convention determines the order and orientation of the blocks.
"""

import re
from collections.abc import Mapping

from ...errors import BadWeights, OptionError
from ..around.start_names import is_start
from ..conventions import CONVENTIONS
from ..named import FoundStack, NamedModel, refusal
from ..readers import Container, Tensor
from ..stack import StoredCell, StoredLayer

__all__ = ["ASSUMED", "CELL_BY_BLOCKS", "interpret", "parted_bias", "recognises"]

_NAME = re.compile(r"^(.*?)[/.]?\b(kernel|recurrent_kernel|bias|recurrent_bias|peepholes|projection)(?::0)?$")
CELL_BY_BLOCKS = {4: "lstm", 3: "gru", 1: "simple_rnn"}


def recognises(container: Container) -> bool:
    """Return whether a kernel and a recurrent kernel are found together."""
    return any("recurrent_kernel" in roles for roles in _groups(container).values())


def interpret(container: Container, convention: str | None) -> NamedModel:
    """Make each group of arrays one layer.

    Raises
    ------
    BadWeights
        No convention was given.
    OptionError
        The convention is unknown.
    """
    if convention is None:
        raise BadWeights(
            f"{container.path}: holds plain kernel, recurrent_kernel and bias, but not the order of the gates; pass "
            f"convention=NAME, one of {', '.join(CONVENTIONS)}."
        )
    if convention not in CONVENTIONS:
        raise OptionError(f"convention={convention!r}: unknown; known are {', '.join(CONVENTIONS)}.")
    groups = {name: roles for name, roles in _groups(container).items() if "recurrent_kernel" in roles}
    found = [_found(container, name, roles, convention) for name, roles in groups.items()]
    used = {tensor.name for roles in groups.values() for tensor in roles.values()}
    return NamedModel(
        f"plain arrays ({container.kind})", found, [name for name in container.tensors if name not in used]
    )


def _groups(container: Container) -> dict[str, dict[str, Tensor]]:
    groups: dict[str, dict[str, Tensor]] = {}
    for name, tensor in container.tensors.items():
        if found := _NAME.match(name):
            groups.setdefault(found[1], {})[found[2]] = tensor
    return groups


def _found(container: Container, name: str, roles: Mapping[str, Tensor], framework: str) -> FoundStack:
    called = name or "layer"
    where = f"{container.path}: layer '{called}'"
    shape = roles["recurrent_kernel"].shape
    transposed = next(iter(CONVENTIONS[framework].values())).transposed
    rows, columns = (shape[::-1] if transposed else shape) if len(shape) == 2 else (0, 0)
    if "projection" in roles and len(roles["projection"].shape) == 2:
        rows = roles["projection"].shape[1 if transposed else 0]
    cell = CELL_BY_BLOCKS.get(columns // rows if rows and columns % rows == 0 else 0, "")
    if framework == "unirep" or cell not in CONVENTIONS[framework] or "kernel" not in roles:
        problem = f"{where}: recurrent kernel has shape {shape}, which fits no cell of the convention '{framework}'."
        return FoundStack("?", (called,), problem=problem)
    beside = [other for other in container.tensors if _is_beside(other, name) and not is_start(other)]
    if foreign := set(beside) - {tensor.name for tensor in roles.values()}:
        return FoundStack(cell, (called,), problem=refusal(where, foreign, f"which this {cell} does not have"))
    parted = parted_bias(roles, cell)
    notes: tuple[str, ...] = (
        f"{where}: read by the convention '{framework}', as given; tanh and sigmoid are assumed.",
    )
    settings: dict[str, object] = {}
    if cell == "gru" and framework == "keras" and "bias" in parted:
        # Two biases are needed, and only used, to reset after the product.
        settings["reset_after"] = "recurrent_bias" in parted
    elif cell == "gru" and framework in ("keras", "onnx"):
        place = "after" if CONVENTIONS[framework][cell].reset_after else "before"
        notes = (*notes, f"{where}: its arrays do not say where the GRU resets; {place} the product is assumed.")
    stored = StoredCell(CONVENTIONS[framework][cell], parted, where, settings, determined=ASSUMED)
    return FoundStack(cell, (called,), (StoredLayer(called, {"forward": stored}),), notes=notes)


def _is_beside(other: str, name: str) -> bool:
    """Return whether an array lies among a layer's own; at the root, whether its name has no layer's before it."""
    return other.startswith((f"{name}/", f"{name}.")) if name else not re.search(r"[/.]", other)


ASSUMED = {"activation": "default", "recurrent_activation": "default"}


def parted_bias(roles: Mapping[str, Tensor], cell: str) -> dict[str, Tensor]:
    """Split Keras' two biases of a GRU, which are the rows of one array."""
    bias = roles.get("bias")
    if cell != "gru" or bias is None or len(bias.shape) != 2 or bias.shape[0] != 2:
        return dict(roles)
    return {
        **roles,
        "bias": Tensor(bias.name, bias.shape[1:], lambda: bias.read()[0]),
        "recurrent_bias": Tensor(bias.name, bias.shape[1:], lambda: bias.read()[1]),
    }
