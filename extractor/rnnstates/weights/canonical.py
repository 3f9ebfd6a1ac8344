"""What every weights file becomes: one form, one gate order, shapes checked.

Columns of a kernel stand in the gate order of Keras, PyTorch and cuDNN: input gate, forget gate, candidate, output
gate (i, f, c, o). One step of the cell (Hochreiter & Schmidhuber 1997; Gers et al. 2000), with ``s`` the recurrent
activation (sigmoid) and ``t`` the activation (tanh)::

    z = x @ kernel + h @ recurrent_kernel + bias
    input_gate  = s(z_i)
    forget_gate = s(z_f + forget_bias)
    candidate   = t(z_c)
    output_gate = s(z_o)
    cell   = forget_gate * cell + input_gate * candidate
    hidden = output_gate * t(cell)
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from ..arrays import Array
from ..errors import BadWeights

__all__ = ["DIRECTIONS", "GATE_ORDER", "MERGES", "Direction", "LayerWeights", "Network", "RecurrentLayer"]

Direction = Literal["forward", "backward"]
DIRECTIONS: tuple[Direction, ...] = ("forward", "backward")

GATE_ORDER = ("input_gate", "forget_gate", "candidate", "output_gate")

# What the next layer of a stack reads when a layer has both directions (Keras' merge_mode).
MERGES = ("concat", "sum", "mul", "ave")


@dataclass(frozen=True, eq=False)
class LayerWeights:
    """The weights of one layer in one direction.

    Parameters
    ----------
    kernel : floating [I, 4H]
        Columns in ``GATE_ORDER``.
    recurrent_kernel : floating [H, 4H]
    bias : floating [4H]
        The sum of all stored biases; zeros where the layer has none.
    forget_bias : float
        Added to the forget gate at run time; 0 where the format folds it into ``bias``.
    activation, recurrent_activation : str
        Names in ``rnnstates.network.activations.ACTIVATIONS``: of candidate and cell, and of the three gates.
    cell : str
        A name in ``rnnstates.network.cells.CELLS``.
    where : str
        What to call this layer in a message, e.g. ``model.keras: layer 'lstm'``.

    Raises
    ------
    BadWeights
        When a shape does not follow from ``recurrent_kernel``'s, or a value is NaN or infinite.
    """

    kernel: Array = field(repr=False)
    recurrent_kernel: Array = field(repr=False)
    bias: Array = field(repr=False)
    forget_bias: float = 0.0
    activation: str = "tanh"
    recurrent_activation: str = "sigmoid"
    cell: str = "lstm"
    where: str = "weights"

    def __post_init__(self) -> None:
        _check_shapes(self)
        _check_values(self)

    @property
    def units(self) -> int:
        """H, the number of hidden units."""
        return int(self.recurrent_kernel.shape[0])

    @property
    def features(self) -> int:
        """I, the number of input features of a step."""
        return int(self.kernel.shape[0])


@dataclass(frozen=True, eq=False)
class RecurrentLayer:
    """One layer of a stack: forward, backward or both.

    Parameters
    ----------
    name : str
        Its name in the model it comes from.
    forward, backward : LayerWeights or None
        At least one.
    merge : str
        How both directions' hidden states become the next layer's input: a name in ``MERGES``.
    """

    name: str
    forward: LayerWeights | None = None
    backward: LayerWeights | None = None
    merge: str = "concat"

    def __post_init__(self) -> None:
        if not self.directions:
            raise BadWeights(f"layer '{self.name}' has neither forward nor backward weights; give at least one.")
        if len({weights.features for weights in self.directions.values()}) != 1:
            raise BadWeights(f"layer '{self.name}': its two directions read inputs of different width.")
        if self.merge not in MERGES:
            raise BadWeights(f"layer '{self.name}' merges by '{self.merge}'; known: {', '.join(MERGES)}.")

    @property
    def directions(self) -> dict[Direction, LayerWeights]:
        """The weights by direction, forward first."""
        both: tuple[tuple[Direction, LayerWeights | None], ...] = (
            ("forward", self.forward),
            ("backward", self.backward),
        )
        return {direction: weights for direction, weights in both if weights is not None}

    @property
    def features(self) -> int:
        """I, the width of the inputs it reads."""
        return next(iter(self.directions.values())).features

    @property
    def width(self) -> int:
        """The width of what the next layer reads."""
        units = [weights.units for weights in self.directions.values()]
        return sum(units) if self.merge == "concat" else units[0]


@dataclass(frozen=True, eq=False)
class Network:
    """A stack of recurrent layers, perhaps behind an embedding; what ``load_weights`` returns.

    Parameters
    ----------
    layers : tuple of RecurrentLayer
    embedding : floating [vocabulary, I] or None
        Turns token ids into the first layer's inputs.
    origin : mapping
        Where it came from and how it was understood, in JSON types; goes into the output's provenance.
    notes : tuple of str
        What was guessed or assumed, one sentence each; printed and stored.
    """

    layers: tuple[RecurrentLayer, ...]
    embedding: Array | None = None
    origin: Mapping[str, object] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.layers:
            raise BadWeights("a network needs at least one recurrent layer.")
        for below, above in zip(self.layers, self.layers[1:], strict=False):
            if above.features != below.width:
                raise BadWeights(
                    f"layer '{above.name}' reads inputs of width {above.features}, but layer '{below.name}' below it "
                    f"gives {below.width}."
                )
        if self.embedding is not None and self.embedding.shape[1:] != (self.features,):
            raise BadWeights(
                f"the embedding has shape {self.embedding.shape}; expected (vocabulary, {self.features}), because "
                f"layer '{self.layers[0].name}' reads inputs of width {self.features}."
            )

    def __repr__(self) -> str:
        embedding = [] if self.embedding is None else ["embedding {} x {}".format(*self.embedding.shape)]
        layers = [
            f"'{layer.name}' {weights.features} -> {weights.units} {direction}"
            for _, layer, direction, weights in self.parts()
        ]
        return f"<Network: {', '.join([*embedding, *layers])}>"

    @property
    def features(self) -> int:
        """I, the width of the inputs the first layer reads."""
        return self.layers[0].features

    def parts(self) -> Iterator[tuple[str, RecurrentLayer, Direction, LayerWeights]]:
        """Yield every (path, layer, direction, weights) in the order they are computed.

        The path is the group of the output file: ``""`` for the root, which a lone layer with one direction uses,
        else ``layer0``, ``layer1``, … or ``layer0/forward``, ``layer0/backward``, ….
        """
        for number, layer in enumerate(self.layers):
            for direction, weights in layer.directions.items():
                path = f"layer{number}" if len(self.layers) > 1 or len(layer.directions) > 1 else ""
                yield (f"{path}/{direction}" if len(layer.directions) > 1 else path), layer, direction, weights


def _check_shapes(weights: LayerWeights) -> None:
    recurrent = weights.recurrent_kernel.shape
    if len(recurrent) != 2 or recurrent[0] == 0 or recurrent[1] != 4 * recurrent[0]:
        raise BadWeights(f"{weights.where}: recurrent kernel has shape {recurrent}; expected (units, 4 * units).")
    columns = recurrent[1]
    implied = f"because the recurrent kernel implies {recurrent[0]} units"
    if weights.kernel.ndim != 2 or weights.kernel.shape[0] == 0 or weights.kernel.shape[1] != columns:
        raise BadWeights(
            f"{weights.where}: kernel has shape {weights.kernel.shape}; expected (features, {columns}), {implied}."
        )
    if weights.bias.shape != (columns,):
        raise BadWeights(f"{weights.where}: bias has shape {weights.bias.shape}; expected ({columns},), {implied}.")


def _check_values(weights: LayerWeights) -> None:
    arrays: dict[str, npt.NDArray[np.generic]] = {
        "kernel": weights.kernel,
        "recurrent kernel": weights.recurrent_kernel,
        "bias": weights.bias,
    }
    for name, array in arrays.items():
        if not np.issubdtype(array.dtype, np.floating):
            raise BadWeights(f"{weights.where}: {name} has dtype {array.dtype}; expected a floating-point type.")
        wrong = np.argwhere(~np.isfinite(array))
        if len(wrong):
            raise BadWeights(
                f"{weights.where}: {name} has {len(wrong)} values that are NaN or infinite, the first at "
                f"{tuple(int(axis) for axis in wrong[0])}; expected finite numbers."
            )
