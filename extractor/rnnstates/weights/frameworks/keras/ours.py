"""Reads the layers of ``rnnstates.keras`` in a Keras file: their extra settings, and their arrays by role."""

import math
from collections.abc import Mapping
from typing import Any

from ....errors import BadWeights
from ...readers import Tensor
from ...readers.base import row_of
from .vocabulary import BLOCKS, OURS, ROLES

__all__ = ["class_of", "extras_of", "is_ours", "role_tensors"]

PACKAGE = "rnnstates"
# Nodes of ours in a functional model that are not layers.
NODES = {"StepsMask"}


def class_of(entry: Mapping[str, Any]) -> tuple[str, str]:
    """Return the package and class of a layer, such as ``("Custom", "LSTM")``; for Keras' own the package is empty.

    A ``.keras`` file has both the class and the registered name ``Custom>LSTM``; legacy files and SavedModels have the
    registered name in place of the class.
    """
    class_name, registered = entry.get("class_name"), entry.get("registered_name")
    name = class_name if isinstance(class_name, str) else ""
    around, _, inner = name.rpartition(">")
    if not around and isinstance(registered, str):
        around = registered.rpartition(">")[0]
    return around, inner


def is_ours(entry: Mapping[str, Any]) -> bool:
    """Return whether a class is one of ``rnnstates.keras``, as registered with Keras."""
    package, class_name = class_of(entry)
    # If the class contains its package, no module is named.
    module = entry.get("module", PACKAGE if ">" in str(entry.get("class_name")) else None)
    own = isinstance(module, str) and module.split(".")[0] == PACKAGE
    return package == PACKAGE and own and (class_name in OURS or class_name in NODES)


def extras_of(class_name: str, config: Mapping[str, Any], where: str) -> dict[str, Any] | None:
    """Read the settings of a ``StateLSTM`` beyond Keras' own; None for Keras' own layers.

    Returns
    -------
    dict or None
        ``peepholes`` (bool), ``projection`` (int or None), ``forget_bias``, ``cell_clip`` and ``projection_clip``.

    Raises
    ------
    BadWeights
        A value has the wrong type or is out of range.
    """
    if class_name not in OURS:
        return None
    extras = {
        "peepholes": config.get("peepholes", False),
        "projection": config.get("projection"),
        "forget_bias": config.get("forget_bias", 0.0),
        "cell_clip": config.get("cell_clip"),
        "projection_clip": config.get("projection_clip"),
    }
    for name, value in extras.items():
        if not _is_right(name, value):
            raise BadWeights(f"{where}: has {name} {value!r}; expected {_EXPECTED.get(name, 'a positive number')}.")
    return extras


_EXPECTED = {
    "peepholes": "true or false",
    "projection": "a positive whole number or nothing",
    "forget_bias": "a finite number",
}


def _is_right(name: str, value: object) -> bool:
    if name == "peepholes":
        return isinstance(value, bool)
    if isinstance(value, bool):
        return False
    if name == "forget_bias":
        return isinstance(value, int | float) and math.isfinite(value)
    kinds = int if name == "projection" else int | float
    return value is None or (isinstance(value, kinds) and 0 < value < math.inf)


def role_tensors(tensors: list[Tensor], cell: Any, where: str) -> dict[str, Tensor]:
    """Assign roles to the arrays of one of our cells: Keras' own in its order, then those that we add.

    Parameters
    ----------
    tensors : list of Tensor
    cell : CellSettings
    where : str
        The file and the layer.

    Raises
    ------
    BadWeights
        Their number or the shape of one contradicts the configuration.
    """
    extras = cell.extras
    width = extras["projection"] or cell.units
    columns = BLOCKS[cell.cell] * cell.units
    expected: dict[str, tuple[int, ...]] = {ROLES[0]: (-1, columns), ROLES[1]: (width, columns)}
    if cell.use_bias:
        expected[ROLES[2]] = (2, columns) if cell.cell == "gru" and cell.reset_after else (columns,)
    if extras["peepholes"]:
        expected["peepholes"] = (3, cell.units)
    if extras["projection"]:
        expected["projection"] = (cell.units, width)
    if len(tensors) != len(expected):
        raise BadWeights(f"{where}: has {len(tensors)} arrays; expected {', '.join(expected)}.")
    roles = dict(zip(expected, tensors, strict=True))
    for role, tensor in roles.items():
        _check(role, tensor, expected[role], where)
    if cell.cell == "gru" and cell.use_bias and cell.reset_after:
        return {**roles, "bias": row_of(roles["bias"], 0), "recurrent_bias": row_of(roles["bias"], 1)}
    return roles


def _check(role: str, tensor: Tensor, expected: tuple[int, ...], where: str) -> None:
    fits = len(tensor.shape) == len(expected) and all(
        wanted in (-1, found) for wanted, found in zip(expected, tensor.shape, strict=True)
    )
    if not fits:
        sizes = ", ".join("features" if size < 0 else str(size) for size in expected)
        raise BadWeights(
            f"{where}: {role.replace('_', ' ')} has shape {tensor.shape}; expected ({sizes}), by the configuration."
        )
