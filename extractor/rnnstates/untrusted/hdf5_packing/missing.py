"""Finds the stored values that mean missing: fill values, and values outside the valid range."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import h5py
import numpy as np

from ...arrays.axes import Array
from ...arrays.integers import missing_integer
from .attributes import FILLS, OFFSET, R_NA, SCALE

__all__ = ["FILL_VALUE", "Meant", "bounds", "fill_value", "has_unwritten_parts", "missing_values"]

FILL_VALUE = "HDF5's fill value"
# What netCDF's libraries fill a variable with where it has no ``_FillValue`` (netcdf.h: NC_FILL_SHORT, …). Of bytes
# every value may be meant.
NETCDF_FILLS: dict[str, float] = {
    "i2": -32767, "u2": 65535, "i4": -2147483647, "u4": 4294967295, "i8": -9223372036854775806,
    "u8": 18446744073709551614, "f4": 9.9692099683868690e36, "f8": 9.9692099683868690e36,
}  # fmt: skip
# How far a bound that is computed from scale_factor and add_offset may lie beside the stored value that it means.
SLACK, SLACK_OF_WHOLE = 1e-6, 1e-3


class Meant(NamedTuple):
    """The dtype of stored values, and the one that ``_Unsigned`` says is meant by them."""

    stored: np.dtype[Any]
    dtype: np.dtype[Any]

    @property
    def is_whole(self) -> bool:
        """Whether it is one of integers."""
        return self.dtype.kind in "iu"


def fill_value(dataset: h5py.Dataset) -> Any:
    """Return the value that the writer of a dataset set for what is never written; None for none, zero or NaN."""
    defined = dataset.id.get_create_plist().fill_value_defined()
    value = dataset.fillvalue if defined == h5py.h5d.FILL_VALUE_USER_DEFINED else 0
    return value if value and np.isfinite(value) else None


def has_unwritten_parts(dataset: h5py.Dataset) -> bool:
    """Return whether HDF5 gives the fill value for chunks, or the whole of a dataset, because none was ever written."""
    if not dataset.chunks:
        return bool(dataset.size) and not dataset.is_virtual and dataset.id.get_storage_size() == 0
    counts = [-(-axis // chunk) for axis, chunk in zip(dataset.shape, dataset.chunks, strict=True)]
    return bool(dataset.id.get_num_chunks() < math.prod(counts))


def missing_values(found: Mapping[str, Array], meant: Meant, *, fill: Any, netcdf: bool) -> dict[Any, str]:
    """List the stored values that stand for none, as what is stored can be compared with, and what says so.

    Parameters
    ----------
    found : mapping
        Attributes, by name.
    meant : Meant
    fill : number or None
        The fill value, where it stands for none.
    netcdf : bool
        Whether a library of netCDF wrote the file.
    """
    named = [(value, name) for name in FILLS for value in found.get(name, ())]
    if R_NA in found and meant.dtype.kind == "i":
        named.append((np.iinfo(meant.dtype).min, R_NA))
    elif not {"valid_min", "valid_range"} & set(found):
        named.append((missing_integer(meant.dtype), "R's NA"))
    default = NETCDF_FILLS.get(meant.dtype.str[1:])
    if default is not None and FILLS[0] not in found and (netcdf or _as(meant, fill) == _as(meant, default)):
        named.append((default, "the fill value of netCDF"))
    named.append((fill, FILL_VALUE))
    missing: dict[Any, str] = {}
    for value, said in named:
        if (one := _as(meant, value)) is not None:
            missing.setdefault(one, said)
    return missing


def _as(meant: Meant, value: Any) -> Any:
    """Return a number as what is stored can be compared with; None where no stored value is like it."""
    if value is None or not np.isfinite(value):
        return None
    if not meant.is_whole:
        with np.errstate(all="ignore"):
            return meant.dtype.type(value)
    if value != int(value):
        return None
    number, kind = int(value), getattr(value, "dtype", meant.dtype)
    if kind.kind in "iu" and kind.kind != meant.dtype.kind and kind.itemsize == meant.dtype.itemsize:
        # The same bits, with and without a sign.
        number = _turned(number, meant.dtype)
    return _whole(number, meant)


def _whole(number: int, meant: Meant) -> Any:
    """Return an integer of the dtype that is meant, perhaps written as the stored one; None where it has none such."""
    if meant.stored != meant.dtype and _holds(meant.stored, number):
        number = _turned(number, meant.dtype)
    return meant.dtype.type(number) if _holds(meant.dtype, number) else None


def _holds(dtype: np.dtype[Any], number: int) -> bool:
    return bool(np.iinfo(dtype).min <= number <= np.iinfo(dtype).max)


def _turned(number: int, dtype: np.dtype[Any]) -> int:
    """Read the bits of an integer as one of a dtype."""
    limits = np.iinfo(dtype)
    return int(limits.min) + (number - int(limits.min)) % (int(limits.max) - int(limits.min) + 1)


def bounds(found: Mapping[str, Array], meant: Meant) -> tuple[Any, Any]:
    """Return the least and the largest of the stored values that are valid, None for no bound.

    Of bounds of the numbers that the values mean, rather than of the values, those of the values are computed.
    """
    limits = found.get("valid_range", (None, None))
    scale, offset = (found[name][0] if name in found else None for name in (SCALE, OFFSET))
    turned = scale is not None and scale < 0
    both: list[Any] = [None, None]
    for side, name in enumerate(("valid_min", "valid_max")):
        value = found[name][0] if name in found else limits[side]
        if value is None or not np.isfinite(value):
            continue
        if _is_unpacked(value, [one for one in (scale, offset) if one is not None], meant):
            value = (float(value) - float(offset or 0)) / float(1 if scale is None else scale)
            slack = SLACK * abs(value) + (SLACK_OF_WHOLE if meant.is_whole else 0)
            side = side ^ turned
            both[side] = value + slack if side else value - slack
        else:
            both[side] = _bound(value, meant)
    return both[0], both[1]


def _is_unpacked(value: Any, scaling: list[Any], meant: Meant) -> bool:
    """Return whether a bound has the type of ``scale_factor`` and ``add_offset``, wider than that of the values.

    Then it is one of the numbers that are meant (NetCDF Users Guide, ``valid_range``). A floating-point number that
    is none of these would fit no integer either.
    """
    if not scaling:
        return False
    kind, widest = _width(value.dtype), max(_width(one.dtype) for one in scaling)
    alike = kind == widest or (kind[0] and widest[0] and meant.is_whole)
    return bool(alike and kind > _width(meant.dtype))


def _width(dtype: np.dtype[Any]) -> tuple[bool, int]:
    return dtype.kind == "f", dtype.itemsize


def _bound(value: Any, meant: Meant) -> Any:
    """Return a bound of the stored values; one between two whole numbers, or beyond all of them, stays as it is."""
    if not meant.is_whole:
        return _as(meant, value)
    if value != int(value):
        return float(value)
    one = _whole(int(value), meant)
    return int(value) if one is None else one
