"""Infers from the arrays of a cell alone its class and, assuming defaults, how it is run."""

from collections.abc import Sequence

from ...conventions import CONVENTIONS
from ...readers import Tensor
from ...stack import StoredCell
from .arrays import arrays_by_role, is_reset_after
from .vocabulary import BLOCKS

__all__ = ["blocks_of", "class_by_arrays", "guessed_cell"]

# The class by the columns of a recurrent kernel per row.
CLASS_BY_GATES = {4: "LSTM", 3: "GRU", 1: "SimpleRNN"}


def blocks_of(tensors: Sequence[Tensor]) -> int:
    """Count the blocks of columns in a recurrent kernel; 0 if it is not a matrix of such blocks."""
    if len(tensors) in (9, 12):
        return len(tensors) // 3
    shape = tensors[1].shape
    return shape[1] // shape[0] if len(shape) == 2 and shape[0] and shape[1] % shape[0] == 0 else 0


def class_by_arrays(tensors: Sequence[Tensor]) -> str:
    """Name the class of Keras whose cell has such arrays."""
    axes = len(tensors[1].shape)
    if axes in (3, 4, 5):
        return f"ConvLSTM{axes - 2}D"
    gates = blocks_of(tensors)
    return CLASS_BY_GATES.get(gates, f"a cell of {gates} gates")


def guessed_cell(
    tensors: Sequence[Tensor], cell: str, where: str, recurrent_activation: str, reset_after: bool
) -> StoredCell:
    """Make a cell whose settings are Keras' defaults where its arrays do not determine them."""
    roles = arrays_by_role(list(tensors), cell, where)
    settings: dict[str, object] = {"activation": "tanh"}
    determined = {"activation": "default", "recurrent_activation": "default", "reset_after": "default"}
    if cell != "simple_rnn":
        cudnn = "bias" in roles and tensors[2].shape == (2 * BLOCKS[cell] * roles["recurrent_kernel"].shape[0],)
        settings["recurrent_activation"] = "sigmoid" if cudnn else recurrent_activation
    if cell == "gru":
        settings["reset_after"] = is_reset_after(roles, reset_after)
        determined["reset_after"] = "file" if "bias" in roles else "default"
    return StoredCell(CONVENTIONS["keras"][cell], roles, where, settings, {name: determined[name] for name in settings})
