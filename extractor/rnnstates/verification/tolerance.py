"""Bounds on the difference between a stored value and the exact one.

A stored value differs from the exact one for these reasons:

- It was computed in ``precision``. Each step rounds its states by half a unit in the last place (6e-8 of them in
  float32, 1.1e-16 in float64), and the next step passes this on. ``STEP`` is over a hundred times that: the sums inside
  a step round too, and differently in TensorFlow, NumPy and others. The errors of many steps add up where a cell
  forgets nothing; with random signs they grow with the square root of the length, so beyond 1000 steps the bound grows
  with it.
- Inside a step, products of the inputs are summed, and their rounding is relative to the terms, not to the sum: with
  inputs of some thousands, sums that cancel leave errors of 1e-4 where a gate is most sensitive. ``PRODUCT`` is a few
  times the error of rounding the sum (in bfloat16, of rounding its terms).
- It was stored in ``dtype``: half a unit in the last place of the value, 5e-4 of it in float16.
- A sum over L steps has up to L times the error of a state.

The first bound is relative to the largest state of the sequence, and absolute for states below 1. A network that
amplifies differences (unbounded activations with large weights) can exceed it although nothing is wrong.
"""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arrays.axes import Array

__all__ = ["PRECISIONS", "computed_within", "difference", "pooled_within", "rounding"]

# By precision: the bound on a state of size 1 after up to 1000 steps. bfloat16 trades exactness for speed: only a
# plainly different number stands out from its error.
STEP = {"float64": 1e-10, "float32": 1e-5, "bfloat16": 0.1}
PRECISIONS = tuple(STEP)
PRODUCT = {"float64": 2e-15, "float32": 1e-6, "bfloat16": 0.008}
STEPS = 1000

Floats = npt.NDArray[np.float64]


def computed_within(precision: str, pooling: str | None, *, length: int, magnitude: float, products: float) -> float:
    """Bound the error of a value that was computed in ``precision``.

    Parameters
    ----------
    precision : str
    pooling : str or None
    length : int
        L, positive.
    magnitude : float
        The largest absolute value, over the sequence, of all states that the layers carry: each depends on the others.
    products : float
        The largest sum of the absolute products of its inputs and the weights.
    """
    step = STEP[precision] * max(1.0, magnitude) + PRODUCT[precision] * products
    bound = step * math.sqrt(max(1.0, length / STEPS))
    return bound * length if pooling == "sum" else bound


def rounding(values: Floats, dtype: "np.dtype[Any]") -> Floats:
    """Bound the error of storing: half a unit in the last place, floating of the shape of ``values``."""
    about = np.finfo(dtype)
    bound: Floats = np.abs(values) * (float(about.eps) / 2) + float(about.smallest_subnormal) / 2
    return bound


def pooled_within(
    scale: Floats, pooled: Floats, counts: npt.NDArray[np.int64], *, states: "np.dtype[Any]", stored: "np.dtype[Any]"
) -> Floats:
    """Bound the difference between a stored pooled value and the pooling of the stored states.

    Parameters
    ----------
    scale : floating [R, W]
        Magnitude of what was pooled (for a sum, the sum of the absolute values).
    pooled : floating [R, W]
    counts : int64 [R]
        Steps of each sequence.
    states, stored : dtype
        Dtypes of the states and of the pooled values.

    Returns
    -------
    floating [R, W]
        Twice the rounding of the states, which happened after pooling, and of the pooled value. Summing L float64
        values in a different order changes the sum by at most L units in the last place.
    """
    steps = counts.astype(np.float64)[:, np.newaxis]
    with np.errstate(invalid="ignore"):  # the maximum over no states is infinite
        adding = 4 * steps * float(np.finfo(np.float64).eps) * scale
    tiny = steps * float(np.finfo(states).smallest_subnormal)
    return 2 * rounding(scale, states) + 2 * rounding(pooled, stored) + adding + tiny


def difference(stored: Array, expected: Floats) -> Floats:
    """Compute how far stored values are from the expected ones.

    Parameters
    ----------
    stored : floating, any shape
    expected : float64, the same shape

    Returns
    -------
    float64 of that shape
        0 where both are NaN or where the expected value, stored in that dtype, is the same infinity; infinite where
        only one of them is finite.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        cast = expected.astype(stored.dtype)
        away = np.abs(stored.astype(np.float64) - expected)
    away = np.where(np.isfinite(stored) & np.isfinite(expected), away, np.inf)
    same = (np.isnan(stored) & np.isnan(expected)) | (np.isinf(stored) & (stored == cast))
    return np.where(same, 0.0, away)
