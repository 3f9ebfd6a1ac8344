"""Parses array names of the JAX libraries as paths in a tree, however their parts are joined."""

import re
from collections.abc import Iterable, Mapping

import numpy as np

from ..around.names import parts_of
from ..readers import Container, Tensor

__all__ = ["TreePath", "after_zeros", "names_of", "of_optimiser", "path_of", "strangers"]

# The parts of a name.
TreePath = tuple[str, ...]

_OPTIMISER = re.compile(r"(^|/)(opt(im(i[sz]er)?)?(_states?)?|\d+/(mu|nu|trace))/")


def path_of(name: str) -> TreePath:
    """Split a name: ``params/cell/kernel`` and ``['params']['cell']['kernel'].value`` give the same path."""
    return parts_of(name)


def of_optimiser(path: TreePath) -> bool:
    """Return whether an array belongs to an optimizer, which repeats the names of the weights below its own."""
    return _OPTIMISER.search("/".join(path)) is not None


def names_of(paths: Iterable[TreePath]) -> dict[TreePath, str]:
    """Name modules by their paths, without ``params`` if they stay distinct; the top of a tree is ``cell``."""
    full = {path: "/".join(path) or "/" for path in paths}
    short = {path: re.sub(r"^(params)?(/|$)", "", name) or "cell" for path, name in full.items()}
    return short if len(set(short.values())) == len(short) else full


def after_zeros(tensor: Tensor, zeros: int) -> Tensor:
    """Prepend zeros to a vector, for the gates that have no such bias."""
    shape = (zeros + sum(tensor.shape),)
    return Tensor(tensor.name, shape, lambda: np.pad(tensor.read(), ((zeros, 0),)))


def strangers(container: Container, cells: Mapping[TreePath, Iterable[Tensor]]) -> dict[TreePath, list[str]]:
    """Name the arrays below each cell that are not its own, except random state.

    Other branches of the tree do not count as below a cell at its top.
    """
    own = {path: {tensor.name for tensor in tensors} for path, tensors in cells.items()}
    at_top = {path_of(name)[0] for name in own.get((), ())}
    found: dict[TreePath, list[str]] = {path: [] for path in cells}
    deepest = max(map(len, cells), default=0)
    for name in container.tensors:
        path = path_of(name)
        for depth in range(min(len(path), deepest + 1)):
            cell = path[:depth]
            below = depth or len(path) == 1 or path[0] in at_top
            if below and cell in own and name not in own[cell] and "rngs" not in path[depth:]:
                found[cell].append(name)
    return found
