"""What each engine costs on one ordinary core, and how many sequences its tiles should have: measured, then fixed.

``benchmarks/costs.py`` measures the numbers below again; they fit tiles of 1 to 96 sequences within a factor of two.
They are constants, not measured by each run, so that the choice depends on the input, the options and what this
machine can run only; an unfinished run keeps the engine that was chosen where it was begun.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..network.cells import lstm
from ..network.model import LayerWeights, Network
from . import compiled_engine

__all__ = ["COSTS", "Cost", "choose_engine", "operations", "seconds", "tile_rows"]


@dataclass(frozen=True)
class Cost:
    """What an engine costs.

    Parameters
    ----------
    start : float
        Seconds before it computes anything.
    call : float
        Seconds a step of a tile costs whatever is in it.
    rate : float
        Floating-point operations of matrix products a second.
    elementwise : float
        Seconds for the element-wise part of one step and unit.
    tile_rows : int
        The most sequences of a tile.
    """

    start: float
    call: float
    rate: float
    elementwise: float
    tile_rows: int


COSTS: dict[str, Cost] = {
    "compiled": Cost(0.001, 8.4e-7, 1.0e11, 1.4e-9, 48),
    "tensorflow": Cost(3.0, 1.3e-5, 9.2e10, 7.0e-9, 64),
    "numpy": Cost(0.0, 2.1e-5, 6.0e10, 3.1e-9, 64),
}
# The rate of the compiled engine where its widest vectors have 4 lanes (not x86, or not built by GCC).
PLAIN_RATE = 3.4e10
# Fewer sequences a tile than this leave the processor's vectors idle; more tiles leave fewer cores idle.
LEAST_ROWS = 12
# A tile has about this many steps, so that what it costs beside them does not show.
STEPS_TOGETHER = 4096
# Numbers that the products of one step read, inputs and hidden states of a tile: half of an ordinary cache of a core.
FACTORS = 2**16
# A job has at least this many tiles, if it has the sequences.
LEAST_TILES = 16


def operations(network: Network) -> int:
    """Count the floating-point operations of one step in matrix products."""
    return sum(2 * (weights.kernel.size + weights.recurrent_kernel.size) for _, _, _, weights in network.parts())


def seconds(engine: str, network: Network, *, steps: int, calls: int, precision: str = "float32") -> float:
    """Estimate how long one core takes for a job.

    Parameters
    ----------
    engine : str
        A name in ``COSTS``.
    network : Network
    steps : int
        Valid steps in the whole job.
    calls : int
        Steps of tiles: how often each cell is called.
    precision : str
    """
    total = COSTS[engine].start
    for _, _, _, weights in network.parts():
        executor = _executor(engine, weights, precision)
        cost = COSTS[executor]
        products = 2 * (weights.kernel.size + weights.recurrent_kernel.size)
        total += calls * cost.call + steps * (products / _rate(executor) + weights.units * cost.elementwise)
    return total


def _rate(executor: str) -> float:
    narrow = executor == "compiled" and compiled_engine.is_built() and list(compiled_engine.kinds()) == ["plain"]
    return PLAIN_RATE if narrow else COSTS[executor].rate


def choose_engine(
    network: Network, lengths: npt.NDArray[np.int64], *, precision: str = "float32", preferred: str | None = None
) -> str:
    """Pick the engine that finishes first, or the preferred one if it can run the network here.

    Parameters
    ----------
    network : Network
    lengths : int64 [N]
        Of all sequences.
    precision : str
    preferred : str or None
        A name in ``COSTS``, or another one, which is never chosen.
    """
    if precision == "bfloat16":
        return "compiled"  # No other has products in it; where this one has none, it says what is missing.
    steps, longest = int(lengths.sum()), int(lengths.max(initial=0))

    def estimate(name: str) -> float:
        calls = max(longest, steps // tile_rows(name, network, lengths))
        return seconds(name, network, steps=steps, calls=calls, precision=precision)

    able = [name for name in COSTS if name != "compiled" or compiled_engine.is_built()]
    return preferred if preferred in able else min(able, key=estimate)


def tile_rows(engine: str, network: Network, lengths: npt.NDArray[np.int64]) -> int:
    """Choose the most sequences of a tile.

    Parameters
    ----------
    engine : str
        A name in ``COSTS``.
    network : Network
    lengths : int64 [N]
        Of all sequences.
    """
    mean = max(1, int(lengths.sum()) // max(1, len(lengths)))
    deepest = max(weights.features + weights.width for _, _, _, weights in network.parts())
    # Short sequences come many at once, as long as what a step reads of them stays in the cache.
    most = max(COSTS[engine].tile_rows, min(STEPS_TOGETHER // mean, FACTORS // deepest))
    return max(LEAST_ROWS, min(most, len(lengths) // LEAST_TILES))


def _executor(engine: str, weights: LayerWeights, precision: str) -> str:
    """Name the engine whose code runs a layer: the compiled one leaves to NumPy what it does not have."""
    return "numpy" if engine == "compiled" and not lstm.is_fused(weights, precision) else engine
