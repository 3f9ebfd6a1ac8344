"""Computes weights from stored arrays as PyTorch's wrappers do in evaluation, by published formulas.

WeightDrop (Merity et al. 2017) then drops nothing, weight normalisation (Salimans & Kingma 2016) is ``g * v / |v|``,
pruning multiplies by a mask, and spectral normalisation (Miyato et al. 2018) divides by ``u W v``. Sums are computed in
float64; the result has the dtype of the stored weight.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ....arrays.axes import Array
from ....errors import BadWeights
from ...readers import Tensor

__all__ = ["FORMULAS", "Formula"]

# Two vectors with at least this cosine count as having the same direction.
ALIGNED = 0.9

Parts = Mapping[str, Tensor]
Wide = npt.NDArray[np.float64]


class Formula(NamedTuple):
    """How a weight is computed.

    Parameters
    ----------
    called : str
        Its name in notes.
    compute : callable
        ``compute(parts, name, where)`` returns the weight under its name. Raises BadWeights if shapes disagree.
    """

    called: str
    compute: Callable[[Parts, str, str], Tensor]


def _raw(parts: Parts, name: str, _where: str) -> Tensor:
    raw = parts["raw"]
    return Tensor(name, raw.shape, raw.read)


def _masked(parts: Parts, name: str, where: str) -> Tensor:
    weight, mask = parts["orig"], parts["mask"]
    if weight.shape != mask.shape:
        raise BadWeights(f"{where}: {_named(weight)} and {_named(mask)} have different shapes; save the model again.")
    return Tensor(name, weight.shape, lambda: _multiplied(weight.read(), mask.read()))


def _multiplied(weight: Array, mask: Array) -> Array:
    with np.errstate(all="ignore"):
        result: Array = (weight.astype(np.float64) * mask.astype(np.float64)).astype(weight.dtype)
    return result


def _normalised(parts: Parts, name: str, where: str) -> Tensor:
    """Return ``g * v / |v|``; the norm is taken over the axes along which g has length one."""
    size, direction = (parts[part] for part in (("g", "v") if "g" in parts else ("original0", "original1")))
    axes = range(len(direction.shape))
    kept = next((axis for axis in axes if size.shape == _all_but(axis, direction.shape)), None)
    if size.shape and kept is None:
        raise BadWeights(
            f"{where}: {_named(size)} are not the norms of {_named(direction)} along whole axes; save the model again."
        )
    reduced = tuple(axis for axis in axes if axis != kept)

    def read() -> Array:
        values = direction.read()
        with np.errstate(all="ignore"):  # a norm of zero gives NaN, which is refused elsewhere
            wide = values.astype(np.float64)
            norm = np.sqrt(np.sum(wide * wide, axis=reduced, keepdims=True))
            result: Array = (wide * (size.read() / norm)).astype(values.dtype)
        return result

    return Tensor(name, direction.shape, read)


def _all_but(axis: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(length if place == axis else 1 for place, length in enumerate(shape))


def _divided(parts: Parts, name: str, where: str) -> Tensor:
    """Return ``W / (u W v)``; the length of u shows which axis was used as rows."""
    new = "original" in parts
    weight, left, right = (parts[part] for part in (("original", "0._u", "0._v") if new else ("orig", "u", "v")))
    lengths = (*left.shape, *right.shape)
    if len(weight.shape) != 2 or len(lengths) != 2 or lengths not in (weight.shape, weight.shape[::-1]):
        raise BadWeights(
            f"{where}: {_named(left)} and {_named(right)} are not the singular vectors of {_named(weight)}; "
            "save the model again."
        )

    def read() -> Array:
        values = weight.read()
        with np.errstate(all="ignore"):
            wide, u, v = (array.astype(np.float64) for array in (values, left.read(), right.read()))
            result: Array = (wide / _largest(wide, u, v)).astype(values.dtype)
        return result

    return Tensor(name, weight.shape, read)


def _largest(matrix: Wide, u: Wide, v: Wide) -> np.float64:
    """Return ``u W v``; a square matrix is read by its rows, as PyTorch does by default, or by its columns.

    Columns are used only if ``W v`` is aligned with u for them alone: both are singular vectors of the weight one
    training step ago.
    """
    products = [turned @ v for turned in (matrix, matrix.T) if turned.shape == (len(u), len(v))]
    turns = [abs(u @ product) / (np.linalg.norm(product) or 1.0) for product in products]
    by_columns = len(products) == 2 and turns[0] < ALIGNED <= turns[1]
    return np.float64(u @ products[int(by_columns)])


def _named(tensor: Tensor) -> str:
    return f"'{tensor.name}' {tensor.shape}"


_NORM = Formula("weight normalisation", _normalised)
_SPECTRAL = Formula("spectral normalisation", _divided)
# By the suffixes of a weight's name: first the older spelling, then that of torch.nn.utils.parametrize.
FORMULAS: dict[frozenset[str], Formula] = {
    frozenset({"raw"}): Formula("WeightDrop", _raw),
    frozenset({"orig", "mask"}): Formula("pruning", _masked),
    frozenset({"g", "v"}): _NORM,
    frozenset({"original0", "original1"}): _NORM,
    frozenset({"orig", "u", "v"}): _SPECTRAL,
    frozenset({"original", "0._u", "0._v"}): _SPECTRAL,
}
