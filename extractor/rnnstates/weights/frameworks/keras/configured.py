"""Builds stacks from a Keras model with a configuration: which recurrent layers feed which, and how each is run."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from ....errors import BadWeights
from ....network.model import Direction
from ....network.note import MODEL_MASK, ZERO_START, Note, prefixed
from ....network.step_mask import StepMask
from ...activation_names import keras_generation
from ...readers import Tensor
from ...stack import StoredCell, StoredLayer, StoredStack
from .fitting import check_width, stored_cell
from .graph import Graph, Layer
from .masks import is_masked
from .naming import TensorNames
from .settings import LayerSettings, layer_settings, wrapped
from .step_masks import step_mask
from .vocabulary import NO_OPERATION, OURS, RECURRENT

__all__ = ["ConfiguredModel"]

COUNTING = 'here only the lengths count (lengths="model" counts as the model does).'


@dataclass
class _Below:
    """The inputs of a layer, looking through layers that change nothing."""

    layers: list[Layer] = field(default_factory=list)
    masks: list[Layer] = field(default_factory=list)
    # The layers looked through.
    passed: list[Layer] = field(default_factory=list)
    # Whether it reads a final state rather than the sequence.
    state: bool = False
    # Whether it is also called on its own output.
    itself: bool = False


class ConfiguredModel:
    """A model read from its configuration.

    Parameters
    ----------
    kind : str
        The kind of file.
    version : str or None
        The ``keras_version`` that wrote it.
    graph : Graph
    names : TensorNames
    rules : str or None
        The version whose names and defaults apply if the file does not say which one wrote it.
    generation : str
        Likewise, the generation by which activation names given by the user are read (``activation_names``).
    notes : tuple of str
        Notes on every stack.
    """

    def __init__(
        self,
        kind: str,
        version: str | None,
        graph: Graph,
        names: TensorNames,
        *,
        rules: str | None = None,
        generation: str = "",
        notes: tuple[str, ...] = (),
    ) -> None:
        self.kind = kind
        self.version = version
        self.connected = True
        self._rules = version or rules
        self._generation = generation or keras_generation(version)
        self._graph = graph
        self._names = names
        self._general_notes = notes
        self._seen_below: dict[tuple[str, ...], _Below] = {}
        self._recurrent = {layer.name: layer for layer in graph.layers.values() if _is_recurrent(layer)}

    def recurrent(self) -> dict[str, str]:
        """Return the class of each recurrent layer by its name."""
        return {name: layer.class_name for name, layer in self._recurrent.items()}

    def present(self) -> list[str]:
        """List all layers as ``name (Class)``."""
        return [f"{layer.name} ({layer.class_name})" for layer in self._graph.layers.values()]

    def tables(self) -> dict[str, Tensor]:
        """Return the tables of the embeddings by the names of their layers."""
        embeddings = [layer for layer in self._graph.layers.values() if layer.class_name == "Embedding"]
        found = {layer.name: self._table(layer) for layer in embeddings if not layer.custom}
        return {name: table for name, table in found.items() if table is not None}

    def _table(self, layer: Layer) -> Tensor | None:
        try:
            return self._names.embedding(layer)
        except BadWeights:
            # It has several arrays or none, so there is no table to look ids up in.
            return None

    def modules(self) -> None:
        """Return None: the configuration says what stands before a layer."""

    def tops(self) -> list[str]:
        """Return the names of the recurrent layers that feed no other one."""
        feeders = [self._feeder(layer) for layer in self._recurrent.values()]
        below = {feeder.name for feeder in feeders if feeder is not None}
        return [name for name in self._recurrent if name not in below]

    def stack(self, top: str) -> StoredStack:
        """Return the stack that ends with a layer.

        Raises
        ------
        BadWeights
            One of its layers has an unsupported class or setting.
        """
        chain = self._chain(self._recurrent[top])
        layers: list[StoredLayer] = []
        notes: list[str] = []
        flipped = False
        for position, layer in enumerate(chain):
            settings = self._settings(layer)
            self._check_place(layer, settings, flipped=flipped, is_top=position == len(chain) - 1)
            turned = flipped ^ settings.backwards
            layers += self._stored(layer, settings, flipped=turned)
            flipped = flipped if settings.aligned else turned
            notes += self._notes(layer, settings)
        embedding, more = self._below_stack(chain[0])
        check_width(layers[0].features, self._below(chain[0]).layers, self._where(chain[0]))
        return StoredStack(
            tuple(layers), embedding, (*self._general_notes, *more, *notes), generation=self._generation,
            mask=self._mask(chain[0]),
        )  # fmt: skip

    def _mask(self, lowest: Layer) -> StepMask | str:
        below = self._below(lowest)
        masked, by_hand = is_masked(self._graph, lowest, self._rules), self._graph.masked_by_hand(lowest)
        return step_mask(lowest, below.layers, below.masks, self._rules, masked=masked, by_hand=by_hand)

    def _chain(self, top: Layer) -> list[Layer]:
        """Collect a layer and the recurrent layers below it that feed it every step; lowest first."""
        chain = {top.path: top}
        here = top
        while (below := self._feeder(here)) is not None and below.path not in chain:
            chain[below.path] = here = below
        return list(chain.values())[::-1]

    def _feeder(self, layer: Layer) -> Layer | None:
        below = self._below(layer)
        if len(below.layers) != 1 or below.state or not _is_recurrent(below.layers[0]):
            return None
        return below.layers[0] if _gives_sequences(below.layers[0]) else None

    def _below(self, layer: Layer) -> _Below:
        """Look down from a layer to the first ones that compute something."""
        if layer.path not in self._seen_below:
            self._seen_below[layer.path] = self._look_down(layer)
        return self._seen_below[layer.path]

    def _look_down(self, layer: Layer) -> _Below:
        found = _Below()
        waiting, seen = [layer], {layer.path}
        while waiting:
            here = waiting.pop()
            for producer in self._graph.producers(here, first=_is_recurrent(here)):
                below = producer.layer
                found.state |= _is_recurrent(below) and producer.index > 0
                found.itself |= below.path == layer.path
                if below.path in seen:
                    continue
                seen.add(below.path)
                if _is_transparent(below):
                    waiting.append(below)
                    found.passed.append(below)
                    found.masks += [below] if below.class_name == "Masking" else []
                else:
                    found.layers.append(below)
        return found

    def _settings(self, layer: Layer) -> LayerSettings:
        where = self._where(layer)
        if layer.custom:
            raise BadWeights(
                f"{where}: its class is not Keras' own ('{layer.registered}'), so what it computes is unknown; "
                "expected Keras' LSTM, GRU or another of its layers. If it computes the same as one of these, copy its "
                "weights into that layer and save it."
            )
        return layer_settings(layer.class_name, layer.config, self._rules, where)

    def _check_place(self, layer: Layer, settings: LayerSettings, *, flipped: bool, is_top: bool) -> None:
        if settings.apart and not is_top:
            raise BadWeights(f"{self._where(layer)}: does not merge its directions, yet another layer reads it.")
        if settings.bidirectional and flipped:
            raise BadWeights(
                f"{self._where(layer)}: reads a layer that goes backwards, which swaps its directions; this is not "
                "supported. Choose a layer below it with layer=NAME."
            )

    def _stored(self, layer: Layer, settings: LayerSettings, *, flipped: bool) -> list[StoredLayer]:
        """Find a layer's arrays; if it has several cells, they become layers whose directions never mix."""
        found = self._names.cells(layer, settings)
        count = len(settings.cells["forward"])
        stored, masked = [], is_masked(self._graph, layer, self._rules)
        for number in range(count):
            cells: dict[Direction, StoredCell] = {}
            for half, parts in found.items():
                direction: Direction = "backward" if half == "backward" or flipped else "forward"
                where = self._where(layer) + (f" ({half})" if settings.bidirectional else "")
                cells[direction] = stored_cell(settings.cells[half][number], parts[number], where)
            name = layer.name if count == 1 else f"{layer.name}/{number}"
            merge = settings.merge if number == count - 1 else "apart"
            stored.append(StoredLayer(name, cells, merge, masked=masked))
        return stored

    def _notes(self, layer: Layer, settings: LayerSettings) -> Iterator[str]:
        yield from (prefixed(f"layer '{layer.name}'", note) for note in settings.notes)
        if self._below(layer).itself:
            yield f"layer '{layer.name}' also reads its own states in the model; here it runs once, over the inputs."
        if any(call.initial_state or len(call.inputs) > 1 for call in self._graph.uses(layer)):
            yield Note(
                f"layer '{layer.name}' is given an initial state by the model; here it starts from zero states "
                "(initial_state=FILE gives others).",
                ZERO_START,
            )
        if self._graph.masked_by_hand(layer):
            yield f"layer '{layer.name}' is given a mask by the model; here only the lengths count."
        yield from (
            f"layer '{each.name}' applies dropout whenever the model runs (training=True); here nothing is dropped."
            for each in (layer, *self._below(layer).passed)
            if _drops(each) and any(call.training for call in self._graph.uses(each))
        )
        yield from (
            Note(f"layer '{mask.name}' masks steps of one value in the model; {COUNTING}", MODEL_MASK)
            for mask in self._below(layer).masks
        )

    def _below_stack(self, lowest: Layer) -> tuple[Tensor | None, list[str]]:
        """Find what feeds the lowest layer: an embedding, or something that is not run."""
        below = self._below(lowest)
        if len(below.layers) != 1 or below.layers[0].class_name != "Embedding" or below.layers[0].custom:
            return None, self._not_run(below, lowest)
        embedding = below.layers[0]
        notes = self._not_run(self._below(embedding), embedding)
        if embedding.config.get("mask_zero"):
            notes.append(Note(f"layer '{embedding.name}' masks steps with id 0 in the model; {COUNTING}", MODEL_MASK))
        return self._names.embedding(embedding), notes

    def _not_run(self, below: _Below, above: Layer) -> list[str]:
        if all(layer.class_name == "InputLayer" for layer in below.layers):
            return []
        found = " and ".join(f"'{layer.name}' ({layer.class_name})" for layer in below.layers[:5])
        return [f"the model has {found} before '{above.name}', which is not run; inputs must be its output."]

    def _where(self, layer: Layer) -> str:
        return f"{self._graph.where}: layer '{layer.name}'"


def _is_recurrent(layer: Layer) -> bool:
    return layer.class_name in RECURRENT


def _is_transparent(layer: Layer) -> bool:
    if layer.class_name == "Activation" and not layer.custom:
        return layer.config.get("activation") in ("linear", None)
    return layer.class_name in NO_OPERATION and not layer.custom


def _drops(layer: Layer) -> bool:
    config = wrapped(layer.config)[1] if layer.class_name == "Bidirectional" else layer.config
    return any(config.get(name) for name in ("dropout", "recurrent_dropout", "rate", "stddev"))


def _gives_sequences(layer: Layer) -> bool:
    if layer.class_name in OURS:
        return True
    config = wrapped(layer.config)[1] if layer.class_name == "Bidirectional" else layer.config
    return bool(config.get("return_sequences"))
