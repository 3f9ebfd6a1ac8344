"""Where the arrays of a layer lie: by class and number in Keras 3's layout, by layer name in the legacy one."""

import itertools
import re
from collections.abc import Mapping
from typing import Any, Protocol

from ...errors import BadWeights
from ..canonical import Direction
from ..readers import Container, Tensor
from .graph import Layer
from .vocabulary import DIRECTION_PREFIXES, ROLES, snake_case

__all__ = [
    "CounterNames",
    "LegacyNames",
    "TensorNames",
    "by_direction",
    "check_nothing_else",
    "list_attribute",
    "roles_by_order",
]

# Keras 3, and Keras 2.12 and 2.13, call a model's layers so.
LAYER_GROUPS = ("layers", "_layer_checkpoint_dependencies")
# HDF5 splits a list of names that is longer than 64 KiB into name0, name1, ….
MOST_PARTS = 10_000


class TensorNames(Protocol):
    """Finds the arrays of a layer."""

    def cells(self, layer: Layer) -> dict[Direction, dict[str, Tensor]]:
        """Give the arrays of a recurrent layer by its half and role."""

    def embedding(self, layer: Layer) -> Tensor:
        """Give the table of an Embedding."""


class CounterNames:
    """Keras 3: ``layers/lstm_1/cell/vars/0`` is the kernel of the second LSTM (``saving_lib._save_container_state``).

    The k-th layer of a class in the configuration is the k-th group of that class in the file. Keras 2.13 counts each
    layer twice, so the numbers themselves mean nothing; where the group also stores the layer's name, it must agree.
    """

    def __init__(self, container: Container) -> None:
        self._container = container
        # "layers" or "layers/sequential/layers" and "lstm": {"lstm", "lstm_1"}.
        self._groups: dict[tuple[str, str], set[str]] = {}
        for name in container.tensors:
            parts = name.split("/")
            for depth, part in enumerate(parts[:-2]):
                if part in LAYER_GROUPS:
                    key = "/".join(parts[: depth + 1]), re.sub(r"_\d+$", "", parts[depth + 1])
                    self._groups.setdefault(key, set()).add(parts[depth + 1])

    def cells(self, layer: Layer) -> dict[Direction, dict[str, Tensor]]:
        """Find the arrays of a recurrent layer by direction and role."""
        group = self._group(layer)
        halves: dict[Direction, str] = {"forward": f"{group}/forward_layer", "backward": f"{group}/backward_layer"}
        if layer.class_name != "Bidirectional":
            halves = {"forward": group}
        cells = {half: self._variables(f"{place}/cell/vars", layer) for half, place in halves.items()}
        check_nothing_else(self._container, group, cells, self._where(layer))
        return cells

    def embedding(self, layer: Layer) -> Tensor:
        """Find the table of an Embedding."""
        return self._existing(f"{self._group(layer)}/vars/0", layer)

    def _group(self, layer: Layer) -> str:
        place = ""
        for class_name, number in (*layer.outer, (layer.class_name, layer.number)):
            place = self._inside(place, class_name, number, layer)
        stored = self._container.attributes(f"{place}/vars").get("name")
        if isinstance(stored, str) and stored != layer.path[-1]:
            raise BadWeights(
                f"{self._container.path}: the configuration calls a layer '{layer.name}' where the weights call it "
                f"'{stored}'; they do not belong together, save the model again."
            )
        return place

    def _inside(self, place: str, class_name: str, number: int, layer: Layer) -> str:
        for groups in LAYER_GROUPS:
            prefix = f"{place}/{groups}".strip("/")
            found = sorted(self._groups.get((prefix, snake_case(class_name)), ()), key=_counter)
            if number < len(found):
                return f"{prefix}/{found[number]}"
        raise BadWeights(
            f"{self._container.path}: has no weights for layer '{layer.name}' ({layer.class_name}); expected the group "
            f"{place}/layers/{snake_case(class_name)}. Save the model again."
        )

    def _variables(self, place: str, layer: Layer) -> dict[str, Tensor]:
        numbers = [name.removeprefix(f"{place}/") for name in self._container.tensors if name.startswith(f"{place}/")]
        ordered = sorted((number for number in numbers if number.isdecimal()), key=int)
        if not ordered:
            raise BadWeights(f"{self._container.path}: has no weights for layer '{layer.name}'; expected {place}/0.")
        return roles_by_order([self._container.tensors[f"{place}/{number}"] for number in ordered], self._where(layer))

    def _existing(self, name: str, layer: Layer) -> Tensor:
        if name not in self._container.tensors:
            raise BadWeights(f"{self._container.path}: has no weights for layer '{layer.name}'; expected {name}.")
        return self._container.tensors[name]

    def _where(self, layer: Layer) -> str:
        return f"{self._container.path}: layer '{layer.name}'"


