"""Finds cells and other layers among the objects and names of a TensorFlow 2 checkpoint."""

import itertools
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from ....errors import BadWeights
from ....network.model import DIRECTIONS, Direction
from ...activation_names import KERAS_2, KERAS_3, UNKNOWN_KERAS
from ...named import refusal
from ...readers import Container, Tensor
from ...readers.checkpoint.graph import Object
from ..keras.guessed import FoundLayer
from ..keras.vocabulary import ROLES

__all__ = ["HALVES", "array_of", "check_nothing_else", "found_layers", "generation_of", "variables_of"]

HALVES: dict[str, Direction] = {"forward_layer": "forward", "backward_layer": "backward"}
# Children of an object besides its weights: lists of the same variables, dropout's random state, kept states.
_BESIDE = {
    *("_all_variables", "_compile_metrics", "_loss_tracker", "_metrics", "_random_generator", "_seed_generators"),
    *("compiled_loss", "compiled_metrics", "keras_api", "metrics", "non_trainable_variables", "optimizer"),
    *("regularization_losses", "seed_generator", "states", "trainable_variables", "variables"),
}
# Children of any optimizer, whatever its own name.
_OF_OPTIMIZERS = {"_iterations", "_learning_rate", "iter", "learning_rate"}
_PARTS_OF_KERAS_2 = {"_index_dict", "keras_api", "layer-", "layer_with_weights-", "state_spec"}
_PARTS_OF_KERAS_3 = {"_functional", "_inbound_nodes", "_layers", "_operations"}
# The name of an exported cell: its layer, its half, whether it is in a list.
_CELL = re.compile(
    r"(?P<layer>.*?)(?:/(?P<half>forward|backward)_[^/]+)?(?P<listed>/stacked_rnn_cells(?:_\d+)?)?"
    r"/(?:lstm|gru|simple_rnn|conv_lstm)_cell(?:_\d+)?"
)
_WEIGHT = re.compile(r"((forward|backward)_layer/)?(cell/)?(cells/\d+/)?(kernel|recurrent_kernel|bias)")
_NUMBER = re.compile(r"(?:^|-)(\d{1,9})$")


class _Cell(NamedTuple):
    """A cell: its layer, half and number in a list (-1 if in none), its arrays in Keras' order, its layer's name."""

    owner: str
    half: Direction
    number: int
    arrays: list[Tensor]
    label: str


class _Other(NamedTuple):
    """Any other layer: its object, its name in the model, its arrays."""

    owner: str
    label: str
    arrays: list[Tensor]


def generation_of(container: Container) -> str:
    """Detect which Keras saved the objects from names that only it gives to parts of a model or layer."""
    objects: Sequence[Object] = container.documents.get("objects", ())
    names = {name.rstrip("0123456789") for found in objects for name in found.children}
    if names & _PARTS_OF_KERAS_3:
        return KERAS_3
    return KERAS_2 if names & _PARTS_OF_KERAS_2 else UNKNOWN_KERAS


def array_of(container: Container, found: Object) -> Tensor:
    """Return the array of a variable.

    Raises
    ------
    BadWeights
        There is no array of its name.
    """
    if found.key not in container.tensors:
        raise BadWeights(f"{container.path}: has no array '{found.key}', which its objects name; it is damaged.")
    return container.tensors[found.key]


def variables_of(container: Container) -> dict[str, tuple[Tensor, str]]:
    """Find the variables by the shortest path to each, with their own names."""
    objects: Sequence[Object] = container.documents.get("objects", ())
    found: dict[str, tuple[Tensor, str]] = {}
    waiting, seen = [(0, "")] if objects else [], {0}
    for number, path in waiting:
        if objects[number].key:
            found[path] = array_of(container, objects[number]), objects[number].full_name
        # A layer with weights is numbered twice; its number among layers with weights comes first.
        for name, child in sorted(objects[number].children.items(), key=lambda item: item[0].startswith("layer-")):
            if child not in seen and name not in _BESIDE and not _OF_OPTIMIZERS & objects[child].children.keys():
                seen.add(child)
                waiting.append((child, f"{path}/{name}".strip("/")))
    return found


def _by_objects(variables: Mapping[str, tuple[Tensor, str]], where: str) -> tuple[list[_Cell], list[_Other]]:
    """Split the variables into cells and, grouped by object, other layers."""
    cells = []
    for path in variables:
        place, _, leaf = path.rpartition("/")
        roles = [f"{place}/{role}".strip("/") for role in ROLES]
        if leaf == "recurrent_kernel" and roles[0] in variables:
            arrays = [variables[role][0] for role in roles if role in variables]
            owner, half, number = _owner(place)
            check_nothing_else(owner, variables, where)
            label = _label(variables[roles[0]][1]) or owner
            cells.append(_Cell(owner, half, number, arrays, label))
    others: dict[str, _Other] = {}
    taken = {array.name for cell in cells for array in cell.arrays}
    for path, (tensor, full_name) in variables.items():
        if tensor.name not in taken and "/" in path:
            place = path.rpartition("/")[0]
            others.setdefault(place, _Other(place, full_name.rpartition("/")[0] or place, [])).arrays.append(tensor)
    return cells, list(others.values())


def _owner(place: str) -> tuple[str, Direction, int]:
    """Split the path of a cell: its layer, half and number in a list."""
    parts, number = place.split("/"), -1
    if len(parts) > 1 and parts[-2] == "cells" and parts[-1].isdecimal() and len(parts[-1]) < 9:
        parts, number = parts[:-2], int(parts[-1])
    parts = parts[:-1] if parts[-1:] == ["cell"] else parts
    half = HALVES.get(parts[-1]) if parts else None
    return "/".join(parts[:-1] if half else parts), half or "forward", number


