"""Finds how values are packed by the rules for HDF5: attributes are copied to a dataset in memory."""

import contextlib
import io
from collections.abc import Iterator

import h5py
import numpy as np

from ...errors import BadData
from ..hdf5 import reading
from .arrays import ZarrArray
from .types import UnreadableType, fill_of

__all__ = ["stand_in"]

MOST_ATTRIBUTES, LONGEST = 256, 1000
FILL = "_FillValue"


@contextlib.contextmanager
def stand_in(array: ZarrArray, where: str, error: type[BadData], *, unwritten: bool) -> Iterator[h5py.Dataset]:
    """Make a dataset with the type, the fill value and the attributes of an array of numbers.

    Parameters
    ----------
    array : ZarrArray
    where : str
    error : type
    unwritten : bool
        Whether some of its chunks were never written.

    Raises
    ------
    error
        An attribute is invalid.
    """
    with h5py.File(io.BytesIO(), "w") as file, reading(where, error):
        dataset = file.create_dataset("values", (2,), array.dtype, chunks=(1,), fillvalue=array.fill)
        if not unwritten:
            dataset[:] = 0
        for name, value in list(array.attributes.items())[:MOST_ATTRIBUTES]:
            if (one := _attribute(name, value, array)) is not None and "/" not in name and "\0" not in name:
                dataset.attrs[name] = one
        yield dataset


def _attribute(name: str, value: object, array: ZarrArray) -> object:
    """Return a number, some numbers or a text as HDF5 stores it; None for anything else."""
    if name == FILL and isinstance(value, str):
        with contextlib.suppress(UnreadableType):
            return fill_of(value, array.dtype)
    if isinstance(value, str):
        return np.bytes_(value[:LONGEST].encode("utf-8", "replace")) if value else None
    numbers = np.asarray(value if isinstance(value, list) else [value], object).reshape(-1)
    if not 0 < len(numbers) <= 64 or not all(type(one) in (int, float, bool) for one in numbers):
        return None
    whole = all(type(one) is int for one in numbers) and array.dtype.kind in "iu"
    limits = np.iinfo(array.dtype) if whole else None
    fits = limits is not None and all(limits.min <= one <= limits.max for one in numbers)
    made = numbers.astype(array.dtype if fits else np.float64)
    return made if isinstance(value, list) else made[0]
