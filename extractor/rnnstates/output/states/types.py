"""What the modules of states call the arrays that they share."""

from typing import Annotated, Any, TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["Dataset", "Numbers"]

# An array in memory; an h5py.Dataset, which comes without types, in a file.
Dataset: TypeAlias = Any
# Rows, lengths or steps, of any count.
Numbers = Annotated[npt.NDArray[np.int64], "_"]
