"""Reads Keras' layers from TensorFlow 2's object-based checkpoints, SavedModels and exports, without rebuilding them.

Such a checkpoint lists the objects of the program: an object with ``kernel`` and ``recurrent_kernel`` is a cell, and
its path names its layer (``layer_with_weights-1/forward_layer/cell``). ``model.export`` of Keras 3 keeps only a list
of variables, whose names show the same. A SavedModel of Keras 2 also has the configuration of each layer; without one,
the order of the layers and their activations are guessed as for Keras' own files.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ....errors import BadWeights
from ....network.model import Direction
from ...readers import Container, Tensor
from ...readers.checkpoint.graph import Object
from ...readers.saved_model import SavedCalls
from ...stack import Model
from ..keras.configured import ConfiguredModel
from ..keras.exported import exported_model
from ..keras.graph import Layer, read_graph
from ..keras.guessed import GuessedModel
from ..keras.naming import check_table
from ..keras.ours import class_of
from ..keras.settings import LayerSettings
from ..keras.vocabulary import RECURRENT, ROLES
from .objects import HALVES, array_of, check_nothing_else, found_layers, generation_of, variables_of

__all__ = ["interpret", "recognises"]

SUFFIX = "/.ATTRIBUTES/VARIABLE_VALUE"


def recognises(container: Container) -> bool:
    """Return whether a checkpoint is object-based."""
    return any(name.endswith(SUFFIX) for name in container.tensors)


def interpret(container: Container) -> Model:
    """Find the layers, by their configurations if known.

    Raises
    ------
    BadWeights
        A layer has more variables than a layer of Keras, or the parts of a checkpoint contradict each other.
    """
    kind = f"Keras in TensorFlow 2 ({container.kind})"
    variables = variables_of(container)
    described = container.documents.get("keras", [])
    if described:
        root = described[0]["config"]
        names = _ObjectNames(container, variables, described)
        whole = root.get("model_config")
        graph = read_graph(whole, container.path) if isinstance(whole, Mapping) else None
        graph = graph or read_graph(names.apart(), container.path)
        # Only TensorFlow 2.5 and later write such metadata.
        if graph is not None:
            return ConfiguredModel(kind, str(root.get("keras_version") or "2.5"), graph, names)
    found = found_layers(container, variables)
    if container.kind == "TensorFlow SavedModel":
        return exported_model(container, kind, found, _saved_arrays(container), generation_of(container))
    return GuessedModel(kind, None, found, container.path, generation_of(container))


def _saved_arrays(container: Container) -> dict[int, str]:
    """Return the array of each variable by its number among the objects of a SavedModel's functions."""
    objects: Sequence[Object] = container.documents.get("objects", ())
    calls: SavedCalls | None = container.documents.get("calls")
    waiting, seen, found = [(0, 0)] if objects and calls is not None and calls.children else [], {0}, {}
    for number, saved in waiting:
        if objects[number].key:
            found[saved] = array_of(container, objects[number]).name
        for name, child in (calls.children[saved] if calls is not None else {}).items():
            if child not in seen and name in objects[number].children:
                seen.add(child)
                waiting.append((objects[number].children[name], child))
    return found


class _ObjectNames:
    """Finds the arrays of a layer with a configuration: at the object of the name in it."""

    def __init__(
        self, container: Container, variables: Mapping[str, tuple[Tensor, str]], described: Sequence[Mapping[str, Any]]
    ) -> None:
        self._where, self._variables = container.path, variables
        self._configs = {entry["path"].partition(".")[2].replace(".", "/"): entry["config"] for entry in described}
        self._places: dict[tuple[str, ...], str] = {self._names(place): place for place in self._configs if place}

    def apart(self) -> dict[str, Any]:
        """Make a configuration of unconnected recurrent layers for a model that has none."""
        layers: list[dict[str, Any]] = []
        for place, config in self._configs.items():
            inside = any(place.startswith(f"{around}/") for around in (layer["place"] for layer in layers))
            if class_of(config)[1] in RECURRENT and isinstance(config.get("config"), Mapping) and not inside:
                name = str(config.get("name") or place)
                node = [[["inputs", 0, 0, {}]]]
                layers.append({**config, "name": name, "place": place, "inbound_nodes": node})
                self._places[(name,)] = place
        inputs = {"class_name": "InputLayer", "name": "inputs", "config": {"name": "inputs"}, "inbound_nodes": []}
        outputs = [[layer["name"], 0, 0] for layer in layers]
        return {"class_name": "Functional", "config": {"layers": [inputs, *layers], "output_layers": outputs}}

    def cells(self, layer: Layer, settings: LayerSettings) -> dict[Direction, list[list[Tensor]]]:
        """Find the arrays of a recurrent layer by direction and cell."""
        place = self._place(layer)
        check_nothing_else(place, self._variables, self._where)
        halves = {half: f"{place}/{name}" for name, half in HALVES.items()} if settings.bidirectional else {}
        return {
            half: [
                self._arrays(f"{at}/cell/cells/{number}" if settings.stacked else f"{at}/cell", layer)
                for number in range(len(settings.cells[half]))
            ]
            for half, at in (halves or {"forward": place}).items()
        }

    def embedding(self, layer: Layer) -> Tensor:
        """Find the table of an Embedding."""
        found = self._variables.get(f"{self._place(layer)}/embeddings")
        if found is None:
            raise BadWeights(f"{self._where}: has no weights for layer '{layer.name}'; save the model again.")
        return check_table(found[0], f"{self._where}: layer '{layer.name}'")

    def _names(self, place: str) -> tuple[str, ...]:
        parts = place.split("/")
        around = ["/".join(parts[: depth + 1]) for depth in range(len(parts))]
        return tuple(str(self._configs[path].get("name", path)) if path in self._configs else path for path in around)

    def _place(self, layer: Layer) -> str:
        place = self._places.get(layer.path)
        if place is None:
            raise BadWeights(f"{self._where}: has no object for layer '{layer.name}'; save the model again.")
        return place

    def _arrays(self, place: str, layer: Layer) -> list[Tensor]:
        # CuDNN layers are their own cells.
        at = place if f"{place}/kernel" in self._variables else place.removesuffix("/cell")
        found = [self._variables[f"{at}/{role}"][0] for role in ROLES if f"{at}/{role}" in self._variables]
        if len(found) < 2:
            raise BadWeights(f"{self._where}: has no weights for layer '{layer.name}'; save the model again.")
        return found
