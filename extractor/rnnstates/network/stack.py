"""A stack of layers over one tile: which layer reads what, and in which direction."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ..arrays import Array, Tile, reverse_valid
from ..weights.canonical import Direction, LayerWeights, Network, RecurrentLayer

__all__ = ["Engine", "Stack", "Unroll"]


class Unroll(Protocol):
    """Runs one layer in one direction over the steps of a tile."""

    def __call__(self, inputs: Array, lengths: npt.NDArray[np.int64]) -> Any:
        """Map inputs [B, T, I] and non-increasing lengths [B] to a NamedTuple of states [B, T, H], 0 past the length.

        What stands in ``inputs`` past a length must never be read.
        """


class Engine(Protocol):
    """Makes unrolls; one instance a run."""

    name: str
    device: str

    def unroll(self, weights: LayerWeights) -> Unroll:
        """Prepare one layer's weights once."""

    def running(self) -> AbstractContextManager[None]:
        """Be entered around the runs of a job, for settings of the library that hold meanwhile."""


class Stack:
    """A network made ready by an engine; ``run`` may be called from several threads.

    Parameters
    ----------
    network : Network
    engine : Engine
    """

    def __init__(self, network: Network, engine: Engine) -> None:
        self._network = network
        self._unrolls: dict[str, Unroll] = {path: engine.unroll(weights) for path, _, _, weights in network.parts()}

    def run(self, tile: Tile) -> dict[str, Any]:
        """Compute every state of every layer.

        Returns
        -------
        dict
            From the part's path (``""``, ``layer0``, ``layer0/forward``, …) to a NamedTuple of states [B, T, H], zero
            past the length. The backward state at t is the one after reading t..length-1, so it stands where its
            input stands.
        """
        results: dict[str, Any] = {}
        inputs = tile.inputs
        for layer in self._network.layers:
            of_layer = self._run_layer(layer, inputs, tile.lengths)
            results.update(of_layer)
            inputs = _merge([states.hidden for states in of_layer.values()], layer.merge)
        return results

    def _run_layer(self, layer: RecurrentLayer, inputs: Array, lengths: npt.NDArray[np.int64]) -> Mapping[str, Any]:
        paths = [(path, direction) for path, owner, direction, _ in self._network.parts() if owner is layer]
        return {path: _run_direction(self._unrolls[path], direction, inputs, lengths) for path, direction in paths}


def _run_direction(unroll: Unroll, direction: Direction, inputs: Array, lengths: npt.NDArray[np.int64]) -> Any:
    if direction == "forward":
        return unroll(inputs, lengths)
    states = unroll(reverse_valid(inputs, lengths), lengths)
    return type(states)(*(reverse_valid(values, lengths) for values in states))


def _merge(hidden: list[Array], merge: str) -> Array:
    """Make what the next layer reads: [B, T, H] of each direction into [B, T, width]."""
    if len(hidden) == 1:
        return hidden[0]
    if merge == "concat":
        return np.concatenate(hidden, axis=-1)
    forward, backward = hidden
    if merge == "mul":
        return np.multiply(forward, backward)
    total = np.add(forward, backward)
    return total / 2 if merge == "ave" else total
