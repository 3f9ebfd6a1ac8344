"""Attributes of a dataset that change what its values mean: those of netCDF and of R.

The rules are those of the NetCDF Users Guide, appendix A ("Attribute Conventions"), which netCDF4-python and xarray
follow: a value that is a fill value, or outside of the valid range, is missing; any other is
``value * scale_factor + add_offset``.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np

from .arrays import Array
from .errors import BadData
from .hdf5_attributes import is_fixed
from .hdf5_heap_guard import check_own_heaps

__all__ = ["CHANGING", "Packing", "packing_of", "whole_numbers"]

SCALE, OFFSET, FILLS = "scale_factor", "add_offset", ("_FillValue", "missing_value")
RANGE = ("valid_min", "valid_max", "valid_range")
UNSIGNED, R_NA = "_Unsigned", "rhdf5-NA.OK"
CHANGING = (SCALE, OFFSET, *FILLS, *RANGE, UNSIGNED, R_NA)
# What netCDF's libraries fill a variable with where it has no ``_FillValue`` (netcdf.h: NC_FILL_SHORT, …).
NETCDF_FILLS: dict[str, float] = {
    "i2": -32767, "u2": 65535, "i4": -2147483647, "u4": 4294967295, "i8": -9223372036854775806,
    "u8": 18446744073709551614, "f4": 9.9692099683868690e36, "f8": 9.9692099683868690e36,
}  # fmt: skip
# The most values of one attribute that are looked at.
MOST_VALUES = 64


@dataclass(frozen=True)
class Packing:
    """How stored values become numbers.

    Parameters
    ----------
    found : mapping
        The attributes, by name, in JSON types.
    missing : tuple of numbers
        Stored values that stand for none.
    least, largest : number or None
        Stored values outside of these stand for none, too.
    scale, offset : float
    unsigned : dtype or None
        The dtype that the stored bits are to be read as.
    """

    found: Mapping[str, Any]
    missing: tuple[Any, ...] = ()
    least: Any = None
    largest: Any = None
    scale: float = 1.0
    offset: float = 0.0
    unsigned: np.dtype[Any] | None = None

    @property
    def is_scaled(self) -> bool:
        """Whether a value is another number than it is stored as."""
        return self.scale != 1 or self.offset != 0

    def dtype(self, stored: np.dtype[Any]) -> np.dtype[Any]:
        """Tell what ``decode`` gives for values of a dtype."""
        return stored if stored.kind == "f" and not self.is_scaled else np.dtype(np.float64)

    def missing_in(self, stored: Array) -> Array:
        """Tell which values [...] stand for none: bool [...]."""
        missing = np.zeros(stored.shape, bool)
        for value in self.missing:
            missing |= stored == value
        if self.least is not None:
            missing |= stored < self.least
        if self.largest is not None:
            missing |= stored > self.largest
        return missing

    def decode(self, stored: Array) -> Array:
        """Give the numbers that values [...] stand for, NaN for none: a new floating array [...]."""
        if self.unsigned is not None:
            stored = stored.view(self.unsigned)
        missing = self.missing_in(stored)
        values = stored.astype(self.dtype(stored.dtype))
        if self.is_scaled:
            values = values * self.scale + self.offset
        values[missing] = np.nan
        return values

    def decode_ids(self, stored: Array) -> Array:
        """Give token ids [...] as int64, -1 for those that are missing; what is no whole number stays as it is."""
        missing = self.missing_in(stored)
        ids = stored.astype(np.int64) if stored.dtype.kind in "iu" else stored.copy()
        ids[missing] = -1
        return ids

    def check_present(self, stored: Array, where: str, error: type[BadData]) -> None:
        """Refuse missing values among lengths, ids or states [N, ...].

        Raises
        ------
        error
            Naming the first row.
        """
        missing = self.missing_in(stored)
        if missing.any():
            row = int(np.nonzero(missing)[0][0])
            raise error(
                f"{where}: row {row} holds {stored[missing][0]}, which stands for a missing value "
                f"({', '.join(self.found) or 'the fill value of netCDF'}; {int(missing.sum())} such values in "
                "all). Give every value."
            )

    def note(self, where: str) -> str:
        """Say what is done; nothing where only unwritten values would be missing."""
        if not self.found:
            return ""
        named = ", ".join(f"{name} {value}" for name, value in self.found.items())
        what = "decoded to the numbers that it means" if self.is_scaled or self.unsigned else "taken as missing (NaN)"
        return f"{where}: has {named}; what is stored is {what}."


def packing_of(dataset: h5py.Dataset, where: str, error: type[BadData]) -> Packing | None:
    """Find the attributes of a dataset of numbers that change what its values mean; None where there are none.

    Raises
    ------
    error
        One of them is not what it should be.
    """
    _refuse_codes(dataset, where, error)
    stored, found = dataset.dtype, _read(dataset, where, error)
    if not found and not _is_netcdf(dataset):
        return None
    unsigned = _sign(found.get(UNSIGNED), stored, where, error)
    meant = stored if unsigned is None else unsigned
    limits = found.get("valid_range", (None, None))
    packing = Packing(
        {name: _plain(values) for name, values in found.items()},
        missing=_missing(found, meant, stored, netcdf=_is_netcdf(dataset)),
        least=_bound(meant, found.get("valid_min", limits[:1])[0]),
        largest=_bound(meant, found.get("valid_max", limits[1:])[0]),
        scale=float(found.get(SCALE, (1,))[0]),
        offset=float(found.get(OFFSET, (0,))[0]),
        unsigned=unsigned,
    )
    changes = packing.missing or packing.least is not None or packing.largest is not None
    return packing if changes or packing.is_scaled or unsigned is not None else None


def whole_numbers(dataset: h5py.Dataset, where: str, error: type[BadData]) -> Packing | None:
    """Refuse values that are stored as other numbers than they are; give what is missing among them, if anything.

    Raises
    ------
    error
        Lengths, ids, token ids, states or weights are packed.
    """
    packing = packing_of(dataset, where, error)
    if packing is not None and (packing.is_scaled or packing.unsigned is not None):
        named = ", ".join(name for name in packing.found if name in (SCALE, OFFSET, UNSIGNED))
        raise error(
            f"{where}: its attribute {named} says that other numbers are meant than are stored; expected them stored "
            "as they are. Save the decoded numbers."
        )
    return packing


def _read(dataset: h5py.Dataset, where: str, error: type[BadData]) -> dict[str, Array]:
    """Read the attributes that count, each as a small array [k]."""
    found = {}
    for name in CHANGING:
        if name not in dataset.attrs:
            continue
        kept = dataset.attrs.get_id(name)
        text, count = name == UNSIGNED, math.prod(kept.shape)
        if (kept.dtype.kind not in "iuf" and not text) or not 1 <= count <= MOST_VALUES:
            raise error(
                f"{where}: its attribute '{name}' has shape {kept.shape} and dtype {kept.dtype}; expected one number. "
                "Mend or remove it: it changes what the values mean."
            )
        if text and not is_fixed(dataset, name):
            check_own_heaps(dataset.file, where, error)
        found[name] = values = np.atleast_1d(np.asarray(dataset.attrs[name])).reshape(-1)
        usable = text or (name not in (SCALE, OFFSET)) or (len(values) == 1 and bool(np.isfinite(values).all()))
        if not usable or (name == SCALE and not values[0]) or (name == "valid_range" and len(values) != 2):
            raise error(f"{where}: its attribute '{name}' is {_plain(values)}; expected {_expected(name)}. Mend it.")
    return found


def _expected(name: str) -> str:
    return "two numbers" if name == "valid_range" else "one finite number" + (" but 0" if name == SCALE else "")


def _sign(said: Any, stored: np.dtype[Any], where: str, error: type[BadData]) -> np.dtype[Any] | None:
    """Give the native dtype that ``_Unsigned`` turns a stored one into; None where it changes nothing."""
    if said is None or stored.kind not in "iu":
        return None
    text = str(_plain(said)).lower()
    if text not in ("true", "1", "false", "0"):
        raise error(f"{where}: its attribute '{UNSIGNED}' is {text[:40]!r}; expected 'true' or 'false'. Mend it.")
    kind = "u" if text in ("true", "1") else "i"
    return None if kind == stored.kind else np.dtype(f"{kind}{stored.itemsize}")


def _refuse_codes(dataset: h5py.Dataset, where: str, error: type[BadData]) -> None:
    """Refuse numbers that stand for names, letters or sizes."""
    codes = h5py.check_enum_dtype(dataset.dtype)
    if codes and dataset.dtype.kind != "b":
        listed = ", ".join(repr(name[:40]) for name in list(codes)[:5])
        raise error(
            f"{where}: an enumeration, whose numbers stand for {listed}; expected numbers. Save them as integers, "
            "or as one feature for each name."
        )
    kind = _plain(np.atleast_1d(dataset.attrs["MATLAB_class"])) if is_fixed(dataset, "MATLAB_class") else ""
    if kind in ("char", "cell", "string", "function_handle"):
        raise error(f"{where}: its attribute 'MATLAB_class' is {kind}; expected numbers. Save it as double or int32.")
    if is_fixed(dataset, "MATLAB_empty") and np.any(dataset.attrs["MATLAB_empty"]):
        raise error(
            f"{where}: its attribute 'MATLAB_empty' says that the array has no elements; what is stored are its sizes. "
            "Save an array with elements."
        )


def _is_netcdf(dataset: h5py.Dataset) -> bool:
    return "_NCProperties" in dataset.file.attrs


def _missing(
    found: Mapping[str, Array], meant: np.dtype[Any], stored: np.dtype[Any], *, netcdf: bool
) -> tuple[Any, ...]:
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


def _bound(dtype: np.dtype[Any], value: Any) -> Any:
    """Give a bound of the stored values; one between two whole numbers stays as it is."""
    if value is not None and dtype.kind in "iu" and np.isfinite(value) and value != int(value):
        return float(value)
    return _as(dtype, value)


def _plain(values: Array) -> Any:
    listed = [value.decode("utf-8", "replace") if isinstance(value, bytes) else value for value in values.tolist()]
    return listed[0] if len(listed) == 1 else listed
