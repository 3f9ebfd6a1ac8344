"""One module per cell, with its equations. A cell knows one step, and nothing about time, files or engines."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np

from ...arrays.axes import Tensor
from ..activations import Ops
from ..model import LayerWeights
from ..names import DERIVED, GATE_STATES, STATES
from . import gru, lstm, mlstm, simple_rnn

__all__ = [
    "CELLS",
    "DERIVED",
    "GATE_STATES",
    "STATES",
    "Cell",
    "Sizes",
    "available",
    "carried",
    "made_of",
    "state_width",
]

# NamedTuples: what a cell carries, its gates, and the arrays and settings that its step reads.
State: TypeAlias = Any
Gates: TypeAlias = Any
Parameters: TypeAlias = Any


@dataclass(frozen=True)
class Cell:
    """What the rest of the program knows about a cell.

    Parameters
    ----------
    state : type
        A NamedTuple class: the states by name, ``hidden`` [B, W] and the others [B, H].
    gates : type
        A NamedTuple class: the gates by name, each [B, H], after their activation.
    prepare : callable
        ``prepare(weights, dtype)`` returns the NamedTuple that ``step`` reads: arrays in the computing precision and
        settings.
    step : callable
        ``step(ops, parameters, inputs [B, I], state) -> state, gates``.
    """

    state: type[Any]
    gates: type[Any]
    prepare: Callable[[LayerWeights, "np.dtype[Any]"], Parameters]
    step: Callable[[Ops, Parameters, Tensor, State], tuple[State, Gates]]


class Sizes(Protocol):
    """The cell of a layer in one direction, and the widths of its states; ``LayerWeights`` has them."""

    @property
    def cell(self) -> str:
        """A name in ``CELLS``."""

    @property
    def units(self) -> int:
        """H."""

    @property
    def width(self) -> int:
        """W, the width of ``hidden``."""


CELLS: dict[str, Cell] = {
    "lstm": Cell(lstm.LSTMState, lstm.LSTMGates, lstm.prepare, lstm.step),
    "gru": Cell(gru.GRUState, gru.GRUGates, gru.prepare, gru.step),
    "simple_rnn": Cell(simple_rnn.RNNState, simple_rnn.RNNGates, simple_rnn.prepare, simple_rnn.step),
    "mlstm": Cell(lstm.LSTMState, lstm.LSTMGates, mlstm.prepare, mlstm.step),
}


def carried(weights: Sizes) -> tuple[str, ...]:
    """List the states that a layer's cell carries from step to step."""
    fields: tuple[str, ...] = CELLS[weights.cell].state._fields
    return fields


def available(weights: Sizes) -> tuple[str, ...]:
    """List all that can be kept of a layer: the states that it carries, its gates, and what is derived from them."""
    return (*carried(weights), *CELLS[weights.cell].gates._fields, *DERIVED)


def made_of(weights: Sizes, state: str) -> tuple[str, ...]:
    """List the states that a state is made of, in order: itself, or the parts of a derived one that the cell has."""
    return tuple(part for part in DERIVED[state] if part in carried(weights)) if state in DERIVED else (state,)


def state_width(weights: Sizes, state: str) -> int:
    """Return the size of a state's last axis."""
    return sum(weights.width if part == "hidden" else weights.units for part in made_of(weights, state))
