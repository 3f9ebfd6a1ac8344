"""What the attributes of a dataset say, read with care: a file of unknown origin has them."""

import math
from typing import Any

import h5py
import numpy as np

from ..arrays import Array
from ..errors import BadData
from ..hdf5_attributes import is_fixed
from ..hdf5_heap_guard import check_own_heaps

__all__ = ["CHANGING", "FILLS", "OFFSET", "RANGE", "R_NA", "SCALE", "UNSIGNED", "is_netcdf", "plain", "read_numbers"]

SCALE, OFFSET, FILLS = "scale_factor", "add_offset", ("_FillValue", "missing_value")
RANGE = ("valid_min", "valid_max", "valid_range")
UNSIGNED, R_NA = "_Unsigned", "rhdf5-NA.OK"
CHANGING = (SCALE, OFFSET, *FILLS, *RANGE, UNSIGNED, R_NA)
NETCDF_MARKS = ("_Netcdf4Dimid", "_Netcdf4Coordinates")
# The most values of one attribute that are looked at.
MOST_VALUES = 64


def read_numbers(dataset: h5py.Dataset, where: str, error: type[BadData]) -> dict[str, Array]:
    """Read the attributes that count, each as a small array [k].

    Raises
    ------
    error
        One of them is not what it should be.
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
    said = {"valid_range": "two numbers", UNSIGNED: "'true' or 'false'", SCALE: "one finite number but 0"}
    return said.get(name, "one finite number")


def is_netcdf(dataset: h5py.Dataset) -> bool:
    """Tell whether a library of netCDF wrote the file; those before 2016 marked their datasets alone."""
    return "_NCProperties" in dataset.file.attrs or any(name in dataset.attrs for name in NETCDF_MARKS)


def plain(values: Array) -> Any:
    """Give the values [k] of an attribute in JSON types, a single one by itself."""
    listed = [value.decode("utf-8", "replace") if isinstance(value, bytes) else value for value in values.tolist()]
    return listed[0] if len(listed) == 1 else listed
