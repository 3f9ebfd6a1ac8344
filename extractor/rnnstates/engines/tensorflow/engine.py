"""TensorFlowEngine: chooses the unroll for each layer and sets up TensorFlow for a run.

A plain LSTM in float32 runs in TensorFlow's op over many steps (``blocks``, which calls ``fused``); everything else
runs in one loop over packed rows (``packed``).
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

from ...errors import EngineUnavailable
from ...network.cells import lstm
from ...network.model import LayerWeights
from ...runtime.shared_setting import SharedSetting
from ...runtime.tensorflow_start import begin_import, import_tensorflow
from ..arithmetic import machine, of_tensorflow
from ..base import Executor, Unroll

__all__ = ["TensorFlowEngine"]

Made = TypeVar("Made")

FUSED = Executor("fused", call=1.3e-5, rate=9.2e10, elementwise=7.0e-9)
# Its states are in memory step by step, and packed, before they are returned.
PACKED = FUSED._replace(name="packed", copies=4)

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
        The precision is bfloat16, TensorFlow cannot be imported, or eager execution is switched off in this process.

    Notes
    -----
    TensorFlow's threads belong to the process: the command limits it to one thread per operation, because one thread
    per tile is faster (see CONTRIBUTING.md); the library does not change them.
    """

    name = "tensorflow"
    start, tile_rows = 3.0, 64

    def __init__(self, precision: str, kernel: str | None = None) -> None:  # noqa: ARG002
        if precision == "bfloat16":
            raise EngineUnavailable(
                'precision="bfloat16": TensorFlow computes products in it more slowly than in float32; use '
                'engine="compiled" or precision="float32".'
            )
        self._tf = import_tensorflow()
        if not _outside_graphs(self._tf.executing_eagerly):
            raise EngineUnavailable(
                'TensorFlow\'s eager execution is switched off in this process; use engine="numpy".'
            )
        self.device = "GPU" if self._tf.config.list_physical_devices("GPU") else "CPU"
        self.precision = precision

    @staticmethod
    def begin() -> None:
        """Start importing TensorFlow in the background."""
        begin_import()

    @staticmethod
    def is_able(layers: Sequence[LayerWeights], precision: str) -> bool:  # noqa: ARG004
        """Return true for every cell, except in bfloat16."""
        return precision != "bfloat16"

    @staticmethod
    def executor_of(weights: LayerWeights, precision: str) -> Executor:
        """Choose the fused op for plain LSTMs in float32, the packed loop for everything else."""
        return FUSED if precision == "float32" and lstm.is_plain(weights) else PACKED

    @property
    def arithmetic(self) -> dict[str, Any]:
        """See ``base.Engine``: TensorFlow's description."""
        return {"machine": machine(), "tensorflow": of_tensorflow(self._tf)}

    def unroll(self, weights: LayerWeights, gates: Sequence[str] = ()) -> Unroll:
        """Make the function that runs one layer in one direction and also collects the named gates."""
        return _outside_graphs(lambda: self._unroll(weights, gates))

    def _unroll(self, weights: LayerWeights, gates: Sequence[str]) -> Unroll:
        # Imported here, so that asking for this engine's costs is quick.
        from .blocks import BlockUnroll
        from .fused import FusedBlock
        from .packed import PackedUnroll

        if self.executor_of(weights, self.precision) is FUSED:
            return BlockUnroll(weights, gates, FusedBlock(self._tf, weights, gates))
        return PackedUnroll(self._tf, weights, self.precision, gates)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Keep products exact: in TensorFloat-32 a GPU would lose 13 of 23 bits. Not verified on a GPU.

        Raises
        ------
        MemoryError
            TensorFlow has run out of memory.
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
    """Call a function in a new thread: the caller may be building a graph, which is tied to its thread."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(make).result()
