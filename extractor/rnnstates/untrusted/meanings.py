"""Refuses in-memory arrays (h5py, h5netcdf, xarray) whose attributes change the meaning of their values."""

import io
from collections.abc import Mapping
from typing import Any

import h5py
import numpy as np

from ..arrays.axes import Array
from ..errors import BadData
from .hdf5 import reading
from .hdf5_packing import CHANGING, Packing, packing_of

__all__ = ["attributes_of", "check_meaning"]

MEND = "Give the path of its file, which is decoded, or the decoded numbers as a plain array."


def attributes_of(values: object) -> Mapping[str, Any]:
    """Return the attributes of an array; empty if its library has none."""
    found = getattr(values, "attrs", None)
    return found if isinstance(found, Mapping) else {}


def check_meaning(values: object, array: Array | None, where: str, error: type[BadData]) -> None:
    """Refuse an array whose attributes say that its values mean something else.

    Parameters
    ----------
    values : object
        As the caller gave it.
    array : array or None
        The same as a NumPy array; None if it is not converted yet.
    where : str
    error : type

    Raises
    ------
    error
        It is packed, or holds values that stand for missing ones.
    """
    if not attributes_of(values) and not isinstance(values, h5py.Dataset):
        return
    array = np.asarray(values) if array is None else array
    packing = _packing(values, array, where, error) if array.dtype.kind in "iufb" else None
    if packing is None:
        return
    named = ", ".join(f"'{name}'" for name in packing.found) or "the fill value of netCDF"
    if packing.is_scaled or packing.unsigned is not None:
        raise error(f"{where}: its attributes ({named}) say that its numbers are packed. {MEND}")
    missing = packing.missing_in(array)
    if missing.any():
        raise error(f"{where}: holds {array[missing][0]}, which stands for a missing value ({named}). {MEND}")


def _packing(values: object, array: Array, where: str, error: type[BadData]) -> Packing | None:
    if isinstance(values, h5py.Dataset):
        with reading(where, error):
            return packing_of(values, where, error)
    attributes = attributes_of(values)
    # xarray keeps the limits of the stored values even after decoding.
    is_decoded = not {"scale_factor", "add_offset"}.isdisjoint(getattr(values, "encoding", ()))
    found = [name for name in CHANGING if name in attributes and not (is_decoded and name.startswith("valid_"))]
    if not found:
        return None
    # Put into a file, so that there is one set of rules.
    with h5py.File(io.BytesIO(), "w") as file, reading(where, error):
        stored = file.create_dataset("values", (), array.dtype)
        for name in found:
            value = attributes[name]
            stored.attrs[name] = np.bytes_(value.encode()) if isinstance(value, str) else value
        return packing_of(stored, where, error)
