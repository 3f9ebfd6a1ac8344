"""The activation functions that weights formats name, written once for all engines.

Each takes ``ops`` (``NumpyOps`` or ``TensorFlowOps``), an array [B, H] and up to two numbers, and returns an array of
the same shape and dtype. A name may include the numbers: ``leaky_relu(0.01)``, ``hard_sigmoid(0.2, 0.5)``.

References
----------
Keras: ``keras/src/backend/tensorflow/nn.py`` and ``keras/src/activations/activations.py``. ONNX: the activation
functions of the operators RNN, GRU and LSTM. SELU: Klambauer et al. 2017, "Self-Normalizing Neural Networks".
"""

import functools
import inspect
import math
import re
from collections.abc import Callable, Sequence
from typing import Protocol

from ..arrays.axes import Tensor

__all__ = ["ACTIVATIONS", "OTHER_NAMES", "Activation", "Ops", "activation_function", "is_activation"]

# An activation function made ready for one array library.
Activation = Callable[[Tensor], Tensor]


class Ops(Protocol):
    """What a cell's equations need from an array library."""

    def matmul(self, left: Tensor, right: Tensor) -> Tensor:
        """[B, K] times [K, M]."""

    def split(self, values: Tensor, parts: int) -> Sequence[Tensor]:
        """[B, parts * M] into ``parts`` arrays [B, M]."""

    def sigmoid(self, values: Tensor) -> Tensor:
        """1 / (1 + exp(-x))."""

    def tanh(self, values: Tensor) -> Tensor:
        """Hyperbolic tangent."""

    def exp(self, values: Tensor) -> Tensor:
        """Exponential."""

    def log1p(self, values: Tensor) -> Tensor:
        """ln(1 + x)."""

    def sqrt(self, values: Tensor) -> Tensor:
        """Square root."""

    def erf(self, values: Tensor) -> Tensor:
        """Error function."""

    def maximum(self, values: Tensor, bound: float) -> Tensor:
        """Take the larger of x and a bound."""

    def minimum(self, values: Tensor, bound: float) -> Tensor:
        """Take the smaller of x and a bound."""

    def where(self, condition: Tensor, yes: Tensor, no: Tensor) -> Tensor:
        """Take ``yes`` where the condition holds, else ``no``."""

    def sum_units(self, values: Tensor) -> Tensor:
        """[B, H] to the sums [B, 1]."""

    def max_units(self, values: Tensor) -> Tensor:
        """[B, H] to the largest [B, 1]."""


SELU_ALPHA = 1.6732632423543772
SELU_SCALE = 1.0507009873554805


def _elu(ops: Ops, x: Tensor, alpha: float = 1.0) -> Tensor:
    # exp of a positive number is never needed, and could overflow.
    return ops.maximum(x, 0.0) + alpha * (ops.exp(ops.minimum(x, 0.0)) - 1)


def _celu(ops: Ops, x: Tensor, alpha: float = 1.0) -> Tensor:
    return ops.maximum(x, 0.0) + alpha * (ops.exp(ops.minimum(x, 0.0) / alpha) - 1)


def _selu(ops: Ops, x: Tensor) -> Tensor:
    return SELU_SCALE * _elu(ops, x, SELU_ALPHA)


def _magnitude(ops: Ops, x: Tensor) -> Tensor:
    return ops.maximum(x, 0.0) - ops.minimum(x, 0.0)


def _softplus(ops: Ops, x: Tensor) -> Tensor:
    # ln(1 + e^x) without overflow: max(x, 0) + ln(1 + e^-|x|).
    return ops.maximum(x, 0.0) + ops.log1p(ops.exp(-_magnitude(ops, x)))


def _clip(ops: Ops, x: Tensor, low: float, high: float) -> Tensor:
    return ops.minimum(ops.maximum(x, low), high)


def _hard_sigmoid(ops: Ops, x: Tensor, alpha: float = 1 / 6, beta: float = 0.5) -> Tensor:
    return _clip(ops, alpha * x + beta, 0.0, 1.0)


def _softmax(ops: Ops, x: Tensor) -> Tensor:
    raised = ops.exp(x - ops.max_units(x))
    return raised / ops.sum_units(raised)


def _soft_shrink(ops: Ops, x: Tensor, bound: float = 0.5) -> Tensor:
    return ops.maximum(x - bound, 0.0) + ops.minimum(x + bound, 0.0)


