"""Runs a network's layers over one piece of a tile: what each layer reads, in which direction, from which state.

Time may be cut into pieces if no layer needs the end of a sequence first: then each direction is a *sweep* of its own,
which goes over the pieces in its reading order and passes its states from one to the next. If a layer reads both
directions of the layer below, there is one sweep, ``whole``, and sequences cannot be cut.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated

import numpy as np

from ..arrays.axes import Floats, Inputs, Lengths, reverse_valid
from ..arrays.workspace import Workspace
from ..network.cells import CELLS
from ..network.model import DIRECTIONS, Direction, Network
from .base import Engine, Starts, States, Unroll

__all__ = ["WHOLE", "Initial", "Stack", "sweeps"]

WHOLE = "whole"
# What one direction gives to the next layer.
Hidden = Annotated[Floats, "B T _"]
# The initial states, by the part's path and the state's name: floating [B, W].
Initial = Mapping[str, Starts]


def sweeps(network: Network) -> dict[str, tuple[str, ...]]:
    """Return the sweeps over time that a network needs.

    Returns
    -------
    dict
        ``forward`` or ``backward`` mapped to the paths of the parts that run in that direction, piece after piece; or
        ``whole`` mapped to all parts, which then need each sequence in one piece.
    """
    parts = {
        direction: tuple(part for part, _, its, _ in network.parts() if its == direction) for direction in DIRECTIONS
    }
    if any(waits_for != {direction} for direction, waits_for in _waiting(network)):
        return {WHOLE: tuple(part for part, *_ in network.parts())}
    return {direction: of_direction for direction, of_direction in parts.items() if of_direction}


def _waiting(network: Network) -> Iterator[tuple[Direction, set[Direction]]]:
    """Yield, for each part, its direction and those of all parts that it reads, directly or indirectly."""
    below: dict[Direction, set[Direction]] = {direction: {direction} for direction in DIRECTIONS}
    merge = "apart"
    for layer in network.layers:
        everything = set().union(*below.values())
        here = {direction: {direction} | (below[direction] if merge == "apart" else everything)
                for direction in layer.directions}  # fmt: skip
        yield from here.items()
        below, merge = here, layer.merge


class Stack:
    """A network prepared by an engine; ``run`` may be called from several threads.

    Parameters
    ----------
    network : Network
    engine : Engine
    gates : sequence of str
        Gates to collect, from the cells that have them.

    Attributes
    ----------
    executors : dict
        What computes each part of the network, by path.
    """

    def __init__(self, network: Network, engine: Engine, gates: Sequence[str] = ()) -> None:
        self._network = network
        self._unrolls: dict[str, Unroll] = {
            path: engine.unroll(weights, [gate for gate in gates if gate in CELLS[weights.cell].gates._fields])
            for path, _, _, weights in network.parts()
        }
        self.executors = {
            path: engine.executor_of(weights, engine.precision).name for path, _, _, weights in network.parts()
        }
        parts = network.parts()
        self._paths = [{direction: next(parts)[0] for direction in layer.directions} for layer in network.layers]

    def run(
        self,
        inputs: Inputs,
        lengths: Lengths,
        initial: Initial | None = None,
        *,
        sweep: str = WHOLE,
        workspace: Workspace | None = None,
    ) -> dict[str, States]:
        """Compute every state of the layers of a sweep.

        Parameters
        ----------
        inputs : floating [B, T, I]
            Steps past a length are never read.
        lengths : int64 [B]
            Never increasing.
        initial : mapping or None
            The initial states of each part; zero for the others.
        sweep : str
            A name in ``sweeps(network)``, or ``whole`` for everything at once.
        workspace : Workspace or None
            Memory for the results, valid until its next use.

        Returns
        -------
        dict
            By the part's path (``""``, ``layer0``, ``layer0/forward``, …), its states [B, T, W] by name, zero past the
            length. The backward state at t is the one after reading t..length-1, so it is at the step of its input.
        """
        results: dict[str, States] = {}
        space = workspace or Workspace()
        read: Mapping[Direction, Hidden] = dict.fromkeys(DIRECTIONS, inputs)
        for layer, all_paths in zip(self._network.layers, self._paths, strict=True):
            paths = {direction: path for direction, path in all_paths.items() if sweep in (WHOLE, direction)}
            if not paths:
                break
            of_layer = {
                direction: self._run_part(path, direction, read[direction], lengths, (initial or {}).get(path), space)
                for direction, path in paths.items()
            }
            results.update((paths[direction], states) for direction, states in of_layer.items())
            hidden = {direction: states["hidden"] for direction, states in of_layer.items()}
            if layer.residual:
                hidden = {direction: np.add(values, read[direction]) for direction, values in hidden.items()}
            read = _merge(hidden, layer.merge)
        return results

    def _run_part(
        self,
        path: str,
        direction: Direction,
        inputs: Inputs,
        lengths: Lengths,
        initial: Starts | None,
        workspace: Workspace,
    ) -> States:
        unroll, space = self._unrolls[path], workspace.inside(path)
        if direction == "forward":
            return unroll(inputs, lengths, initial, space)
        turned = reverse_valid(inputs, lengths, space.array("turned inputs", inputs.shape, inputs.dtype))
        states = unroll(turned, lengths, initial, space)
        return {
            name: reverse_valid(values, lengths, space.array(f"turned {name}", values.shape, values.dtype))
            for name, values in states.items()
        }


def _merge(hidden: Mapping[Direction, Hidden], merge: str) -> Mapping[Direction, Hidden]:
    """Merge [B, T, W] of each direction into what each direction of the next layer reads, [B, T, width]."""
    if merge == "apart":
        return hidden
    return dict.fromkeys(DIRECTIONS, _merged(list(hidden.values()), merge))


def _merged(hidden: list[Hidden], merge: str) -> Inputs:
    if len(hidden) == 1:
        return hidden[0]
    if merge == "concat":
        return np.concatenate(hidden, axis=-1)
    forward, backward = hidden
    if merge == "mul":
        return np.multiply(forward, backward)
    total = np.add(forward, backward)
    return total / 2 if merge == "ave" else total