def check_nothing_else(owner: str, variables: Mapping[str, tuple[Tensor, str]], where: str) -> None:
    """Refuse a layer with variables that its cells do not have."""
    start = f"{owner}/" if owner else ""
    inside = (path.removeprefix(start) for path in variables if path.startswith(start))
    # The saved object may itself be a layer, with a counter next to its cell.
    foreign = [path for path in inside if not _WEIGHT.fullmatch(path) and (owner or "/" in path)]
    if foreign:
        raise BadWeights(refusal(f"{where}: '{owner}'", foreign, "which no such layer has besides kernels and bias"))


def _label(full_name: str) -> str:
    """Return a layer's name from that of its kernel; empty if it does not contain it."""
    found = _CELL.fullmatch(full_name.rpartition("/")[0])
    return found["layer"] if found else ""


def _by_names(container: Container) -> tuple[list[_Cell], list[_Other]]:
    """Split the variables of an export, which are a list, by their names."""
    groups: list[tuple[str, dict[str, Tensor]]] = []
    for found in _exported(container):
        place, _, leaf = found.full_name.rpartition("/")
        if not groups or groups[-1][0] != place or leaf in groups[-1][1]:
            groups.append((place, {}))
        groups[-1][1][leaf] = array_of(container, found)
    cells: list[_Cell] = []
    others: list[_Other] = []
    for order, (place, inside) in enumerate(groups):
        match = _CELL.fullmatch(place)
        if match is None or not {"kernel", "recurrent_kernel"} <= inside.keys():
            others.append(_Other(str(order), place or str(order), list(inside.values())))
            continue
        if inside.keys() - set(ROLES):
            raise BadWeights(refusal(f"{container.path}: '{place}'", inside, "of which a cell has at most three"))
        arrays = [inside[role] for role in ROLES if role in inside]
        label = match["layer"] if match["listed"] else place.rpartition("/")[0]
        cell = _Cell(str(order), "forward", 0 if match["listed"] else -1, arrays, label)
        cells.append(_joined(cells[-1], cell, match) if cells else cell)
    return cells, others


def _joined(below: _Cell, cell: _Cell, match: re.Match[str]) -> _Cell:
    """Assign a cell to the layer of the previous one if it is the next in a list or the other half.

    Layers may also be called ``forward_…`` themselves; halves are named after one layer and have the same inputs.
    """
    if match["listed"] and below.label == cell.label:
        return cell._replace(owner=below.owner, number=below.number + 1)
    other = cell.label.replace("/backward_", "/forward_")
    if match["half"] == "backward" and below.label == other and below.arrays[0].shape[:1] == cell.arrays[0].shape[:1]:
        return cell._replace(owner=below.owner, half="backward", label=below.label)
    return cell


def _exported(container: Container) -> Iterator[Object]:
    objects: Sequence[Object] = container.documents.get("objects", ())
    if objects and "variables" in objects[0].children:
        listed = objects[objects[0].children["variables"]].children
        for _, number in sorted((int(name), number) for name, number in listed.items() if name.isdecimal()):
            if objects[number].key and "seed_generator" not in objects[number].full_name:
                yield objects[number]


def _layers(cells: Sequence[_Cell], others: Sequence[_Other]) -> list[FoundLayer]:
    """Put cells and other layers in order: numbers order layers, names do not."""
    halves: dict[tuple[str, int], dict[Direction, list[Tensor]]] = defaultdict(dict)
    labels: dict[str, set[str]] = defaultdict(set)
    for cell in cells:
        halves[cell.owner, cell.number][cell.half] = cell.arrays
        labels[cell.label].add(cell.owner)
    names = {cell.owner: cell.label if len(labels[cell.label]) == 1 else cell.owner for cell in cells}
    found = []
    for (owner, number), inside in halves.items():
        if inside.keys() == {"backward"}:
            inside = {"forward": inside["backward"]}
        if len(inside) > 1 and number >= 0:
            raise BadWeights(f"'{owner}': is a Bidirectional around several cells; save the whole model as .keras.")
        above, _, last = names[owner].rpartition("/")
        name = above if len(inside) > 1 and last.startswith("forward_") else names[owner] or "layer"
        found.append((owner, number, _layer(owner, name if number < 0 else f"{name}/{number}", inside, [])))
    found += [(other.owner, 0, _layer(other.owner, other.label, {}, other.arrays)) for other in others]
    return [layer for *_, layer in sorted(found, key=lambda item: (_natural(item[0]), item[1]))]


def _layer(place: str, name: str, cells: Mapping[Direction, list[Tensor]], tensors: list[Tensor]) -> FoundLayer:
    model, _, last = place.rpartition("/")
    table = next((tensor for tensor in tensors if "embeddings" in tensor.name and len(tensor.shape) == 2), None)
    ordered = {half: cells[half] for half in DIRECTIONS if half in cells}
    arrays = tuple(tensor.name for tensor in tensors or itertools.chain(*cells.values()))
    return FoundLayer(name, ordered, table, model, "" if _NUMBER.search(last) else last or "layer", arrays)


def _natural(path: str) -> list[tuple[str, int]]:
    """Order ``layer-10`` after ``layer-9``."""
    numbers = [_NUMBER.search(part) for part in path.split("/")]
    return [
        (part[: number.start()] if number else part, int(number[1]) if number else -1)
        for part, number in zip(path.split("/"), numbers, strict=True)
    ]


def found_layers(container: Container, variables: Mapping[str, tuple[Tensor, str]]) -> list[FoundLayer]:
    """Find all layers, by their objects, or by the names of an export's list of variables.

    Raises
    ------
    BadWeights
        A layer has more variables than a layer of Keras.
    """
    cells, others = _by_objects(variables, container.path)
    if not cells:
        cells, others = _by_names(container)
    return _layers(cells, others)
