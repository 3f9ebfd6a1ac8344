"""One file a cell. A cell knows one step and nothing of time, files or engines."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...weights.canonical import LayerWeights
from ..activations import Ops
from . import lstm

__all__ = ["CELLS", "DERIVED", "STATES", "Cell", "state_width"]


@dataclass(frozen=True)
class Cell:
    """What the rest of the program knows of a cell.

    Parameters
    ----------
    state : type
        A NamedTuple class: the states by name, each [B, H].
    prepare : callable
        ``prepare(weights, dtype)`` gives the NamedTuple of arrays that ``step`` reads, in the computing precision.
    step : callable
        ``step(ops, parameters, inputs [B, I], state) -> state``.
    """

    state: type[Any]
    prepare: Callable[[LayerWeights, "np.dtype[Any]"], Any]
    step: Callable[[Ops, Any, Any, Any], Any]


CELLS: dict[str, Cell] = {"lstm": Cell(lstm.LSTMState, lstm.prepare, lstm.step)}

# States made of others: their parts, concatenated along the last axis in this order. [cell, hidden] is the order of
# TensorFlow 1's ``state_is_tuple=False``.
DERIVED: dict[str, tuple[str, ...]] = {"state": ("cell", "hidden")}


# Every state that some cell has, the derived ones last: what can be asked for.
STATES: tuple[str, ...] = (*{field: None for cell in CELLS.values() for field in cell.state._fields}, *DERIVED)


def state_width(weights: LayerWeights, state: str) -> int:
    """Give the last axis of a state, in units."""
    return len(DERIVED.get(state, (state,))) * weights.units
