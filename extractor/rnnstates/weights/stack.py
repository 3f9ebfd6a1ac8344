"""What a framework's files become before any array is read: a stack of layers and where their arrays lie."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from .canonical import Direction, LayerWeights, Network, RecurrentLayer
from .conventions import Convention
from .convert import to_layer_weights
from .readers import Tensor

__all__ = ["Model", "StoredCell", "StoredLayer", "StoredStack"]


@dataclass(frozen=True)
class StoredCell:
    """One direction of one layer: its arrays by role (``kernel``, ``recurrent_kernel``, perhaps ``bias``)."""

    convention: Convention
    tensors: Mapping[str, Tensor]
    activation: str
    recurrent_activation: str
    where: str

    def load(self, forget_bias: float | None) -> LayerWeights:
        """Read the arrays into the canonical form."""
        return to_layer_weights(
            {role: tensor.read() for role, tensor in self.tensors.items()},
            self.convention,
            activation=self.activation,
            recurrent_activation=self.recurrent_activation,
            forget_bias=forget_bias,
            where=self.where,
        )


@dataclass(frozen=True)
class StoredLayer:
    """One layer of a stack; its cells by the direction in which they read the input."""

    name: str
    cells: Mapping[Direction, StoredCell]
    merge: str = "concat"

    def load(self, forget_bias: float | None) -> RecurrentLayer:
        """Read all its arrays."""
        loaded = {direction: cell.load(forget_bias) for direction, cell in self.cells.items()}
        return RecurrentLayer(self.name, loaded.get("forward"), loaded.get("backward"), self.merge)


@dataclass(frozen=True)
class StoredStack:
    """Layers that feed each other, lowest first, and what was noticed about them."""

    layers: tuple[StoredLayer, ...]
    embedding: Tensor | None = None
    notes: tuple[str, ...] = ()

    def load(self, forget_bias: float | None) -> Network:
        """Read everything; the network has no origin yet."""
        layers = tuple(layer.load(forget_bias) for layer in self.layers)
        embedding = None if self.embedding is None else self.embedding.read()
        return Network(layers, embedding=embedding, notes=self.notes)

    def noting(self, *notes: str) -> "StoredStack":
        """Add notes."""
        return replace(self, notes=(*self.notes, *notes))


class Model(Protocol):
    """What one framework makes of a container."""

    kind: str
    version: str | None

    def recurrent(self) -> Mapping[str, str]:
        """Give the class of each recurrent layer by its name, in the model's order."""

    def present(self) -> list[str]:
        """List all layers as ``name (Class)``, for messages."""

    def tops(self) -> list[str]:
        """Name the recurrent layers that feed no other one: each ends a stack."""

    def stack(self, top: str) -> StoredStack:
        """Give the stack that ends with a layer. Raises BadWeights where it cannot be computed here."""
