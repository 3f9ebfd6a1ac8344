"""Infers a Keras model without a configuration from the names and shapes of its arrays, noting each guess.

Such a file records neither which layer feeds which nor the activations. Layers are assumed to follow each other if
their widths fit. In Keras 3's layout the numbers in the group names order only layers of one class, so a mixture of
classes is accepted only if exactly one order fits.
"""

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ....errors import BadWeights
from ....network.model import DIRECTIONS, Direction
from ....network.note import Note, prefixed
from ...activation_names import KERAS_3, UNKNOWN_KERAS
from ...readers import Tensor
from ...stack import StoredCell, StoredLayer, StoredStack
from .by_arrays import blocks_of, class_by_arrays, guessed_cell
from .described import described_layer, described_settings, feeds_steps, joins_directions
from .vocabulary import BLOCKS, activation_name, default_recurrent_activation, default_reset_after

__all__ = ["FoundLayer", "GuessedModel"]

CELL_BY_BLOCKS = {blocks: cell for cell, blocks in BLOCKS.items()}
# Keras' default names of our LSTM, and of its own or what may be around it.
OUR_LSTM, KERAS_LSTMS = "state_lstm", {"lstm", "lstm_cell", "bidirectional", "rnn"}
# The number of possible orders grows like a factorial.
MOST_MIXED = 8


@dataclass(frozen=True, eq=False)
class FoundLayer:
    """Arrays that seem to form one layer.

    Parameters
    ----------
    name : str
    cells : mapping
        Arrays by half, in Keras' order; empty for layers that are not recurrent.
    table : Tensor or None
        The table of an embedding.
    model : str
        The model it belongs to; layers of different models are assumed not to feed each other.
    family : str
        Layers of one family are in order; the order of families is unknown.
    arrays : tuple of str
        The names of all its arrays in the file.
    entry : mapping or None
        The description by Keras of a live model's layer.
    """

    name: str
    cells: Mapping[Direction, Sequence[Tensor]]
    table: Tensor | None
    model: str
    family: str
    arrays: tuple[str, ...]
    entry: Mapping[str, Any] | None = None

    @property
    def gates(self) -> int:
        """Blocks of columns in the recurrent kernel; 0 if halves differ, or it is not a matrix of such blocks."""
        gates = {blocks_of(half) for half in self.cells.values()}
        return gates.pop() if len(gates) == 1 else 0

    @property
    def keras_1(self) -> bool:
        """Whether Keras 1, which had other defaults, stored its arrays."""
        return any(len(half) in (9, 12) for half in self.cells.values())

    @property
    def class_name(self) -> str:
        """The Keras class with such arrays."""
        if self.entry is not None:
            return str(self.entry["class_name"]).rpartition(">")[2]
        if not self.cells:
            return f"another layer of {len(self.arrays)} arrays" if self.table is None else "Embedding"
        inner = " and ".join(dict.fromkeys(class_by_arrays(half) for half in self.cells.values()))
        return f"Bidirectional around {inner}" if len(self.cells) > 1 else inner

    @property
    def reads(self) -> int:
        """The width of its inputs; -1 if the kernel is not a matrix."""
        shape = next(iter(self.cells.values()))[0].shape
        return int(shape[0]) if len(shape) == 2 else -1

    @property
    def gives(self) -> int:
        """The width of its output, usually both directions side by side."""
        widths = [sum(half[1].shape[:1]) for half in self.cells.values()]
        return sum(widths) if joins_directions(self.entry) else widths[0]

    @property
    def may_be_ours(self) -> bool:
        """Whether it may be a ``StateLSTM``: Keras names layers, and their groups in the file, after their classes.

        The legacy layout has no such groups; there a layer is assumed to be Keras' own unless its name says otherwise.
        """
        *around, group = self.family.split("/")
        classes = {re.sub(r"_\d+$", "", self.name.split("/")[-1]), *([group] if around[-1:] == ["layers"] else [])}
        is_other = not self.family or classes & KERAS_LSTMS
        return self.gates == 4 and (OUR_LSTM in classes or not is_other)

    def feeds(self, above: "FoundLayer") -> bool:
        """Return whether another layer may read it."""
        return self.gives == above.reads and feeds_steps(self.entry)


