"""The TensorFlow engine: any cell, unrolled by one ``tf.while_loop`` over packed rows.

Rows are packed time-major, as in PyTorch's ``PackedSequence``: all valid rows of step 0, then those of step 1, ….
With the sequences sorted by length, longest first, the rows still alive at a step are always the first ones, so
finished sequences cost nothing and padding does not exist. In NumPy the loop reads::

    for step in range(T):
        state = cell.step(packed[start : start + live[step]], state[: live[step]])
        collected.append(state); start += live[step]
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from ..arrays import Array, valid_mask
from ..errors import EngineUnavailable
from ..tensorflow_start import import_tensorflow
from ..weights.canonical import LayerWeights
from .cells import CELLS, state_width
from .reference import live_rows, start_states

__all__ = ["TensorFlowEngine", "TensorFlowOps"]

Made = TypeVar("Made")


class TensorFlowOps:
    """The array functions of a cell's equations, in TensorFlow."""

    def __init__(self, tf: Any) -> None:
        self.matmul, self.sigmoid, self.tanh = tf.matmul, tf.sigmoid, tf.tanh
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


class TensorFlowEngine:
    """Unrolls layers in TensorFlow, on its default device.

    Parameters
    ----------
    precision : str
        ``float32`` or ``float64``.

    Raises
    ------
    EngineUnavailable
        TensorFlow cannot be imported, or its eager execution is switched off in this process.

    Notes
    -----
    TensorFlow's threads are the process' own affair: the command holds it to one thread an operation, because one
    thread a tile is faster (see CONTRIBUTING.md); the library leaves them as they are.
    """

    name = "tensorflow"

    def __init__(self, precision: str) -> None:
        self._tf = import_tensorflow()
        if not _outside_graphs(self._tf.executing_eagerly):
            raise EngineUnavailable("TensorFlow's eager execution is switched off in this process; use --engine numpy.")
        self.device = "GPU" if self._tf.config.list_physical_devices("GPU") else "CPU"
        self._dtype = np.dtype(precision)

    def unroll(self, weights: LayerWeights, gates: Sequence[str] = ()) -> "TensorFlowUnroll":
        """Make the function that runs one layer in one direction and collects some of its gates too."""
        return _outside_graphs(lambda: TensorFlowUnroll(self._tf, weights, self._dtype, gates))

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Keep products exact for a while: in TensorFloat-32 a GPU would lose 13 of 23 bits. Not verified on one."""
        settings = self._tf.config.experimental
        before = settings.tensor_float_32_execution_enabled()
        settings.enable_tensor_float_32_execution(False)
        try:
            yield
        finally:
            settings.enable_tensor_float_32_execution(before)


def _outside_graphs(make: Callable[[], Made]) -> Made:
    """Call a function in a thread of its own: the caller may be building a graph, which belongs to its thread."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(make).result()


class TensorFlowUnroll:
    """One layer, one direction, over all steps of a tile; traced once, whatever the shapes."""

    def __init__(self, tf: Any, weights: LayerWeights, dtype: "np.dtype[Any]", gates: Sequence[str]) -> None:
        self._tf, self._dtype = tf, dtype
        self._cell, self._ops, self._gates = CELLS[weights.cell], TensorFlowOps(tf), tuple(gates)
        self._widths = {name: state_width(weights, name) for name in (*self._cell.state._fields, *gates)}
        prepared = self._cell.prepare(weights, dtype)
        self._parameters = prepared._make(tf.constant(p) if isinstance(p, np.ndarray) else p for p in prepared)
        starts = self._cell.state(*(tf.TensorSpec([None, self._widths[f]], dtype) for f in self._cell.state._fields))
        signature = (tf.TensorSpec([None, weights.features], dtype), tf.TensorSpec([None], tf.int32), starts)
        self._loop = tf.function(self._packed_loop, input_signature=signature)

    def __call__(
        self, inputs: Array, lengths: npt.NDArray[np.int64], initial: Mapping[str, Array] | None = None
    ) -> dict[str, Array]:
        """Run the tile.

        Parameters
        ----------
        inputs : floating [B, T, I]
            Steps past a length are never read.
        lengths : int64 [B]
            Never increasing.
        initial : mapping or None
            States floating [B, W] to start from, by name; zero for those that are not named.

        Returns
        -------
        dict
            From the name of each state and gate to floating [B, T, W]; zero past the length.
        """
        rows, steps = inputs.shape[:2]
        padded: dict[str, Array] = {
            name: np.zeros((rows, steps, width), self._dtype) for name, width in self._widths.items()
        }
        if steps == 0:
            return padded
        mask = valid_mask(lengths, steps).T
        packed = np.swapaxes(inputs, 0, 1)[mask]
        live = live_rows(lengths, steps).astype(np.int32)
        fields = self._cell.state._fields
        starts = start_states(fields, rows, self._widths, self._dtype, initial)
        # The rows that have a first step; finished sequences come last.
        start = self._cell.state(*(self._tf.constant(starts[name][: live[0]]) for name in fields))
        for name, values in zip(self._widths, self._loop(packed, live, start), strict=True):
            np.swapaxes(padded[name], 0, 1)[mask] = values.numpy()
        return padded

    def _packed_loop(self, packed: Any, live: Any, start_state: Any) -> list[Any]:
        """Map packed inputs [S, I], live rows [T] and first states [B, W] to each state, packed: [S, W]."""
        tf, widths = self._tf, self._widths
        steps = tf.shape(live)[0]
        arrays = tuple(
            tf.TensorArray(self._dtype, steps, element_shape=tf.TensorShape([None, width]), infer_shape=False)
            for width in widths.values()
        )

        def body(step: Any, start: Any, state: Any, collected: Any) -> Any:
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
