"""Arrays that an HDF5 file has for each sequence: arrays of varying length, or a group of datasets."""

from collections.abc import Sequence

import h5py
import numpy as np

from ..errors import BadData
from ..untrusted.hdf5 import find, reading
from ..untrusted.hdf5_chunks import check_inflated
from ..untrusted.hdf5_heaps import check_strings, varying_lengths
from .container import Entries, Series
from .hdf5 import checked
from .hdf5_choice import VARYING, describe_dtype

__all__ = ["series_in"]


def series_in(
    file: h5py.File, path: str, name: str, sequences: Sequence[str] | None, error: type[BadData]
) -> Series | None:
    """Find arrays of varying length, or a group with a dataset for each sequence; None for anything else.

    Parameters
    ----------
    file : h5py.File
    path : str
        For messages.
    name : str
    sequences : sequence of str or None
        The names of the sequences, if they are stored one by one.
    error : type

    Raises
    ------
    error
        The group lacks a sequence, or what is there cannot be read.
    """
    with reading(f"{path}: '{name}'", error):
        found = find(file, name, path, error)
        if isinstance(found, h5py.Group) and sequences is not None:
            return _of_group(found, f"{path}: group '{name}'", sequences, error)
        if isinstance(found, h5py.Dataset) and found.shape is not None and describe_dtype(found) == VARYING:
            return _of_varying(found, f"{path}: dataset '{name}'", error)
    return None


def _of_varying(dataset: h5py.Dataset, where: str, error: type[BadData]) -> Series | None:
    if len(dataset.shape) != 1:
        return None
    checked(dataset, where, error)
    check_strings(dataset, where, error)
    lengths = varying_lengths(dataset, where, error)

    def read(row: int) -> Entries:
        with reading(f"{where}, row {row}", error):
            return np.asarray(dataset[row])

    return Series(lengths, (), np.dtype(h5py.check_vlen_dtype(dataset.dtype)), read)


def _of_group(group: h5py.Group, where: str, sequences: Sequence[str], error: type[BadData]) -> Series:
    members = [_member(group, where, name, error) for name in sequences]
    tails = {member.shape[1:] for member in members}
    if len(tails) > 1:
        raise error(f"{where}: entries of shapes {sorted(tails)[:3]}; expected one shape in all datasets.")

    def read(row: int) -> Entries:
        with reading(f"{where}, '{sequences[row]}'", error):
            return np.asarray(group[sequences[row]][()])

    is_text = describe_dtype(members[0]) == "string"
    dtype = np.dtype(object) if is_text else np.result_type(*{member.dtype for member in members})
    return Series(np.array([member.shape[0] for member in members], np.int64), tails.pop(), dtype, read)


def _member(group: h5py.Group, where: str, name: str, error: type[BadData]) -> h5py.Dataset:
    here = f"{where}, '{name}'"
    found = find(group, name, where, error)
    if not isinstance(found, h5py.Dataset):
        raise error(f"{where}: has no dataset '{name}'; expected one for each sequence, with its name. Add it.")
    checked(found, here, error)
    if not found.shape:
        raise error(f"{here}: is a single value; expected one entry per step.")
    check_inflated(found, here, error)
    if h5py.check_vlen_dtype(found.dtype):
        check_strings(found, here, error)
    return found
