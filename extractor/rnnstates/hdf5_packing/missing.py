"""Which stored values stand for none: fill values, and bounds of what is valid."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..arrays import Array
from .attributes import FILLS, R_NA

__all__ = ["bound", "missing_values"]

# What netCDF's libraries fill a variable with where it has no ``_FillValue`` (netcdf.h: NC_FILL_SHORT, …).
NETCDF_FILLS: dict[str, float] = {
    "i2": -32767, "u2": 65535, "i4": -2147483647, "u4": 4294967295, "i8": -9223372036854775806,
    "u8": 18446744073709551614, "f4": 9.9692099683868690e36, "f8": 9.9692099683868690e36,
}  # fmt: skip


def missing_values(
    found: Mapping[str, Array], meant: np.dtype[Any], stored: np.dtype[Any], *, netcdf: bool
) -> tuple[Any, ...]:
    """List the stored values that stand for none, as what is stored can be compared with."""
    values = [_as(meant, value) for name in FILLS for value in found.get(name, ())]
    if R_NA in found and stored.kind == "i":
        values.append(stored.type(np.iinfo(stored).min))
    if FILLS[0] not in found and netcdf:
        values.append(_as(meant, NETCDF_FILLS.get(meant.str[1:])))
    return tuple(value for value in values if value is not None)


def _as(dtype: np.dtype[Any], value: Any) -> Any:
    """Give an attribute's value as what is stored can be compared with; None where no stored value is like it."""
    if value is None or not np.isfinite(value):
        return None
    if dtype.kind in "iu" and value != int(value):
        return None
    kind = getattr(value, "dtype", dtype)
    if kind.kind == "u" and dtype.kind == "i" and kind.itemsize == dtype.itemsize:
        return np.array(value, kind.newbyteorder("=")).view(dtype.newbyteorder("="))[()]
    with np.errstate(all="ignore"):
        if dtype.kind in "iu" and not np.iinfo(dtype).min <= int(value) <= np.iinfo(dtype).max:
            # As an unsigned value that is written as a signed one of the same bits.
            bits = 8 * dtype.itemsize
            return dtype.type(int(value) % 2**bits) if dtype.kind == "u" and -(2**bits) < value < 0 else None
        return dtype.type(value)


def bound(dtype: np.dtype[Any], value: Any) -> Any:
    """Give a bound of the stored values; one between two whole numbers stays as it is."""
    if value is not None and dtype.kind in "iu" and np.isfinite(value) and value != int(value):
        return float(value)
    return _as(dtype, value)
