"""What an engine is: it says what runs a layer and what that costs, and prepares the layers of a run."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from ..arrays.axes import Array
from ..arrays.workspace import Workspace
from ..network.model import LayerWeights

__all__ = ["Engine", "Executor", "States", "Unroll"]

# The states and gates of one layer in one direction, by name: floating [B, T, W], zero past the length.
States = dict[str, Array]


class Executor(NamedTuple):
    """What runs a layer in one direction, and what it costs on one ordinary core.

    ``benchmarks/costs.py`` measures the numbers; they fit tiles of 1 to 96 sequences within a factor of two. They are
    constants, not measured by each run, so that the choice depends on the input, the options and what this machine
    can run only; an unfinished run keeps the engine that was chosen where it was begun.

    Parameters
    ----------
    name : str
        For the record: ``compiled``, ``numpy``, ``fused``, ….
    call : float
        Seconds that a step of a tile costs whatever is in it.
    rate : float
        Floating-point operations of matrix products per second.
    elementwise : float
        Seconds for the element-wise part of one step and unit.
    copies : int
        How often the states of a step lie in memory while a tile is computed.
    """

    name: str
    call: float
    rate: float
    elementwise: float
    # As they come out, and reversed.
    copies: int = 2


class Unroll(Protocol):
    """Runs one layer in one direction over the steps of a tile."""

    def __call__(
        self,
        inputs: Array,
        lengths: npt.NDArray[np.int64],
        initial: Mapping[str, Array] | None = None,
        workspace: Workspace | None = None,
    ) -> States:
        """Run the steps of a tile.

        Parameters
        ----------
        inputs : floating [B, T, I]
            Steps past a length are arbitrary, and reach no result.
        lengths : int64 [B]
            Never increasing.
        initial : mapping or None
            States floating [B, W] to start from, by name; zero for those that are not named.
        workspace : Workspace or None
            Where the results may lie until its next use; None for memory of their own.

        Returns
        -------
        dict
            From the name of each state and gate to floating [B, T, W]; zero past the length.
        """


class Engine(Protocol):
    """Computes layers; one instance per run. What is known before it starts needs no instance."""

    name: str
    # Seconds before it computes anything.
    start: float
    # The most sequences of a tile, but for short ones.
    tile_rows: int
    device: str
    precision: str

    def __init__(self, precision: str, kernel: str | None = None) -> None: ...

    @staticmethod
    def begin() -> None:
        """Start in the background what takes long of it, if anything; making an instance waits for that."""

    @staticmethod
    def is_able(layers: Sequence[LayerWeights], precision: str) -> bool:
        """Tell whether it can run layers in a precision on this machine, as far as is known before it starts."""

    @staticmethod
    def executor_of(weights: LayerWeights, precision: str) -> Executor:
        """Decide what runs a layer."""

    @property
    def arithmetic(self) -> Mapping[str, Any]:
        """What of machine and libraries decides the bits of the unrolls made so far, in JSON types."""

    def unroll(self, weights: LayerWeights, gates: Sequence[str] = ()) -> Unroll:
        """Prepare one layer's weights once; the gates named are collected beside the states."""

    def running(self) -> AbstractContextManager[None]:
        """Be entered around the runs of a job, for settings of the library that hold meanwhile."""
