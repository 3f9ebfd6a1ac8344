"""Estimates how long an engine takes for a job, and chooses how many sequences a tile has."""

from ..arrays.axes import Lengths
from ..network.model import Network
from .base import Engine

__all__ = ["operations", "seconds", "tile_rows"]

# With fewer sequences per tile the processor's vectors idle; with more tiles fewer cores idle.
LEAST_ROWS = 12
# A tile has about this many steps, so that its fixed cost is negligible.
STEPS_TOGETHER = 4096
# Numbers read by the products of one step, inputs and hidden states of a tile: half of a core's usual cache.
FACTORS = 2**16
# A job has at least this many tiles, if it has enough sequences.
LEAST_TILES = 16


def operations(network: Network) -> int:
    """Count the floating-point operations in the matrix products of one step."""
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
        Steps summed over tiles: how often each cell is called.
    precision : str
    """
    total = engine.start
    for _, _, _, weights in network.parts():
        cost = engine.executor_of(weights, precision)
        products = 2 * (weights.kernel.size + weights.recurrent_kernel.size)
        total += calls * cost.call + steps * (products / cost.rate + weights.units * cost.elementwise)
    return total


def tile_rows(engine: type[Engine], network: Network, lengths: Lengths) -> int:
    """Choose the largest number of sequences in a tile.

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
    # Tiles of short sequences have more of them, as long as what a step reads stays in the cache.
    most = max(engine.tile_rows, min(STEPS_TOGETHER // mean, FACTORS // deepest))
    return max(LEAST_ROWS, min(most, len(lengths) // LEAST_TILES))
