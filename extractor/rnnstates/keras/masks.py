"""Checks and converts the lengths and masks of the layers."""

from typing import Any

import numpy as np

from ..engines.differentiable.layout import valid_steps
from ..errors import BadLengths
from .started import PACKAGE, Tensor, keras, tf
from .tensors import check_numbers, to_tensor

__all__ = ["StepsMask", "attach", "attached", "check_in_graph", "checked_in_graph", "mask_of", "to_lengths", "to_mask"]


@keras.saving.register_keras_serializable(PACKAGE)
class StepsMask(keras.Operation):
    """The mask bool [B, T] for inputs [B, T, ...] and lengths int [B], as a node of a functional model."""

    def call(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Compute the mask."""
        return valid_steps(tf, lengths, None, tf.shape(inputs)[1])

    def compute_output_spec(self, inputs: Any, lengths: Any) -> Any:  # noqa: ARG002
        """Return the mask's shape."""
        return keras.KerasTensor(inputs.shape[:2], dtype="bool")


def mask_of(inputs: Tensor, lengths: Tensor, mask: Tensor) -> Tensor:
    """Return the mask of the lengths, else the given one: bool [B, T] or None."""
    return mask if lengths is None else StepsMask()(inputs, lengths)


def attached(values: Tensor) -> Tensor:
    """Return the mask that Keras attached to a tensor; None without one."""
    return getattr(values, "_keras_mask", None)


def attach(values: Tensor, mask: Tensor) -> None:
    """Attach a mask to a tensor, for subsequent Keras layers."""
    values._keras_mask = mask


def to_lengths(lengths: Any, inputs: Any) -> Any:
    """Convert lengths to a tensor [B], or keep a symbolic one.

    Raises
    ------
    BadLengths
        They are not whole numbers, not one per sequence, or below 0 or above T. In a graph, where values are not known
        yet, TensorFlow's ``InvalidArgumentError`` is raised when it runs.
    """
    if lengths is None:
        return None
    if not isinstance(lengths, keras.KerasTensor):
        # An empty list would be converted to floats.
        lengths = (
            tf.zeros([0], tf.int32)
            if isinstance(lengths, list) and not lengths
            else to_tensor(lengths, "lengths", BadLengths)
        )
    dtype = keras.backend.standardize_dtype(lengths.dtype)
    if "int" not in dtype:
        raise BadLengths(f"lengths: have dtype {dtype}; expected whole numbers, one for each sequence.")
    if len(lengths.shape) != 1:
        raise BadLengths(f"lengths: have shape {tuple(lengths.shape)}; expected one for each sequence, (batch,).")
    if isinstance(lengths, keras.KerasTensor) or not tf.executing_eagerly():
        return lengths
    _check(np.asarray(lengths), tuple(inputs.shape))
    return tf.cast(lengths, tf.int32)


def to_mask(mask: Any, inputs: Any) -> Any:
    """Convert a mask to a bool tensor [B, T], or keep a symbolic one.

    Raises
    ------
    BadLengths
        It is not a numeric array, or has another shape than the inputs; in a graph ``InvalidArgumentError`` is raised
        when it runs.
    """
    if mask is None or isinstance(mask, keras.KerasTensor):
        return mask
    mask = to_tensor(mask, "mask", BadLengths)
    check_numbers(mask, "mask", BadLengths)
    mask = tf.cast(mask, tf.bool)
    if not mask.shape.is_compatible_with(inputs.shape[:2]):
        raise BadLengths(
            f"mask: has shape {tuple(mask.shape)}; expected that of the inputs' steps, {tuple(inputs.shape[:2])}."
        )
    return mask


def checked_in_graph(inputs: Tensor, lengths: Tensor, mask: Tensor) -> tuple[Any, Any]:
    """Make a graph refuse lengths and masks that do not fit the inputs when it runs; return int32 and bool tensors."""
    shape = tf.shape(inputs)
    if lengths is not None:
        rows, steps, *_ = tf.unstack(shape)
        check_in_graph(tf.equal(tf.size(lengths), rows), "there has to be a length per sequence.", rows)
        wide = tf.cast(lengths, tf.int64)
        fit = tf.reduce_all((wide >= 0) & (wide <= tf.cast(steps, tf.int64)))
        check_in_graph(fit, "a length is below 0 or above the steps of the inputs.", steps)
        lengths = tf.cast(lengths, tf.int32)
    if mask is not None:
        same = tf.reduce_all(tf.equal(tf.shape(mask), shape[:2]))
        check_in_graph(same, "a mask has another shape than the inputs.", tf.shape(mask))
        mask = tf.cast(mask, tf.bool)
    return lengths, mask


def check_in_graph(right: Tensor, message: str, found: Tensor) -> None:
    """Make a graph raise ``InvalidArgumentError`` with a message and an int32 tensor unless ``right`` when it runs.

    ``tf.debugging.assert_equal`` and the like make three times the nodes.
    """
    tf.debugging.Assert(right, [f"rnnstates: {message}", found])


def _check(lengths: Tensor, shape: tuple[int, ...]) -> None:
    rows, steps = shape[:2]
    if len(lengths) != rows:
        raise BadLengths(f"lengths: {len(lengths)} of them, but the inputs have {rows} sequences; expected as many.")
    wrong = np.flatnonzero((lengths < 0) | (lengths > steps))
    if len(wrong):
        row = int(wrong[0])
        raise BadLengths(
            f"lengths: row {row} has length {lengths[row]}, but the inputs have {steps} steps. Lengths must be 0 to "
            f"{steps}."
        )
