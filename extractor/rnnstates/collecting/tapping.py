"""Records the states of recurrent layers while their model runs.

During a run each layer's ``call`` is replaced by one that also records its arguments. A Keras layer returns at most its
hidden states, so its own cell is run again over the same inputs, from the same initial state and with the same mask,
inside a cell that outputs its states. The layer's own output passes through the model unchanged, and is compared.
"""

import inspect
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

from ..engines.differentiable.layout import valid_steps
from ..keras.started import keras, tf
from ..keras.state_layer import StateLayer
from .finding import Found, Layer

__all__ = ["Heard", "tapped"]


class Heard(NamedTuple):
    """One call of a layer.

    Parameters
    ----------
    found : Found
    number : int
        How many calls of the same layer were before.
    states : list
        Floating [B, T, W], in the order of the layer's cells, and along time in the order of the inputs.
    mask : bool [B, T] or None
        The mask that the layer got.
    difference : float32 []
        The largest difference between the layer's output and these states.
    """

    found: Found
    number: int
    states: list[Any]
    mask: Any
    difference: Any


@contextmanager
def tapped(layers: Sequence[Found]) -> Iterator[list[Heard]]:
    """Record layers; the states that they compute meanwhile are added to the list. Afterwards they are restored."""
    heard: list[Heard] = []
    with ExitStack() as taken_off:
        for found in layers:
            taken_off.enter_context(_tap(found, heard))
        yield heard


@contextmanager
def _tap(found: Found, heard: list[Heard]) -> Iterator[None]:
    own, original = found.layer.__dict__.get("call"), found.layer.call
    signature = inspect.signature(original)

    def call(*args: Any, **kwargs: Any) -> Any:
        made = original(*args, **kwargs)
        given = signature.bind(*args, **kwargs).arguments
        number = sum(one.found is found for one in heard)
        heard.append(_heard(found, number, given, made))
        return made

    # Bypasses Keras' tracking of attributes.
    found.layer.__dict__["call"] = call
    try:
        yield
    finally:
        del found.layer.__dict__["call"]
        if own is not None:
            found.layer.__dict__["call"] = own


def _heard(found: Found, number: int, given: dict[str, Any], made: Any) -> Heard:
    inputs = next(iter(given.values()))
    mask = keras.tree.flatten(given["mask"])[0] if given.get("mask") is not None else None
    if isinstance(found.layer, StateLayer):
        mask = valid_steps(tf, given.get("lengths"), mask, tf.shape(inputs)[1])
        return Heard(found, number, list(made), mask, tf.constant(0.0))
    states = _collect(found, inputs, given.get("initial_state"), mask)
    # The output of a stack of cells is that of the highest.
    hidden = states[found.cells[-1].first]
    difference = _difference(found.layer, made, hidden)
    if found.layer.go_backwards:
        states = [tf.reverse(values, [1]) for values in states]
    return Heard(found, number, states, mask, difference)


def _collect(found: Found, inputs: Any, initial_state: Any, mask: Any) -> list[Any]:
    """Run the layer's cell over all steps; return its states in reading order."""
    layer = found.layer
    collecting = keras.layers.RNN(
        CollectingCell(layer.cell),
        return_sequences=True,
        go_backwards=layer.go_backwards,
        zero_output_for_mask=getattr(layer, "zero_output_for_mask", False),
        dtype=layer.dtype_policy,
    )
    # The inputs are those of the layer, already cast.
    states = collecting(inputs, initial_state=initial_state, mask=mask, training=False)
    sizes = keras.tree.flatten(layer.cell.state_size)
    return list(tf.split(states, sizes, axis=2))


class CollectingCell(keras.layers.Layer):
    """A cell whose output is its states, concatenated.

    Parameters
    ----------
    cell : keras.layers.Layer
        Already built.
    """

    def __init__(self, cell: Layer) -> None:
        super().__init__(dtype=cell.dtype_policy)
        self.cell, self.state_size = cell, cell.state_size
        self.output_size = sum(keras.tree.flatten(cell.state_size))
        self.built = True

    def get_initial_state(self, batch_size: Any = None) -> Any:
        """Return the cell's."""
        return self.cell.get_initial_state(batch_size=batch_size)

    def call(self, inputs: Any, states: Any, training: bool = False) -> Any:
        """Run one step."""
        _, states = self.cell(inputs, states, training=training)
        return tf.concat(keras.tree.flatten(states), axis=1), states


def _difference(layer: Layer, made: Any, hidden: Any) -> Any:
    output = made[0] if isinstance(made, list | tuple) else made
    ours = hidden if layer.return_sequences else hidden[:, -1]
    apart = tf.abs(tf.cast(output, tf.float32) - tf.cast(ours, tf.float32))
    # The largest of nothing is minus infinity.
    return tf.maximum(tf.reduce_max(apart), 0.0)
