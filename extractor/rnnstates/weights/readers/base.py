"""``Container`` and ``Tensor``, the result of every reader: named arrays, not yet read, and the documents with them."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...arrays.axes import Array
from ...errors import BadWeights

__all__ = [
    "MOST_TENSORS",
    "Container",
    "Tensor",
    "as_floating",
    "blocks_of",
    "computed",
    "from_bfloat16",
    "is_floating",
    "joined",
    "reshaped",
    "row_of",
    "sliced",
    "transposed",
]


# Models of a hundred layers, with the state of an optimiser, have some thousands.
MOST_TENSORS = 25_000


@dataclass(frozen=True, eq=False)
class Tensor:
    """One stored array, or one derived from stored ones.

    Parameters
    ----------
    name : str
        Its path in the container.
    shape : tuple of int
    read : callable
        Reads it: floating, of that shape. Raises BadWeights if it is not what it declares.
    made_of : tuple of str
        The stored arrays that it is derived from, unless that is the one of its name.
    """

    name: str
    shape: tuple[int, ...]
    read: Callable[[], Array] = field(repr=False)
    made_of: tuple[str, ...] = field(default=(), repr=False)

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of the stored arrays that it is derived from."""
        return self.made_of or (self.name,)


def joined(tensors: Sequence[Tensor], axis: int, where: str) -> Tensor:
    """Concatenate arrays along an axis.

    Raises
    ------
    BadWeights
        Their other axes differ.
    """
    shapes = [list(tensor.shape) for tensor in tensors]
    around = {tuple(shape[:axis] + shape[axis:][1:]) for shape in shapes if len(shape) > axis}
    if len(around) != 1 or any(len(shape) <= axis for shape in shapes):
        listed = ", ".join(f"'{tensor.name}' {tensor.shape}" for tensor in tensors)
        raise BadWeights(f"{where}: {listed} do not fit each other; the file is damaged, or of another cell.")
    shape = [*shapes[0][:axis], sum(shape[axis] for shape in shapes), *shapes[0][axis + 1 :]]
    name = " + ".join(tensor.name for tensor in tensors)
    made_of = tuple(source for tensor in tensors for source in tensor.sources)
    return Tensor(name, tuple(shape), lambda: np.concatenate([tensor.read() for tensor in tensors], axis=axis), made_of)


def sliced(tensor: Tensor, start: int, stop: int, axis: int = 0) -> Tensor:
    """Take a range of an axis; ``stop`` must lie within it."""
    shape = (*tensor.shape[:axis], stop - start, *tensor.shape[axis + 1 :])
    index = (*(slice(None) for _ in range(axis)), slice(start, stop))
    return Tensor(tensor.name, shape, lambda: tensor.read()[index], tensor.made_of)


def row_of(tensor: Tensor, row: int) -> Tensor:
    """Take one row of the first axis, which is dropped."""
    return Tensor(tensor.name, tensor.shape[1:], lambda: tensor.read()[row], tensor.made_of)


def transposed(tensor: Tensor) -> Tensor:
    """Transpose a matrix."""
    return Tensor(tensor.name, tensor.shape[::-1], lambda: tensor.read().T, tensor.made_of)


def reshaped(tensor: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Reshape an array."""
    if math.prod(shape) != math.prod(tensor.shape):
        raise BadWeights(f"'{tensor.name}' has shape {tensor.shape}; expected as many values as {shape} has.")
    return Tensor(tensor.name, shape, lambda: tensor.read().reshape(shape), tensor.made_of)


def computed(tensor: Tensor, function: Callable[[Array], Array]) -> Tensor:
    """Change an array's values when it is read; its shape stays."""
    return Tensor(tensor.name, tensor.shape, lambda: function(tensor.read()), tensor.made_of)


def blocks_of(tensor: Tensor, order: Sequence[int], axis: int = -1) -> Tensor:
    """Reorder equal blocks of an axis; blocks whose index is left out are dropped."""
    axis %= max(len(tensor.shape), 1)
    count = max(order) + 1

    def read() -> Array:
        parts = np.split(tensor.read(), count, axis=axis)
        return np.concatenate([parts[place] for place in order], axis=axis)

    return Tensor(tensor.name, tensor.shape, read, tensor.made_of)


def as_floating(values: Array, where: str) -> Array:
    """Return a floating array in native byte order.

    Raises
    ------
    BadWeights
        It is not floating.
    """
    if values.dtype.kind != "f" or values.dtype.itemsize > 8:
        hint = " NumPy's files cannot hold bfloat16 or float8; save float32." if values.dtype.kind == "V" else ""
        raise BadWeights(f"{where}: has dtype {values.dtype}; expected a floating-point type.{hint}")
    return values.astype(values.dtype.newbyteorder("="), copy=False)


def is_floating(tensor: Tensor) -> bool:
    """Return whether the values of an array are floating, by reading them."""
    try:
        tensor.read()
    except BadWeights:
        return False
    return True


def from_bfloat16(values: Array) -> Array:
    """Convert bfloat16 to float32, whose upper half has the same 16 bits."""
    return (values.view(np.uint16).astype(np.uint32) << 16).view(np.float32)


@dataclass(frozen=True, eq=False)
class Container:
    """An opened weights file; its arrays can be read while it is open.

    Parameters
    ----------
    path : str
        The file.
    kind : str
        The kind of file, e.g. ``"HDF5"``.
    tensors : mapping
        Every array by its path.
    attributes : callable
        ``attributes(group)`` returns the attributes of a group, by name: str, int, float or a list of str.
    documents : mapping
        Parsed JSON texts stored with the arrays, by name; other descriptions made by the reader.
    """

    path: str
    kind: str
    tensors: Mapping[str, Tensor]
    attributes: Callable[[str], Mapping[str, Any]] = field(default=lambda _group: {})
    documents: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse more arrays than any model has: interpreting them compares their names with each other."""
        if len(self.tensors) > MOST_TENSORS:
            raise BadWeights(
                f"{self.path}: has {len(self.tensors)} arrays; expected at most {MOST_TENSORS}. Save the recurrent "
                "layers and their embedding alone."
            )
