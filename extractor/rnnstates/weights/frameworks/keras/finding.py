"""Finds apparent layers among the arrays of a file without a configuration."""

import itertools
import re
from collections.abc import Mapping
from dataclasses import replace

from ....arrays.axes import Array
from ....errors import BadWeights
from ....network.model import Direction
from ...activation_names import KERAS_2, KERAS_3, UNKNOWN_KERAS
from ...keras_object import LIVE
from ...readers import Container, Tensor
from .counters import LAYER_GROUPS, check_nothing_else, numbered
from .graph import is_own
from .guessed import FoundLayer
from .legacy import list_attribute
from .vocabulary import DIRECTION_PREFIXES, ROLES

__all__ = ["find_by_counters", "find_in_legacy", "generation_by_counters"]

HALVES: dict[str, Direction] = {"forward_layer": "forward", "backward_layer": "backward"}
# A cell in the list of an RNN: layers/rnn/cell/cells/lstm_cell_1.
IN_LIST = re.compile(r"cell/cells/(lstm|gru|simple_rnn)_cell(_\d+)?$")
# Keras 1: lstm_1_W_i, lstm_1_U_i, lstm_1_b_i and so on for each gate.
KERAS_1 = re.compile(r"_[WUb]_[a-z]$")
# The name of a cell among a legacy file's names: lstm_cell, lstm_cell_7.
CELL = re.compile(r"(lstm|gru|simple_rnn|conv_lstm)_cell(_\d+)?")
COUNTER = re.compile(r"_(\d{1,9})$")

Cells = dict[Direction, list[Tensor]]


def find_by_counters(container: Container) -> list[FoundLayer]:
    """Find layers in Keras 3's layout: ``<place>[/forward_layer]/cell/vars/0`` and ``<place>/vars/0``.

    Returns
    -------
    list of FoundLayer
        Layers of one class and model are in order; their ``family`` is class and model.
    """
    cells: dict[str, Cells] = {}
    other_layers: dict[str, list[Tensor]] = {}
    inside: list[str] = []
    live = container.documents.get(LIVE, {})
    for variables, tensors in numbered(container).items():
        place = variables.removesuffix("vars").rstrip("/")
        *around, last = place.split("/")
        if last == "cell" and (len(tensors) in (2, 3) or tensors[0].name in live):
            half = HALVES.get(around[-1]) if around else None
            owner = "/".join(around[:-1] if half else around)
            cells.setdefault(owner, {})[half or "forward"] = tensors
        elif IN_LIST.search(place) and len(tensors) in (2, 3) and not set(HALVES) & set(around):
            cells[place] = {"forward": tensors}
        elif "cell" in around and not _is_beside(place):
            inside.append(place)
        elif not _is_beside(place):
            other_layers[place] = tensors
    _refuse_other_cells(container, inside, cells)
    for place, halves in cells.items():
        found_here = [tensor for tensors in halves.values() for tensor in tensors]
        check_nothing_else(container, place, found_here, f"{container.path}: '{place}'")
    layers = {place: _at_place(container, place, halves, []) for place, halves in sorted(cells.items(), key=_in_order)}
    layers |= {place: _at_place(container, place, {}, tensors) for place, tensors in other_layers.items()}
    names = [layer.name for layer in layers.values()]
    # Layers with the same name are distinguished by their paths.
    return [layer if names.count(layer.name) == 1 else replace(layer, name=place) for place, layer in layers.items()]


def _is_beside(place: str) -> bool:
    """Return whether a group is no layer, but trains or measures the model or draws its random numbers."""
    return place.split("/")[0] in ("optimizer", "metrics") or "seed_generator" in place


def generation_by_counters(container: Container) -> str:
    """Return which Keras wrote a weights file in this layout: recent versions of Keras 3 also store layer names.

    Keras 2.12 and 2.13 have their own layout; later versions of Keras 2 write the same as early ones of Keras 3.
    """
    places = {place.rpartition("/")[0] for place in container.tensors}
    if any(isinstance(container.attributes(place).get("name"), str) for place in places):
        return KERAS_3
    older = any(name.startswith(f"{LAYER_GROUPS[1]}/") for name in container.tensors)
    return KERAS_2 if older else UNKNOWN_KERAS


def _refuse_other_cells(container: Container, inside: list[str], cells: Mapping[str, Cells]) -> None:
    """Refuse arrays inside an RNN that belong neither to a known cell nor to a list of them."""
    for place in inside:
        owner = place[: place.index("/cell/") if "/cell/" in place else len(place)]
        matrices = [tensor.shape for tensor in numbered(container)[f"{place}/vars"] if len(tensor.shape) == 2]
        like_a_cell = any(rows and columns in (rows, 3 * rows, 4 * rows) for rows, columns in matrices[1:])
        if like_a_cell or any(other.startswith(f"{owner}/cell/") for other in cells):
            raise BadWeights(
                f"{container.path}: '{owner}' has arrays of nested cells ('{place}'), which only a configuration can "
                "tell apart. Save the whole model (model.save('model.keras'))."
            )


def find_in_legacy(container: Container, root: str) -> list[FoundLayer]:
    """Find layers in the legacy layout: a group per layer, in the order of ``layer_names``."""
    found: list[FoundLayer] = []
    for group in list_attribute(container.attributes(root), "layer_names"):
        names = list_attribute(container.attributes(f"{root}/{group}"), "weight_names")
        by_owner: dict[str, dict[Direction, list[str]]] = {}
        for name in names:
            owner, half = _owner(group, name)
            by_owner.setdefault(owner, {}).setdefault(half, []).append(name)
        _join_halves(by_owner, group)
        found += [_in_group(container, f"{root}/{group}", owner, halves) for owner, halves in by_owner.items()]
    return found


