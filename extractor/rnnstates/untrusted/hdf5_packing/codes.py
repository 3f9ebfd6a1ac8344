"""Refuses numbers that stand for something else: names, characters, sizes, dates, truth values."""

import re

import h5py
import numpy as np

from ...errors import BadData
from ..hdf5_attributes import is_fixed
from ..hdf5_heaps import MOST_SEARCHED
from .attributes import read_texts

__all__ = ["refuse_codes"]

# The names of truth values in the attributes of xarray, MATLAB and R.
TYPES = {"dtype": "bool", "MATLAB_class": "logical", "storage.mode": "logical"}
UNITS, CALENDAR, MEANINGS = "units", "calendar", "flag_meanings"
FLAGS = ("flag_values", "flag_masks")
CHARACTERS = ("char", "cell", "string", "function_handle")
# Units of dates in the CF conventions; "days since admission" and "hours since 3rd dose" are units of numbers.
SINCE = re.compile(r"\s*\w+\s+since\s+[-+]?\d+\s*(?:[-/T]|\d+:|$)", re.IGNORECASE)
CODES = "expected numbers. Save them as integers, or as one feature per name."
MEND = "expected numbers. Save them as numbers without this attribute, such as seconds since the first."


def refuse_codes(dataset: h5py.Dataset, where: str, error: type[BadData], *, truths: bool) -> None:
    """Refuse numbers that stand for names, characters, sizes or dates; truth values too, unless accepted.

    Parameters
    ----------
    truths : bool
        Whether truth values are accepted, as features of 0 and 1.

    Raises
    ------
    error
    """
    texts = read_texts(dataset, _names(dataset), where, error)
    _refuse_names(dataset, texts, where, error)
    _refuse_times(texts, where, error)
    if not truths:
        _refuse_truths(dataset, texts, where, error)
    if texts.get("MATLAB_class") in CHARACTERS:
        raise error(
            f"{where}: its attribute 'MATLAB_class' is {texts['MATLAB_class']}; expected numbers. Save it as double or "
            "int32."
        )
    if _has_value(dataset, "MATLAB_empty") and np.any(dataset.attrs["MATLAB_empty"]):
        raise error(
            f"{where}: its attribute 'MATLAB_empty' says that the array is empty; only its sizes are stored. "
            "Save an array with elements."
        )


def _names(dataset: h5py.Dataset) -> list[str]:
    """List the strings to read. Many large files have variable-length units, whose heaps take long to check."""
    names = [*TYPES, MEANINGS]
    small = dataset.file.id.get_filesize() <= MOST_SEARCHED
    return [*names, UNITS] if small or is_fixed(dataset, UNITS) or CALENDAR in dataset.attrs else names


def _refuse_names(dataset: h5py.Dataset, texts: dict[str, str], where: str, error: type[BadData]) -> None:
    codes = h5py.check_enum_dtype(dataset.dtype)
    if codes and dataset.dtype.kind != "b":
        raise error(f"{where}: an enumeration, whose numbers stand for {_listed(list(codes))}; {CODES}")
    flags = [name for name in FLAGS if _has_value(dataset, name)]
    if flags and MEANINGS in texts and dataset.dtype.kind in "iu":
        names = _listed(texts[MEANINGS].split())
        raise error(f"{where}: flags, whose numbers stand for {names} (its attribute '{flags[0]}'); {CODES}")


def _listed(names: list[str]) -> str:
    return ", ".join(repr(name[:40]) for name in names[:5])


def _refuse_times(texts: dict[str, str], where: str, error: type[BadData]) -> None:
    kind, units = texts.get("dtype", ""), texts.get(UNITS, "")
    for start, found in (("datetime", "dates"), ("timedelta", "time spans")):
        if kind.startswith(start):
            raise error(f"{where}: {found} (its attribute 'dtype' is {kind[:40]}); {MEND}")
    if SINCE.match(units):
        raise error(f"{where}: dates (its attribute 'units' is {units[:60]!r}); {MEND}")


def _refuse_truths(dataset: h5py.Dataset, texts: dict[str, str], where: str, error: type[BadData]) -> None:
    found = [f"its attribute '{name}' is {truth}" for name, truth in TYPES.items() if texts.get(name) == truth]
    if dataset.id.get_type().get_class() == h5py.h5t.BITFIELD:
        found.append("HDF5's type is a bit field")
    if found:
        raise error(
            f"{where}: truth values ({found[0]}); expected numbers. A mask has one value per sequence and step; "
            "save anything else as integers."
        )


def _has_value(dataset: h5py.Dataset, name: str) -> bool:
    return is_fixed(dataset, name) and dataset.attrs.get_id(name).shape is not None
