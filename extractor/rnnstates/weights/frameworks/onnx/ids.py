"""Checks, by trying every id, that arithmetic on token ids before a lookup does not change them.

Keras 3 counts negative ids from the end of a table (``where(ids < 0, ids + rows, ids)``), others clip them. If each row
is nevertheless looked up by its own number, the ids are those given to the model.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from ....arrays.axes import Array
from ...readers.onnx.graph import Node
from .folding import Folding
from .operators import FOLDED
from .settings import WRONG, Inputs, given

__all__ = ["Ids"]

# Most operators followed back, rows of a table that is tried, and numbers computed for that in all.
MOST_FOLLOWED, MOST_ROWS, MOST_MADE = 32, 2**20, 2**25


def _bounded(node: Node, inputs: Inputs) -> Array:
    """Clip; in older versions the limits are attributes."""
    limits: list[Any] = [inputs[place] if place < len(inputs) else None for place in (1, 2)]
    limits = [node.attributes.get(name, limit) for name, limit in zip(("min", "max"), limits, strict=True)]
    return np.asarray(np.clip(given(inputs), *limits))


def _of_two(function: Callable[[Array, Array], Any]) -> Callable[[Node, Inputs], Array]:
    return lambda _node, inputs: np.asarray(function(given(inputs), given(inputs, 1)))


# Element-wise operators on ids.
ON_EACH: dict[str, Callable[[Node, Inputs], Any]] = {
    **{op: FOLDED[op] for op in ("Add", "Cast", "Equal", "Identity", "Mul", "Sub", "Where")},
    "And": _of_two(np.logical_and),
    "Clip": _bounded,
    "Greater": _of_two(np.greater),
    "GreaterOrEqual": _of_two(np.greater_equal),
    "Less": _of_two(np.less),
    "LessOrEqual": _of_two(np.less_equal),
    "Max": _of_two(np.maximum),
    "Min": _of_two(np.minimum),
    "Not": lambda _node, inputs: np.logical_not(given(inputs)),
    "Or": _of_two(np.logical_or),
}


class Ids:
    """The ids of a graph.

    Parameters
    ----------
    folding : Folding
    """

    def __init__(self, folding: Folding) -> None:
        self._folding, self._room = folding, MOST_MADE

    def source(self, name: str, rows: int) -> str | None:
        """Return the value whose numbers below ``rows`` another one equals element by element; None if there is none.

        Parameters
        ----------
        name : str
            The value by which a table is looked up.
        rows : int
        """
        chain, read = self._chain(name)
        self._room -= rows * len(chain)
        if len(read) != 1 or not chain or not 0 < rows <= MOST_ROWS or self._room < 0:
            return None
        ids = np.arange(rows)
        known: dict[str, Array] = {read[0]: ids}
        try:
            for node in chain:
                inputs = [known.get(each, self._folding.small(each)) if each else None for each in node.inputs]
                with np.errstate(all="ignore"):
                    known[node.outputs[0]] = np.asarray(ON_EACH[node.op](node, inputs))
        except WRONG:
            return None
        return read[0] if np.array_equal(known[name], ids) else None

    def _chain(self, name: str) -> tuple[list[Node], list[str]]:
        """List the operators that make a value, each after those that it needs, and the values that they start from."""
        chain: list[Node] = []
        read: list[str] = []
        pending, seen = [name], {name}
        while pending and len(chain) < MOST_FOLLOWED:
            here = pending.pop()
            node = self._folding.maker(here)
            single = self._folding.small(here)
            if single is not None and single.size == 1:
                continue
            if node is None or not node.standard or node.op not in ON_EACH or len(node.outputs) != 1:
                read.append(here)
                continue
            chain.append(node)
            new = [each for each in node.inputs if each and each not in seen]
            seen.update(new)
            pending += new
        chain.sort(key=lambda node: self._folding.place(node.outputs[0]))
        return ([], []) if pending else (chain, read)
