"""Network, RecurrentLayer and LayerWeights: the one form, with one gate order, that every weights file is read into.

``rnnstates.network.cells`` has the equations of each cell. The columns of a kernel are in the order of ``GATES``: for
an LSTM that of Keras, PyTorch and cuDNN (i, f, c, o), for a GRU that of Keras (z, r, h), where the new state is
``update_gate * hidden + (1 - update_gate) * candidate``.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt

from ..arrays.axes import Bias, Embedding, Factors, Kernel, Peepholes, Projection, RecurrentKernel, Start
from ..errors import BadWeights
from .checks import check_embedding, check_weights
from .fields import settle_layer, settle_network, settle_weights
from .names import CARRIED, GATES
from .note import STORED_START, undecided
from .step_mask import StepMask

__all__ = [
    "CARRIED",
    "DIRECTIONS",
    "GATES",
    "MERGES",
    "Direction",
    "LayerWeights",
    "Network",
    "RecurrentLayer",
]

Direction = Literal["forward", "backward"]
DIRECTIONS: tuple[Direction, ...] = ("forward", "backward")

# What the next layer of a stack reads when a layer has both directions: Keras' merge_mode, or each direction the output
# of its own (ELMo, whose forward and backward layers never meet).
MERGES = ("concat", "sum", "mul", "ave", "apart")


@dataclass(frozen=True, eq=False)
class LayerWeights:
    """The weights of one layer in one direction, and the settings of its cell.

    Parameters
    ----------
    kernel : floating [I, G * H]
        G blocks of columns in the order of ``GATES[cell]``. All arrays may be given as lists or tensors.
    recurrent_kernel : floating [W, G * H]
        W is the width of the hidden state: H, or P with a projection.
    bias : floating [G * H]
        Zeros if the layer has none.
    forget_bias : float
        Added to the forget gate at run time; 0 if the format folds it into ``bias``.
    activation, recurrent_activation : str
        Names for ``rnnstates.network.activations.activation_function``: of candidate and cell, and of the gates.
    cell : str
        A name in ``GATES``.
    where : str
        The name of this layer in messages, e.g. ``model.keras: layer 'lstm'``.
    output_activation : str or None
        Applied to the cell state in ``hidden``; None means ``activation``.
    recurrent_bias : floating [G * H] or None
        A second bias, if the format stores two. The two are added, except in a GRU whose reset gate is applied after
        the product: there the candidate's part of the recurrent bias is reset too.
    reset_after : bool
        Whether a GRU resets the recurrent product rather than the hidden state.
    peepholes : floating [3, H] or None
        From the cell state to the input, forget and output gates (Gers et al. 2002), in this order.
    projection : floating [H, P] or None
        From the cell's output to ``hidden`` (Sak et al. 2014).
    cell_clip, projection_clip : float or None
        The new cell state and the projected hidden state are clipped to plus and minus this.
    preactivation_clip : float or None
        The inputs to the activations of gates and candidate are clipped to this (ONNX ``clip``).
    coupled : bool
        The forget gate is 1 - input gate (ONNX ``input_forget``).
    factors : (floating [I, H], floating [H, H]) or None
        Of a multiplicative LSTM: the product ``(x @ first) * (h @ second)`` replaces the hidden state.
    initial : mapping
        Floating [W] or [H] by state name: the states that a sequence starts from; zero for the others.

    Raises
    ------
    BadWeights
        A shape contradicts the others, or a value is NaN or infinite.
    """

    kernel: Kernel = field(repr=False)
    recurrent_kernel: RecurrentKernel = field(repr=False)
    bias: Bias = field(repr=False)
    forget_bias: float = 0.0
    activation: str = "tanh"
    recurrent_activation: str = "sigmoid"
    cell: str = "lstm"
    where: str = "weights"
    output_activation: str | None = None
    recurrent_bias: Bias | None = field(default=None, repr=False)
    reset_after: bool = False
    peepholes: Peepholes | None = field(default=None, repr=False)
    projection: Projection | None = field(default=None, repr=False)
    cell_clip: float | None = None
    projection_clip: float | None = None
    preactivation_clip: float | None = None
    coupled: bool = False
    factors: Factors | None = field(default=None, repr=False)
    initial: Mapping[str, Start] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        settle_weights(self)
        if self.cell not in GATES:
            raise BadWeights(f"{self.where}: unknown cell '{self.cell}'; known: {', '.join(GATES)}.")
        check_weights(self, len(GATES[self.cell]), CARRIED[self.cell])

    def whole_bias(self) -> Annotated[npt.NDArray[np.float64], "GH"]:
        """Return the sum of the stored biases and the forget bias; float64 [G * H]."""
        total: npt.NDArray[np.float64] = self.bias.astype(np.float64)
        if self.recurrent_bias is not None:
            total += self.recurrent_bias.astype(np.float64)
        if self.forget_bias:
            total[self.units : 2 * self.units] += self.forget_bias
        return total

    @property
    def units(self) -> int:
        """H, the number of units."""
        return int(self.recurrent_kernel.shape[1]) // len(GATES[self.cell])

    @property
    def width(self) -> int:
        """W, the width of ``hidden``: H, or P with a projection."""
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
        Its name in the model that it comes from.
    forward, backward : LayerWeights or None
        At least one.
    merge : str
        How the hidden states of both directions become the next layer's input: a name in ``MERGES``.
    residual : bool
        The next layer reads the hidden states plus this layer's inputs (ELMo).
    masked : bool or None
        Whether the original model hides padding from this layer, by a mask or by lengths; None if unknown. Does not
        change what is computed.
    """

    name: str
    forward: LayerWeights | None = None
    backward: LayerWeights | None = None
    merge: str = "concat"
    residual: bool = False
    masked: bool | None = None

    def __post_init__(self) -> None:
        settle_layer(self, LayerWeights)
        if not self.directions:
            raise BadWeights(f"layer '{self.name}' has neither forward nor backward weights; give at least one.")
        if len({weights.features for weights in self.directions.values()}) != 1:
            raise BadWeights(f"layer '{self.name}': its two directions read inputs of different widths.")
        if self.merge not in MERGES:
            raise BadWeights(f"layer '{self.name}' merges by '{self.merge}'; known: {', '.join(MERGES)}.")
        if self.merge != "concat" and len({weights.width for weights in self.directions.values()}) != 1:
            raise BadWeights(f"layer '{self.name}' merges by '{self.merge}', but its directions differ in width.")
        if self.residual and any(weights.width != self.features for weights in self.directions.values()):
            raise BadWeights(
                f"layer '{self.name}' adds its inputs of width {self.features} to states of another width."
            )

    def from_zero(self) -> "RecurrentLayer":
        """Return a copy without its trained initial states."""
        plain = {direction: replace(weights, initial={}) for direction, weights in self.directions.items()}
        return replace(self, forward=plain.get("forward"), backward=plain.get("backward"))

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
        """I, the width of its inputs."""
        return next(iter(self.directions.values())).features

    @property
    def width(self) -> int:
        """The width of its output, which the next layer reads."""
        widths = [weights.width for weights in self.directions.values()]
        return sum(widths) if self.merge == "concat" else widths[0]


