"""How X is padded (``Padding``), and the sequences that were read (``Sequences``)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..inputs.base import Source

__all__ = ["Lengths", "Padding", "Sequences"]

Lengths = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Padding:
    """How a padded array is padded.

    Parameters
    ----------
    side : str
        ``post`` or ``pre``.
    value : float or None
        The value of the padding; None if the lengths are given.
    """

    side: str = "post"
    value: float | None = None


@dataclass(frozen=True, eq=False)
class Sequences:
    """Sequences that can be read, with their lengths.

    Parameters
    ----------
    source : Source
        [N, T, I], or [N, T] token ids.
    lengths : int64 [N]
    padding : str
        The side of the padding of ``source``.
    """

    source: Source
    lengths: Lengths
    padding: str = "post"

    @property
    def ids(self) -> bool:
        """Whether they are token ids."""
        return len(self.source.shape) == 2

    @property
    def features(self) -> int:
        """Numbers per step: I, or 1 for token ids."""
        return 1 if self.ids else self.source.shape[2]