def _join_halves(by_owner: dict[str, dict[Direction, list[str]]], group: str) -> None:
    """Correct the halves that names alone get wrong.

    Keras 3 does not rename an explicit backward layer: it is the only other one in the group of an LSTM. And a layer
    named ``backward_lstm`` is not a backward half for that reason alone.
    """
    if len(by_owner) == 2 and group in by_owner:
        (rest,) = by_owner.keys() - {group}
        own, other = by_owner[group], by_owner[rest]
        if own.keys() == other.keys() == {"forward"} and _leaves(own) == _leaves(other) and len(_leaves(own)) > 1:
            own["backward"] = by_owner.pop(rest)["forward"]
    for halves in by_owner.values():
        if halves.keys() == {"backward"}:
            halves["forward"] = halves.pop("backward")


def _leaves(halves: dict[Direction, list[str]]) -> list[str]:
    return [name.split("/")[-1].split(":")[0] for name in halves["forward"]]


def _in_order(item: tuple[str, Cells]) -> tuple[str, int]:
    number = COUNTER.search(item[0])
    return COUNTER.sub("", item[0]), int(number[1]) if number else -1


def _at_place(container: Container, place: str, cells: Cells, tensors: list[Tensor]) -> FoundLayer:
    model, _, last = place.rpartition("/")
    name = _name_of(container, place)
    # A model written as a class names its groups after its attributes; Keras names layers after their classes.
    called = {COUNTER.sub("", part) for part in (last, name.split("/")[-1])}
    is_table = "embedding" in called and tensors and len(tensors[0].shape) == 2
    arrays = tuple(tensor.name for tensor in tensors or itertools.chain(*cells.values()))
    live = container.documents.get(LIVE, {})
    entry = next((live[array] for array in arrays if array in live), None)
    table = tensors[0] if is_table and (entry is None or is_own(entry)) else None
    if table is not None and len(tensors) > 1:
        # Scales of a quantised table, or LoRA's factors: not the table that the model uses.
        table = _unreadable(table, f"{container.path}: '{place}' has {len(tensors)} arrays; expected one table.")
    return FoundLayer(
        name=name,
        cells=cells,
        table=table,
        model=model,
        family=COUNTER.sub("", place) or "model",
        arrays=arrays,
        entry=entry,
    )


def _unreadable(table: Tensor, problem: str) -> Tensor:
    def refuse() -> Array:
        raise BadWeights(f"{problem} Quantised and LoRA embeddings are not read; save the model without them.")

    return Tensor(table.name, table.shape, refuse)


def _name_of(container: Container, place: str) -> str:
    """Return a layer's name in its model, if the file has it, after the names of the models around it."""
    parts = place.split("/")
    names = []
    for depth, part in enumerate(parts):
        if part not in LAYER_GROUPS:
            stored = container.attributes("/".join([*parts[: depth + 1], "vars"])).get("name")
            names.append(stored if isinstance(stored, str) else part)
    return "/".join(names)


def _owner(group: str, name: str) -> tuple[str, Direction]:
    """Return the layer and half that an array of a legacy group belongs to, by the parts of its name."""
    parts = name.split("/")[:-1]
    if parts and CELL.fullmatch(parts[-1]):
        parts = parts[:-1]
    half: Direction = "forward"
    if len(parts) > 1 and parts[-1] != group:
        for direction, prefix in DIRECTION_PREFIXES.items():
            if parts[-1].startswith(prefix):
                parts, half = parts[:-1], direction
                break
    # Keras 3 may put the name of the model before that of the group: sequential/lstm/lstm_cell/kernel.
    inside = parts[parts.index(group) + 1 :] if group in parts else parts
    return "/".join([group, *inside]), half


def _in_group(container: Container, place: str, owner: str, halves: dict[Direction, list[str]]) -> FoundLayer:
    cells: Cells = {}
    table = None
    all_places: list[str] = []
    for half, names in halves.items():
        leaves = [name.split("/")[-1].split(":")[0] for name in names]
        places = [f"{place}/{name}".strip("/") for name in names]
        all_places += places
        missing = [at for at in places if at not in container.tensors]
        if missing:
            raise BadWeights(f"{container.path}: has no dataset '{missing[0]}', which its group lists; it is damaged.")
        tensors = [container.tensors[at] for at in places]
        in_order = all(leaf.startswith(role) for leaf, role in zip(leaves, ROLES, strict=False))
        if (len(names) in (2, 3) and in_order) or (len(names) in (9, 12) and all(map(KERAS_1.search, leaves))):
            cells[half] = tensors
        elif any(leaf.startswith("recurrent_kernel") for leaf in leaves):
            raise BadWeights(
                f"{container.path}: layer '{owner}' has {len(names)} arrays; expected kernel, recurrent kernel and "
                "bias. Several cells in one layer need a configuration: save the whole model."
            )
        elif leaves == ["embeddings"] and len(tensors[0].shape) == 2:
            table = tensors[0]
    arrays = tuple(at for at in all_places if "seed_generator" not in at)
    return FoundLayer(name=owner, cells=cells, table=table, model="", family="", arrays=arrays)
