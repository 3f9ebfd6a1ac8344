"""Finds how the values of a dataset are packed."""

from typing import Any

import h5py
import numpy as np

from ...errors import BadData
from ...errors.escaping import printable
from .attributes import OFFSET, SCALE, UNSIGNED, is_netcdf, other_scales, plain, read_numbers
from .codes import refuse_codes
from .decoding import Packing
from .missing import FILL_VALUE, Meant, bounds, fill_value, has_unwritten_parts, missing_values

__all__ = ["packing_of", "packing_of_tokens", "reading_notes", "whole_numbers"]


def packing_of(dataset: h5py.Dataset, where: str, error: type[BadData]) -> Packing | None:
    """Find how the values of features are packed; None if they are plain.

    Raises
    ------
    error
        An attribute is invalid, or the values are not numbers.
    """
    # For single bytes every value may be data: images contain netCDF's default fill values.
    is_missing = dataset.dtype.kind == "f" or dataset.dtype.itemsize > 1
    return _packing(dataset, where, error, fill=fill_value(dataset) if is_missing else None, truths=True)


def packing_of_tokens(dataset: h5py.Dataset, where: str, error: type[BadData]) -> Packing | None:
    """Find which token ids are missing; an integer fill value does not count, because it may mean padding.

    Raises
    ------
    error
        They are packed, or not numbers.
    """
    return _whole(dataset, where, error, fill=fill_value(dataset) if dataset.dtype.kind == "f" else None)


def whole_numbers(dataset: h5py.Dataset, where: str, error: type[BadData]) -> Packing | None:
    """Refuse packed values, and find which of them are missing, if any.

    Raises
    ------
    error
        Lengths, ids, states or weights are packed, or not numbers.
    """
    # An integer fill value is an ordinary number unless parts were never written.
    is_missing = dataset.dtype.kind == "f" or has_unwritten_parts(dataset)
    return _whole(dataset, where, error, fill=fill_value(dataset) if is_missing else None)


def reading_notes(dataset: h5py.Dataset, packing: Packing | None, where: str) -> tuple[str, ...]:
    """Say how the values of an input are interpreted, one sentence each."""
    notes = [packing.note(where)] if packing is not None else []
    fill = fill_value(dataset)
    if fill is not None and (packing is None or fill not in packing.missing) and has_unwritten_parts(dataset):
        notes.append(f"{where}: parts of it were never written; they hold {FILL_VALUE} {fill}, used as it is.")
    if ignored := other_scales(dataset):
        named = ", ".join(f"{name} {printable(str(value), most=40)}" for name, value in ignored.items())
        notes.append(f"{where}: has {named}; values are read as they are stored, without these. Apply what is meant.")
    return tuple(note for note in notes if note)


def _whole(dataset: h5py.Dataset, where: str, error: type[BadData], *, fill: object) -> Packing | None:
    packing = _packing(dataset, where, error, fill=fill, truths=False)
    if packing is not None and (packing.is_scaled or packing.unsigned is not None):
        named = ", ".join(name for name in packing.found if name in (SCALE, OFFSET, UNSIGNED))
        raise error(
            f"{where}: its attribute {named} says that its numbers are packed; expected plain numbers. "
            "Save the decoded numbers."
        )
    return packing


def _packing(dataset: h5py.Dataset, where: str, error: type[BadData], *, fill: Any, truths: bool) -> Packing | None:
    refuse_codes(dataset, where, error, truths=truths)
    stored, found, netcdf = dataset.dtype, read_numbers(dataset, where, error), is_netcdf(dataset)
    if not found and not netcdf and fill is None:
        return None
    unsigned = _sign(found.get(UNSIGNED), stored, where, error)
    meant = Meant(stored, stored if unsigned is None else unsigned)
    missing = missing_values(found, meant, fill=fill, netcdf=netcdf)
    shown = {name: plain(values) for name, values in found.items()}
    if FILL_VALUE in missing.values():
        shown[FILL_VALUE] = fill.item()
    least, largest = bounds(found, meant)
    scale, offset = float(found.get(SCALE, (1,))[0]), float(found.get(OFFSET, (0,))[0])
    packing = Packing(shown, missing, least, largest, scale, offset, unsigned)
    changes = missing or least is not None or largest is not None
    return packing if changes or packing.is_scaled or unsigned is not None else None


def _sign(values: Any, stored: np.dtype[Any], where: str, error: type[BadData]) -> np.dtype[Any] | None:
    """Return the native dtype that ``_Unsigned`` gives to a stored one; None if it changes nothing."""
    if values is None or stored.kind not in "iu":
        return None
    text = str(plain(values)).lower()
    if text not in ("true", "1", "false", "0"):
        raise error(f"{where}: its attribute '{UNSIGNED}' is {text[:40]!r}; expected 'true' or 'false'. Mend it.")
    kind = "u" if text in ("true", "1") else "i"
    return None if kind == stored.kind else np.dtype(f"{kind}{stored.itemsize}")
