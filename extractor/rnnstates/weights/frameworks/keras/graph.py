"""Reads a model's layers and what feeds them from its configuration; nested models are flattened.

A shared layer, called more than once, is a single layer here, fed by everything that any of its calls reads: all that
matters is which layer reads which.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ....errors import BadWeights
from .calls import Call, Reference, calls, references
from .ours import class_of, is_ours
from .vocabulary import MODELS, snake_case

__all__ = ["Graph", "Layer", "Producer", "is_own", "read_graph"]

DEEPEST = 50
MOST_LAYERS = 20_000
# Most steps from layer to layer in all; bounds the time that a hostile configuration can take.
MOST_STEPS = 1_000_000
# Layers that Keras 3 itself inserts if an Embedding or a Masking masks steps, and ours for lengths.
OWN_MASKS = {"NotEqual", "Any", "StepsMask"}


@dataclass(frozen=True, eq=False)
class Layer:
    """One layer that is not itself a model.

    Parameters
    ----------
    path : tuple of str
        The names of the models around it, then its own.
    class_name : str
    config : mapping
        Its settings as Keras stores them.
    custom : bool
        Whether its class is not Keras' own.
    number : int
        How many layers of the same class precede it in its model.
    outer : tuple of (str, int)
        The class and such a number of each model around it.
    registered : str
        The class after the package in which it was registered: ``Custom>LSTM``.
    """

    path: tuple[str, ...]
    class_name: str
    config: Mapping[str, Any]
    custom: bool
    number: int
    outer: tuple[tuple[str, int], ...]
    registered: str = ""

    @property
    def name(self) -> str:
        """Its name for messages and ``layer=``: ``lstm``, or ``encoder/lstm`` inside a model ``encoder``."""
        return "/".join(self.path)


@dataclass(frozen=True, eq=False)
class Producer:
    """What a layer reads: an output of another one. The first output of a recurrent layer is its hidden states."""

    layer: Layer
    index: int


# The inputs of a whole model without an InputLayer.
INPUTS = Layer(("inputs",), "InputLayer", {}, False, 0, ())


@dataclass(eq=False)
class _Model:
    """One model's own names: its layers, its inner models, their calls, its inputs and outputs."""

    sequential: bool
    parent: "tuple[_Model, str] | None"
    layers: dict[str, Layer] = field(default_factory=dict)
    models: "dict[str, _Model]" = field(default_factory=dict)
    calls: dict[str, list[Call]] = field(default_factory=dict)
    inputs: list[str] = field(default_factory=list)
    given: dict[str, Layer] = field(default_factory=dict)
    outputs: list[Reference] = field(default_factory=list)


class Graph:
    """All layers by path, in the order of the configuration.

    Parameters
    ----------
    where : str
        The file, for messages.
    """

    def __init__(self, where: str) -> None:
        self.where = where
        self.layers: dict[tuple[str, ...], Layer] = {}
        self._models: dict[tuple[str, ...], _Model] = {}
        self._steps = 0

    def add(self, layer: Layer, model: _Model) -> None:
        """Add a layer of a model."""
        if layer.path in self.layers:
            raise BadWeights(f"{self.where}: has two layers called '{layer.name}'; the configuration is damaged.")
        if len(self.layers) >= MOST_LAYERS:
            raise BadWeights(f"{self.where}: more than {MOST_LAYERS} layers; it is refused.")
        self.layers[layer.path] = layer
        self._models[layer.path] = model

    def producers(self, layer: Layer, *, first: bool = False) -> list[Producer]:
        """Return what feeds a layer, each once; an InputLayer or ``INPUTS`` if a call reads the model's inputs.

        Parameters
        ----------
        layer : Layer
        first : bool
            Use only the first tensor of each call: Keras 2 passes the initial state of a recurrent layer after it.
        """
        model = self._models[layer.path]
        found: dict[tuple[tuple[str, ...], int], Producer] = {}
        waiting = _reads(model, layer.path[-1], first=first)
        # Each tensor is followed once: models shared at every depth would otherwise multiply.
        seen = set()
        while waiting:
            self._count_step()
            inside, reference = waiting.pop(0)
            if (id(inside), reference) in seen:
                continue
            seen.add((id(inside), reference))
            if inside.parent is None and reference.layer in inside.inputs:
                given = inside.given.get(reference.layer, INPUTS)
                found[given.path, 0] = Producer(given, 0)
                continue
            if reference.layer in inside.layers:
                producer = Producer(inside.layers[reference.layer], reference.index)
                found[producer.layer.path, producer.index] = producer
            else:
                waiting += self._follow(inside, reference)
        return list(found.values())

    def uses(self, layer: Layer) -> list[Call]:
        """Return every call of a layer in its model."""
        return self._models[layer.path].calls[layer.path[-1]]

    def masked_by_hand(self, layer: Layer) -> bool:
        """Return whether a call passes a layer a mask that Keras did not make itself."""
        model = self._models[layer.path]
        makers = [model.layers.get(mask.layer) for call in self.uses(layer) for mask in call.masks]
        return any(maker is None or maker.class_name not in OWN_MASKS for maker in makers)

    def _count_step(self) -> None:
        self._steps += 1
        if self._steps > MOST_STEPS:
            raise BadWeights(f"{self.where}: its layers are connected in more ways than any model's; it is refused.")

    def _follow(self, model: _Model, reference: Reference) -> list[tuple[_Model, Reference]]:
        """Follow a tensor into the inner model that makes it, or out of this one through its inputs."""
        name = reference.layer
        if name in model.models:
            inner = model.models[name]
            return [(inner, output) for output in inner.outputs[reference.index : reference.index + 1]]
        if name in model.inputs:
            return _from_outside(model, model.inputs.index(name))
        raise BadWeights(f"{self.where}: a layer reads '{name}', which is not in its model; the file is damaged.")


