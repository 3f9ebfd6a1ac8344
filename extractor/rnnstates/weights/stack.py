"""What a framework's files become before any array is read: a stack of layers and where their arrays lie."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from ..activations import ACTIVATIONS, OTHER_NAMES, is_activation
from ..errors import BadWeights, OptionError
from .canonical import Direction, LayerWeights, Network, RecurrentLayer
from .conventions import CONVENTIONS, Convention
from .convert import sizes, to_layer_weights
from .readers import Tensor

__all__ = ["Model", "Options", "StoredCell", "StoredLayer", "StoredStack", "check_options"]


@dataclass(frozen=True)
class Options:
    """What a caller says of the weights because the file does not; None for what the file or the format says.

    Parameters
    ----------
    convention : str or None
        A name in ``CONVENTIONS``: what the names in a file mean.
    forget_bias : float or None
        Added to the forget gate at run time, beside the stored bias.
    activation, recurrent_activation : str or None
    cell_clip, projection_clip : float or None
    config : str or None
        The path of a configuration of Keras beside a file of weights alone.
    """

    convention: str | None = None
    forget_bias: float | None = None
    activation: str | None = None
    recurrent_activation: str | None = None
    cell_clip: float | None = None
    projection_clip: float | None = None
    config: str | None = None

    def settings(self) -> dict[str, Any]:
        """Give what was said, by the names of ``LayerWeights``."""
        names = ("forget_bias", "activation", "recurrent_activation", "cell_clip", "projection_clip")
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}


def check_options(options: Options) -> None:
    """Refuse an option that is out of range or unknown.

    Raises
    ------
    OptionError
    """
    if options.convention is not None and options.convention not in CONVENTIONS:
        raise OptionError(f"--convention '{options.convention}': unknown; known are {', '.join(CONVENTIONS)}.")
    if options.forget_bias is not None and not math.isfinite(options.forget_bias):
        raise OptionError(f"--forget-bias {options.forget_bias}: expected a finite number.")
    for name in ("activation", "recurrent_activation"):
        value = getattr(options, name)
        if value is not None and not is_activation(OTHER_NAMES.get(value, value)):
            known = ", ".join(ACTIVATIONS)
            raise OptionError(f"--{name.replace('_', '-')} '{value}': unknown; known are {known}.")
    for name in ("cell_clip", "projection_clip"):
        value = getattr(options, name)
        if value is not None and not (math.isfinite(value) and value > 0):
            raise OptionError(f"--{name.replace('_', '-')} {value}: expected a positive number.")


# Which cells a setting means something to; an option for another cell is refused rather than passed over.
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
        What else ``LayerWeights`` takes: activations, clips, ``reset_after``, ….
    determined : mapping
        Where each of those is known from: ``file``, or ``default`` for what the file does not say.
    """

    convention: Convention
    tensors: Mapping[str, Tensor]
    where: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    determined: Mapping[str, str] = field(default_factory=dict)

    def load(self, options: Options) -> LayerWeights:
        """Read the arrays into the canonical form."""
        for name in options.settings():
            if self.convention.cell not in _MEANT_FOR.get(name, (self.convention.cell,)):
                option = name.replace("_", "-")
                raise OptionError(f"--{option}: {self.where} is a {self.convention.cell}, which has none.")
        arrays = {role: tensor.read() for role, tensor in self.tensors.items()}
        return to_layer_weights(arrays, self.convention, where=self.where, **{**self.settings, **options.settings()})

    def describe(self, options: Options) -> dict[str, Any]:
        """Say in JSON types what is known of it without reading arrays."""
        shapes = {role: tensor.shape for role, tensor in self.tensors.items()}
        features, units, width = sizes(shapes, self.convention)
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
        extras = [role for role in ("peepholes", "recurrent_bias", "initial_hidden") if role in self.tensors]
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
    """One layer of a stack; its cells by the direction in which they read the input."""

    name: str
    cells: Mapping[Direction, StoredCell]
    merge: str = "concat"
    residual: bool = False

    def load(self, options: Options) -> RecurrentLayer:
        """Read all its arrays."""
        loaded = {direction: cell.load(options) for direction, cell in self.cells.items()}
        return RecurrentLayer(self.name, loaded.get("forward"), loaded.get("backward"), self.merge, self.residual)


@dataclass(frozen=True)
class StoredStack:
    """Layers that feed each other, lowest first, and what was noticed about them.

    The ``generation`` says whose names of activations an option means (``activation_names``), where that does not
    follow from the cells' convention.
    """

    layers: tuple[StoredLayer, ...]
    embedding: Tensor | None = None
    notes: tuple[str, ...] = ()
    generation: str = ""

    def load(self, options: Options) -> Network:
        """Read everything; the network has no origin yet."""
        if not self.layers:
            raise BadWeights("a stack without layers.")
        layers = tuple(layer.load(options) for layer in self.layers)
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
