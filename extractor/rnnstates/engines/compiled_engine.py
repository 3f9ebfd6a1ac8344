"""The compiled engine: runs plain LSTMs in C, product and cell in one loop over registers (``kernel/``).

It is built if there is a C compiler, and only speed depends on it. It runs LSTMs of tanh and sigmoid, with or without
peepholes and a cell clip, in float32 or with products in bfloat16 (both factors rounded; sums and everything else in
float32). Other cells, and float64, are left to the NumPy engine's unroll.

The weights are laid out once as panels [panel, depth, gate, lane]: a panel has as many units as a vector has lanes;
depth counts the inputs and then the hidden state. The result for a sequence does not depend on the others in its tile.
"""

import contextlib
import dataclasses
import hashlib
import importlib
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt

from ..arrays.axes import Inputs, Lengths
from ..arrays.workspace import Workspace
from ..errors import EngineUnavailable
from ..network.cells import lstm
from ..network.model import LayerWeights
from ..runtime.blas import one_thread
from .arithmetic import machine, of_numpy, spread
from .base import Executor, Starts, States
from .numpy_engine import NUMPY, NumpyUnroll, live_rows, start_states

__all__ = ["CompiledEngine", "CompiledUnroll", "compiler", "digest", "is_built", "kinds"]

BFLOAT16 = "bfloat16"
# The order of gates in the kernel.
GATES = ("input_gate", "forget_gate", "candidate", "output_gate")


Float32s = npt.NDArray[np.float32]
# float32, or the bits of bfloat16.
Panels = Annotated[npt.NDArray[np.float32 | np.uint16], "panels _ 4 {lanes} {pair}"]


def _kernel() -> Any:
    return importlib.import_module("._kernel", __package__)


def is_built() -> bool:
    """Return whether the kernel was compiled when the package was installed."""
    try:
        _kernel()
    except ImportError:
        return False
    return True


def kinds() -> dict[str, tuple[int, int]]:
    """Return the kernels that this processor runs, widest last: by name, lanes and numbers multiplied at once."""
    return {name: (lanes, pair) for name, lanes, pair in _kernel().kinds()}


def compiler() -> str:
    """Return the name of the compiler that built the kernel."""
    return str(_kernel().COMPILER)


KERNEL = Executor("compiled", call=8.4e-7, rate=1.0e11, elementwise=1.4e-9)
# With vectors of 4 lanes: not x86, or not built by GCC.
NARROW_KERNEL = KERNEL._replace(rate=3.4e10)


class CompiledEngine:
    """Unrolls layers in compiled code if it has their equations, else in NumPy.

    Parameters
    ----------
    precision : str
        ``float32``, ``float64`` or ``bfloat16``.
    kernel : str or None
        Kind of kernel to use, if this processor runs it in this precision; None for the widest.

    Raises
    ------
    EngineUnavailable
        The kernel was not built, or the processor does not multiply bfloat16.
    """

    name, device = "compiled", "CPU"
    start, tile_rows = 0.001, 48

    def __init__(self, precision: str, kernel: str | None = None) -> None:
        if not is_built():
            raise EngineUnavailable(
                "the compiled engine was not built when rnnstates was installed; install a C compiler (gcc) and "
                'install it again, or use engine="numpy" or engine="tensorflow".'
            )
        self.precision, self._leaves_to_numpy, self._uses_kernel = precision, False, False
        if precision == BFLOAT16 and BFLOAT16 not in kinds():
            raise EngineUnavailable(
                'precision="bfloat16": the compiled engine needs a processor with avx512_bf16 and a build by '
                'GCC 12 or later; one of the two is missing here. Use precision="float32".'
            )
        fitting = [name for name, (_, pair) in kinds().items() if (pair == 2) == (precision == BFLOAT16)]
        self.kind = kernel if kernel in fitting else fitting[-1]

    @staticmethod
    def begin() -> None:
        """Do nothing: no part of the start is slow."""

    @staticmethod
    def is_able(layers: Sequence[LayerWeights], precision: str) -> bool:
        """Return true for every cell if it was built, but in bfloat16 only for what the kernel itself runs."""
        if not is_built() or precision != BFLOAT16:
            return is_built()
        return BFLOAT16 in kinds() and all(map(lstm.is_plain, layers))

    @staticmethod
    def executor_of(weights: LayerWeights, precision: str) -> Executor:
        """Choose the kernel, or NumPy for layers that the kernel cannot run."""
        if precision == "float64" or not lstm.is_plain(weights):
            return NUMPY
        return NARROW_KERNEL if is_built() and list(kinds()) == ["plain"] else KERNEL

    @property
    def arithmetic(self) -> dict[str, Any]:
        """See ``base.Engine``: the kind of kernel, and NumPy's description if layers are left to it."""
        about: dict[str, Any] = {"machine": machine()}
        if self._uses_kernel:
            about["kernel"] = {"kind": self.kind, "digest": digest(self.kind)}
        return about | ({"numpy": of_numpy()} if self._leaves_to_numpy else {})

    def running(self) -> AbstractContextManager[None]:
        """Set up NumPy if it runs a layer; the kernel has no settings."""
        return one_thread() if self._leaves_to_numpy else contextlib.nullcontext()

    def unroll(self, weights: LayerWeights, gates: Sequence[str] = ()) -> "CompiledUnroll | NumpyUnroll":
        """Make the function that runs one layer in one direction and also collects the named gates.

        Raises
        ------
        EngineUnavailable
            The precision is bfloat16 and the kernel does not run this layer.
        """
        if self.executor_of(weights, self.precision).name == KERNEL.name:
            self._uses_kernel = True
            return CompiledUnroll(weights, gates, self.kind)
        if self.precision == BFLOAT16:
            raise EngineUnavailable(
                f"{weights.where}: in bfloat16 the compiled engine runs plain LSTMs only, not this cell; use "
                'precision="float32".'
            )
        self._leaves_to_numpy = True
        return NumpyUnroll(weights, np.dtype(self.precision), gates)


