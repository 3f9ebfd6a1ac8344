"""Which steps of a batch count, as tensors; sequences brought to the front of their rows and back.

An unroll wants its steps in the order in which they are read, from the first column on. A mask may leave out any
step, and a backward layer reads from the end; both are a change of order before the unroll and the inverse after it.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

__all__ = ["Order", "cleared", "count_steps", "in_order", "permuted", "reading_order", "valid_steps"]


class Order(NamedTuple):
    """A change of order and the way back, int32 of one shape."""

    there: Any
    back: Any


def valid_steps(tf: Any, lengths: Any, mask: Any, steps: Any) -> Any:
    """Tell which steps count: bool [B, T] from lengths [B], else from the mask, else None for all of them."""
    if lengths is not None:
        return tf.sequence_mask(lengths, steps)
    return None if mask is None else tf.cast(mask, tf.bool)


def count_steps(tf: Any, valid: Any) -> Any:
    """Count the steps that count: int32 [B] from bool [B, T]."""
    return tf.reduce_sum(tf.cast(valid, tf.int32), axis=1)


def cleared(tf: Any, values: Any, valid: Any) -> Any:
    """Put zero where a step does not count; unlike a product with zero this also ends NaN, in the gradient too."""
    return values if valid is None else tf.where(valid[:, :, tf.newaxis], values, tf.zeros([], values.dtype))


def reading_order(tf: Any, valid: Any) -> Order:
    """Give the order [B, T] in which the steps that count come first, each row's others behind."""
    there = tf.argsort(tf.cast(tf.logical_not(valid), tf.int32), axis=1, stable=True)
    return Order(there, tf.argsort(there, axis=1))


def in_order(tf: Any, valid: Any, run: Callable[[Callable[[Any], Any], Callable[[Any], Any]], Any]) -> Any:
    """Call ``run(front, back)``: two functions of [B, T, W] that bring the steps that count to the front, and back.

    Masks of sequences that are padded behind, the usual ones, leave everything where it is; which kind a mask is shows
    only when the graph runs.
    """
    if valid is None:
        return run(_same, _same)
    as_they_are = tf.reduce_all(tf.equal(valid, tf.sequence_mask(count_steps(tf, valid), tf.shape(valid)[1])))

    def moved(values: Any, direction: str) -> Any:
        def move() -> Any:
            order = reading_order(tf, valid)
            return permuted(tf, values, order if direction == "front" else Order(*reversed(order)), axis=1)

        return tf.cond(as_they_are, lambda: values, move)

    return run(lambda values: moved(values, "front"), lambda values: moved(values, "back"))


def permuted(tf: Any, values: Any, order: Order, axis: int) -> Any:
    """Take values in another order along an axis, 0 or (each row its own) 1.

    Its gradient takes them by the way back; TensorFlow's own, which cannot know that every element is taken once, adds
    up and is many times slower.
    """

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def take(values: Any) -> tuple[Any, Callable[[Any], Any]]:
        return _taken(tf, values, order.there, axis), lambda upstream: _taken(tf, upstream, order.back, axis)

    return take(values)


def _taken(tf: Any, values: Any, indices: Any, axis: int) -> Any:
    return tf.gather(values, indices, axis=axis, batch_dims=axis)


def _same(values: Any) -> Any:
    return values
