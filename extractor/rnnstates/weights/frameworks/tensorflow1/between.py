"""Detects what stands between two layers of a MultiRNNCell in TensorFlow 1's graph, such as a residual connection."""

from collections.abc import Mapping, Sequence

from .graph import Graph
from .steps import Shown

__all__ = ["is_residual", "stands_between"]

_ADDING = {"Add", "AddN", "AddV2"}


def is_residual(graph: Graph, pairs: Sequence[tuple[Shown, Shown]]) -> bool | None:
    """Return whether a layer adds its inputs to those of the next one; None if the graph does not show it.

    Parameters
    ----------
    graph : Graph
    pairs : sequence of (Shown, Shown)
        The cells of both layers, in each direction.
    """
    known = {_between(graph, lower, upper) for lower, upper in pairs}
    return known.pop() if len(known) == 1 else None


def _between(graph: Graph, lower: Shown, upper: Shown) -> bool | None:
    if not (lower.makes and upper.reads):
        return None
    if upper.reads == lower.makes:
        return False
    reading = graph.operation(upper.reads)
    added = set() if reading is None else {graph.resolve(value) for value in reading.inputs}
    is_sum = reading is not None and reading.op in _ADDING and added == {lower.makes, lower.reads}
    return True if is_sum else None


def stands_between(graph: Graph, shown: Mapping[str, Shown], lower: str, upper: str) -> str:
    """Return the operation between two cells that reads the states of the lower one; empty if none is shown."""
    reading = graph.operation(shown[upper].reads) if shown[upper].reads else None
    sources = [] if reading is None else [graph.resolve(value) for value in reading.inputs]
    return reading.op if reading is not None and shown[lower].makes in sources else ""
