"""Assigns roles to the arrays of a cell and checks them against its configuration."""

from collections.abc import Sequence

from ....errors import BadWeights
from ...conventions import CONVENTIONS
from ...readers import Tensor
from ...stack import StoredCell
from .arrays import arrays_by_role, is_reset_after
from .graph import Layer
from .ours import role_tensors
from .settings import CellSettings
from .vocabulary import BLOCKS

__all__ = ["check_width", "stored_cell"]

# By class, the setting that gives the width of a layer's outputs.
WIDTHS = {"Dense": "units", "Embedding": "output_dim"}
# The setting that gives the whole shape of an input, in Keras 3 and Keras 2.
SHAPES = ("batch_shape", "batch_input_shape")


def stored_cell(cell: CellSettings, tensors: list[Tensor], where: str) -> StoredCell:
    """Assign roles to the arrays of a cell, and add how it is run.

    Parameters
    ----------
    cell : CellSettings
    tensors : list of Tensor
        In Keras' order.
    where : str
        The file and the layer.

    Raises
    ------
    BadWeights
        They belong to another cell.
    """
    if cell.extras is None:
        roles = arrays_by_role(tensors, cell.cell, where)
        _check_arrays(roles, cell, where)
    else:
        roles = role_tensors(tensors, cell, where)
    settings: dict[str, object] = {"activation": cell.activation}
    if cell.extras is not None and cell.cell == "lstm":
        settings |= {name: cell.extras[name] for name in ("forget_bias", "cell_clip", "projection_clip")}
    if cell.cell != "simple_rnn":
        settings["recurrent_activation"] = cell.recurrent_activation
    if cell.cell == "gru":
        settings["reset_after"] = is_reset_after(roles, cell.reset_after)
    determined = {name: cell.determined[name] for name in settings}
    return StoredCell(CONVENTIONS["keras"][cell.cell], roles, where, settings, determined)


def check_width(features: int, below: Sequence[Layer], where: str) -> None:
    """Refuse a layer whose kernel does not have the width of the layer before it in the configuration.

    Raises
    ------
    BadWeights
        The arrays belong to another model.
    """
    for layer in below:
        width = None if layer.custom else _width_of(layer)
        if width not in (None, features):
            raise BadWeights(
                f"{where}: its kernel reads inputs of width {features}, but '{layer.name}' ({layer.class_name}) before "
                f"it outputs {width}; the configuration belongs to another model."
            )


def _width_of(layer: Layer) -> int | None:
    """Return the output width of a layer, if its configuration states it."""
    if layer.class_name == "InputLayer":
        shapes = (layer.config.get(name) for name in SHAPES)
        width = next((shape[-1] for shape in shapes if isinstance(shape, list) and shape), None)
    else:
        width = layer.config.get(WIDTHS.get(layer.class_name, ""))
    return width if isinstance(width, int) else None


def _check_arrays(roles: dict[str, Tensor], cell: CellSettings, where: str) -> None:
    """Compare the arrays with the configuration; their own consistency is checked when they are read."""
    columns = BLOCKS[cell.cell] * cell.units
    recurrent_kernel = roles["recurrent_kernel"].shape
    if recurrent_kernel != (cell.units, columns):
        raise BadWeights(
            f"{where}: recurrent kernel has shape {recurrent_kernel}; expected {(cell.units, columns)}, because the "
            f"configuration says {cell.units} units."
        )
    kernel = roles["kernel"].shape
    if len(kernel) != 2 or kernel[1] != columns:
        raise BadWeights(f"{where}: kernel has shape {kernel}; expected (features, {columns}), for {cell.units} units.")
    if ("bias" in roles) != cell.use_bias:
        raise BadWeights(
            f"{where}: has {'a' if 'bias' in roles else 'no'} bias, but the configuration says "
            f"use_bias={cell.use_bias}."
        )
    is_stated = cell.determined["reset_after"] == "file"
    if (
        is_stated
        and cell.cell == "gru"
        and "bias" in roles
        and is_reset_after(roles, cell.reset_after) != cell.reset_after
    ):
        raise BadWeights(
            f"{where}: has {'two biases' if 'recurrent_bias' in roles else 'one bias'}, but the configuration says "
            f"reset_after={cell.reset_after}."
        )
