"""``StepMask``: which steps a model itself does not run, as its ``Masking`` or ``Embedding`` layer decides."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arrays.axes import ReadMask, Stored

__all__ = ["StepMask"]


@dataclass(frozen=True)
class StepMask:
    """A layer that masks steps by their values alone.

    Parameters
    ----------
    layer : str
    value : float
        The value of all features of a masked step, exactly; one that ``dtype`` does not have masks nothing. Of token
        ids, 0 is masked.
    tokens : bool
        Whether steps are token ids.
    dtype : str
        The floating dtype to which the layer casts features before it compares them.

    Examples
    --------
    >>> mask = StepMask("masking", -1.0)
    >>> mask.counts(np.array([[[2, -1], [-1, -1]]]))
    array([[ True, False]])
    """

    layer: str
    value: float = 0.0
    tokens: bool = False
    dtype: str = "float32"

    @property
    def where(self) -> str:
        """What masks, for messages."""
        return f"layer '{self.layer}'"

    def counts(self, block: Stored) -> ReadMask:
        """Return which steps are not masked: inputs [R, S, I] or token ids [R, S] to bool [R, S]."""
        values: npt.NDArray[Any] = block
        if self.tokens:
            return np.asarray(values != 0)
        with np.errstate(over="ignore"):
            cast, value = values.astype(self.dtype, copy=False), np.dtype(self.dtype).type(self.value)
        if float(value) != self.value:
            return np.ones(values.shape[:2], bool)
        return np.asarray((cast != value).any(axis=2))
