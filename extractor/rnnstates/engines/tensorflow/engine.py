"""The TensorFlow engine: which unroll runs which layer.

A plain LSTM in float32 runs in TensorFlow's own op over many steps (``fused``); everything else goes through one loop
over packed rows (``packed``).
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

from ...errors import EngineUnavailable
from ...network.cells import lstm
from ...network.model import LayerWeights
from ...runtime.shared_setting import SharedSetting
from ...runtime.tensorflow_start import import_tensorflow
from ..arithmetic import machine, of_tensorflow
from .blocks import BlockUnroll
from .fused import FusedBlock
from .packed import PackedUnroll

__all__ = ["TensorFlowEngine"]

Made = TypeVar("Made")

_exact_products = SharedSetting()


class TensorFlowEngine:
    """Unrolls layers in TensorFlow, on its default device.

    Parameters
    ----------
    precision : str
        ``float32`` or ``float64``.

    Raises
    ------
    EngineUnavailable
        It is asked for bfloat16, TensorFlow cannot be imported, or its eager execution is switched off in this process.

    Notes
    -----
    TensorFlow's threads are the process' own affair: the command holds it to one thread an operation, because one
    thread a tile is faster (see CONTRIBUTING.md); the library leaves them as they are.
    """

    name = "tensorflow"

    def __init__(self, precision: str) -> None:
        if precision == "bfloat16":
            raise EngineUnavailable(
                'precision="bfloat16": products in it take TensorFlow longer than those in float32; use '
                'engine="compiled" or precision="float32".'
            )
        self._tf = import_tensorflow()
        if not _outside_graphs(self._tf.executing_eagerly):
            raise EngineUnavailable(
                'TensorFlow\'s eager execution is switched off in this process; use engine="numpy".'
            )
        self.device = "GPU" if self._tf.config.list_physical_devices("GPU") else "CPU"
        self._precision = precision

    @property
    def arithmetic(self) -> dict[str, Any]:
        """See ``stack.Engine``: TensorFlow's."""
        return {"machine": machine(), "tensorflow": of_tensorflow(self._tf)}

    def unroll(self, weights: LayerWeights, gates: Sequence[str] = ()) -> "BlockUnroll | PackedUnroll":
        """Make the function that runs one layer in one direction and collects some of its gates too."""
        return _outside_graphs(lambda: self._unroll(weights, gates))

    def _unroll(self, weights: LayerWeights, gates: Sequence[str]) -> "BlockUnroll | PackedUnroll":
        if lstm.is_fused(weights, self._precision):
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
