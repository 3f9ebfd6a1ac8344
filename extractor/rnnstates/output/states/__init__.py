"""``States``, what a run gives: a sequence of sequences, whole or in part, and the tables and tensors made of it."""

from .sequence import SequenceStates
from .states import States

__all__ = ["SequenceStates", "States"]
