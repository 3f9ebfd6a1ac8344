"""``StoredStack``: the layers found in a file and where their arrays are, before any array is read."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, cast

from ..arrays.axes import Floats
from ..errors import BadWeights, OptionError
from ..errors.articles import with_article
from ..network.model import Direction, LayerWeights, Network, RecurrentLayer
from ..network.note import STORED_START, undecided
from ..network.step_mask import StepMask
from .conventions import Convention
from .convert import sizes, to_layer_weights
from .options import WeightOptions
from .readers import Tensor

__all__ = ["Model", "StoredCell", "StoredLayer", "StoredStack"]


# Roles of trained initial states.
STARTS = ("initial_hidden", "initial_cell")

# The cells that a setting applies to; an option for any other cell is refused rather than ignored.
_MEANT_FOR = {
    "forget_bias": ("lstm", "mlstm"),
    "recurrent_activation": ("lstm", "mlstm", "gru"),
    "cell_clip": ("lstm", "mlstm"),
    "projection_clip": ("lstm",),
}


@dataclass(frozen=True)
class StoredCell:
    """One direction of one layer.

    Parameters
    ----------
    convention : Convention
    tensors : mapping
        Its arrays by role, a name in ``rnnstates.weights.convert.ROLES``.
    where : str
        The file and the layer, for messages.
    settings : mapping
        Other arguments of ``LayerWeights``: activations, clips, ``reset_after``, ….
    determined : mapping
        The source of each setting: ``file``, or ``default`` if the file does not state it.
    """

    convention: Convention
    tensors: Mapping[str, Tensor]
    where: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    determined: Mapping[str, str] = field(default_factory=dict)

    def sizes(self) -> tuple[int, int, int]:
        """Return (features, units, width of the hidden state); 0 for what shapes do not determine."""
        features, units, width = sizes({role: tensor.shape for role, tensor in self.tensors.items()}, self.convention)
        return features, units, width

    def load(self, options: WeightOptions) -> LayerWeights:
        """Read the arrays, and convert them to the canonical form."""
        for name in options.settings():
            if self.convention.cell not in _MEANT_FOR.get(name, (self.convention.cell,)):
                raise OptionError(f"{name}=: {self.where} is {with_article(self.convention.cell)}, which has none.")
        arrays = {role: tensor.read() for role, tensor in self.tensors.items()}
        return to_layer_weights(arrays, self.convention, where=self.where, **{**self.settings, **options.settings()})

    def describe(self, options: WeightOptions) -> dict[str, Any]:
        """Describe it in JSON types without reading arrays."""
        features, units, width = self.sizes()
        given = options.settings()
        settings = {"activation": "tanh", **self._gates(), **self.settings, **given}
        by = {name: "option" if name in given else self.determined.get(name, "format") for name in settings}
        described: dict[str, Any] = {"cell": self.convention.cell, "features": features, "units": units}
        if "projection" in self.tensors:
            described["projected"] = width
        described |= {
            name: f"{value} ({by[name]})"
            for name, value in settings.items()
            if value is not None and value is not False
        }
        extras = [role for role in ("peepholes", "recurrent_bias", *STARTS) if role in self.tensors]
        described["gate_order"] = ", ".join(self.convention.gates)
        return described | ({"also": ", ".join(extras)} if extras else {})

    def _gates(self) -> dict[str, Any]:
        if self.convention.cell == "simple_rnn":
            return {}
        gates: dict[str, Any] = {"recurrent_activation": "sigmoid"}
        if self.convention.cell == "gru":
            return {**gates, "reset_after": self.convention.reset_after}
        return {**gates, "forget_bias": self.convention.forget_bias}


@dataclass(frozen=True)
class StoredLayer:
    """One layer of a stack; its cells by the direction in which they read the input.

    ``masked`` says whether the model itself masks its padding; None if the file does not say.
    """

    name: str
    cells: Mapping[Direction, StoredCell]
    merge: str = "concat"
    residual: bool = False
    masked: bool | None = None

    @property
    def features(self) -> int:
        """I, the width of its inputs; 0 if shapes do not determine it."""
        return next(iter(self.cells.values())).sizes()[0]

    @property
    def width(self) -> int:
        """The width of the states that the next layer reads; 0 if shapes do not determine it."""
        widths = [cell.sizes()[2] for cell in self.cells.values()]
        return sum(widths) if self.merge == "concat" else widths[0]

    def from_zero(self) -> "StoredLayer":
        """Return the layer without its trained initial states."""
        cells = {
            direction: replace(cell, tensors={role: t for role, t in cell.tensors.items() if role not in STARTS})
            for direction, cell in self.cells.items()
        }
        return replace(self, cells=cells)

    def load(self, options: WeightOptions) -> RecurrentLayer:
        """Read all its arrays."""
        loaded = {direction: cell.load(options) for direction, cell in self.cells.items()}
        both = loaded.get("forward"), loaded.get("backward")
        return RecurrentLayer(self.name, *both, self.merge, self.residual, self.masked)


@dataclass(frozen=True)
class StoredStack:
    """Layers that feed each other, lowest first, and notes about them.

    Parameters
    ----------
    layers : tuple of StoredLayer
    embedding : Tensor or None
    notes : tuple of str
    no_embedding : str
        Why there is no embedding, if the file has arrays that may be one.
    loose : frozenset of str
        Layers that are only assumed to follow the one before them.
    generation : str
        The origin of activation names in options (``activation_names``), if it does not follow from the cells'
        convention.
    mask : StepMask or str
        Which steps the model masks by itself; a text says why that is unknown.
    """

    layers: tuple[StoredLayer, ...]
    embedding: Tensor | None = None
    notes: tuple[str, ...] = ()
    no_embedding: str = ""
    loose: frozenset[str] = frozenset()
    generation: str = ""
    mask: StepMask | str = ""

    def load(self, options: WeightOptions) -> Network:
        """Read everything; the network has no origin yet."""
        if not self.layers:
            raise BadWeights("a stack without layers.")
        layers = tuple(layer.load(options) for layer in self.layers)
        embedding = None if self.embedding is None else cast("Floats", self.embedding.read())
        return Network(layers, embedding, notes=self.notes, no_embedding=self.no_embedding, mask=self.mask)

    def noting(self, *notes: str) -> "StoredStack":
        """Return the stack with more notes."""
        return replace(self, notes=(*self.notes, *notes))

    def from_zero(self) -> "StoredStack":
        """Return the stack without its trained initial states."""
        return replace(self, layers=tuple(layer.from_zero() for layer in self.layers)).knowing({STORED_START})

    def knowing(self, decided: Iterable[str]) -> "StoredStack":
        """Leave out the notes on what has been decided."""
        return replace(self, notes=undecided(self.notes, decided))

    def sources(self) -> set[str]:
        """List the names of the stored arrays that it is derived from."""
        tensors = [tensor for layer in self.layers for cell in layer.cells.values() for tensor in cell.tensors.values()]
        tensors += [] if self.embedding is None else [self.embedding]
        return {source for tensor in tensors for source in tensor.sources}


class Model(Protocol):
    """What one framework makes of a container.

    Parameters
    ----------
    kind : str
        The sort of file.
    version : str or None
        Of the framework, where the file says so.
    connected : bool
        Whether the file says what feeds what: then the model itself gives each stack its embedding and starts, and
        notes what stands before it.
    """

    kind: str
    version: str | None
    connected: bool

    def recurrent(self) -> Mapping[str, str]:
        """Return the class of each recurrent layer by its name, in the model's order."""

    def present(self) -> list[str]:
        """List all layers as ``name (Class)``, for messages."""

    def tops(self) -> list[str]:
        """List the recurrent layers that feed no other one: each ends a stack."""

    def stack(self, top: str) -> StoredStack:
        """Return the stack that ends with a layer. Raises BadWeights where it cannot be computed here."""

    def tables(self) -> Mapping[str, Tensor]:
        """Return the arrays that are embeddings by their names, by what to call each."""

    def modules(self) -> Mapping[str, str] | None:
        """Return the module of each array of the container where the format names it; None where names alone do."""
