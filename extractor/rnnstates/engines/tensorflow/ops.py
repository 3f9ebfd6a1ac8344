"""The array functions of a cell's equations, in TensorFlow."""

from collections.abc import Callable
from typing import Any

__all__ = ["TensorFlowOps", "narrow_matmul"]


class TensorFlowOps:
    """What a cell's ``step`` is written against.

    Parameters
    ----------
    tf : module
    matmul : callable or None
        Another product than TensorFlow's own.
    """

    def __init__(self, tf: Any, matmul: Callable[[Any, Any], Any] | None = None) -> None:
        self.matmul = matmul or tf.matmul
        self.sigmoid, self.tanh = tf.sigmoid, tf.tanh
        self.exp, self.log1p = tf.exp, tf.math.log1p
        self.sqrt, self.erf, self.where = tf.sqrt, tf.math.erf, tf.where
        self.maximum, self.minimum = tf.maximum, tf.minimum
        self._split, self._sum, self._max = tf.split, tf.reduce_sum, tf.reduce_max

    def split(self, values: Any, parts: int) -> Any:
        """[B, parts * M] into ``parts`` tensors [B, M]."""
        return self._split(values, parts, axis=1)

    def sum_units(self, values: Any) -> Any:
        """[B, H] to the sums [B, 1]."""
        return self._sum(values, axis=1, keepdims=True)

    def max_units(self, values: Any) -> Any:
        """[B, H] to the largest [B, 1]."""
        return self._max(values, axis=1, keepdims=True)


def narrow_matmul(tf: Any, dtype: Any) -> Callable[[Any, Any], Any]:
    """Give a product that rounds both factors to a narrow dtype and returns float32.

    TensorFlow has no product of bfloat16 into float32 on a CPU outside XLA (``BatchMatMulV3`` has no kernel), so the
    product itself is rounded once more; the sums inside it are kept in float32.
    """

    def matmul(left: Any, right: Any) -> Any:
        return tf.cast(tf.matmul(tf.cast(left, dtype), tf.cast(right, dtype)), tf.float32)

    return matmul
