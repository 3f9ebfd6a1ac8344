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
    """One stored array, or one that is made of stored ones.

    Parameters
    ----------
    name : str
        Its path in the container.
    shape : tuple of int
    read : callable
        Reads it: floating, of that shape. Raises BadWeights where it is not what it declares.
    made_of : tuple of str
        The stored arrays that it is made of, where those are not the one of its name.
    """

    name: str
    shape: tuple[int, ...]
    read: Callable[[], Array] = field(repr=False)
    made_of: tuple[str, ...] = field(default=(), repr=False)

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of the stored arrays that it is made of."""
        return self.made_of or (self.name,)


def joined(tensors: Sequence[Tensor], axis: int, where: str) -> Tensor:
    """Put arrays behind each other.

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
    """Turn a matrix around."""
    return Tensor(tensor.name, tensor.shape[::-1], lambda: tensor.read().T, tensor.made_of)


def reshaped(tensor: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Read an array as one of another shape with as many values."""
    if math.prod(shape) != math.prod(tensor.shape):
        raise BadWeights(f"'{tensor.name}' has shape {tensor.shape}; expected as many values as {shape} has.")
    return Tensor(tensor.name, shape, lambda: tensor.read().reshape(shape), tensor.made_of)


def computed(tensor: Tensor, function: Callable[[Array], Array]) -> Tensor:
    """Change an array's values when it is read; its shape stays."""
    return Tensor(tensor.name, tensor.shape, lambda: function(tensor.read()), tensor.made_of)


def blocks_of(tensor: Tensor, order: Sequence[int], axis: int = -1) -> Tensor:
    """Take equal blocks of an axis in another order; an index left out drops its block."""
    axis %= max(len(tensor.shape), 1)
    count = max(order) + 1

    def read() -> Array:
        parts = np.split(tensor.read(), count, axis=axis)
        return np.concatenate([parts[place] for place in order], axis=axis)

    return Tensor(tensor.name, tensor.shape, read, tensor.made_of)


def as_floating(values: Array, where: str) -> Array:
    """Return an array in this machine's byte order.

    Raises
    ------
    BadWeights
        It is not floating.
    """
    if values.dtype.kind != "f" or values.dtype.itemsize > 8:
        hint = " NumPy's files keep no bfloat16 and float8; save them as float32." if values.dtype.kind == "V" else ""
        raise BadWeights(f"{where}: has dtype {values.dtype}; expected a floating-point type.{hint}")
    return values.astype(values.dtype.newbyteorder("="), copy=False)


def is_floating(tensor: Tensor) -> bool:
    """Return whether the values of an array, which are read for it, are floating."""
    try:
        tensor.read()
    except BadWeights:
        return False
    return True


def from_bfloat16(values: Array) -> Array:
    """Turn the 16 bits of each bfloat16 into a float32, of which they are the upper half."""
    return (values.view(np.uint16).astype(np.uint32) << 16).view(np.float32)


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
        JSON texts beside the arrays, by name, parsed; other descriptions that the reader has made.
    """

    path: str
    kind: str
    tensors: Mapping[str, Tensor]
    attributes: Callable[[str], Mapping[str, Any]] = field(default=lambda _group: {})
    documents: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse more arrays than any model has; what interprets them compares their names with each other."""
        if len(self.tensors) > MOST_TENSORS:
            raise BadWeights(
                f"{self.path}: has {len(self.tensors)} arrays; expected at most {MOST_TENSORS}. Save the recurrent "
                "layers and their embedding alone."
            )
