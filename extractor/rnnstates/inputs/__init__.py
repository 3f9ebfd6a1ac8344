"""Reads sequences, their lengths, ids and initial states; one module per container, behind the ``Source`` protocol."""

from .base import Source
from .ids import Ids, open_ids
from .lengths import read_lengths
from .opening import OPENERS, open_source

__all__ = ["OPENERS", "Ids", "Source", "open_ids", "open_source", "read_lengths"]
