"""The TensorFlow engine: which unroll runs which layer.

A plain LSTM in float32 runs in TensorFlow's own op over many steps (``fused``); with products in bfloat16 it runs in a
cell that XLA compiles (``mixed``); everything else goes through one loop over packed rows (``unroll``).
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np

from ...errors import EngineUnavailable
from ...network.cells import lstm
from ...network.model import LayerWeights
from ...runtime.shared_setting import SharedSetting
from ...runtime.tensorflow_start import import_tensorflow, without_chatter
from ..arithmetic import machine, of_tensorflow
from . import bfloat16
from .blocks import BlockUnroll
from .fused import FusedBlock
from .mixed import MixedBlock
from .ops import bfloat16_matmul
from .packed import PackedUnroll

__all__ = ["TensorFlowEngine"]

Made = TypeVar("Made")

# Sequences in an ordinary tile, for measuring what a product takes.
ROWS = 64

_exact_products = SharedSetting()


class TensorFlowEngine:
    """Unrolls layers in TensorFlow, on its default device.

    Parameters
    ----------
    precision : str
        ``float32``, ``float64`` or ``bfloat16`` (products in bfloat16, all else in float32; float32 in and out).

    Raises
    ------
    EngineUnavailable
        TensorFlow cannot be imported, or its eager execution is switched off in this process, or bfloat16 is asked
        for on a processor without it.

    Notes
    -----
    TensorFlow's threads are the process' own affair: the command holds it to one thread an operation, because one
    thread a tile is faster (see CONTRIBUTING.md); the library leaves them as they are.
    """

    name = "tensorflow"

    def __init__(self, precision: str) -> None:
        self._tf = import_tensorflow()
        if not _outside_graphs(self._tf.executing_eagerly):
            raise EngineUnavailable(
                'TensorFlow\'s eager execution is switched off in this process; use engine="numpy".'
            )
        self.device = "GPU" if self._tf.config.list_physical_devices("GPU") else "CPU"
        self._precision = precision
        if precision == bfloat16.NAME and self.device == "CPU":
            _refuse(bfloat16.unsupported())

    @property
    def arithmetic(self) -> dict[str, Any]:
        """See ``stack.Engine``: TensorFlow's."""
        return {"machine": machine(), "tensorflow": of_tensorflow(self._tf)}

    def unroll(self, weights: LayerWeights, gates: Sequence[str] = ()) -> "BlockUnroll | PackedUnroll":
        """Make the function that runs one layer in one direction and collects some of its gates too.

        Raises
        ------
        EngineUnavailable
            Products in bfloat16 are no faster here at the layer's size.
        """
        return _outside_graphs(lambda: self._unroll(weights, gates))

    def _unroll(self, weights: LayerWeights, gates: Sequence[str]) -> "BlockUnroll | PackedUnroll":
        if self._precision == bfloat16.NAME:
            _refuse(bfloat16.unprofitable(_products(self._tf, weights), _size(weights)))
            if lstm.is_plain(weights):
                return BlockUnroll(weights, gates, _compiled(MixedBlock(self._tf, weights, gates), weights))
        elif lstm.is_fused(weights, self._precision):
            return BlockUnroll(weights, gates, FusedBlock(self._tf, weights, gates))
        return PackedUnroll(self._tf, weights, self._precision, gates)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Keep products exact for a while: in TensorFloat-32 a GPU would lose 13 of 23 bits. Not verified on one.

        Raises
        ------
        MemoryError
            TensorFlow has run out of it.
        """
        with _exact_products.held(self._keep_products_exact):
            try:
                yield
            except self._tf.errors.ResourceExhaustedError as reason:
                raise MemoryError(str(reason)) from reason

    def _keep_products_exact(self) -> Callable[[], None]:
        settings = self._tf.config.experimental
        before = settings.tensor_float_32_execution_enabled()
        settings.enable_tensor_float_32_execution(False)
        return lambda: settings.enable_tensor_float_32_execution(before)


def _outside_graphs(make: Callable[[], Made]) -> Made:
    """Call a function in a thread of its own: the caller may be building a graph, which belongs to its thread."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(make).result()


def _compiled(block: MixedBlock, weights: LayerWeights) -> MixedBlock:
    """Run a block once at an ordinary size: XLA writes to the log when it first compiles."""
    state = np.zeros((ROWS, weights.units), np.float32)
    with without_chatter():
        block(np.zeros((1, ROWS, weights.features), np.float32), {"hidden": state, "cell": state})
    return block


def _refuse(reason: str | None) -> None:
    if reason is not None:
        raise EngineUnavailable(f'precision="bfloat16": {reason}; use precision="float32".')


def _size(weights: LayerWeights) -> str:
    columns = weights.recurrent_kernel.shape[1]
    return f"{ROWS} x {weights.features + weights.width} by {weights.features + weights.width} x {columns}"


def _products(tf: Any, weights: LayerWeights) -> Callable[[str], object]:
    """Make a function that multiplies once, in the precision named, at the size of a layer and an ordinary tile."""
    depth, columns = weights.features + weights.width, weights.recurrent_kernel.shape[1]
    left, right = tf.ones([ROWS, depth]), tf.constant(np.full((depth, columns), 1 / depth, np.float32))
    rounded, matmul = tf.cast(right, tf.bfloat16), bfloat16_matmul(tf)

    def multiply(precision: str) -> object:
        product = matmul(left, rounded) if precision == bfloat16.NAME else tf.matmul(left, right)
        # Waits until a GPU is done.
        return product[:1, :1].numpy()

    return multiply
