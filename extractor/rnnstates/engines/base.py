"""The Engine and Unroll protocols: an engine states what runs a layer and what that costs, and prepares its unroll."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Annotated, Any, NamedTuple, Protocol

from ..arrays.axes import Floats, Inputs, Lengths
from ..arrays.workspace import Workspace
from ..network.model import LayerWeights

__all__ = ["Engine", "Executor", "Starts", "States", "Unroll"]

# Of one layer in one direction, by name: states and gates of every step, zero past the length; where they start.
States = dict[str, Annotated[Floats, "B T _"]]
Starts = Mapping[str, Annotated[Floats, "B _"]]


class Executor(NamedTuple):
    """What runs a layer in one direction, and its cost on one ordinary core.

    ``benchmarks/costs.py`` measures the numbers, which fit tiles of 1 to 96 sequences within a factor of two. They are
    constants, not measured by each run, so that the choice depends only on the input, the options and what this
    machine can run; a resumed run keeps the engine chosen at its start.

    Parameters
    ----------
    name : str
        Recorded in the output: ``compiled``, ``numpy``, ``fused``, ….
    call : float
        Fixed cost of each step of a tile (seconds).
    rate : float
        Speed of matrix products (floating-point operations per second).
    elementwise : float
        Cost of the element-wise part, per step and unit (seconds).
    copies : int
        Number of copies of each step's states in memory while a tile is computed.
    """

    name: str
    call: float
    rate: float
    elementwise: float
    # The states as computed, and reversed.
    copies: int = 2


class Unroll(Protocol):
    """Runs one layer in one direction over the steps of a tile."""

    def __call__(
        self,
        inputs: Inputs,
        lengths: Lengths,
        initial: Starts | None = None,
        workspace: Workspace | None = None,
    ) -> States:
        """Run the steps of a tile.

        Parameters
        ----------
        inputs : floating [B, T, I]
            Steps past a length are arbitrary and do not affect the result.
        lengths : int64 [B]
            Never increasing.
        initial : mapping or None
            Initial states, floating [B, W], by name; zero for the others.
        workspace : Workspace or None
            Memory for the results, valid until its next use; None for new memory.

        Returns
        -------
        dict
            Each state and gate by name, floating [B, T, W]; zero past the length.
        """


class Engine(Protocol):
    """Computes layers; one instance per run. What is known before it starts needs no instance (static methods)."""

    name: str
    # Time to start (seconds).
    start: float
    # The most sequences in a tile, unless they are short.
    tile_rows: int
    device: str
    precision: str

    def __init__(self, precision: str, kernel: str | None = None) -> None: ...

    @staticmethod
    def begin() -> None:
        """Start the slow part of its start-up, if any, in the background; creating an instance waits for it."""

    @staticmethod
    def is_able(layers: Sequence[LayerWeights], precision: str) -> bool:
        """Return whether it can run layers in a precision on this machine, as far as is known before it starts."""

    @staticmethod
    def executor_of(weights: LayerWeights, precision: str) -> Executor:
        """Choose what runs a layer."""

    @property
    def arithmetic(self) -> Mapping[str, Any]:
        """What in machine and libraries decides the bits of the unrolls prepared so far, in JSON types."""

    def unroll(self, weights: LayerWeights, gates: Sequence[str] = ()) -> Unroll:
        """Prepare one layer's weights once; the named gates are collected together with the states."""

    def running(self) -> AbstractContextManager[None]:
        """Set up the library for the ``with`` block around all runs of a job."""