class GuessedModel:
    """A model inferred from arrays alone.

    Parameters
    ----------
    kind : str
        The kind of file.
    version : str or None
        The ``keras_version`` that wrote it.
    found : list of FoundLayer
    where : str
        The file.
    generation : str
        Which Keras wrote it, as far as the file shows: a name in ``activation_names``.
    """

    def __init__(
        self, kind: str, version: str | None, found: list[FoundLayer], where: str, generation: str = UNKNOWN_KERAS
    ) -> None:
        self.kind = kind
        self._generation = generation
        self.version = version
        self.connected = False
        self._found = found
        self._where = where
        self._recurrent = {layer.name: layer for layer in found if layer.cells}

    def recurrent(self) -> dict[str, str]:
        """Return the class of each recurrent layer by its name."""
        return {name: layer.class_name for name, layer in self._recurrent.items()}

    def present(self) -> list[str]:
        """List all layers as ``name (Class)``."""
        return [f"{layer.name} ({layer.class_name})" for layer in self._found]

    def modules(self) -> dict[str, str]:
        """Return the layer of each array by the array's name in the file, without optimizers, metrics and the like."""
        return {array: layer.name for layer in self._found for array in layer.arrays}

    def tops(self) -> list[str]:
        """Return the names of the recurrent layers that feed no other one."""
        return [chain[-1].name for chain in self._chains()]

    def stack(self, top: str) -> StoredStack:
        """Return the stack that ends with a layer.

        Raises
        ------
        BadWeights
            A layer is of an unknown kind, or their order is ambiguous.
        """
        chain = next(chain for chain in self._chains() if self._recurrent[top] in chain)
        chain = chain[: chain.index(self._recurrent[top]) + 1]
        layers, flipped = [], False
        for layer in chain:
            stored, flipped = self._stored(layer, flipped=flipped)
            layers.append(stored)
        loose = frozenset(layer.name for layer in chain)
        notes = tuple(self._notes(chain, layers))
        return StoredStack(tuple(layers), notes=notes, generation=self._generation, loose=loose)

    def tables(self) -> dict[str, Tensor]:
        """Return the tables of the embeddings by the names of their layers."""
        return {layer.name: layer.table for layer in self._found if layer.table is not None}

    def _chains(self) -> list[list[FoundLayer]]:
        models: dict[str, list[FoundLayer]] = {}
        for layer in self._found:
            models.setdefault(layer.model, []).append(layer)
        return [chain for layers in models.values() for chain in self._chains_of(layers)]

    def _chains_of(self, layers: list[FoundLayer]) -> list[list[FoundLayer]]:
        families: dict[str, list[FoundLayer]] = {}
        for layer in layers:
            if layer.cells:
                families.setdefault(layer.family, []).append(layer)
        if len(families) > 1:
            return self._mixed(list(families.values()))
        return self._one_family(layers)

    def _one_family(self, layers: list[FoundLayer]) -> list[list[FoundLayer]]:
        chains: list[list[FoundLayer]] = []
        # Where the order is known, another layer with weights between two recurrent ones separates them.
        previous: FoundLayer | None = None
        for layer in layers:
            if layer.cells and previous is not None and previous.cells and previous.feeds(layer):
                chains[-1].append(layer)
            elif layer.cells:
                chains.append([layer])
            previous = layer if layer.cells or layer.family == "" else previous
        return chains

    def _mixed(self, families: list[list[FoundLayer]]) -> list[list[FoundLayer]]:
        """Find the one order in which the widths of all layers fit; if there is none, keep families apart."""
        layers = [layer for family in families for layer in family]
        orders: list[tuple[FoundLayer, ...]] = []
        if len(layers) <= MOST_MIXED:
            orders = [order for order in itertools.permutations(layers) if _fits(order, families)]
            if not orders:
                return [chain for family in families for chain in self._one_family(family)]
        if len(orders) != 1:
            names = ", ".join(f"{layer.name} ({layer.class_name})" for layer in layers[:10])
            raise BadWeights(
                f"{self._where}: holds arrays but not which layer feeds which, and several orders would fit: {names}. "
                "Save the whole model (model.save('model.keras')) and give that."
            )
        return [list(orders[0])]

    def _stored(self, layer: FoundLayer, *, flipped: bool) -> tuple[StoredLayer, bool]:
        """Make a layer, and return whether its output is in the reverse order of the model's inputs."""
        where = f"{self._where}: layer '{layer.name}'"
        if layer.entry is None:
            return self._guessed(layer, where), flipped
        settings = described_settings(layer.entry, self.version, where)
        if settings.bidirectional and flipped:
            raise BadWeights(f"{where}: reads a layer that goes backwards, which swaps its directions; not supported.")
        turned = flipped ^ settings.backwards
        stored = described_layer(layer.name, layer.cells, settings, turned=turned, where=where)
        return stored, flipped if settings.aligned else turned

    def _guessed(self, layer: FoundLayer, where: str) -> StoredLayer:
        if any(blocks_of(half) not in CELL_BY_BLOCKS for half in layer.cells.values()):
            shapes = " and ".join(dict.fromkeys(str(half[1].shape) for half in layer.cells.values()))
            raise BadWeights(
                f"{where}: looks like {layer.class_name}, its recurrent kernel has shape {shapes}; expected (units, "
                "4 * units) for an LSTM, 3 * units for a GRU or units for a SimpleRNN. Other cells are not run."
            )
        if layer.reads < 0:
            shape = next(iter(layer.cells.values()))[0].shape
            raise BadWeights(f"{where}: kernel has shape {shape}; expected (features, gates * units).")
        version = "1" if layer.keras_1 else self.version
        recurrent = activation_name(default_recurrent_activation(version), version) or "sigmoid"
        cells: dict[Direction, StoredCell] = {
            half: guessed_cell(
                tensors,
                CELL_BY_BLOCKS[blocks_of(tensors)],
                f"{where} ({half})" if len(layer.cells) > 1 else where,
                recurrent,
                default_reset_after(version),
            )
            for half, tensors in sorted(layer.cells.items(), key=lambda cell: DIRECTIONS.index(cell[0]))
        }
        return StoredLayer(layer.name, cells)

    def _notes(self, chain: list[FoundLayer], stored: list[StoredLayer]) -> Iterator[str]:
        pairs = list(zip(chain, stored, strict=True))
        settings = [cell.settings for found, layer in pairs if found.entry is None for cell in layer.cells.values()]
        gates = sorted({str(of_cell["recurrent_activation"]) for of_cell in settings if len(of_cell) > 1})
        taken = " and ".join(["tanh", *gates]).replace("_fifth", "")
        if settings:
            yield (
                f"{self._where}: holds no configuration; activations {taken} are assumed, and layers that read "
                "forward unless they are in a Bidirectional."
            )
        for layer in chain:
            yield from self._notes_of(layer)
        if len(settings) < len(chain):
            yield (
                f"{self._where}: what the model does before '{chain[0].name}' is code, which is not run; inputs must "
                "be those of that layer."
            )
        if len(chain) > 1:
            order = " -> ".join(layer.name for layer in chain)
            yield (
                f"{self._where}: the order {order} is assumed, because the widths fit; layer=NAME chooses a lower one."
            )

    def _notes_of(self, layer: FoundLayer) -> Iterator[str]:
        where = f"{self._where}: layer '{layer.name}'"
        if layer.entry is not None:
            notes = described_settings(layer.entry, self.version, where).notes
            yield from (prefixed(f"layer '{layer.name}'", note) for note in notes)
        elif self._generation == KERAS_3 and layer.may_be_ours:
            yield Note(
                f"{where} may be a StateLSTM, whose forget_bias and clips are not in the file; none is assumed "
                "(forget_bias=, cell_clip=, projection_clip= give them).",
                *("forget_bias", "cell_clip", "projection_clip"),
            )
        elif any(len(half) == 2 and blocks_of(half) == BLOCKS["gru"] for half in layer.cells.values()):
            place = "after" if default_reset_after(self.version) else "before"
            yield (
                f"layer '{layer.name}' has no bias, so the file does not say where its GRU resets; {place} the "
                "product is assumed."
            )


def _fits(order: tuple[FoundLayer, ...], families: list[list[FoundLayer]]) -> bool:
    widths = all(below.feeds(above) for below, above in itertools.pairwise(order))
    return widths and all([layer for layer in order if layer in family] == family for family in families)
