"""Finds the arrays of a layer in the legacy layout: in its group, in the order that the group lists."""

import itertools
from collections.abc import Mapping
from typing import Any

from ....errors import BadWeights
from ....network.model import Direction
from ...readers import Container, Tensor
from .graph import Layer
from .naming import check_table
from .settings import CellSettings, LayerSettings
from .vocabulary import DIRECTION_PREFIXES, ROLES

__all__ = ["LegacyNames", "list_attribute"]

# HDF5 splits a list of names that is longer than 64 KiB into name0, name1, ….
MOST_PARTS = 10_000


class LegacyNames:
    """HDF5 as Keras 2 and ``legacy_h5_format`` write it: a group per layer, the order in its ``weight_names``."""

    def __init__(self, container: Container, root: str) -> None:
        self._container = container
        self._root = root

    def cells(self, layer: Layer, settings: LayerSettings) -> dict[Direction, list[list[Tensor]]]:
        """Find the arrays of a recurrent layer by direction and cell."""
        where = f"{self._container.path}: layer '{layer.name}'"
        names = self._names(layer)
        halves: dict[Direction, list[str]] = {"forward": names}
        if settings.bidirectional:
            halves = by_direction(names, where)
        return {half: self._by_cell(layer, part, settings.cells[half], where) for half, part in halves.items()}

    def embedding(self, layer: Layer) -> Tensor:
        """Find the table of an Embedding."""
        names = self._names(layer)
        if len(names) != 1:
            raise BadWeights(
                f"{self._container.path}: layer '{layer.name}' has {len(names)} arrays; expected one table."
            )
        return check_table(self._tensor(layer, names[0]), f"{self._container.path}: layer '{layer.name}'")

    def _names(self, layer: Layer) -> list[str]:
        """List the layer's arrays; those of a layer in an inner model are among its model's."""
        group = f"{self._root}/{layer.path[0]}"
        names = list_attribute(self._container.attributes(group), "weight_names")
        if len(layer.path) == 1:
            return names
        inside = [name for name in names if _goes_through(name, layer.path[1:])]
        return inside or [name for name in names if layer.path[-1] in name.split("/")]

    def _by_cell(
        self, layer: Layer, names: list[str], cells: tuple[CellSettings, ...], where: str
    ) -> list[list[Tensor]]:
        """Split the arrays of a layer among its cells, which are stored one after the other, trained before frozen."""
        if len(cells) == 1:
            _check_order(names, where)
            return [[self._tensor(layer, name) for name in names]]
        expected = sum(cell.arrays for cell in cells)
        if len(names) != expected:
            raise BadWeights(f"{where}: has {len(names)} arrays; expected {expected} for {len(cells)} cells.")
        rest, parts = iter(names), {}
        for number in sorted(range(len(cells)), key=lambda number: not cells[number].trainable):
            own = list(itertools.islice(rest, cells[number].arrays))
            _check_order(own, where)
            _check_cell(cells[number].name, own, names, where)
            parts[number] = [self._tensor(layer, name) for name in own]
        return [parts[number] for number in range(len(cells))]

    def _tensor(self, layer: Layer, name: str) -> Tensor:
        place = f"{self._root}/{layer.path[0]}/{name}".strip("/")
        if place not in self._container.tensors:
            raise BadWeights(f"{self._container.path}: has no dataset '{place}', which its group lists; it is damaged.")
        return self._container.tensors[place]


def _check_order(names: list[str], where: str) -> None:
    """Refuse names that contradict the order, except those of Keras 1 (``lstm_1_W_i``)."""
    if len(names) not in (2, 3):
        return
    for role, name in zip(ROLES, names, strict=False):
        leaf = name.split("/")[-1]
        if any(leaf.startswith(other) for other in ROLES) and not leaf.startswith(role):
            raise BadWeights(f"{where}: has the array '{name}' where its {role} was expected; save the model again.")


def _check_cell(cell: str, own: list[str], names: list[str], where: str) -> None:
    """Refuse arrays named after a different cell from the one they would be used for."""
    called = [name for name in names if cell in name.split("/")]
    if called and set(called) != set(own):
        raise BadWeights(f"{where}: has '{own[0]}' where the arrays of its cell '{cell}' were expected; save it again.")


def by_direction(names: list[str], where: str) -> dict[Direction, list[str]]:
    """Split the arrays of a Bidirectional by the prefix of their names; otherwise the forward half comes first.

    Order alone is not enough, because Keras lists trained arrays before frozen ones.

    Raises
    ------
    BadWeights
        The halves differ.
    """
    if len(names) % 2:
        raise BadWeights(f"{where}: has {len(names)} arrays; expected as many forward as backward ones.")
    # The layer's own name, which precedes all of them, may begin with either prefix too.
    common = _common_parts(names)
    halves: dict[Direction, list[str]] = {"forward": [], "backward": []}
    for name in names:
        parts = name.split("/")[common:]
        for half, prefix in DIRECTION_PREFIXES.items():
            if any(part.startswith(prefix) for part in parts):
                halves[half].append(name)
    middle = len(names) // 2
    if not halves["forward"] and not halves["backward"]:
        return {"forward": names[:middle], "backward": names[middle:]}
    # Keras 3 does not rename an explicit backward layer.
    for half, other in (("forward", "backward"), ("backward", "forward")):
        if not halves[other]:  # type: ignore[index]
            halves[other] = [name for name in names if name not in halves[half]]  # type: ignore[index]
    if len(halves["forward"]) != middle or set(halves["forward"]) & set(halves["backward"]):
        raise BadWeights(
            f"{where}: its arrays {', '.join(names[:8])} do not form two equal halves; save the model again."
        )
    return halves


def _common_parts(names: list[str]) -> int:
    """Count the leading parts that all names share."""
    columns = zip(*(name.split("/") for name in names), strict=False)
    return sum(1 for _ in itertools.takewhile(lambda column: len(set(column)) == 1, columns))


def list_attribute(attributes: Mapping[str, Any], name: str) -> list[str]:
    """Read a list of names, joined again if it was split."""
    if name in attributes:
        parts = [attributes[name]]
    else:
        numbered = [f"{name}{number}" for number in range(MOST_PARTS)]
        parts = [attributes[part] for part in numbered if part in attributes]
    return [str(element) for part in parts if isinstance(part, list) for element in part]


def _goes_through(name: str, path: tuple[str, ...]) -> bool:
    """Return whether the parts of a name contain those of a path, in order."""
    parts = iter(name.split("/"))
    return all(step in parts for step in path)
