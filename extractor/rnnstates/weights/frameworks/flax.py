"""Finds the cells of ``flax.linen`` and ``flax.nnx`` by names such as ``params/OptimizedLSTMCell_0/hi/kernel``.

Linen has two Dense layers per gate, one for the input (``ii``, ``if``, …) and one for the hidden state (``hi``,
``hf``, …); nnx has the same with ``if_``, or all gates side by side in ``dense_i`` and ``dense_h``. Separators may be
those of ``flatten_dict`` or ``jax.tree_util.keystr``. Activations, and which cell feeds which, exist only in code.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from ...errors import BadWeights
from ...errors.articles import with_article
from ...network.model import DIRECTIONS, Direction
from ..conventions import CONVENTIONS
from ..named import FoundStack, NamedModel, refusal
from ..readers import Container, Tensor
from ..readers.base import joined
from ..stack import StoredCell, StoredLayer
from .jax_names import TreePath, after_zeros, names_of, of_optimiser, path_of, strangers

__all__ = ["interpret", "recognises"]


class Layout(NamedTuple):
    """The Dense layers that hold each part of a cell, gates in the convention's order."""

    cell: str
    kernel: tuple[str, ...]
    recurrent_kernel: tuple[str, ...]
    bias: tuple[str, ...]
    recurrent_bias: tuple[str, ...] = ()

    def arrays(self) -> dict[str, list[str]]:
        """Return the paths below the cell of the arrays of each role."""
        kernels = {"kernel": self.kernel, "recurrent_kernel": self.recurrent_kernel}
        biases = {"bias": self.bias, "recurrent_bias": self.recurrent_bias}
        roles = {role: [f"{dense}/kernel" for dense in names] for role, names in kernels.items()}
        return roles | {role: [f"{dense}/bias" for dense in names] for role, names in biases.items() if names}


class _Cell(NamedTuple):
    arrays: Mapping[str, Tensor]
    strangers: list[str]


_H = ("hi", "hf", "hg", "ho")
_GRU = ("ir", "iz", "in")
LAYOUTS = (
    Layout("lstm", ("ii", "if", "ig", "io"), _H, _H),
    Layout("lstm", ("ii", "if_", "ig", "io"), _H, _H),
    # For the hidden state only the candidate has a bias, because only there is it reset.
    Layout("gru", _GRU, ("hr", "hz", "hn"), _GRU, ("hn",)),
    Layout("simple_rnn", ("i",), ("h",), ("i",)),
    Layout("lstm", ("dense_i",), ("dense_h",), ("dense_h",)),
    Layout("gru", ("dense_i",), ("dense_h",), ("dense_i",)),
    Layout("simple_rnn", ("dense_i",), ("dense_h",), ("dense_i",)),
)
# Cells that are recognised by their names, but not computed.
FOREIGN = {("hf", "hn", "if", "in"): "MGUCell", ("hh", "ih"): "ConvLSTMCell"}
_OF_INPUT = {name for layout in LAYOUTS for name in layout.kernel} | {"ih"}
_OF_HIDDEN = {name for layout in LAYOUTS for name in layout.recurrent_kernel} | {"hh"}
BLOCKS = {"lstm": 4, "gru": 3, "simple_rnn": 1}
CLASSES = {"lstm": "LSTMCell", "gru": "GRUCell", "simple_rnn": "SimpleCell"}
_DIRECTIONS: dict[str, Direction] = {"forward_rnn": "forward", "backward_rnn": "backward"}
_ASSUMED = {"activation": "default", "recurrent_activation": "default"}


def recognises(container: Container) -> bool:
    """Return whether a Dense of the input and one of the hidden state are found together under Flax's names."""
    return bool(_cells(container))


def interpret(container: Container) -> NamedModel:
    """Find the cells.

    Returns
    -------
    NamedModel
        A stack for each cell, or for the two cells of a ``Bidirectional`` if its names are kept.
    """
    cells = _cells(container)
    used = {tensor.name for arrays in cells.values() for tensor in arrays.values()}
    unused = [name for name in container.tensors if name not in used]
    foreign = strangers(container, {path: arrays.values() for path, arrays in cells.items()})
    stacks = _pairs(cells)
    names = names_of(stacks)
    found = []
    for top, both in stacks.items():
        parts = {direction: _Cell(cells[path], foreign[path]) for direction, path in both.items()}
        found.append(_found(container, names[top], parts))
    tables = [
        container.tensors[name]
        for name in unused
        if path_of(name)[-1] == "embedding" and not of_optimiser(path_of(name))
    ]
    return NamedModel(f"Flax parameters ({container.kind})", found, unused, tables=tables)


