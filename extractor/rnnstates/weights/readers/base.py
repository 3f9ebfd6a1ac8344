"""What every reader gives: arrays by name, not yet read, and the documents that lie beside them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...arrays import Array

__all__ = ["Container", "Tensor"]


@dataclass(frozen=True, eq=False)
class Tensor:
    """One stored array.

    Parameters
    ----------
    name : str
        Its path in the container.
    shape : tuple of int
    read : callable
        Reads it: floating, of that shape. Raises BadWeights where it is not what it declares.
    """

    name: str
    shape: tuple[int, ...]
    read: Callable[[], Array] = field(repr=False)


@dataclass(frozen=True, eq=False)
class Container:
    """An opened weights file; its arrays can be read while it is open.

    Parameters
    ----------
    path : str
        The file.
    kind : str
        What sort of file it is, e.g. ``"HDF5"``.
    tensors : mapping
        Every array by its path.
    attributes : callable
        ``attributes(group)`` gives what is attached to a group, by name: str, int, float or a list of str.
    documents : mapping
        JSON texts beside the arrays, by name, parsed.
    """

    path: str
    kind: str
    tensors: Mapping[str, Tensor]
    attributes: Callable[[str], Mapping[str, Any]]
    documents: Mapping[str, Any] = field(default_factory=dict)
