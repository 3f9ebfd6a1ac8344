"""Finds Equinox's cells by name: ``cell.weight_ih``, ``cell.weight_hh``, ``cell.bias`` and, in a GRU, ``cell.bias_n``.

The names are PyTorch's except for the single bias. Without any bias the cells of both are the same.
"""

from collections.abc import Mapping

from ..conventions import CONVENTIONS
from ..named import FoundStack, NamedModel, refusal
from ..readers import Container, Tensor
from ..stack import StoredCell, StoredLayer
from .jax_names import TreePath, after_zeros, names_of, of_optimiser, path_of, strangers

__all__ = ["interpret", "recognises"]

ROLES = {"weight_ih": "kernel", "weight_hh": "recurrent_kernel", "bias": "bias", "bias_n": "recurrent_bias"}
KERNELS = {"kernel", "recurrent_kernel"}
CELL_BY_BLOCKS = {4: "lstm", 3: "gru"}
CLASSES = {"lstm": "LSTMCell", "gru": "GRUCell", "": "unknown cell"}


def recognises(container: Container) -> bool:
    """Return whether a cell has one bias, as in Equinox, and no array has one of PyTorch's names."""
    names = [path_of(name)[-1:] for name in container.tensors]
    of_torch = any(last and last[0].startswith(("weight_hh_", "bias_hh")) for last in names)
    if of_torch or container.kind == "PyTorch file":
        return False
    return any("bias" in roles for roles in _cells(container).values())


def interpret(container: Container) -> NamedModel:
    """Find the cells.

    Returns
    -------
    NamedModel
        A stack for each cell; which feeds which is not in the file.
    """
    cells = _cells(container)
    used = {tensor.name for roles in cells.values() for tensor in roles.values()}
    unused = [name for name in container.tensors if name not in used]
    foreign = strangers(container, {path: roles.values() for path, roles in cells.items()})
    names = names_of(cells)
    found = [_found(container, names[path], roles, foreign[path]) for path, roles in cells.items()]
    tables = [container.tensors[name] for name in unused if "emb" in name.lower() and _is_table(path_of(name))]
    return NamedModel(f"Equinox arrays ({container.kind})", found, unused, tables=tables)


def _cells(container: Container) -> dict[TreePath, dict[str, Tensor]]:
    cells: dict[TreePath, dict[str, Tensor]] = {}
    for name, tensor in container.tensors.items():
        path = path_of(name)
        if path and path[-1] in ROLES and not of_optimiser(path):
            cells.setdefault(path[:-1], {})[ROLES[path[-1]]] = tensor
    return {path: roles for path, roles in cells.items() if roles.keys() >= KERNELS}


def _found(container: Container, name: str, roles: Mapping[str, Tensor], foreign: list[str]) -> FoundStack:
    where = f"{container.path}: '{name}'"
    cell, problem = _cell(roles, foreign, where)
    if problem:
        return FoundStack(CLASSES[cell], (name,), problem=problem)
    convention = CONVENTIONS["equinox"][cell]
    tensors = dict(roles)
    if "recurrent_bias" in roles:
        # Only the candidate has a second bias, in the part that is reset.
        tensors["recurrent_bias"] = after_zeros(roles["recurrent_bias"], 2 * roles["recurrent_kernel"].shape[1])
    note = f"{where}: Equinox does not store how a cell is run; it is read forward, as a stack of its own."
    layer = StoredLayer(name, {"forward": StoredCell(convention, tensors, where)})
    return FoundStack(CLASSES[cell], (name,), (layer,), notes=(note,))


def _is_table(path: TreePath) -> bool:
    return path[-1] == "weight" and not of_optimiser(path)


def _cell(roles: Mapping[str, Tensor], foreign: list[str], where: str) -> tuple[str, str]:
    """Return the cell, and why it cannot be computed; empty if it can."""
    shape = roles["recurrent_kernel"].shape
    whole = len(shape) == 2 and shape[1] > 0 and shape[0] % shape[1] == 0
    cell = CELL_BY_BLOCKS.get(shape[0] // shape[1], "") if whole else ""
    if foreign:
        return cell, refusal(where, foreign, "which Equinox's LSTMCell and GRUCell do not have")
    if not cell:
        return cell, f"{where}: weight_hh has shape {shape}; expected (4 or 3 times its columns, columns)."
    biases = {"bias", "recurrent_bias"} & set(roles)
    if biases and biases != ({"bias"} if cell == "lstm" else {"bias", "recurrent_bias"}):
        return cell, f"{where}: has {', '.join(sorted(biases))}; an Equinox {CLASSES[cell]} has other biases."
    return cell, ""
