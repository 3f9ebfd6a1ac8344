"""``Packing``: decodes stored values into the numbers they mean. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np

from ...arrays.axes import Array
from ...errors import BadData
from .attributes import RANGE

__all__ = ["Packing"]

# Read at once.
BLOCK_BYTES = 4 * 2**20


@dataclass(frozen=True)
class Packing:
    """How stored values become numbers.

    Parameters
    ----------
    found : mapping
        The attributes, by name, in JSON types.
    missing : mapping
        From stored values that mean missing to what says so.
    least, largest : number or None
        Stored values outside these bounds mean missing too.
    scale, offset : float
    unsigned : dtype or None
        The dtype to read the stored bits as.
    """

    found: Mapping[str, Any]
    missing: Mapping[Any, str]
    least: Any = None
    largest: Any = None
    scale: float = 1.0
    offset: float = 0.0
    unsigned: np.dtype[Any] | None = None

    @property
    def is_scaled(self) -> bool:
        """Whether values differ from the stored numbers."""
        return self.scale != 1 or self.offset != 0

    def dtype(self, stored: np.dtype[Any]) -> np.dtype[Any]:
        """Return the dtype that ``decode`` returns for values of a dtype."""
        return stored if stored.kind == "f" and not self.is_scaled else np.dtype(np.float64)

    def missing_in(self, stored: Array) -> Array:
        """Return which values [...] are missing: bool [...]."""
        missing = np.zeros(stored.shape, bool)
        for value in self.missing:
            missing |= stored == value
        if self.least is not None:
            missing |= stored < self.least
        if self.largest is not None:
            missing |= stored > self.largest
        return missing

    def decode(self, stored: Array) -> Array:
        """Return the numbers that stored values [...] mean, NaN for missing ones: a new floating array [...]."""
        if self.unsigned is not None:
            stored = stored.view(self.unsigned)
        missing = self.missing_in(stored)
        values = stored.astype(self.dtype(stored.dtype))
        if self.is_scaled:
            values = values * self.scale + self.offset
        values[missing] = np.nan
        return values

    def decode_ids(self, stored: Array) -> Array:
        """Return token ids [...] as int64, -1 for missing ones; floating ids stay floating, with NaN."""
        missing = self.missing_in(stored)
        whole = stored.dtype.kind in "iu"
        ids = stored.astype(np.int64) if whole else stored.copy()
        ids[missing] = -1 if whole else np.nan
        return ids

    def check_present(self, stored: Array, where: str, error: type[BadData], *, first: int = 0) -> None:
        """Refuse missing values among lengths, ids, states or weights [N, ...], whose rows count from ``first``.

        Raises
        ------
        error
            Names the first row.
        """
        stored = np.atleast_1d(stored)
        missing = self.missing_in(stored)
        if missing.any():
            row, value = first + int(np.nonzero(missing)[0][0]), stored[missing][0]
            bounds = ", ".join(name for name in RANGE if name in self.found)
            why = next((source for one, source in self.missing.items() if one == value), bounds)
            raise error(
                f"{where}: row {row} holds {value}, which stands for a missing value ({why}; {int(missing.sum())} "
                "such values in all). Give every value."
            )

    def check_dataset(self, dataset: h5py.Dataset, where: str, error: type[BadData]) -> None:
        """Refuse missing values in a dataset [N, ...], read some rows at a time.

        Raises
        ------
        error
            Names the first row.
        """
        rows = max(1, BLOCK_BYTES // max(1, dataset.nbytes // max(1, len(dataset) if dataset.ndim else 1)))
        for start in range(0, len(dataset) if dataset.ndim else 1, rows):
            block = dataset[start : start + rows] if dataset.ndim else dataset[()]
            self.check_present(block, where, error, first=start)

    def note(self, where: str) -> str:
        """Say how values are decoded; empty if only unwritten values would be missing."""
        if not self.found:
            return ""
        named = ", ".join(f"{name} {value}" for name, value in self.found.items())
        if self.is_scaled or self.unsigned:
            return f"{where}: has {named}; stored values are decoded accordingly."
        return f"{where}: has {named}; missing values are read as NaN."