def _cells(container: Container) -> dict[TreePath, dict[str, Tensor]]:
    """Return the arrays of each cell by their path in it, such as ``hi/kernel``."""
    groups: dict[TreePath, dict[str, Tensor]] = {}
    for name, tensor in container.tensors.items():
        path = path_of(name)
        known = len(path) > 1 and path[-1] in ("kernel", "bias") and path[-2] in _OF_INPUT | _OF_HIDDEN
        if known and not of_optimiser(path):
            groups.setdefault(path[:-2], {}).setdefault("/".join(path[-2:]), tensor)
    return {path: arrays for path, arrays in groups.items() if _both({key.split("/")[0] for key in arrays})}


def _both(denses: set[str]) -> bool:
    return bool(denses & _OF_INPUT) and bool(denses & _OF_HIDDEN)


def _pairs(cells: Iterable[TreePath]) -> dict[TreePath, dict[Direction, TreePath]]:
    """Pair the two cells of a Bidirectional, ``<path>/forward_rnn/cell`` and ``<path>/backward_rnn/cell``."""
    stacks: dict[TreePath, dict[Direction, TreePath]] = {}
    known = set(cells)
    for path in cells:
        other = {"forward_rnn": "backward_rnn", "backward_rnn": "forward_rnn"}.get(path[-2] if len(path) > 1 else "")
        if other and path[-1] == "cell" and (*path[:-2], other, "cell") in known and path[:-2] not in known:
            stacks.setdefault(path[:-2], {})[_DIRECTIONS[path[-2]]] = path
        else:
            stacks.setdefault(path, {})["forward"] = path
    return stacks


def _found(container: Container, name: str, parts: Mapping[Direction, _Cell]) -> FoundStack:
    where = f"{container.path}: '{name}'"
    try:
        stored = {way: _stored(parts[way], f"{where} ({way})") for way in DIRECTIONS if way in parts}
    except BadWeights as reason:
        return FoundStack("unknown cell", (name,), problem=str(reason))
    first = stored["forward"]
    class_name = "Bidirectional" if len(stored) > 1 else CLASSES[first.convention.cell]
    return FoundStack(class_name, (name,), (StoredLayer(name, stored),), notes=(_assumed(where, stored),))


def _assumed(where: str, stored: Mapping[Direction, StoredCell]) -> str:
    cells = {cell.convention.cell for cell in stored.values()}
    functions = "tanh" if cells == {"simple_rnn"} else "tanh and sigmoid"
    residual = ", no residual" if "simple_rnn" in cells else ""
    reading = "" if len(stored) > 1 else ", reading forward"
    return (
        f"{where}: Flax stores neither activations, directions nor which cell feeds which; "
        f"{functions}{residual}{reading} and a stack of its own are assumed."
    )


def _stored(cell: _Cell, where: str) -> StoredCell:
    """Join the arrays of the gates.

    Raises
    ------
    BadWeights
        They are not those of a single supported cell.
    """
    layout = _layout(cell, where)
    tensors = {
        role: joined([cell.arrays[key] for key in keys], 1 if role.endswith("kernel") else 0, where)
        for role, keys in layout.arrays().items()
    }
    if "recurrent_bias" in tensors:
        bias = tensors["recurrent_bias"]
        tensors["recurrent_bias"] = after_zeros(bias, 2 * sum(bias.shape))
    return StoredCell(CONVENTIONS["flax"][layout.cell], tensors, where, determined=_ASSUMED)


def _layout(cell: _Cell, where: str) -> Layout:
    arrays = cell.arrays
    names = [tensor.name for tensor in arrays.values()]
    foreign = FOREIGN.get(tuple(sorted({key.split("/")[0] for key in arrays})))
    if foreign is not None:
        raise BadWeights(refusal(where, names, f"which are those of {with_article(foreign)}"))
    if cell.strangers:
        raise BadWeights(refusal(where, cell.strangers, "which Flax's own cells do not have"))
    for layout in LAYOUTS:
        if set(arrays) == {key for keys in layout.arrays().values() for key in keys} and _fits(layout, arrays):
            return layout
    listed = ", ".join(f"'{key}' {tensor.shape}" for key, tensor in sorted(arrays.items()))
    raise BadWeights(
        f"{where}: has {listed}; expected the arrays of one LSTMCell, OptimizedLSTMCell, GRUCell or SimpleCell. Some "
        "are missing, or several cells are stacked by nn.scan or vmap; save the arrays of one cell."
    )


def _fits(layout: Layout, arrays: Mapping[str, Tensor]) -> bool:
    """Return whether the recurrent kernels have the columns of that cell: nnx uses the same names for GRU and RNN."""
    blocks = BLOCKS[layout.cell] // len(layout.recurrent_kernel)
    shapes = [arrays[f"{dense}/kernel"].shape for dense in layout.recurrent_kernel]
    return all(len(shape) == 2 and shape[1] == blocks * shape[0] for shape in shapes)
