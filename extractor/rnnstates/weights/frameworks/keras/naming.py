"""The interface for finding the arrays of a layer, which ``counters`` and ``legacy`` implement."""

from typing import Protocol

from ....errors import BadWeights
from ....network.model import Direction
from ...readers import Tensor
from .graph import Layer
from .settings import LayerSettings

__all__ = ["TensorNames", "check_table"]


class TensorNames(Protocol):
    """Finds the arrays of a layer."""

    def cells(self, layer: Layer, settings: LayerSettings) -> dict[Direction, list[list[Tensor]]]:
        """Return the arrays of a recurrent layer by half and cell, in the order in which Keras stores them."""

    def embedding(self, layer: Layer) -> Tensor:
        """Return the table of an Embedding."""


def check_table(table: Tensor, where: str) -> Tensor:
    """Refuse an array that cannot be an embedding table.

    Raises
    ------
    BadWeights
        It does not have two axes.
    """
    if len(table.shape) != 2:
        raise BadWeights(f"{where}: its table has shape {table.shape}; expected (vocabulary, width).")
    return table
