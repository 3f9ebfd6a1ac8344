"""Finds the arrays of a layer in Keras 3's layout, by its class and its number among the layers of that class."""

import re
from collections.abc import Iterable

from ....errors import BadWeights
from ....network.model import Direction
from ...named import refusal
from ...readers import Container, Tensor
from .graph import Layer
from .naming import check_table
from .settings import CellSettings, LayerSettings
from .vocabulary import snake_case

__all__ = ["LAYER_GROUPS", "CounterNames", "check_nothing_else", "numbered"]

# Names for a model's layers in Keras 3, and in Keras 2.12 and 2.13.
LAYER_GROUPS = ("layers", "_layer_checkpoint_dependencies")


class CounterNames:
    """Keras 3: ``layers/lstm_1/cell/vars/0`` is the kernel of the second LSTM (``saving_lib._save_container_state``).

    The k-th layer of a class in the configuration has the number k - 1. Keras 2.13 counts each layer twice, so there it
    is the k-th group of that class. If the group also stores the layer's name, it must agree.
    """

    def __init__(self, container: Container) -> None:
        self._container = container
        self._variables = numbered(container)
        # "layers" or "layers/sequential/layers" and "lstm": {"lstm", "lstm_1"}.
        self._groups: dict[tuple[str, str], set[str]] = {}
        for name in container.tensors:
            parts = name.split("/")
            for depth, part in enumerate(parts[:-2]):
                if part in LAYER_GROUPS:
                    key = "/".join(parts[: depth + 1]), re.sub(r"_\d+$", "", parts[depth + 1])
                    self._groups.setdefault(key, set()).add(parts[depth + 1])

    def cells(self, layer: Layer, settings: LayerSettings) -> dict[Direction, list[list[Tensor]]]:
        """Find the arrays of a recurrent layer by direction and cell."""
        group = self._group(layer)
        halves: dict[Direction, str] = {"forward": f"{group}/forward_layer", "backward": f"{group}/backward_layer"}
        if not settings.bidirectional:
            halves = {"forward": group}
        cells = {
            half: [
                self._arrays(variables, layer) for variables in _places(place, settings.cells[half], settings.stacked)
            ]
            for half, place in halves.items()
        }
        found = [tensor for half in cells.values() for cell in half for tensor in cell]
        check_nothing_else(self._container, group, found, self._where(layer))
        return cells

    def embedding(self, layer: Layer) -> Tensor:
        """Find the table of an Embedding."""
        return check_table(self._existing(f"{self._group(layer)}/vars/0", layer), self._where(layer))

    def _group(self, layer: Layer) -> str:
        place = ""
        for class_name, number in (*layer.outer, (layer.class_name, layer.number)):
            place = self._inside(place, class_name, number, layer)
        stored = self._container.attributes(f"{place}/vars").get("name")
        if isinstance(stored, str) and stored != layer.path[-1]:
            raise BadWeights(
                f"{self._container.path}: the configuration calls a layer '{layer.name}' and the weights call it "
                f"'{stored}'; they do not belong together, save the model again."
            )
        return place

    def _inside(self, place: str, class_name: str, number: int, layer: Layer) -> str:
        for groups in LAYER_GROUPS:
            prefix = f"{place}/{groups}".strip("/")
            kind = snake_case(class_name)
            found = sorted(self._groups.get((prefix, kind), ()), key=_counter)
            if groups == "layers":
                # Layers without arrays may have no group, but are counted.
                found = [group for group in found if group == (f"{kind}_{number}" if number else kind)]
                number = 0
            if number < len(found):
                return f"{prefix}/{found[number]}"
        raise BadWeights(
            f"{self._container.path}: has no weights for layer '{layer.name}' ({layer.class_name}); expected the group "
            f"{place}/layers/{snake_case(class_name)}. Save the model again."
        )

    def _arrays(self, place: str, layer: Layer) -> list[Tensor]:
        tensors = self._variables.get(place, [])
        if not tensors:
            raise BadWeights(f"{self._container.path}: has no weights for layer '{layer.name}'; expected {place}/0.")
        return tensors

    def _existing(self, name: str, layer: Layer) -> Tensor:
        if name not in self._container.tensors:
            raise BadWeights(f"{self._container.path}: has no weights for layer '{layer.name}'; expected {name}.")
        return self._container.tensors[name]

    def _where(self, layer: Layer) -> str:
        return f"{self._container.path}: layer '{layer.name}'"


def _places(place: str, cells: tuple[CellSettings, ...], stacked: bool) -> list[str]:
    """Return the groups of the cells' arrays: ``cell/vars``, or ``cell/cells/lstm_cell_1/vars`` in a list."""
    if not stacked:
        return [f"{place}/cell/vars"]
    counts: dict[str, int] = {}
    places = []
    for cell in cells:
        kind = snake_case(cell.class_name)
        number = counts.setdefault(kind, 0)
        counts[kind] += 1
        places.append(f"{place}/cell/cells/{kind}" + (f"_{number}" if number else "") + "/vars")
    return places


def numbered(container: Container) -> dict[str, list[Tensor]]:
    """Group the arrays ``<place>/vars/<number>`` by ``<place>/vars``, in the order of their numbers.

    Raises
    ------
    BadWeights
        A number is missing, so the role of each array is unknown.
    """
    groups: dict[str, dict[int, Tensor]] = {}
    for name, tensor in container.tensors.items():
        place, _, number = name.rpartition("/")
        if place.split("/")[-1] == "vars" and number.isdecimal() and len(number) < 10:
            groups.setdefault(place, {})[int(number)] = tensor
    for place, group in groups.items():
        if sorted(group) != list(range(len(group))):
            found = ", ".join(map(str, sorted(group)[:10]))
            raise BadWeights(
                f"{container.path}: '{place}' holds the arrays {found}; expected 0 to {len(group) - 1}. One is "
                "missing, save the model again."
            )
    return {place: [group[number] for number in range(len(group))] for place, group in groups.items()}


def check_nothing_else(container: Container, place: str, found: Iterable[Tensor], where: str) -> None:
    """Refuse a layer with arrays that its cells do not have, such as a normalisation inside them.

    Raises
    ------
    BadWeights
        It names them.
    """
    known = {tensor.name for tensor in found}
    # Dropout's random state says nothing about the layer.
    inside = (name for name in container.tensors if name.startswith(f"{place}/") and "seed_generator" not in name)
    foreign = [name for name in inside if name not in known]
    if foreign:
        raise BadWeights(refusal(where, foreign, "which such a layer does not have besides kernels and bias"))


def _counter(group: str) -> int:
    found = re.search(r"_(\d{1,9})$", group)
    return int(found[1]) if found else -1