@dataclass(frozen=True, eq=False)
class Network:
    """A stack of recurrent layers, with or without an embedding; what ``load_weights`` returns.

    Parameters
    ----------
    layers : tuple of RecurrentLayer
    embedding : floating [vocabulary, I] or None
        Turns token ids into the first layer's inputs.
    origin : mapping
        Where it came from and how it was interpreted, in JSON types; stored in the output's provenance.
    notes : tuple of str
        What was guessed or assumed, in one sentence each; printed and stored.
    no_embedding : str
        Why there is no embedding although the file has arrays that may be one; for the error when ids are given.
    mask : StepMask or str
        Which steps the original model masks by itself, for ``lengths="model"``; a text says why that is unknown.
    """

    layers: tuple[RecurrentLayer, ...]
    embedding: Embedding | None = None
    origin: Mapping[str, object] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    no_embedding: str = ""
    mask: StepMask | str = ""

    def __post_init__(self) -> None:
        settle_network(self, RecurrentLayer)
        if not self.layers:
            raise BadWeights("a network needs at least one recurrent layer.")
        for below, above in zip(self.layers, self.layers[1:], strict=False):
            if above.features != below.width:
                raise BadWeights(
                    f"layer '{above.name}' reads inputs of width {above.features}, but layer '{below.name}' below it "
                    f"gives {below.width}."
                )
            if below.merge == "apart" and set(above.directions) - set(below.directions):
                raise BadWeights(f"layer '{above.name}' has a direction that layer '{below.name}' below it lacks.")
        if self.embedding is not None:
            check_embedding(self.embedding, self.layers[0])

    def __repr__(self) -> str:
        embedding = [] if self.embedding is None else ["embedding {} x {}".format(*self.embedding.shape)]
        layers = [
            f"'{layer.name}' {weights.features} -> {_sizes(weights)} {direction}"
            for _, layer, direction, weights in self.parts()
        ]
        return f"<Network: {', '.join([*embedding, *layers])}>"

    @property
    def features(self) -> int:
        """I, the width of the first layer's inputs."""
        return self.layers[0].features

    def from_zero(self) -> "Network":
        """Return a copy without its trained initial states."""
        layers = tuple(layer.from_zero() for layer in self.layers)
        return replace(self, layers=layers, notes=undecided(self.notes, {STORED_START}))

    def parts(self) -> Iterator[tuple[str, RecurrentLayer, Direction, LayerWeights]]:
        """Yield every (path, layer, direction, weights) in the order of computation.

        The path is the group in the output file: ``""``, the root, for a single layer with one direction,
        else ``layer0``, ``layer1``, … or ``layer0/forward``, ``layer0/backward``, ….
        """
        for number, layer in enumerate(self.layers):
            for direction, weights in layer.directions.items():
                path = f"layer{number}" if len(self.layers) > 1 or len(layer.directions) > 1 else ""
                yield (f"{path}/{direction}" if len(layer.directions) > 1 else path), layer, direction, weights


def _sizes(weights: LayerWeights) -> str:
    return f"{weights.units}" if weights.projection is None else f"{weights.units} -> {weights.width}"
