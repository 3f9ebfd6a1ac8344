"""Reads these attributes with care, for files of unknown origin."""

import math
from collections.abc import Iterable
from typing import Any

import h5py
import numpy as np

from ...arrays.axes import Array
from ...errors import BadData
from ..hdf5_attributes import fixed_attributes, is_fixed
from ..hdf5_heaps import check_own_heaps

__all__ = [
    "CHANGING",
    "FILLS",
    "OFFSET",
    "RANGE",
    "R_NA",
    "SCALE",
    "UNSIGNED",
    "is_netcdf",
    "is_other_scale",
    "other_scales",
    "plain",
    "read_numbers",
    "read_texts",
]

SCALE, OFFSET, FILLS = "scale_factor", "add_offset", ("_FillValue", "missing_value")
RANGE = ("valid_min", "valid_max", "valid_range")
UNSIGNED, R_NA = "_Unsigned", "rhdf5-NA.OK"
CHANGING = (SCALE, OFFSET, *FILLS, *RANGE, UNSIGNED, R_NA)
NETCDF_MARKS = ("_Netcdf4Dimid", "_Netcdf4Coordinates")
# Names of scales, offsets and fill values in other conventions (NWB, ODIM, HDF-EOS, ocean colour), in lower case
# without underscores, each with the value that changes nothing.
OTHERS = {
    **dict.fromkeys(("conversion", "gain", "scalefactor", "slope"), 1.0),
    **dict.fromkeys(("offset", "addoffset", "intercept"), 0.0),
    **dict.fromkeys(("fillvalue", "missingvalue", "nodata", "undetect"), math.nan),
}
# The most values of one attribute that are read.
MOST_VALUES = 64


def read_numbers(dataset: h5py.Dataset, where: str, error: type[BadData]) -> dict[str, Array]:
    """Read the attributes in ``CHANGING``, each as a small array [k].

    Raises
    ------
    error
        One of them is invalid.
    """
    found = {}
    for name in CHANGING:
        if name not in dataset.attrs:
            continue
        kept = dataset.attrs.get_id(name)
        if kept.shape is None:
            raise error(f"{where}: its attribute '{name}' has no value; expected {_expected(name)}. Mend or remove it.")
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
            raise error(f"{where}: its attribute '{name}' is {plain(values)}; expected {_expected(name)}. Mend it.")
    return found


def _expected(name: str) -> str:
    known = {"valid_range": "two numbers", UNSIGNED: "'true' or 'false'", SCALE: "one finite number other than 0"}
    return known.get(name, "one finite number")


def read_texts(dataset: h5py.Dataset, names: Iterable[str], where: str, error: type[BadData]) -> dict[str, str]:
    """Read those of some attributes that are strings; several in one attribute are joined.

    Raises
    ------
    error
        HDF5 would walk through the heap of one of them forever.
    """
    texts = [name for name in names if name in dataset.attrs and _is_text(dataset.attrs.get_id(name))]
    if not all(is_fixed(dataset, name) for name in texts):
        check_own_heaps(dataset.file, where, error)
    read = {name: plain(np.atleast_1d(np.asarray(dataset.attrs[name])).reshape(-1)) for name in texts}
    return {name: text if isinstance(text, str) else " ".join(map(str, text)) for name, text in read.items()}


def _is_text(kept: h5py.h5a.AttrID) -> bool:
    is_short = kept.shape is not None and 1 <= math.prod(kept.shape) <= MOST_VALUES
    return is_short and kept.get_type().get_class() == h5py.h5t.STRING


def is_other_scale(name: str) -> bool:
    """Return whether a name is that of a scale or fill value in a convention other than netCDF's."""
    return name not in CHANGING and _plain_name(name) in OTHERS


def other_scales(dataset: h5py.Dataset) -> dict[str, Any]:
    """Return the scales and fill values of other conventions, except those that change nothing."""
    found = {}
    for name in [name for name in fixed_attributes(dataset) if is_other_scale(name)]:
        kept = dataset.attrs.get_id(name)
        if kept.shape is not None and 1 <= math.prod(kept.shape) <= MOST_VALUES:
            value = plain(np.atleast_1d(np.asarray(dataset.attrs[name])).reshape(-1))
            if not _is_idle(value, OTHERS[_plain_name(name)]):
                found[name] = value
    return found


def _plain_name(name: str) -> str:
    return name.lower().replace("_", "")


def _is_idle(value: Any, idle: float) -> bool:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return False
    return number == idle or math.isnan(number)


def is_netcdf(dataset: h5py.Dataset) -> bool:
    """Return whether a netCDF library wrote the file; those before 2016 marked only their datasets."""
    return "_NCProperties" in dataset.file.attrs or any(name in dataset.attrs for name in NETCDF_MARKS)


def plain(values: Array) -> Any:
    """Return the values [k] of an attribute in JSON types, a single value without a list."""
    listed = [value.decode("utf-8", "replace") if isinstance(value, bytes) else value for value in values.tolist()]
    return listed[0] if len(listed) == 1 else listed
