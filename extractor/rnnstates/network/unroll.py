"""The TensorFlow engine: any cell, unrolled by one ``tf.while_loop`` over packed rows.

Rows are packed time-major, as in PyTorch's ``PackedSequence``: all valid rows of step 0, then those of step 1, ….
With the sequences sorted by length, longest first, the rows still alive at a step are always the first ones, so
finished sequences cost nothing and padding does not exist. In NumPy the loop reads::

    for step in range(T):
        state = cell.step(packed[start : start + live[step]], state[: live[step]])
        collected.append(state); start += live[step]
"""

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from ..arrays import Array, valid_mask
from ..errors import EngineUnavailable
from ..weights.canonical import LayerWeights
from .cells import CELLS
from .reference import live_rows
from .tensorflow_start import import_tensorflow

__all__ = ["TensorFlowEngine", "TensorFlowOps"]

Made = TypeVar("Made")


class TensorFlowOps:
    """The array functions of a cell's equations, in TensorFlow."""

    def __init__(self, tf: Any) -> None:
        self.matmul, self.sigmoid, self.tanh = tf.matmul, tf.sigmoid, tf.tanh
        self.exp, self.log1p = tf.exp, tf.math.log1p
        self.maximum, self.minimum = tf.maximum, tf.minimum
        self._split = tf.split

    def split(self, values: Any, parts: int) -> Any:
        """[B, parts * M] into ``parts`` tensors [B, M]."""
        return self._split(values, parts, axis=1)


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

    def unroll(self, weights: LayerWeights) -> "TensorFlowUnroll":
        """Make the function that runs one layer in one direction."""
        return _outside_graphs(lambda: TensorFlowUnroll(self._tf, weights, self._dtype))

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

    def __init__(self, tf: Any, weights: LayerWeights, dtype: "np.dtype[Any]") -> None:
        self._tf, self._dtype, self._units = tf, tf.as_dtype(dtype), weights.units
        self._cell, self._ops = CELLS[weights.cell], TensorFlowOps(tf)
        prepared = self._cell.prepare(weights, dtype)
        self._parameters = prepared._make(tf.constant(p) if isinstance(p, np.ndarray) else p for p in prepared)
        signature = (tf.TensorSpec([None, weights.features], self._dtype), tf.TensorSpec([None], tf.int32))
        self._loop = tf.function(self._packed_loop, input_signature=signature)

    def __call__(self, inputs: Array, lengths: npt.NDArray[np.int64]) -> Any:
        """Run the tile.

        Parameters
        ----------
        inputs : floating [B, T, I]
            Steps past a length are never read.
        lengths : int64 [B]
            Never increasing.

        Returns
        -------
        NamedTuple of floating [B, T, H]
            Each state at each step; zero past the length.
        """
        rows, steps = inputs.shape[:2]
        shape = (rows, steps, self._units)
        states = self._cell.state(*(np.zeros(shape, self._dtype.as_numpy_dtype) for _ in self._cell.state._fields))
        if steps == 0:
            return states
        mask = valid_mask(lengths, steps).T
        packed = np.swapaxes(inputs, 0, 1)[mask]
        collected = self._loop(packed, live_rows(lengths, steps).astype(np.int32))
        for padded, values in zip(states, collected, strict=True):
            np.swapaxes(padded, 0, 1)[mask] = values.numpy()
        return states

    def _packed_loop(self, packed: Any, live: Any) -> list[Any]:
        """Map packed inputs [S, I] and live rows [T] to each state, packed: [S, H]."""
        tf, fields = self._tf, self._cell.state._fields
        steps, rows = tf.shape(live)[0], tf.reduce_max(live, axis=0)
        shape = tf.TensorShape([None, self._units])
        zero = self._cell.state(*(tf.zeros([rows, self._units], self._dtype) for _ in fields))
        arrays = tuple(tf.TensorArray(self._dtype, steps, element_shape=shape, infer_shape=False) for _ in fields)

        def body(step: Any, start: Any, state: Any, collected: Any) -> Any:
            count = live[step]
            before = self._cell.state(*(values[:count] for values in state))
            state = self._cell.step(self._ops, self._parameters, packed[start : start + count], before)
            collected = tuple(array.write(step, values) for array, values in zip(collected, state, strict=True))
            return step + 1, start + count, state, collected

        *_, collected = tf.while_loop(
            lambda step, *_: step < steps,
            body,
            (tf.constant(0), tf.constant(0), zero, arrays),
            shape_invariants=(
                tf.TensorShape([]),
                tf.TensorShape([]),
                self._cell.state(*(shape for _ in fields)),
                tuple(tf.TensorShape(None) for _ in fields),
            ),
            parallel_iterations=1,
        )
        return [array.concat() for array in collected]
