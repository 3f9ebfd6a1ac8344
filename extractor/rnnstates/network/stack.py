"""A stack of layers over one tile: which layer reads what, in which direction, from which state."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ..arrays import Array, Tile, reverse_valid
from ..weights.canonical import Direction, LayerWeights, Network
from .cells import CELLS

__all__ = ["Engine", "Stack", "States", "Unroll"]

# The states and gates of one layer in one direction, by name: floating [B, T, W], zero past the length.
States = dict[str, Array]
# The states to start from, by the part's path and the state's name: floating [B, W].
Initial = Mapping[str, Mapping[str, Array]]


class Unroll(Protocol):
    """Runs one layer in one direction over the steps of a tile."""

    def __call__(
        self, inputs: Array, lengths: npt.NDArray[np.int64], initial: Mapping[str, Array] | None = None
    ) -> States:
        """Map inputs [B, T, I], non-increasing lengths [B] and first states [B, W] to the states of every step.

        What stands in ``inputs`` past a length must never be read.
        """


class Engine(Protocol):
    """Makes unrolls; one instance a run."""

    name: str
    device: str

    def unroll(self, weights: LayerWeights, gates: Sequence[str] = ()) -> Unroll:
        """Prepare one layer's weights once; the gates named are collected beside the states."""

    def running(self) -> AbstractContextManager[None]:
        """Be entered around the runs of a job, for settings of the library that hold meanwhile."""


class Stack:
    """A network made ready by an engine; ``run`` may be called from several threads.

    Parameters
    ----------
    network : Network
    engine : Engine
    gates : sequence of str
        Which gates to collect, of those cells that have them.
    """

    def __init__(self, network: Network, engine: Engine, gates: Sequence[str] = ()) -> None:
        self._network = network
        self._unrolls: dict[str, Unroll] = {
            path: engine.unroll(weights, [gate for gate in gates if gate in CELLS[weights.cell].gates._fields])
            for path, _, _, weights in network.parts()
        }
        parts = network.parts()
        self._paths = [{direction: next(parts)[0] for direction in layer.directions} for layer in network.layers]

    def run(self, tile: Tile, initial: Initial | None = None) -> dict[str, States]:
        """Compute every state of every layer.

        Parameters
        ----------
        tile : Tile
        initial : mapping or None
            Where each part starts; zero states for what is not named.

        Returns
        -------
        dict
            From the part's path (``""``, ``layer0``, ``layer0/forward``, …) to its states [B, T, W] by name, zero past
            the length. The backward state at t is the one after reading t..length-1, so it stands where its input
            stands.
        """
        results: dict[str, States] = {}
        inputs: Mapping[Direction, Array] = {"forward": tile.inputs, "backward": tile.inputs}
        for layer, paths in zip(self._network.layers, self._paths, strict=True):
            of_layer = self._run_layer(paths, inputs, tile.lengths, initial or {})
            results.update((paths[direction], states) for direction, states in of_layer.items())
            hidden = {direction: states["hidden"] for direction, states in of_layer.items()}
            if layer.residual:
                hidden = {direction: np.add(values, inputs[direction]) for direction, values in hidden.items()}
            inputs = _merge(hidden, layer.merge)
        return results

    def _run_layer(
        self,
        paths: Mapping[Direction, str],
        inputs: Mapping[Direction, Array],
        lengths: npt.NDArray[np.int64],
        initial: Initial,
    ) -> dict[Direction, States]:
        found: dict[Direction, States] = {}
        for direction, path in paths.items():
            unroll, start = self._unrolls[path], initial.get(path)
            found[direction] = _run_direction(unroll, direction, inputs[direction], lengths, start)
        return found


def _run_direction(
    unroll: Unroll,
    direction: Direction,
    inputs: Array,
    lengths: npt.NDArray[np.int64],
    initial: Mapping[str, Array] | None,
) -> States:
    if direction == "forward":
        return unroll(inputs, lengths, initial)
    states = unroll(reverse_valid(inputs, lengths), lengths, initial)
    return {name: reverse_valid(values, lengths) for name, values in states.items()}


def _merge(hidden: Mapping[Direction, Array], merge: str) -> Mapping[Direction, Array]:
    """Make what each direction of the next layer reads: [B, T, W] of each direction into [B, T, width]."""
    if merge == "apart":
        return hidden
    merged = _merged(list(hidden.values()), merge)
    return {"forward": merged, "backward": merged}


def _merged(hidden: list[Array], merge: str) -> Array:
    if len(hidden) == 1:
        return hidden[0]
    if merge == "concat":
        return np.concatenate(hidden, axis=-1)
    forward, backward = hidden
    if merge == "mul":
        return np.multiply(forward, backward)
    total = np.add(forward, backward)
    return total / 2 if merge == "ave" else total
