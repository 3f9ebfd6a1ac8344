"""Unrolls any cell in TensorFlow by one ``tf.while_loop`` over packed rows.

Rows are packed time-major, as in PyTorch's ``PackedSequence``: all valid rows of step 0, then those of step 1, …. The
longest sequences come first, so the rows still live at a step are always the first ones; finished sequences cost
nothing, and there is no padding. In NumPy the loop is::

    for step in range(T):
        state = cell.step(packed[start : start + live[step]], state[: live[step]])
        collected.append(state); start += live[step]
"""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt

from ...arrays.axes import Inputs, Lengths, Tensor, clear_padding
from ...arrays.workspace import Workspace
from ...network.cells import CELLS, state_width
from ...network.model import LayerWeights
from ...runtime.tensorflow_start import TensorFlow
from ..base import Starts, States
from ..numpy_engine import live_rows, start_states
from .ops import TensorFlowOps

__all__ = ["PackedUnroll"]

# How many sequences have each step.
Live = Annotated[npt.NDArray[np.int32], "T"]


class PackedUnroll:
    """One layer, one direction, over all steps of a tile; traced once for all shapes.

    Parameters
    ----------
    tf : module
    weights : LayerWeights
    precision : str
        ``float32`` or ``float64``.
    gates : sequence of str
        Gates to collect together with the states.
    """

    def __init__(self, tf: TensorFlow, weights: LayerWeights, precision: str, gates: Sequence[str]) -> None:
        self._tf, self._cell, self._gates = tf, CELLS[weights.cell], tuple(gates)
        self._dtype: np.dtype[Any] = np.dtype(precision)
        self._ops = TensorFlowOps(tf)
        self._widths = {name: state_width(weights, name) for name in (*self._cell.state._fields, *gates)}
        prepared = self._cell.prepare(weights, self._dtype)
        self._parameters = prepared._make(
            tf.constant(values) if isinstance(values, np.ndarray) else values for values in prepared
        )
        dtype, fields = self._dtype, self._cell.state._fields
        starts = self._cell.state(*(tf.TensorSpec([None, self._widths[name]], dtype) for name in fields))
        signature = (tf.TensorSpec([None, weights.features], dtype), tf.TensorSpec([None], tf.int32), starts)
        # Concrete functions: TensorFlow would warn about functions that are made often and called rarely.
        self._loop = tf.function(self._packed_loop, input_signature=signature, autograph=False).get_concrete_function()

    def __call__(
        self,
        inputs: Inputs,
        lengths: Lengths,
        initial: Starts | None = None,
        workspace: Workspace | None = None,
    ) -> States:
        """Pack the tile, run the loop, unpack what it collected; see ``base.Unroll``."""
        space, dtype = workspace or Workspace(), self._dtype
        rows, steps, features = inputs.shape
        padded = {name: space.array(name, (rows, steps, width), dtype) for name, width in self._widths.items()}
        live = live_rows(lengths, steps).astype(np.int32)
        packed = space.array("packed", (int(live.sum()), features), dtype)
        for step, count, part in _packed_steps(live):
            packed[part] = inputs[:count, step]
        if len(packed):
            constant = self._tf.constant
            made = self._loop(constant(packed), constant(live), self._start(live, initial))
            for name, values in zip(self._widths, made, strict=True):
                states = np.asarray(values)
                for step, count, part in _packed_steps(live):
                    padded[name][:count, step] = states[part]
        for array in padded.values():
            clear_padding(array, lengths)
        return padded

    def _start(self, live: Live, initial: Starts | None) -> Any:
        """Return the states before the first step, of the rows that have a step; empty sequences come last."""
        rows, fields = int(live[0]), self._cell.state._fields
        given = {name: values[:rows] for name, values in (initial or {}).items()}
        starts = start_states(fields, rows, self._widths, self._dtype, given)
        return self._cell.state(*(self._tf.constant(starts[name]) for name in fields))

    def _packed_loop(self, packed: Tensor, live: Tensor, start_state: Any) -> list[Any]:
        """Compute each state, packed [S, W], from packed inputs [S, I], live rows [T] and first states [B, W]."""
        tf, widths = self._tf, self._widths
        steps = tf.shape(live)[0]
        arrays = tuple(
            tf.TensorArray(self._dtype, steps, element_shape=tf.TensorShape([None, width]), infer_shape=False)
            for width in widths.values()
        )

        def body(step: Tensor, start: Any, state: Any, collected: Any) -> Any:
            count = live[step]
            before = self._cell.state(*(values[:count] for values in state))
            state, gates = self._cell.step(self._ops, self._parameters, packed[start : start + count], before)
            kept = (*state, *(getattr(gates, name) for name in self._gates))
            collected = tuple(array.write(step, values) for array, values in zip(collected, kept, strict=True))
            return step + 1, start + count, state, collected

        state_shapes = (tf.TensorShape([None, widths[name]]) for name in self._cell.state._fields)
        *_, collected = tf.while_loop(
            lambda step, *_: step < steps,
            body,
            (tf.constant(0), tf.constant(0), self._cell.state(*start_state), arrays),
            shape_invariants=(
                tf.TensorShape([]),
                tf.TensorShape([]),
                self._cell.state(*state_shapes),
                tuple(tf.TensorShape(None) for _ in widths),
            ),
            parallel_iterations=1,
        )
        return [array.concat() for array in collected]


def _packed_steps(live: Live) -> Iterator[tuple[int, int, slice]]:
    """Yield each step, the number of sequences live at it, and the slice of its packed rows."""
    start = 0
    for step, count in enumerate(live.tolist()):
        yield step, count, slice(start, start + count)
        start += count