class CompiledUnroll:
    """One layer, one direction, over all steps of a tile.

    Parameters
    ----------
    weights : LayerWeights
    gates : sequence of str
        Gates to collect together with the states.
    kind : str
        A name in ``kinds()``.
    """

    def __init__(self, weights: LayerWeights, gates: Sequence[str], kind: str) -> None:
        self._run, self._kind, self._gates = _kernel().unroll, kind, tuple(gates)
        self._features, self._units = weights.features, weights.units
        lanes, self._pair = kinds()[kind]
        self._clip = float(weights.cell_clip or 0.0)
        kernels = np.concatenate([weights.kernel, weights.recurrent_kernel]).astype(np.float32)
        self._panels = _panels(kernels, lanes, self._pair)
        bias = _panels(weights.whole_bias().astype(np.float32)[np.newaxis], lanes, 1)
        peepholes = None if weights.peepholes is None else np.ascontiguousarray(weights.peepholes, np.float32)
        self._weights = (self._panels, bias, peepholes)

    def __call__(
        self,
        inputs: Inputs,
        lengths: Lengths,
        initial: Starts | None = None,
        workspace: Workspace | None = None,
    ) -> States:
        """Run the tile in one call, without the interpreter lock; see ``base.Unroll``. All arrays are float32."""
        space = workspace or Workspace()
        rows, steps = inputs.shape[:2]
        fields = lstm.LSTMState._fields
        starts = start_states(fields, rows, dict.fromkeys(fields, self._units), np.dtype(np.float32), initial)
        collected = {name: space.array(name, (rows, steps, self._units), np.float32) for name in fields + self._gates}
        carried = space.array("carried", (rows, self._units), np.float32)
        carried[...] = starts["cell"]
        factor = np.uint16 if self._pair == 2 else np.float32
        scratch = space.array("factors", (2, rows, self._features + self._units + 1), factor)
        self._run(
            self._kind, self._features, self._units, rows, steps, self._clip, *self._weights,
            live_rows(lengths, steps), np.ascontiguousarray(inputs, np.float32),
            np.ascontiguousarray(starts["hidden"]), carried, collected["hidden"], collected["cell"],
            *(collected.get(gate) for gate in GATES), scratch,
        )  # fmt: skip
        return collected


def digest(kind: str) -> str:
    """Digest what a kind of kernel computes from fixed numbers.

    Compilers may contract or order operations differently, and a process may treat subnormal numbers as zero.

    Returns
    -------
    str
        16 hexadecimal digits, equal for builds that compute the same bits.
    """
    # Every size of a block of rows, full panels and a partial one, all gates.
    rows, features, units = 11, 3, 37
    inputs = spread(rows, rows, features).astype(np.float32)
    plain = LayerWeights(spread(features, 4 * units), spread(units, 4 * units), spread(4 * units))
    found = hashlib.sha256()
    clipped = dataclasses.replace(plain, peepholes=spread(3, units), cell_clip=1.0)
    small = dataclasses.replace(plain, bias=np.zeros(4 * units))
    tiny = np.finfo(np.float32).tiny
    for weights, scale in ((plain, 1), (clipped, 1), (small, tiny)):
        computed = CompiledUnroll(weights, GATES, kind)(inputs * scale, np.arange(rows, 0, -1))
        for name in sorted(computed):
            found.update(computed[name].tobytes())
    return found.hexdigest()[:16]


def _panels(columns: Annotated[Float32s, "depth _"], lanes: int, pair: int) -> Panels:
    """Lay out weights [depth, 4 * H] as [panels, depth / pair, 4, lanes, pair], padded with zeros."""
    depth, units = columns.shape[0], columns.shape[1] // 4
    panels, whole = -(-units // lanes), -(-depth // pair)
    filled = np.zeros((whole * pair, 4, panels * lanes), np.float32)
    filled[:depth, :, :units] = columns.reshape(depth, 4, units)
    ordered = filled.reshape(whole, pair, 4, panels, lanes).transpose(3, 0, 2, 4, 1)
    laid = Workspace().array("panels", ordered.shape, np.uint16 if pair == 2 else np.float32)
    laid[...] = _to_bfloat16(ordered) if pair == 2 else ordered
    return laid


def _to_bfloat16(values: Annotated[Float32s, "*axes"]) -> Annotated[npt.NDArray[np.uint16], "*axes"]:
    """Round finite numbers to the nearest bfloat16 (ties to even), as its 16 bits."""
    bits = np.ascontiguousarray(values).view(np.uint32)
    rounded = (bits + (0x7FFF + ((bits >> 16) & 1))) >> 16
    return rounded.astype(np.uint16)
