"""Unrolls a plain LSTM over a tile in short blocks of steps, each computed by one call of ``fused``; handles lengths.

The longest sequences come first, so the first rows are those still live at the start of a block: finished sequences are
dropped from block to block, and cost only the rest of the block in which they end. Short blocks also fit in the cache.
In NumPy::

    for start in range(0, T, steps):
        live = (lengths > start).sum()
        made = block(inputs[:live, start : start + steps], state[:live])
        states[:live, start : start + steps] = made
        state = made[:, -1]
"""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt

from ...arrays.axes import Inputs, Lengths, State, clear_padding
from ...arrays.workspace import Workspace
from ...network.cells.lstm import LSTMState
from ...network.model import LayerWeights
from ..base import Starts, States
from ..numpy_engine import start_states
from .fused import Block, FusedBlock

__all__ = ["BlockUnroll"]

# The results of a block should fit in the cache of one core (bytes), and be worth the call (steps).
CACHED = 4 << 20
SHORTEST, LONGEST = 4, 128

FLOAT32 = np.dtype(np.float32)


class BlockUnroll:
    """One layer, one direction, over all steps of a tile.

    Parameters
    ----------
    weights : LayerWeights
    gates : sequence of str
        Gates to collect together with the states.
    block : FusedBlock
        Made for the same layer and gates.
    """

    def __init__(self, weights: LayerWeights, gates: Sequence[str], block: FusedBlock) -> None:
        self._block = block
        self._units = weights.units
        self._names = (*LSTMState._fields, *gates)

    def __call__(
        self,
        inputs: Inputs,
        lengths: Lengths,
        initial: Starts | None = None,
        workspace: Workspace | None = None,
    ) -> States:
        """Run the tile block by block; see ``base.Unroll``. All arrays are float32."""
        space, fields = workspace or Workspace(), LSTMState._fields
        shape = (*inputs.shape[:2], self._units)
        collected = {name: space.array(name, shape, FLOAT32) for name in self._names}
        state = start_states(fields, shape[0], dict.fromkeys(fields, self._units), FLOAT32, initial)
        for start, stop, live in self._cuts(lengths):
            rows = self._block.rows(live)
            block = space.array("block", (stop - start, rows, inputs.shape[2]), FLOAT32)
            _fill(block, inputs[:live], lengths[:live], start)
            made = self._block(block, {name: _resized(state[name], rows) for name in fields})
            for name in self._names:
                collected[name][:live, start:stop] = np.swapaxes(made[name][:, :live], 0, 1)
            state = {name: made[name][-1] for name in fields}
        for values in collected.values():
            clear_padding(values, lengths)
        return collected

    def _cuts(self, lengths: Lengths) -> Iterator[tuple[int, int, int]]:
        """Yield the first step of each block, the one after its last, and the number of sequences live at the first."""
        start, longest = 0, int(lengths.max(initial=0))
        while start < longest:
            live = int(np.searchsorted(-lengths, -start, side="left"))
            step_bytes = self._block.made * self._block.rows(live) * self._units * FLOAT32.itemsize
            stop = min(start + max(SHORTEST, min(LONGEST, CACHED // step_bytes)), longest)
            yield start, stop, live
            start = stop


def _fill(block: Block, inputs: Inputs, lengths: Lengths, start: int) -> None:
    """Fill a block [S, R, I] with steps of the live rows; zero past the end of a sequence and in surplus rows."""
    live, stop = len(lengths), start + len(block)
    block[:, :live] = np.swapaxes(inputs[:, start:stop], 0, 1)
    block[:, live:] = 0
    # Padding may hold anything, even numbers that slow processors down.
    for row in np.flatnonzero(lengths < stop):
        block[lengths[row] - start :, row] = 0


def _resized(values: State, rows: int) -> Annotated[npt.NDArray[np.floating[Any]], "{rows} W"]:
    """Cut states to [R, H], or pad them with zeros."""
    if len(values) >= rows:
        return values[:rows]
    return np.concatenate([values, np.zeros((rows - len(values), values.shape[1]), values.dtype)])
