"""Decides whether a file holds weights, by asking each reader."""

import os

from ..errors import BadWeights
from .frameworks import is_known
from .readers import reader_of

__all__ = ["is_weights_file"]


def is_weights_file(path: str | os.PathLike[str]) -> bool:
    """Return whether a file holds weights in a supported format, by its content.

    Raises
    ------
    MissingInput
        It is absent or unreadable.
    BadWeights
        It is of a kind that holds nothing but weights, and damaged.
    """
    where = os.fspath(path)
    reader = reader_of(where)
    if reader is None:
        return False
    try:
        with reader.open(where) as container:
            return not reader.holds_inputs_too or is_known(container)
    except BadWeights:
        # HDF5 may hold inputs instead, which may have links.
        if reader.holds_inputs_too:
            return False
        raise
