"""How long an engine takes for a job, and how many sequences its tiles should have."""

import numpy as np
import numpy.typing as npt

from ..network.model import Network
from .base import Engine

__all__ = ["operations", "seconds", "tile_rows"]

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


def seconds(engine: type[Engine], network: Network, *, steps: int, calls: int, precision: str = "float32") -> float:
    """Estimate how long one core takes for a job.

    Parameters
    ----------
    engine : type
        An ``Engine``.
    network : Network
    steps : int
        Valid steps in the whole job.
    calls : int
        Steps of tiles: how often each cell is called.
    precision : str
    """
    total = engine.start
    for _, _, _, weights in network.parts():
        cost = engine.executor_of(weights, precision)
        products = 2 * (weights.kernel.size + weights.recurrent_kernel.size)
        total += calls * cost.call + steps * (products / cost.rate + weights.units * cost.elementwise)
    return total


def tile_rows(engine: type[Engine], network: Network, lengths: npt.NDArray[np.int64]) -> int:
    """Choose the most sequences of a tile.

    Parameters
    ----------
    engine : type
        An ``Engine``.
    network : Network
    lengths : int64 [N]
        Of all sequences.
    """
    mean = max(1, int(lengths.sum()) // max(1, len(lengths)))
    deepest = max(weights.features + weights.width for _, _, _, weights in network.parts())
    # Short sequences come many at once, as long as what a step reads of them stays in the cache.
    most = max(engine.tile_rows, min(STEPS_TOGETHER // mean, FACTORS // deepest))
    return max(LEAST_ROWS, min(most, len(lengths) // LEAST_TILES))
