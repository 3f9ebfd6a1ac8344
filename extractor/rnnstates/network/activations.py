"""The activation functions that weights formats name, written once for every engine.

Each takes ``ops`` (``NumpyOps`` or ``TensorFlowOps``) and an array of any shape, and returns the same shape and dtype.
"""

from collections.abc import Callable
from typing import Any, Protocol

__all__ = ["ACTIVATIONS", "Ops"]


class Ops(Protocol):
    """What a cell's equations need of an array library."""

    def matmul(self, left: Any, right: Any) -> Any:
        """[B, K] times [K, M]."""

    def split(self, values: Any, parts: int) -> Any:
        """[B, parts * M] into ``parts`` arrays [B, M]."""

    def sigmoid(self, values: Any) -> Any:
        """1 / (1 + exp(-x))."""

    def tanh(self, values: Any) -> Any:
        """Hyperbolic tangent."""

    def exp(self, values: Any) -> Any:
        """Exponential."""

    def log1p(self, values: Any) -> Any:
        """ln(1 + x)."""

    def maximum(self, values: Any, bound: float) -> Any:
        """Take the larger of x and a bound."""

    def minimum(self, values: Any, bound: float) -> Any:
        """Take the smaller of x and a bound."""


# The constants of Klambauer et al. 2017, "Self-Normalizing Neural Networks".
SELU_ALPHA = 1.6732632423543772
SELU_SCALE = 1.0507009873554805


def _elu(ops: Ops, x: Any) -> Any:
    # exp of a non-negative number is never needed, and could overflow.
    return ops.maximum(x, 0.0) + (ops.exp(ops.minimum(x, 0.0)) - 1)


def _selu(ops: Ops, x: Any) -> Any:
    return SELU_SCALE * (ops.maximum(x, 0.0) + SELU_ALPHA * (ops.exp(ops.minimum(x, 0.0)) - 1))


def _softplus(ops: Ops, x: Any) -> Any:
    # ln(1 + e^x) without overflow: max(x, 0) + ln(1 + e^-|x|).
    return ops.maximum(x, 0.0) + ops.log1p(ops.exp(ops.minimum(x, 0.0) - ops.maximum(x, 0.0)))


def _softsign(ops: Ops, x: Any) -> Any:
    return x / (1 + ops.maximum(x, 0.0) - ops.minimum(x, 0.0))


def _clip01(ops: Ops, x: Any) -> Any:
    return ops.minimum(ops.maximum(x, 0.0), 1.0)


ACTIVATIONS: dict[str, Callable[[Ops, Any], Any]] = {
    "elu": _elu,
    # Keras 3, PyTorch, JAX: relu6(x + 3) / 6.
    "hard_sigmoid": lambda ops, x: _clip01(ops, x / 6 + 0.5),
    # Keras 1 and 2, ONNX' default.
    "hard_sigmoid_fifth": lambda ops, x: _clip01(ops, 0.2 * x + 0.5),
    "linear": lambda _ops, x: x,
    "relu": lambda ops, x: ops.maximum(x, 0.0),
    "selu": _selu,
    "sigmoid": lambda ops, x: ops.sigmoid(x),
    "softplus": _softplus,
    "softsign": _softsign,
    "tanh": lambda ops, x: ops.tanh(x),
}
