"""Pooling layers, one vector per sequence: the poolings of ``rnnstates.POOLINGS``.

Each takes states [B, T, W] and lengths or a mask, possibly the one that Keras attached to the states; without either,
every step counts. Sums are accumulated in float64. ``empty`` is the result for an empty sequence.
"""

import math
from collections.abc import Callable
from typing import Any

from ..engines.differentiable.layout import valid_steps
from ..errors import OptionError
from ..network.model import DIRECTIONS
from .masks import attached, checked_in_graph, to_lengths, to_mask
from .started import PACKAGE, Tensor, keras, tf
from .states import StatesTuple, chosen
from .tensors import to_inputs

__all__ = [
    "LAYERS",
    "FinalState",
    "FirstState",
    "LastState",
    "LengthAwareMax",
    "LengthAwareMean",
    "LengthAwareMin",
    "LengthAwareStd",
    "LengthAwareSum",
]


class StatePooling(keras.layers.Layer):
    """The base of the pooling layers; use one of them.

    Parameters
    ----------
    state : str
        The state of a recurrent layer's tuple to pool: ``hidden``, ``cell``, or ``state`` for [cell, hidden].
    empty : float
        The result for an empty sequence: 0, or NaN as in a file.
    **options
        Of every Keras layer.
    """

    def __init__(self, *, state: str = "hidden", empty: float | str = 0.0, **options: Any) -> None:
        super().__init__(**options)
        if not _is_empty_value(empty):
            raise OptionError(f"empty={empty!r}: expected 0 or NaN.")
        self.state, self.empty, self.supports_masking = state, float(empty), True

    def __call__(self, inputs: Any, lengths: Any = None, mask: Any = None, **options: Any) -> Any:
        """Pool states.

        Parameters
        ----------
        inputs : floating [B, T, W]
            Or the tuple that a recurrent layer returns.
        lengths : int [B] or None
        mask : bool [B, T] or None
            Used without lengths.

        Returns
        -------
        floating [B, W]

        Raises
        ------
        BadInput
            The inputs are not a numeric array [B, T, W].
        BadLengths
            See ``to_lengths``.
        OptionError
            The cell has no such state.
        """
        if isinstance(inputs, StatesTuple):
            self._check_direction(inputs)
            options = {**self._started(inputs), **options}
            mask = attached(inputs.hidden) if mask is None else mask
            if inputs.ends is None and lengths is None and mask is None:
                raise ValueError(
                    "these states have been through a model's output or a tf.function, so where each sequence ends is "
                    "not known here; give lengths= (or mask=)."
                )
            inputs = chosen(inputs, self.state)
        mask = attached(inputs) if mask is None and lengths is None else mask
        inputs = to_inputs(inputs, self)
        lengths = to_lengths(lengths, inputs)
        mask = None if lengths is not None else to_mask(mask, inputs)
        given = {"lengths": lengths, "mask": mask, **options}
        return super().__call__(inputs, **{name: value for name, value in given.items() if value is not None})

    def call(self, inputs: Tensor, lengths: Tensor | None = None, mask: Tensor | None = None) -> Tensor:
        """Pool; see ``__call__``."""
        inputs = inputs if inputs.dtype.is_floating else tf.cast(inputs, self.compute_dtype)
        valid = self._valid(inputs, lengths, mask)
        counts = tf.reduce_sum(tf.cast(valid, tf.int32), axis=1)
        # Not a product with zero, which would keep NaN, also in the gradient.
        inputs = tf.where(valid[:, :, tf.newaxis], inputs, tf.zeros([], inputs.dtype))
        pooled = tf.cast(self._pool(inputs, valid, counts), inputs.dtype)
        return tf.where(counts[:, tf.newaxis] > 0, pooled, tf.constant(self.empty, inputs.dtype))

    def _valid(self, inputs: Tensor, lengths: Tensor, mask: Tensor) -> Tensor:
        lengths, mask = checked_in_graph(inputs, lengths, mask)
        valid = valid_steps(tf, lengths, mask, tf.shape(inputs)[1])
        return tf.ones(tf.shape(inputs)[:2], tf.bool) if valid is None else valid

    # Each class below has it: values [B, T, W], zero where not valid, bool [B, T] and int32 [B] to [B, W]; empty rows
    # give anything.
    _pool: Callable[[Any, Any, Any], Any]

    def _check_direction(self, states: Any) -> None:
        """Refuse states of a layer that reads in the other direction; only poolings of one end care."""

    def _started(self, states: Any) -> dict[str, Any]:  # noqa: ARG002
        """Return further call arguments from states that know their initial state."""
        return {}

    def compute_output_spec(self, inputs: Any, **_others: Any) -> Any:
        """Return the shape of the vectors."""
        return keras.KerasTensor((inputs.shape[0], inputs.shape[-1]), dtype=self.compute_dtype)

    def compute_mask(self, inputs: Tensor, previous_mask: Tensor) -> None:
        """Return None: pooled vectors have no time axis."""

    def get_config(self) -> dict[str, Any]:
        """Return all arguments, in JSON types."""
        empty = "nan" if math.isnan(self.empty) else self.empty
        return {**super().get_config(), "state": self.state, "empty": empty}


@keras.saving.register_keras_serializable(PACKAGE)
class LengthAwareSum(StatePooling):
    """The sum over the valid steps."""

    def _pool(self, values: Tensor, valid: Tensor, counts: Tensor) -> Tensor:  # noqa: ARG002
        return _total(values)


@keras.saving.register_keras_serializable(PACKAGE)
class LengthAwareMean(StatePooling):
    """The mean over the valid steps.

    Examples
    --------
    >>> import numpy as np
    >>> from rnnstates.keras import StateLSTM
    >>> states = StateLSTM(64)(np.ones((2, 10, 8), "float32"), lengths=[10, 6])
    >>> LengthAwareMean(state="cell")(states).shape
    TensorShape([2, 64])
    """

    def _pool(self, values: Tensor, valid: Tensor, counts: Tensor) -> Tensor:  # noqa: ARG002
        return _mean(values, counts)