class LegacyNames:
    """HDF5 as Keras 2 and ``legacy_h5_format`` write it: a group a layer, the order in its ``weight_names``."""

    def __init__(self, container: Container, root: str) -> None:
        self._container = container
        self._root = root

    def cells(self, layer: Layer) -> dict[Direction, dict[str, Tensor]]:
        """Find the arrays of a recurrent layer by direction and role."""
        where = f"{self._container.path}: layer '{layer.name}'"
        names = self._names(layer)
        if layer.class_name != "Bidirectional":
            return {"forward": self._roles(layer, names, where)}
        return {half: self._roles(layer, part, where) for half, part in by_direction(names, where).items()}

    def embedding(self, layer: Layer) -> Tensor:
        """Find the table of an Embedding."""
        names = self._names(layer)
        if len(names) != 1:
            raise BadWeights(
                f"{self._container.path}: layer '{layer.name}' has {len(names)} arrays; expected one table."
            )
        return self._tensor(layer, names[0])

    def _names(self, layer: Layer) -> list[str]:
        """List the layer's arrays; those of a layer in an inner model stand among its model's."""
        group = f"{self._root}/{layer.path[0]}"
        names = list_attribute(self._container.attributes(group), "weight_names")
        if len(layer.path) == 1:
            return names
        inside = [name for name in names if _goes_through(name, layer.path[1:])]
        return inside or [name for name in names if layer.path[-1] in name.split("/")]

    def _roles(self, layer: Layer, names: list[str], where: str) -> dict[str, Tensor]:
        roles = roles_by_order([self._tensor(layer, name) for name in names], where)
        for (role, _), name in zip(roles.items(), names, strict=True):
            if not name.split("/")[-1].startswith(role):
                raise BadWeights(
                    f"{where}: has the array '{name}' where its {role} was expected; save the model again."
                )
        return roles

    def _tensor(self, layer: Layer, name: str) -> Tensor:
        place = f"{self._root}/{layer.path[0]}/{name}".strip("/")
        if place not in self._container.tensors:
            raise BadWeights(f"{self._container.path}: has no dataset '{place}', which its group lists; it is damaged.")
        return self._container.tensors[place]


def roles_by_order(tensors: list[Tensor], where: str) -> dict[str, Tensor]:
    """Name a cell's arrays by the order in which Keras stores them.

    Raises
    ------
    BadWeights
        There are not two (without a bias) or three of them, or they have the shapes of another cell.
    """
    if len(tensors) not in (2, 3):
        hint = "; twelve are what Keras 1 wrote, save the model from Keras 2" if len(tensors) == 12 else ""
        raise BadWeights(f"{where}: has {len(tensors)} arrays; expected kernel, recurrent kernel and bias{hint}.")
    roles = dict(zip(ROLES, tensors, strict=False))
    units = roles["recurrent_kernel"].shape[:1]
    if "bias" in roles and units and roles["bias"].shape == (8 * units[0],):
        raise BadWeights(
            f"{where}: its bias has shape {roles['bias'].shape}, that of a CuDNNLSTM; expected ({4 * units[0]},). Load "
            "it in Keras 2 into an LSTM layer and save that."
        )
    return roles


def by_direction(names: list[str], where: str) -> dict[Direction, list[str]]:
    """Part the arrays of a Bidirectional: by the names of its halves, else forward first.

    Raises
    ------
    BadWeights
        The halves differ.
    """
    # The layer's own name, which stands before all of them, may begin with either prefix too.
    common = _common_parts(names)
    parted: dict[Direction, list[str]] = {
        half: [name for name in names if any(part.startswith(prefix) for part in name.split("/")[common:])]
        for half, prefix in DIRECTION_PREFIXES.items()
    }
    if not any(parted.values()):
        middle = len(names) // 2
        parted = {"forward": names[:middle], "backward": names[middle:]}
    if len(parted["forward"]) != len(parted["backward"]) or len(names) != 2 * len(parted["forward"]):
        raise BadWeights(f"{where}: has {len(names)} arrays; expected as many forward as backward ones.")
    return parted


def _common_parts(names: list[str]) -> int:
    """Count the parts with which all names begin."""
    columns = zip(*(name.split("/") for name in names), strict=False)
    return sum(1 for _ in itertools.takewhile(lambda column: len(set(column)) == 1, columns))


def check_nothing_else(
    container: Container, place: str, cells: Mapping[Direction, Mapping[str, Tensor]], where: str
) -> None:
    """Refuse a layer with arrays that an LSTM does not have, such as those of a normalisation inside its cell.

    Raises
    ------
    BadWeights
        Naming the first of them.
    """
    known = {tensor.name for half in cells.values() for tensor in half.values()}
    # The state of the random numbers of dropout says nothing about the layer.
    others = (name for name in container.tensors if name.startswith(f"{place}/") and "seed_generator" not in name)
    for name in others:
        if name not in known:
            raise BadWeights(
                f"{where}: has an array '{name}', which an LSTM does not have; expected kernel, recurrent kernel and "
                "bias alone. A cell of another kind cannot be run."
            )


def list_attribute(attributes: Mapping[str, Any], name: str) -> list[str]:
    """Read a list of names, put together again where it was split."""
    if name in attributes:
        parts = [attributes[name]]
    else:
        numbered = [f"{name}{number}" for number in range(MOST_PARTS)]
        parts = [attributes[part] for part in numbered if part in attributes]
    return [str(element) for part in parts if isinstance(part, list) for element in part]


def _counter(group: str) -> int:
    found = re.search(r"_(\d{1,9})$", group)
    return int(found[1]) if found else -1


def _goes_through(name: str, path: tuple[str, ...]) -> bool:
    """Tell whether the parts of a name hold those of a path, in their order."""
    parts = iter(name.split("/"))
    return all(step in parts for step in path)
