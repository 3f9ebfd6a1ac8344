"""Refuses numbers that stand for something else: names, characters, sizes, dates, truth values."""

import re

import h5py
import numpy as np

from ...errors import BadData
from ..hdf5_attributes import is_fixed
from ..hdf5_heaps import MOST_SEARCHED
from .attributes import read_texts

__all__ = ["refuse_codes"]

# What xarray, MATLAB and R call the type that an array has in them.
TYPES = {"dtype": "bool", "MATLAB_class": "logical", "storage.mode": "logical"}
UNITS, CALENDAR, MEANINGS = "units", "calendar", "flag_meanings"
FLAGS = ("flag_values", "flag_masks")
LETTERS = ("char", "cell", "string", "function_handle")
# As CF writes the units of dates. "days since admission" and "hours since 3rd dose" are those of numbers.
SINCE = re.compile(r"\s*\w+\s+since\s+[-+]?\d+\s*(?:[-/T]|\d+:|$)", re.IGNORECASE)
CODES = "expected numbers. Save them as integers, or as one feature for each name."
MEND = "expected numbers. Save them as numbers without this attribute, such as seconds since the first."


def refuse_codes(dataset: h5py.Dataset, where: str, error: type[BadData], *, truths: bool) -> None:
    """Refuse numbers that stand for names, letters, sizes or dates; truth values, too, where they count nothing.

    Parameters
    ----------
    truths : bool
        Whether truth values are accepted, as features of 0 and 1.

    Raises
    ------
    error
    """
    said = read_texts(dataset, _names(dataset), where, error)
    _refuse_names(dataset, said, where, error)
    _refuse_times(said, where, error)
    if not truths:
        _refuse_truths(dataset, said, where, error)
    if said.get("MATLAB_class") in LETTERS:
        raise error(
            f"{where}: its attribute 'MATLAB_class' is {said['MATLAB_class']}; expected numbers. Save it as double or "
            "int32."
        )
    if _has_value(dataset, "MATLAB_empty") and np.any(dataset.attrs["MATLAB_empty"]):
        raise error(
            f"{where}: its attribute 'MATLAB_empty' says that the array has no elements; what is stored are its sizes. "
            "Save an array with elements."
        )


def _names(dataset: h5py.Dataset) -> list[str]:
    """Name the texts to read. Units of varying length are in many large files, whose heaps take long to check."""
    names = [*TYPES, MEANINGS]
    small = dataset.file.id.get_filesize() <= MOST_SEARCHED
    return [*names, UNITS] if small or is_fixed(dataset, UNITS) or CALENDAR in dataset.attrs else names


def _refuse_names(dataset: h5py.Dataset, said: dict[str, str], where: str, error: type[BadData]) -> None:
    codes = h5py.check_enum_dtype(dataset.dtype)
    if codes and dataset.dtype.kind != "b":
        raise error(f"{where}: an enumeration, whose numbers stand for {_listed(list(codes))}; {CODES}")
    flags = [name for name in FLAGS if _has_value(dataset, name)]
    if flags and MEANINGS in said and dataset.dtype.kind in "iu":
        names = _listed(said[MEANINGS].split())
        raise error(f"{where}: flags, whose numbers stand for {names} (its attribute '{flags[0]}'); {CODES}")


def _listed(names: list[str]) -> str:
    return ", ".join(repr(name[:40]) for name in names[:5])


def _refuse_times(said: dict[str, str], where: str, error: type[BadData]) -> None:
    kind, units = said.get("dtype", ""), said.get(UNITS, "")
    for start, found in (("datetime", "dates"), ("timedelta", "time spans")):
        if kind.startswith(start):
            raise error(f"{where}: {found} (its attribute 'dtype' is {kind[:40]}); {MEND}")
    if SINCE.match(units):
        raise error(f"{where}: dates (its attribute 'units' is {units[:60]!r}); {MEND}")


def _refuse_truths(dataset: h5py.Dataset, said: dict[str, str], where: str, error: type[BadData]) -> None:
    found = [f"its attribute '{name}' is {truth}" for name, truth in TYPES.items() if said.get(name) == truth]
    if dataset.id.get_type().get_class() == h5py.h5t.BITFIELD:
        found.append("HDF5's type is a bit field")
    if found:
        raise error(
            f"{where}: truth values ({found[0]}); expected numbers. If they are a mask, sum it along the steps; "
            "otherwise save them as integers."
        )


def _has_value(dataset: h5py.Dataset, name: str) -> bool:
    return is_fixed(dataset, name) and dataset.attrs.get_id(name).shape is not None