def _hard_shrink(ops: Ops, x: Tensor, bound: float = 0.5) -> Tensor:
    return ops.where(_magnitude(ops, x) > bound, x, 0.0 * x)


def _sparse_plus(ops: Ops, x: Tensor) -> Tensor:
    bent = (x + 1) * (x + 1) / 4
    return ops.where(x >= 1.0, x, ops.where(x <= -1.0, 0.0 * x, bent))


ACTIVATIONS: dict[str, Callable[..., Tensor]] = {
    "affine": lambda _ops, x, alpha=1.0, beta=0.0: alpha * x + beta,
    "celu": _celu,
    "elu": _elu,
    "exponential": lambda ops, x: ops.exp(x),
    "gelu": lambda ops, x: 0.5 * x * (1 + ops.erf(x / 2**0.5)),
    "hard_shrink": _hard_shrink,
    # Keras 3, PyTorch, JAX: relu6(x + 3) / 6. Keras 1 and 2, and ONNX' default: hard_sigmoid(0.2, 0.5).
    "hard_sigmoid": _hard_sigmoid,
    "hard_sigmoid_fifth": lambda ops, x: _hard_sigmoid(ops, x, 0.2, 0.5),
    "hard_silu": lambda ops, x: x * _hard_sigmoid(ops, x),
    "hard_tanh": lambda ops, x: _clip(ops, x, -1.0, 1.0),
    "leaky_relu": lambda ops, x, alpha=0.2: ops.maximum(x, 0.0) + alpha * ops.minimum(x, 0.0),
    "linear": lambda _ops, x: x,
    "log_sigmoid": lambda ops, x: -_softplus(ops, -x),
    "mish": lambda ops, x: x * ops.tanh(_softplus(ops, x)),
    "relu": lambda ops, x: ops.maximum(x, 0.0),
    "relu6": lambda ops, x: _clip(ops, x, 0.0, 6.0),
    "scaled_tanh": lambda ops, x, alpha=1.0, beta=1.0: alpha * ops.tanh(beta * x),
    "selu": _selu,
    "sigmoid": lambda ops, x: ops.sigmoid(x),
    "silu": lambda ops, x: x * ops.sigmoid(x),
    "soft_shrink": _soft_shrink,
    "softmax": _softmax,
    "softplus": _softplus,
    "softsign": lambda ops, x: x / (1 + _magnitude(ops, x)),
    "sparse_plus": _sparse_plus,
    "sparse_sigmoid": lambda ops, x: _clip(ops, 0.5 * (x + 1), 0.0, 1.0),
    "squareplus": lambda ops, x, b=4.0: (x + ops.sqrt(x * x + b)) / 2,
    "tanh": lambda ops, x: ops.tanh(x),
    "tanh_shrink": lambda ops, x: x - ops.tanh(x),
    "thresholded_relu": lambda ops, x, alpha=1.0: ops.where(x > alpha, x, 0.0 * x),
}

# Alternative names in Keras.
OTHER_NAMES = {"swish": "silu", "hard_swish": "hard_silu"}

_WITH_NUMBERS = re.compile(r"(\w+)\(([^()]*)\)")


@functools.lru_cache(256)
def activation_function(name: "str | Callable[[Tensor], Tensor]") -> Callable[[Ops, Tensor], Tensor]:
    """Return the function for a name in ``ACTIVATIONS``, which may be followed by numbers in parentheses.

    A layer of a live model may have any function of an array; it is used as given.

    Raises
    ------
    KeyError
        The name is not in the table.
    ValueError
        The parentheses do not hold a list of numbers.

    Examples
    --------
    >>> from rnnstates.engines.numpy_engine import NumpyOps
    >>> activation_function("affine(2, 1)")(NumpyOps(), 10.0)
    21.0
    """
    if not isinstance(name, str):
        return lambda _ops, x: name(x)
    found = _WITH_NUMBERS.fullmatch(name)
    if found is None:
        plain: Callable[[Ops, Tensor], Tensor] = ACTIVATIONS[name]
        return plain
    function, numbers = ACTIVATIONS[found[1]], [float(number) for number in found[2].split(",")]
    taken = len(inspect.signature(function).parameters) - 2
    if len(numbers) > taken or not all(map(math.isfinite, numbers)):
        raise ValueError(f"{name}: takes at most {taken} numbers, all finite")
    return lambda ops, x: function(ops, x, *numbers)


def is_activation(name: str) -> bool:
    """Return whether ``activation_function`` knows a name."""
    try:
        activation_function(name)
    except (KeyError, ValueError):
        return False
    return True
