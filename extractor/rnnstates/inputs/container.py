"""``Container``: a file of several arrays, of which the input is one."""

from collections.abc import Mapping
from typing import Any, Protocol, TypeAlias

import numpy as np

from ..errors import BadData

__all__ = ["Container", "Described", "Member"]

# An array in memory, or an h5py.Dataset, which comes without types.
Member: TypeAlias = Any


class Described(Protocol):
    """An array of which only these two are known, such as an ``h5py.Dataset``."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Its shape."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Its dtype; may raise ``TypeError`` if NumPy has none."""


class Container(Protocol):
    """A file of several arrays, of which the input is one; lengths and ids may be others."""

    @property
    def path(self) -> str:
        """The file."""

    @property
    def noun(self) -> str:
        """What one of its arrays is called: ``dataset`` or ``column``."""

    @property
    def group(self) -> tuple[str, ...]:
        """The groups around the input, from the root."""

    def find(self, name: str, error: type[BadData]) -> Member | None:
        """Return the array of a name, with groups separated by slashes; None if there is none.

        Raises
        ------
        error
            It is there, but cannot be read.
        """

    def present(self, error: type[BadData]) -> Mapping[str, Described]:
        """Return what describes each array, by name."""
