"""The cells of the layers: Keras' own, which hold the weights, and their parameters for our equations."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ..errors import OptionError
from ..network.cells.gru import GRUParameters, GRUState
from ..network.cells.lstm import LSTMParameters, LSTMState
from ..network.cells.simple_rnn import RNNParameters, RNNState
from .started import Tensor, keras, tf

__all__ = ["CELLS", "NOT_TAKEN", "LSTMCell", "LayerCell", "Settings"]

# Recurrent dropout would have to be sampled inside the loop; ``implementation`` only says how Keras computes.
NOT_TAKEN = ("recurrent_dropout", "implementation")


class Settings(NamedTuple):
    """Run-time settings that a layer adds to its cell; only an LSTM has them."""

    forget_bias: float = 0.0
    cell_clip: float | None = None
    projection_clip: float | None = None


class LSTMCell(keras.layers.LSTMCell):
    """Keras' LSTM cell with optional weights of peepholes [3, H] and of a projection [H, P] after its own."""

    def __init__(
        self,
        units: int,
        *,
        peepholes: bool = False,
        projection: int | None = None,
        settings: Settings | None = None,
        **options: Any,
    ) -> None:
        super().__init__(units, **options)
        beyond = {"peepholes": peepholes, "projection": projection, **(settings or Settings())._asdict()}
        self.beyond_keras = ", ".join(name for name, value in beyond.items() if value)
        self.has_peepholes, self.has_projection, self.width = peepholes, projection is not None, projection or units
        self.peepholes = self.projection = None

    def add_weight(self, shape: Any = None, *, name: str | None = None, **options: Any) -> Tensor:
        """Add a weight; the recurrent kernel reads the projected state."""
        return super().add_weight(shape=(self.width, shape[1]) if name == "recurrent_kernel" else shape, name=name,
                                  **options)  # fmt: skip

    def build(self, input_shape: Any) -> None:
        """Create the weights."""
        super().build(input_shape)
        if self.has_peepholes:
            self.peepholes = self._add((3, self.units), "peepholes")
        if self.has_projection:
            self.projection = self._add((self.units, self.width), "projection")

    def call(self, inputs: Tensor, states: Sequence[Tensor], training: bool = False) -> Any:
        """Compute a step inside Keras' RNN, which does not support our extensions of an LSTM."""
        if self.beyond_keras:
            raise OptionError(
                f"cell '{self.name}': has {self.beyond_keras}, which only its StateLSTM computes; Keras' RNN expects a "
                "cell without. Use the StateLSTM itself."
            )
        return super().call(inputs, states, training=training)

    def _add(self, shape: tuple[int, int], name: str) -> Tensor:
        # A copy, because an initialiser returns the same numbers when called again.
        initializer = keras.initializers.get(keras.initializers.serialize(self.kernel_initializer))
        return self.add_weight(shape, name=name, initializer=initializer, regularizer=self.kernel_regularizer)


class LayerCell(NamedTuple):
    """What a layer needs to know about a cell.

    Parameters
    ----------
    keras_cell : type
        Holds the weights.
    state : type
        The NamedTuple of its states.
    parameters : callable
        ``parameters(cell, settings, dtype)`` returns the parameters of the equations, as tensors.
    options : frozenset of str
        The arguments of Keras' cell, apart from its units, that we pass on.
    """

    keras_cell: type[Any]
    state: type[Any]
    parameters: Callable[[Any, Settings, Any], Any]
    options: frozenset[str]


def _lstm(cell: Any, settings: Settings, dtype: Any) -> LSTMParameters:
    bias = _tensor(cell.bias, dtype)
    zero, one = tf.zeros([cell.units], dtype), tf.ones([cell.units], dtype)
    bias = tf.zeros([4 * cell.units], dtype) if bias is None else bias
    if settings.forget_bias:
        bias = bias + settings.forget_bias * tf.concat([zero, one, zero, zero], axis=0)
    peepholes = (None, None, None) if cell.peepholes is None else tf.unstack(_tensor(cell.peepholes, dtype))
    return LSTMParameters(
        kernel=_tensor(cell.kernel, dtype),
        recurrent_kernel=_tensor(cell.recurrent_kernel, dtype),
        bias=bias,
        peephole_input=peepholes[0],
        peephole_forget=peepholes[1],
        peephole_output=peepholes[2],
        projection=_tensor(cell.projection, dtype),
        activation=_function(cell.activation),
        recurrent_activation=_function(cell.recurrent_activation),
        output_activation=_function(cell.activation),
        cell_clip=settings.cell_clip,
        projection_clip=settings.projection_clip,
        preactivation_clip=None,
        coupled=False,
    )


def _gru(cell: Any, _settings: Settings, dtype: Any) -> GRUParameters:
    recurrent, gates = _tensor(cell.recurrent_kernel, dtype), 2 * cell.units
    bias = _tensor(cell.bias, dtype)
    if bias is None:
        bias = tf.zeros([(1 + cell.reset_after) * 3 * cell.units], dtype)
    rows = tf.reshape(bias, [-1, 3 * cell.units])
    return GRUParameters(
        _tensor(cell.kernel, dtype), recurrent[:, :gates], recurrent[:, gates:], recurrent, rows[0],
        rows[1] if cell.reset_after else None, _function(cell.activation), _function(cell.recurrent_activation),
        preactivation_clip=None, reset_after=cell.reset_after,
    )  # fmt: skip


def _simple_rnn(cell: Any, _settings: Settings, dtype: Any) -> RNNParameters:
    bias = _tensor(cell.bias, dtype)
    return RNNParameters(
        _tensor(cell.kernel, dtype), _tensor(cell.recurrent_kernel, dtype),
        tf.zeros([cell.units], dtype) if bias is None else bias, _function(cell.activation), preactivation_clip=None,
    )  # fmt: skip


def _tensor(variable: Tensor, dtype: Any) -> Tensor:
    return None if variable is None else tf.cast(tf.convert_to_tensor(variable), dtype)


def _function(activation: Any) -> Any:
    """Return the names of activations that the fused op supports; all others unchanged."""
    names = {keras.activations.tanh: "tanh", keras.activations.sigmoid: "sigmoid"}
    return names.get(activation, activation)


def _options(keras_cell: type[Any]) -> frozenset[str]:
    return frozenset(inspect.signature(keras_cell).parameters) - {"units", "kwargs", *NOT_TAKEN}


CELLS: dict[str, LayerCell] = {
    "lstm": LayerCell(LSTMCell, LSTMState, _lstm, _options(keras.layers.LSTMCell)),
    "gru": LayerCell(keras.layers.GRUCell, GRUState, _gru, _options(keras.layers.GRUCell)),
    "simple_rnn": LayerCell(keras.layers.SimpleRNNCell, RNNState, _simple_rnn, _options(keras.layers.SimpleRNNCell)),
}
