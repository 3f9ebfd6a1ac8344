"""Where arrays lie in the legacy layout: in a group for each layer, in the order that the group lists."""

import itertools
from collections.abc import Mapping
from typing import Any

from ....errors import BadWeights
from ...canonical import Direction
from ...readers import Container, Tensor
from .graph import Layer
from .naming import check_table, roles_by_order
from .vocabulary import DIRECTION_PREFIXES

__all__ = ["LegacyNames", "list_attribute"]

# HDF5 splits a list of names that is longer than 64 KiB into name0, name1, ….
MOST_PARTS = 10_000


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
        return check_table(self._tensor(layer, names[0]), f"{self._container.path}: layer '{layer.name}'")

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


def by_direction(names: list[str], where: str) -> dict[Direction, list[str]]:
    """Part the arrays of a Bidirectional: Keras stores the forward half first.

    Raises
    ------
    BadWeights
        The halves differ, or their names contradict the order.
    """
    middle = len(names) // 2
    halves: dict[Direction, list[str]] = {"forward": names[:middle], "backward": names[middle:]}
    if len(names) % 2:
        raise BadWeights(f"{where}: has {len(names)} arrays; expected as many forward as backward ones.")
    # The layer's own name, which stands before all of them, may begin with either prefix too.
    common = _common_parts(names)
    pairs: tuple[tuple[Direction, Direction], ...] = (("forward", "backward"), ("backward", "forward"))
    for half, other in pairs:
        for name in halves[half]:
            if any(part.startswith(DIRECTION_PREFIXES[other]) for part in name.split("/")[common:]):
                raise BadWeights(f"{where}: lists '{name}' among its {half} arrays; save the model again.")
    return halves


def _common_parts(names: list[str]) -> int:
    """Count the parts with which all names begin."""
    columns = zip(*(name.split("/") for name in names), strict=False)
    return sum(1 for _ in itertools.takewhile(lambda column: len(set(column)) == 1, columns))


def list_attribute(attributes: Mapping[str, Any], name: str) -> list[str]:
    """Read a list of names, put together again where it was split."""
    if name in attributes:
        parts = [attributes[name]]
    else:
        numbered = [f"{name}{number}" for number in range(MOST_PARTS)]
        parts = [attributes[part] for part in numbered if part in attributes]
    return [str(element) for part in parts if isinstance(part, list) for element in part]


def _goes_through(name: str, path: tuple[str, ...]) -> bool:
    """Tell whether the parts of a name hold those of a path, in their order."""
    parts = iter(name.split("/"))
    return all(step in parts for step in path)
