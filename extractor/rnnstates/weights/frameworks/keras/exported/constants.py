"""Reads small constants of a graph: axes, sizes, factors."""

import math

import numpy as np

from ....readers.base import from_bfloat16
from .program import Program, Proto, Value

__all__ = ["constant", "integers", "is_zero", "number"]

MOST_NUMBERS = 16
BFLOAT16, HALF = 14, 19
# By TensorFlow's number of a dtype: its layout in bytes, and the field that lists values otherwise.
_DTYPES = {
    1: ("<f4", "float_val"),
    2: ("<f8", "double_val"),
    3: ("<i4", "int_val"),
    9: ("<i8", "int64_val"),
    10: ("?", "bool_val"),
    BFLOAT16: ("<u2", "half_val"),
    HALF: ("<f2", "half_val"),
}
# Significant bits of narrow floats.
_BITS = {BFLOAT16: 8, HALF: 11}
# Operations whose output is zeros if their first input is.
_STILL_ZERO = {"BroadcastTo", "ExpandDims", "Reshape", "Squeeze", "Tile", "Transpose"}


def constant(program: Program, value: Value) -> list[float] | None:
    """Read the numbers of a constant; None if it is not one, or has many or infinite values."""
    node = program.node(program.resolve(value))
    return None if node is None or node.op != "Const" else _numbers(node.attr["value"].tensor)


def _numbers(stored: Proto) -> list[float] | None:
    shape = [axis.size for axis in stored.tensor_shape.dim]
    size = math.prod(shape)
    if stored.dtype not in _DTYPES or not 0 < size <= MOST_NUMBERS or min(shape, default=1) < 0:
        return None
    dtype, listed = _DTYPES[stored.dtype]
    if stored.tensor_content:
        if len(stored.tensor_content) != size * np.dtype(dtype).itemsize:
            return None
        found = np.frombuffer(stored.tensor_content, dtype)
    else:
        found = np.array(getattr(stored, listed)[:size] or [0])
        # 16-bit numbers are listed as their bits, the lowest of a wider integer.
        found = found.astype("<u2").view(dtype) if listed == "half_val" else found
        # The last number is repeated.
        found = np.pad(found, (0, size - len(found)), mode="edge")
    found = from_bfloat16(found) if stored.dtype == BFLOAT16 else found
    numbers = found.astype(np.float64).tolist()
    if not all(map(math.isfinite, numbers)):
        return None
    return [_shortest(n, _BITS[stored.dtype]) for n in numbers] if stored.dtype in _BITS else numbers


def _shortest(number: float, bits: int) -> float:
    """Return the shortest decimal that rounds to such a float: a half that holds 0.19995 means 0.2."""
    half_a_step = math.ldexp(0.5, math.frexp(number)[1] - bits)
    texts = (f"{number:.{digits}g}" for digits in range(1, 17))
    return next((found for found in map(float, texts) if abs(found - number) <= half_a_step), number)


def number(program: Program, value: Value) -> float | None:
    """Read a constant with a single number."""
    numbers = constant(program, value)
    return numbers[0] if numbers is not None and len(numbers) == 1 else None


def integers(program: Program, value: Value) -> list[int] | None:
    """Read a constant with whole numbers."""
    numbers = constant(program, value)
    return None if numbers is None or any(n != int(n) for n in numbers) else [int(n) for n in numbers]


def is_zero(program: Program, value: Value) -> bool:
    """Return whether a value is certainly zeros."""
    for _ in range(MOST_NUMBERS):
        value = program.resolve(value)
        node = program.node(value)
        if node is None:
            return False
        if node.op in ("ZerosLike", "Const"):
            return node.op == "ZerosLike" or _holds_zeros(node.attr["value"].tensor)
        if node.op == "Fill":
            return number(program, program.inputs(value)[1]) == 0
        if node.op not in _STILL_ZERO:
            return False
        value = program.inputs(value)[0]
    return False


def _holds_zeros(stored: Proto) -> bool:
    """Return whether all numbers of a constant are zero, however many."""
    if stored.dtype not in _DTYPES:
        return False
    return not any(stored.tensor_content) and not any(getattr(stored, _DTYPES[stored.dtype][1]))