def _reads(model: _Model, name: str, *, first: bool = False) -> list[tuple[_Model, Reference]]:
    uses = model.calls[name]
    return [(model, reference) for call in uses for reference in (call.inputs[:1] if first else call.inputs)]


def _from_outside(model: _Model, position: int) -> list[tuple[_Model, Reference]]:
    if model.parent is None:
        return []
    around, name = model.parent
    return [(around, call.inputs[position]) for call in around.calls[name] if position < len(call.inputs)]


def read_graph(config: Mapping[str, Any], where: str) -> Graph | None:
    """Read a model's configuration.

    Parameters
    ----------
    config : mapping
        ``{"class_name": ..., "config": ...}`` as Keras stores it.
    where : str
        The file.

    Returns
    -------
    Graph or None
        None if it lists no layers: a model whose layers exist only in Python code.

    Raises
    ------
    BadWeights
        It contradicts itself.
    """
    if _entries(config) is None or str(config.get("class_name")) not in MODELS or not is_own(config):
        return None
    graph = Graph(where)
    _read_model(config, graph, _Model(_is_sequential(config), None), (), ())
    return graph


def _read_model(
    entry: Mapping[str, Any], graph: Graph, model: _Model, path: tuple[str, ...], outer: tuple[tuple[str, int], ...]
) -> None:
    if len(path) > DEEPEST:
        raise BadWeights(f"{graph.where}: more than {DEEPEST} models inside each other; it is refused.")
    counts: dict[str, int] = {}
    previous: str | None = None
    for inner in _entries(entry) or []:
        name, class_name, config = _identity(inner, graph.where)
        model.calls[name] = _sequential_call(previous) if model.sequential else calls(inner.get("inbound_nodes"))
        kind = snake_case(class_name)
        number = counts.setdefault(kind, 0)
        counts[kind] += 1
        if _entries(inner) is not None and class_name in MODELS and is_own(inner):
            model.models[name] = _Model(_is_sequential(inner), (model, name))
            _read_model(inner, graph, model.models[name], (*path, name), (*outer, (class_name, number)))
        elif class_name == "InputLayer":
            model.inputs.append(name)
            model.given[name] = Layer((*path, name), class_name, config, custom=False, number=0, outer=())
        else:
            registered = ">".join(part for part in class_of(inner) if part)
            layer = Layer((*path, name), class_name, config, not is_own(inner), number, outer, registered)
            model.layers[name] = layer
            graph.add(layer, model)
        previous = name
    _read_ends(entry, model, previous, graph.where)


def _read_ends(entry: Mapping[str, Any], model: _Model, last: str | None, where: str) -> None:
    """Find the inputs and outputs of a model."""
    if model.sequential:
        model.inputs = [*model.inputs, _OUTSIDE]
        model.outputs = [] if last is None else [Reference(last, 0)]
        return
    config = entry["config"]
    if model.parent is not None and any(
        isinstance(config.get(end), Mapping) for end in ("input_layers", "output_layers")
    ):
        raise BadWeights(
            f"{where}: the inner model '{model.parent[1]}' has named inputs or outputs, which are not read; save it "
            "alone."
        )
    ordered = [reference.layer for reference in references(config.get("input_layers"))]
    model.inputs = [name for name in ordered if name in model.inputs] or model.inputs
    model.outputs = references(config.get("output_layers"))


# What the first layer of a Sequential model without an InputLayer reads; no layer can have this name.
_OUTSIDE = "\0outside"


def _sequential_call(previous: str | None) -> list[Call]:
    return [Call((Reference(_OUTSIDE if previous is None else previous, 0),), initial_state=False)]


def _entries(entry: Mapping[str, Any]) -> list[Mapping[str, Any]] | None:
    """List a model's layers; None if the entry is not a model. Keras up to 2.2 wrote Sequential's as a bare list."""
    config = entry.get("config")
    layers = config.get("layers") if isinstance(config, Mapping) else config
    if not isinstance(layers, list) or not all(isinstance(layer, Mapping) for layer in layers):
        return None
    return layers


def _is_sequential(entry: Mapping[str, Any]) -> bool:
    if entry.get("class_name") == "Sequential":
        return True
    config = entry.get("config")
    return not (isinstance(config, Mapping) and "output_layers" in config)


def is_own(entry: Mapping[str, Any]) -> bool:
    """Return whether a class is Keras' own: its registered name has no package, its module is Keras'.

    Classes of ``rnnstates.keras`` count as well: what they compute is known.
    """
    if is_ours(entry):
        return True
    registered = entry.get("registered_name")
    if class_of(entry)[0] or (registered is not None and registered != entry.get("class_name")):
        return False
    # Keras 2 writes no module into a legacy file; Keras 3 writes null for a class of the user's main program.
    module = entry.get("module", "keras")
    return isinstance(module, str) and module.split(".")[0] in ("keras", "tensorflow", "tf_keras", "builtins")


def _identity(entry: Mapping[str, Any], where: str) -> tuple[str, str, Mapping[str, Any]]:
    class_name, config = class_of(entry)[1], entry.get("config")
    inside = config if isinstance(config, Mapping) else {}
    name = entry.get("name") or inside.get("name") or class_name
    if not class_name or not isinstance(name, str):
        raise BadWeights(f"{where}: a layer of the configuration has no class or name; the file is damaged.")
    return name, class_name, inside
