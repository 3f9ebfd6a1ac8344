"""Checks that the arrays of one layer fit together and hold finite numbers."""

import math
from typing import TYPE_CHECKING

import numpy as np

from ..arrays.axes import Array, Embedding
from ..errors import BadWeights
from ..errors.articles import with_article
from .activations import ACTIVATIONS, is_activation

if TYPE_CHECKING:
    from .model import LayerWeights, RecurrentLayer

__all__ = ["check_embedding", "check_values", "check_weights"]


def check_weights(weights: "LayerWeights", gates: int, carried: tuple[str, ...]) -> None:
    """Check every value, and every shape against that of the recurrent kernel.

    Parameters
    ----------
    weights : LayerWeights
    gates : int
        Number of blocks of columns in its kernels.
    carried : tuple of str
        The states that its cell carries.

    Raises
    ------
    BadWeights
    """
    units = _units(weights, gates)
    _check_shapes(weights, units, gates)
    _check_numbers_and_names(weights)
    _check_settings(weights, carried)
    for name, array in _arrays(weights).items():
        if not np.issubdtype(array.dtype, np.floating):
            raise BadWeights(f"{weights.where}: {name} has dtype {array.dtype}; expected a floating-point type.")
        check_values(name, array, weights.where)


def check_values(name: str, array: Array, where: str) -> None:
    """Refuse NaN and infinite values.

    Raises
    ------
    BadWeights
        The message gives the position of the first.
    """
    wrong = np.argwhere(~np.isfinite(array))
    if len(wrong):
        raise BadWeights(
            f"{where}: {name} has {len(wrong)} values that are NaN or infinite, the first at "
            f"{tuple(int(axis) for axis in wrong[0])}; expected finite numbers. "
            "Save weights from before the training diverged."
        )


def check_embedding(embedding: Embedding, lowest: "RecurrentLayer") -> None:
    """Check shape, dtype and values of the embedding table that feeds the lowest layer.

    Raises
    ------
    BadWeights
    """
    if embedding.shape[1:] != (lowest.features,) or embedding.ndim != 2:
        raise BadWeights(
            f"the embedding has shape {embedding.shape}; expected (vocabulary, {lowest.features}), because "
            f"layer '{lowest.name}' reads inputs of width {lowest.features}."
        )
    if not np.issubdtype(embedding.dtype, np.floating):
        raise BadWeights(f"the embedding has dtype {embedding.dtype}; expected a floating-point type.")
    check_values("embedding", embedding, "weights")


def _units(weights: "LayerWeights", gates: int) -> int:
    recurrent = weights.recurrent_kernel.shape
    projected = weights.projection is not None
    fits = len(recurrent) == 2 and recurrent[0] > 0 and recurrent[1] > 0 and recurrent[1] % gates == 0
    if not fits or not (projected or recurrent[1] == gates * recurrent[0]):
        columns = "units" if gates == 1 else f"{gates} * units"
        expected = f"(width of the projection, {columns})" if projected else f"(units, {columns})"
        raise BadWeights(f"{weights.where}: recurrent kernel has shape {recurrent}; expected {expected}.")
    return int(recurrent[1]) // gates


def _check_shapes(weights: "LayerWeights", units: int, gates: int) -> None:
    columns, width = gates * units, weights.recurrent_kernel.shape[0]
    kernel = weights.kernel.shape
    implied = f"because the recurrent kernel implies {units} units"
    if len(kernel) != 2 or kernel[0] == 0 or kernel[1] != columns:
        raise BadWeights(f"{weights.where}: kernel has shape {kernel}; expected (features, {columns}), {implied}.")
    expected: dict[str, tuple[int, ...]] = {
        "bias": (columns,),
        "recurrent bias": (columns,),
        "peepholes": (3, units),
        "projection": (units, width),
        "first factor": (kernel[0], units),
        "second factor": (units, units),
        "initial hidden": (width,),
        "initial cell": (units,),
    }
    for name, array in _arrays(weights).items():
        if name in expected and array.shape != expected[name]:
            raise BadWeights(
                f"{weights.where}: {name} has shape {array.shape}; expected {expected[name]}, {implied}"
                + (f" and {width} projected." if weights.projection is not None else ".")
            )


def _check_numbers_and_names(weights: "LayerWeights") -> None:
    for name in filter(None, (weights.activation, weights.recurrent_activation, weights.output_activation)):
        if not is_activation(name):
            raise BadWeights(f"{weights.where}: activation '{name}' is unknown; known are {', '.join(ACTIVATIONS)}.")
    for name in ("cell_clip", "projection_clip", "preactivation_clip"):
        value = getattr(weights, name)
        if value is not None and not (math.isfinite(value) and value > 0):
            raise BadWeights(f"{weights.where}: {name} is {value}; expected a positive number or None.")


def _check_settings(weights: "LayerWeights", carried: tuple[str, ...]) -> None:
    only_lstm = {
        "peepholes": weights.peepholes is not None,
        "a projection": weights.projection is not None,
        "a cell clip": weights.cell_clip is not None,
        "a forget bias": weights.forget_bias != 0,
        "coupled gates": weights.coupled,
    }
    if weights.cell != "lstm":
        for name, given in only_lstm.items():
            if given and not (name in ("a forget bias", "a cell clip") and weights.cell == "mlstm"):
                raise BadWeights(
                    f"{weights.where}: {name} is for an LSTM, but this is {with_article(weights.cell)}; leave it out."
                )
    if weights.reset_after and weights.cell != "gru":
        raise BadWeights(f"{weights.where}: a reset gate is for a GRU, but this is {with_article(weights.cell)}.")
    if (weights.factors is not None) != (weights.cell == "mlstm"):
        raise BadWeights(f"{weights.where}: factors belong to a multiplicative LSTM and to no other cell.")
    unknown = sorted(set(weights.initial) - set(carried))
    if unknown:
        raise BadWeights(f"{weights.where}: an initial '{unknown[0]}' is given; it carries {', '.join(carried)}.")


def _arrays(weights: "LayerWeights") -> dict[str, Array]:
    first, second = weights.factors or (None, None)
    named = {
        "kernel": weights.kernel,
        "recurrent kernel": weights.recurrent_kernel,
        "bias": weights.bias,
        "recurrent bias": weights.recurrent_bias,
        "peepholes": weights.peepholes,
        "projection": weights.projection,
        "first factor": first,
        "second factor": second,
        **{f"initial {state}": values for state, values in weights.initial.items()},
    }
    return {name: array for name, array in named.items() if array is not None}
