"""Numbers that stand for something else: names, letters, sizes."""

import h5py
import numpy as np

from ..errors import BadData
from ..hdf5_attributes import is_fixed
from .attributes import plain

__all__ = ["refuse_codes"]


def refuse_codes(dataset: h5py.Dataset, where: str, error: type[BadData]) -> None:
    """Refuse numbers that stand for names, letters or sizes."""
    codes = h5py.check_enum_dtype(dataset.dtype)
    if codes and dataset.dtype.kind != "b":
        listed = ", ".join(repr(name[:40]) for name in list(codes)[:5])
        raise error(
            f"{where}: an enumeration, whose numbers stand for {listed}; expected numbers. Save them as integers, "
            "or as one feature for each name."
        )
    kind = plain(np.atleast_1d(dataset.attrs["MATLAB_class"])) if is_fixed(dataset, "MATLAB_class") else ""
    if kind in ("char", "cell", "string", "function_handle"):
        raise error(f"{where}: its attribute 'MATLAB_class' is {kind}; expected numbers. Save it as double or int32.")
    if is_fixed(dataset, "MATLAB_empty") and np.any(dataset.attrs["MATLAB_empty"]):
        raise error(
            f"{where}: its attribute 'MATLAB_empty' says that the array has no elements; what is stored are its sizes. "
            "Save an array with elements."
        )
