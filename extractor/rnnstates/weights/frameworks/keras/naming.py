"""What the arrays of a cell are called, whatever the layout of the file; ``counters`` and ``legacy`` find them."""

from typing import Protocol

from ....errors import BadWeights
from ...canonical import Direction
from ...readers import Tensor
from .graph import Layer
from .vocabulary import ROLES

__all__ = ["TensorNames", "check_table", "roles_by_order"]


class TensorNames(Protocol):
    """Finds the arrays of a layer."""

    def cells(self, layer: Layer) -> dict[Direction, dict[str, Tensor]]:
        """Give the arrays of a recurrent layer by its half and role."""

    def embedding(self, layer: Layer) -> Tensor:
        """Give the table of an Embedding."""


def roles_by_order(tensors: list[Tensor], where: str) -> dict[str, Tensor]:
    """Name a cell's arrays by the order in which Keras stores them.

    Raises
    ------
    BadWeights
        There are not two (without a bias) or three of them, or they have the shapes of another cell.
    """
    if len(tensors) not in (2, 3):
        hint = "; twelve are what Keras 1 wrote, save the model from Keras 2" if len(tensors) == 12 else ""
        raise BadWeights(f"{where}: has {len(tensors)} arrays; expected kernel, recurrent kernel and bias{hint}.")
    roles = dict(zip(ROLES, tensors, strict=False))
    units = roles["recurrent_kernel"].shape[:1]
    if "bias" in roles and units and roles["bias"].shape == (8 * units[0],):
        raise BadWeights(
            f"{where}: its bias has shape {roles['bias'].shape}, that of a CuDNNLSTM; expected ({4 * units[0]},). Load "
            "it in Keras 2 into an LSTM layer and save that."
        )
    return roles


def check_table(table: Tensor, where: str) -> Tensor:
    """Refuse what is no table of an embedding.

    Raises
    ------
    BadWeights
        It has not two axes.
    """
    if len(table.shape) != 2:
        raise BadWeights(f"{where}: its table has shape {table.shape}; expected (vocabulary, width).")
    return table
