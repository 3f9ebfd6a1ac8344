"""What the sequences of X must be (``Expected``), and the sequences that were read (``Sequences``)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..inputs.base import Source

__all__ = ["MEND", "Expected", "Lengths", "Padding", "Sequences"]

# What to do about a sequence that is no array.
MEND = "Expected one number per feature in each step."
Lengths = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Expected:
    """What the sequences have to be.

    Parameters
    ----------
    vocabulary : bool
        Whether the weights bring an embedding, so that sequences may be token ids.
    features : int or None
        I; None where the sequences themselves tell it.
    ids : bool or None
        Whether they have to be token ids; None where the sequences themselves tell it.
    why : str
        Where that is known from, for messages.
    no_embedding : str
        Why the weights bring no embedding, where they have arrays that may be one.
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
        What the padding is filled with; None where the lengths are told.
    """

    side: str = "post"
    value: float | None = None


@dataclass(frozen=True, eq=False)
class Sequences:
    """Sequences that can be read, with the steps that count.

    Parameters
    ----------
    source : Source
        [N, T, I], or [N, T] token ids.
    lengths : int64 [N]
    padding : str
        Where the padding of ``source`` stands.
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
        """Numbers a step: I, or 1 of token ids."""
        return 1 if self.ids else self.source.shape[2]