@keras.saving.register_keras_serializable(PACKAGE)
class LengthAwareStd(StatePooling):
    """The population standard deviation over the valid steps; its gradient is zero where it is zero."""

    def _pool(self, values: Tensor, valid: Tensor, counts: Tensor) -> Tensor:
        away = tf.cast(values, tf.float64) - _mean(values, counts)[:, tf.newaxis]
        variance = _mean(tf.where(valid[:, :, tf.newaxis], away * away, 0), counts)
        some = variance > 0
        return tf.where(some, tf.sqrt(tf.where(some, variance, 1)), 0)


@keras.saving.register_keras_serializable(PACKAGE)
class LengthAwareMax(StatePooling):
    """The largest value over the valid steps."""

    def _pool(self, values: Tensor, valid: Tensor, counts: Tensor) -> Tensor:  # noqa: ARG002
        return tf.reduce_max(tf.where(valid[:, :, tf.newaxis], values, values.dtype.min), axis=1)


@keras.saving.register_keras_serializable(PACKAGE)
class LengthAwareMin(StatePooling):
    """The smallest value over the valid steps."""

    def _pool(self, values: Tensor, valid: Tensor, counts: Tensor) -> Tensor:  # noqa: ARG002
        return tf.reduce_min(tf.where(valid[:, :, tf.newaxis], values, values.dtype.max), axis=1)


class EndPooling(StatePooling):
    """The base of the poolings that take one end of a sequence.

    Parameters
    ----------
    direction : str
        ``forward``, or ``backward`` for states of a layer that reads from the end.
    **options
        Of ``StatePooling``.
    """

    def __init__(self, *, direction: str = "forward", **options: Any) -> None:
        super().__init__(**options)
        if direction not in DIRECTIONS:
            raise OptionError(f"direction='{direction}': unknown; known are {', '.join(DIRECTIONS)}.")
        self.direction = direction

    def _check_direction(self, states: Any) -> None:
        if states.ends is not None and states.ends.direction != self.direction:
            raise OptionError(
                f"{type(self).__name__} reads {self.direction}, but the layer that made these states "
                f"{states.ends.direction}; give it direction='{states.ends.direction}'."
            )

    def get_config(self) -> dict[str, Any]:
        """Return all arguments, in JSON types."""
        return {**super().get_config(), "direction": self.direction}


@keras.saving.register_keras_serializable(PACKAGE)
class LastState(EndPooling):
    """The state after the last step that was read: at ``length - 1`` forward, at 0 backward."""

    def _pool(self, values: Tensor, valid: Tensor, counts: Tensor) -> Tensor:  # noqa: ARG002
        return _end(values, valid, last=self.direction == "forward")


@keras.saving.register_keras_serializable(PACKAGE)
class FirstState(EndPooling):
    """The state after the first step that was read: at 0 forward, at ``length - 1`` backward."""

    def _pool(self, values: Tensor, valid: Tensor, counts: Tensor) -> Tensor:  # noqa: ARG002
        return _end(values, valid, last=self.direction == "backward")


@keras.saving.register_keras_serializable(PACKAGE)
class FinalState(LastState):
    """The last state; for an empty sequence its initial state.

    That is ``start`` [B, W] in the call, else the initial state recorded with states of a layer, else zero.
    """

    def _started(self, states: Any) -> dict[str, Any]:
        start = None if states.ends is None else states.ends.start
        return {} if start is None else {"start": chosen(start, self.state)}

    def call(
        self, inputs: Tensor, lengths: Tensor | None = None, mask: Tensor | None = None, start: Any = None
    ) -> Tensor:
        """Pool; see ``__call__``."""
        some = tf.reduce_any(self._valid(inputs, lengths, mask), axis=1, keepdims=True)
        last = super().call(inputs, lengths, mask)
        return tf.where(some, last, tf.zeros([], last.dtype) if start is None else tf.cast(start, last.dtype))


# The layer of each pooling in ``rnnstates.POOLINGS``.
LAYERS: dict[str, Callable[..., StatePooling]] = {
    "mean": LengthAwareMean,
    "last": LastState,
    "final": FinalState,
    "first": FirstState,
    "max": LengthAwareMax,
    "min": LengthAwareMin,
    "sum": LengthAwareSum,
    "std": LengthAwareStd,
}


def _is_empty_value(empty: Any) -> bool:
    try:
        return float(empty) == 0 or math.isnan(float(empty))
    except (TypeError, ValueError):
        return False


def _total(values: Tensor) -> Tensor:
    """Sum the valid steps, float64 [B, W]; padding is zero."""
    return tf.reduce_sum(tf.cast(values, tf.float64), axis=1)


def _mean(values: Tensor, counts: Tensor) -> Tensor:
    return _total(values) / tf.cast(tf.maximum(counts, 1), tf.float64)[:, tf.newaxis]


def _end(values: Tensor, valid: Tensor, *, last: bool) -> Tensor:
    """Return the last valid step of each row, or the first; zero if there are no steps at all."""

    def take() -> Tensor:
        seen = tf.cast(valid, tf.int32)
        places = tf.shape(seen)[1] - 1 - tf.argmax(seen[:, ::-1], axis=1, output_type=tf.int32)
        return tf.gather(values, places if last else tf.argmax(seen, axis=1, output_type=tf.int32), batch_dims=1)

    shape = tf.shape(values)
    return tf.cond(shape[1] > 0, take, lambda: tf.zeros([shape[0], values.shape[-1]], values.dtype))
