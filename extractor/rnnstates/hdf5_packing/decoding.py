"""How stored values become numbers. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays import Array
from ..errors import BadData

__all__ = ["Packing"]


@dataclass(frozen=True)
class Packing:
    """How stored values become numbers.

    Parameters
    ----------
    found : mapping
        The attributes, by name, in JSON types.
    missing : tuple of numbers
        Stored values that stand for none.
    least, largest : number or None
        Stored values outside of these stand for none, too.
    scale, offset : float
    unsigned : dtype or None
        The dtype that the stored bits are to be read as.
    """

    found: Mapping[str, Any]
    missing: tuple[Any, ...] = ()
    least: Any = None
    largest: Any = None
    scale: float = 1.0
    offset: float = 0.0
    unsigned: np.dtype[Any] | None = None

    @property
    def is_scaled(self) -> bool:
        """Whether a value is another number than it is stored as."""
        return self.scale != 1 or self.offset != 0

    def dtype(self, stored: np.dtype[Any]) -> np.dtype[Any]:
        """Tell what ``decode`` gives for values of a dtype."""
        return stored if stored.kind == "f" and not self.is_scaled else np.dtype(np.float64)

    def missing_in(self, stored: Array) -> Array:
        """Tell which values [...] stand for none: bool [...]."""
        missing = np.zeros(stored.shape, bool)
        for value in self.missing:
            missing |= stored == value
        if self.least is not None:
            missing |= stored < self.least
        if self.largest is not None:
            missing |= stored > self.largest
        return missing

    def decode(self, stored: Array) -> Array:
        """Give the numbers that values [...] stand for, NaN for none: a new floating array [...]."""
        if self.unsigned is not None:
            stored = stored.view(self.unsigned)
        missing = self.missing_in(stored)
        values = stored.astype(self.dtype(stored.dtype))
        if self.is_scaled:
            values = values * self.scale + self.offset
        values[missing] = np.nan
        return values

    def decode_ids(self, stored: Array) -> Array:
        """Give token ids [...] as int64, -1 for those that are missing; what is no whole number stays as it is."""
        missing = self.missing_in(stored)
        ids = stored.astype(np.int64) if stored.dtype.kind in "iu" else stored.copy()
        ids[missing] = -1
        return ids

    def check_present(self, stored: Array, where: str, error: type[BadData]) -> None:
        """Refuse missing values among lengths, ids or states [N, ...].

        Raises
        ------
        error
            Naming the first row.
        """
        missing = self.missing_in(stored)
        if missing.any():
            row = int(np.nonzero(missing)[0][0])
            raise error(
                f"{where}: row {row} holds {stored[missing][0]}, which stands for a missing value "
                f"({', '.join(self.found) or 'the fill value of netCDF'}; {int(missing.sum())} such values in "
                "all). Give every value."
            )

    def note(self, where: str) -> str:
        """Say what is done; nothing where only unwritten values would be missing."""
        if not self.found:
            return ""
        named = ", ".join(f"{name} {value}" for name, value in self.found.items())
        what = "decoded to the numbers that it means" if self.is_scaled or self.unsigned else "taken as missing (NaN)"
        return f"{where}: has {named}; what is stored is {what}."
