"""The array functions that a cell's equations need, in TensorFlow."""

from collections.abc import Callable, Sequence
from typing import Any

from ...arrays.axes import Tensor
from ...runtime.tensorflow_start import TensorFlow

__all__ = ["TensorFlowOps", "narrow_matmul"]


class TensorFlowOps:
    """Implements ``network.activations.Ops``, for the ``step`` of a cell.

    Parameters
    ----------
    tf : module
    matmul : callable or None
        Replaces TensorFlow's own product.
    """

    def __init__(self, tf: TensorFlow, matmul: Callable[[Tensor, Tensor], Tensor] | None = None) -> None:
        self.matmul = matmul or tf.matmul
        self.sigmoid, self.tanh = tf.sigmoid, tf.tanh
        self.exp, self.log1p = tf.exp, tf.math.log1p
        self.sqrt, self.erf, self.where = tf.sqrt, tf.math.erf, tf.where
        self.maximum, self.minimum = tf.maximum, tf.minimum
        self._split, self._sum, self._max = tf.split, tf.reduce_sum, tf.reduce_max

    def split(self, values: Tensor, parts: int) -> Sequence[Tensor]:
        """[B, parts * M] into ``parts`` tensors [B, M]."""
        tensors: Sequence[Tensor] = self._split(values, parts, axis=1)
        return tensors

    def sum_units(self, values: Tensor) -> Tensor:
        """[B, H] to the sums [B, 1]."""
        return self._sum(values, axis=1, keepdims=True)

    def max_units(self, values: Tensor) -> Tensor:
        """[B, H] to the largest [B, 1]."""
        return self._max(values, axis=1, keepdims=True)


def narrow_matmul(tf: TensorFlow, dtype: Any) -> Callable[[Tensor, Tensor], Tensor]:
    """Return a product that rounds both factors to a narrow dtype and returns float32.

    Outside XLA TensorFlow has no product of bfloat16 into float32 on a CPU (``BatchMatMulV3`` has no kernel), so the
    product itself is rounded too; the sums inside it are kept in float32.
    """

    def matmul(left: Tensor, right: Tensor) -> Tensor:
        return tf.cast(tf.matmul(tf.cast(left, dtype), tf.cast(right, dtype)), tf.float32)

    return matmul
