"""Arrays as callers have them: what NumPy would misread or never finish reading is refused by name."""

import sys
from collections.abc import Iterator, Mapping, Set
from typing import Any

import numpy as np

from ..articles import with_article
from ..errors import BadData

__all__ = ["plain"]


def plain(values: Any, name: str, error: type[BadData]) -> Any:
    """Give what ``np.asarray`` reads right; a tensor of PyTorch without its gradients.

    Parameters
    ----------
    values : object
    name : str
        The parameter.
    error : type
        What to raise.

    Raises
    ------
    error
        It is an iterator, a mapping, a set, a masked or sparse array.
    """
    torch: Any = sys.modules.get("torch")
    tensor: Any = getattr(torch, "Tensor", ())
    if isinstance(values, tensor):
        if values.layout != torch.strided:
            raise error(f"{name}: a sparse tensor; give a dense one (.to_dense()).")
        values = values.detach().cpu()
        return values.float() if values.dtype == torch.bfloat16 else values
    if isinstance(values, np.ma.MaskedArray):
        raise error(f"{name}: a masked array, whose mask would be lost; give the plain array (.filled(0)) and lengths.")
    if isinstance(values, Iterator | Mapping | Set | slice) or not _is_array(values):
        raise error(f"{name}=: is {with_article(type(values).__name__)}; expected an array or a path.")
    return values


def _is_array(values: Any) -> bool:
    """Tell whether a value has numbers in it that NumPy can see; sparse arrays have a shape and no rows."""
    return hasattr(values, "__array__") or isinstance(values, list | tuple) or np.isscalar(values)
