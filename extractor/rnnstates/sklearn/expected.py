"""What the sequences of X must be (``Expected``), and the sequences that were read (``Sequences``)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..inputs.base import Source

__all__ = ["MEND", "Expected", "Lengths", "Padding", "Sequences"]

# What to do about a sequence that is not an array.
MEND = "Expected one number per feature in each step."
Lengths = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Expected:
    """What the sequences must be.

    Parameters
    ----------
    vocabulary : bool
        Whether the weights have an embedding, so that sequences may be token ids.
    features : int or None
        I; None if the sequences determine it.
    ids : bool or None
        Whether they must be token ids; None if the sequences determine it.
    why : str
        The reason for these, for messages.
    no_embedding : str
        Why the weights have no embedding, if they have arrays that may be one.
    """

    vocabulary: bool = False
    features: int | None = None
    ids: bool | None = None
    why: str = ""
    no_embedding: str = ""


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
