"""Finding out how the values of a dataset are packed."""

from typing import Any

import h5py
import numpy as np

from ..errors import BadData
from .attributes import OFFSET, SCALE, UNSIGNED, is_netcdf, plain, read_numbers
from .codes import refuse_codes
from .decoding import Packing
from .missing import bound, missing_values

__all__ = ["packing_of", "whole_numbers"]


def packing_of(dataset: h5py.Dataset, where: str, error: type[BadData]) -> Packing | None:
    """Find the attributes of a dataset of numbers that change what its values mean; None where there are none.

    Raises
    ------
    error
        One of them is not what it should be.
    """
    refuse_codes(dataset, where, error)
    stored, found = dataset.dtype, read_numbers(dataset, where, error)
    if not found and not is_netcdf(dataset):
        return None
    unsigned = _sign(found.get(UNSIGNED), stored, where, error)
    meant = stored if unsigned is None else unsigned
    limits = found.get("valid_range", (None, None))
    packing = Packing(
        {name: plain(values) for name, values in found.items()},
        missing=missing_values(found, meant, stored, netcdf=is_netcdf(dataset)),
        least=bound(meant, found.get("valid_min", limits[:1])[0]),
        largest=bound(meant, found.get("valid_max", limits[1:])[0]),
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


def _sign(said: Any, stored: np.dtype[Any], where: str, error: type[BadData]) -> np.dtype[Any] | None:
    """Give the native dtype that ``_Unsigned`` turns a stored one into; None where it changes nothing."""
    if said is None or stored.kind not in "iu":
        return None
    text = str(plain(said)).lower()
    if text not in ("true", "1", "false", "0"):
        raise error(f"{where}: its attribute '{UNSIGNED}' is {text[:40]!r}; expected 'true' or 'false'. Mend it.")
    kind = "u" if text in ("true", "1") else "i"
    return None if kind == stored.kind else np.dtype(f"{kind}{stored.itemsize}")
