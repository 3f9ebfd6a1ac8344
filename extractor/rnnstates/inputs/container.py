"""``Container``: a file of several arrays, of which the input is one; ``Series``: an array for each sequence."""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, NamedTuple, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from ..arrays.axes import AllLengths
from ..errors import BadData

__all__ = ["Container", "Described", "Entries", "Member", "Series"]

# An array in memory, or an h5py.Dataset, which comes without types.
Member: TypeAlias = Any
# Numbers or text: the entries of one sequence, or of all.
Entries = Annotated[npt.NDArray[Any], "_ ..."]


class Series(NamedTuple):
    """An array for each sequence, such as the labels of its steps; they may have different lengths.

    Parameters
    ----------
    lengths : int64 [N]
        Of each array.
    tail : tuple of int
        The axes of an entry.
    dtype : dtype
        Of an entry; ``object`` for text.
    read : callable
        From the number of a sequence to its array, [length, ...].
    """

    lengths: AllLengths
    tail: tuple[int, ...]
    dtype: np.dtype[Any]
    read: Callable[[int], Entries]


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

    def series(self, name: str, sequences: Sequence[str] | None, error: type[BadData]) -> Series | None:
        """Return the arrays of a name that has one for each sequence; None if it has not.

        Parameters
        ----------
        name : str
        sequences : sequence of str or None
            The names under which the sequences are stored one by one, if they are.

        Raises
        ------
        error
            They are there, but cannot be read.
        """

    def present(self, error: type[BadData]) -> Mapping[str, Described]:
        """Return what describes each array, by name."""
