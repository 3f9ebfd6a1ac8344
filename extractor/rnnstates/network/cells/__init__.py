"""One file a cell. A cell knows one step and nothing of time, files or engines."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..activations import Ops
from ..model import LayerWeights
from ..names import DERIVED, GATE_STATES, STATES
from . import gru, lstm, mlstm, simple_rnn

__all__ = ["CELLS", "DERIVED", "GATE_STATES", "STATES", "Cell", "available", "carried", "state_width"]


@dataclass(frozen=True)
class Cell:
    """What the rest of the program knows of a cell.

    Parameters
    ----------
    state : type
        A NamedTuple class: the states by name, [B, W] the hidden one and [B, H] the others.
    gates : type
        A NamedTuple class: the gates by name, each [B, H], after their activation.
    prepare : callable
        ``prepare(weights, dtype)`` gives the NamedTuple that ``step`` reads: arrays in the computing precision and
        settings.
    step : callable
        ``step(ops, parameters, inputs [B, I], state) -> state, gates``.
    """

    state: type[Any]
    gates: type[Any]
    prepare: Callable[[LayerWeights, "np.dtype[Any]"], Any]
    step: Callable[[Ops, Any, Any, Any], tuple[Any, Any]]


CELLS: dict[str, Cell] = {
    "lstm": Cell(lstm.LSTMState, lstm.LSTMGates, lstm.prepare, lstm.step),
    "gru": Cell(gru.GRUState, gru.GRUGates, gru.prepare, gru.step),
    "simple_rnn": Cell(simple_rnn.RNNState, simple_rnn.RNNGates, simple_rnn.prepare, simple_rnn.step),
    "mlstm": Cell(lstm.LSTMState, lstm.LSTMGates, mlstm.prepare, mlstm.step),
}


def carried(weights: LayerWeights) -> tuple[str, ...]:
    """Name the states that a layer's cell carries from step to step."""
    fields: tuple[str, ...] = CELLS[weights.cell].state._fields
    return fields


def available(weights: LayerWeights) -> tuple[str, ...]:
    """Name all that can be kept of a layer: what it carries, its gates, what is derived of them."""
    return (*carried(weights), *CELLS[weights.cell].gates._fields, *DERIVED)


def state_width(weights: LayerWeights, state: str) -> int:
    """Give the last axis of a state, in units."""
    parts = [part for part in DERIVED.get(state, (state,)) if state not in DERIVED or part in carried(weights)]
    return sum(weights.width if part == "hidden" else weights.units for part in parts)
