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

FILL_VALUE = "the dataset's fill value"
# netCDF's default fill values for variables without ``_FillValue`` (netcdf.h: NC_FILL_SHORT, …); none for bytes, where
# every value may be data.
NETCDF_FILLS: dict[str, float] = {
    "i2": -32767, "u2": 65535, "i4": -2147483647, "u4": 4294967295, "i8": -9223372036854775806,
    "u8": 18446744073709551614, "f4": 9.9692099683868690e36, "f8": 9.9692099683868690e36,
}  # fmt: skip
# How far a bound computed from scale_factor and add_offset may be from the stored value that it means.
SLACK, SLACK_OF_WHOLE = 1e-6, 1e-3


class Meant(NamedTuple):
    """The dtype of stored values, and the one that ``_Unsigned`` gives them."""

    stored: np.dtype[Any]
    dtype: np.dtype[Any]

    @property
    def is_whole(self) -> bool:
        """Whether it is an integer dtype."""
        return self.dtype.kind in "iu"


def fill_value(dataset: h5py.Dataset) -> Any:
    """Return the fill value that the writer of a dataset set; None if it is undefined, zero or NaN."""
    defined = dataset.id.get_create_plist().fill_value_defined()
    value = dataset.fillvalue if defined == h5py.h5d.FILL_VALUE_USER_DEFINED else 0
    return value if value and np.isfinite(value) else None


def has_unwritten_parts(dataset: h5py.Dataset) -> bool:
    """Return whether some chunks, or the whole dataset, were never written, so that HDF5 returns the fill value."""
    if not dataset.chunks:
        return bool(dataset.size) and not dataset.is_virtual and dataset.id.get_storage_size() == 0
    counts = [-(-axis // chunk) for axis, chunk in zip(dataset.shape, dataset.chunks, strict=True)]
    return bool(dataset.id.get_num_chunks() < math.prod(counts))


def missing_values(found: Mapping[str, Array], meant: Meant, *, fill: object, netcdf: bool) -> dict[Any, str]:
    """Return the stored values that mean missing, in a comparable dtype, each with what says so.

    Parameters
    ----------
    found : mapping
        Attributes, by name.
    meant : Meant
    fill : number or None
        The fill value, if it means missing.
    netcdf : bool
        Whether a netCDF library wrote the file.
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
    for value, source in named:
        if (one := _as(meant, value)) is not None:
            missing.setdefault(one, source)
    return missing


def _as(meant: Meant, value: Any) -> Any:
    """Return a number as a stored value can be compared with it; None if no stored value can equal it."""
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
    """Return an integer in the meant dtype, even if written in the stored one; None if it does not fit."""
    if meant.stored != meant.dtype and _holds(meant.stored, number):
        number = _turned(number, meant.dtype)
    return meant.dtype.type(number) if _holds(meant.dtype, number) else None


def _holds(dtype: np.dtype[Any], number: int) -> bool:
    return bool(np.iinfo(dtype).min <= number <= np.iinfo(dtype).max)


def _turned(number: int, dtype: np.dtype[Any]) -> int:
    """Reinterpret the bits of an integer as another dtype."""
    limits = np.iinfo(dtype)
    return int(limits.min) + (number - int(limits.min)) % (int(limits.max) - int(limits.min) + 1)


def bounds(found: Mapping[str, Array], meant: Meant) -> tuple[Any, Any]:
    """Return the least and the largest valid stored value, None for no bound.

    Bounds that are stated for the unpacked numbers are converted to bounds of the stored values.
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

    Then it bounds the unpacked numbers (NetCDF Users Guide, ``valid_range``). Any other floating-point bound could not
    be compared with integers either.
    """
    if not scaling:
        return False
    kind, widest = _width(value.dtype), max(_width(one.dtype) for one in scaling)
    alike = kind == widest or (kind[0] and widest[0] and meant.is_whole)
    return bool(alike and kind > _width(meant.dtype))


def _width(dtype: np.dtype[Any]) -> tuple[bool, int]:
    return dtype.kind == "f", dtype.itemsize


def _bound(value: Any, meant: Meant) -> Any:
    """Return a bound of the stored values; fractions, and numbers beyond the dtype, stay as they are."""
    if not meant.is_whole:
        return _as(meant, value)
    if value != int(value):
        return float(value)
    one = _whole(int(value), meant)
    return int(value) if one is None else one
