"""One pure function from stored arrays and their convention to the canonical form."""

from collections.abc import Mapping

import numpy as np

from ..arrays import Array
from ..errors import BadWeights
from .canonical import GATE_ORDER, LayerWeights
from .conventions import Convention

__all__ = ["to_layer_weights"]


def to_layer_weights(
    arrays: Mapping[str, Array],
    convention: Convention,
    *,
    activation: str = "tanh",
    recurrent_activation: str = "sigmoid",
    forget_bias: float | None = None,
    where: str = "weights",
) -> LayerWeights:
    """Put stored arrays into the canonical form.

    Parameters
    ----------
    arrays : mapping
        ``kernel`` [I, 4H], ``recurrent_kernel`` [H, 4H] and perhaps ``bias`` [4H], floating, columns in the
        convention's order of gates.
    convention : Convention
    activation, recurrent_activation : str
    forget_bias : float or None
        Instead of the convention's.
    where : str
        For messages.

    Returns
    -------
    LayerWeights
        The arrays in their own dtype.

    Raises
    ------
    BadWeights
        A shape does not fit, or a value is not finite.
    """
    kernel, recurrent_kernel = arrays["kernel"], arrays["recurrent_kernel"]
    bias = arrays.get("bias")
    if bias is None:
        bias = np.zeros(recurrent_kernel.shape[-1:], recurrent_kernel.dtype)
    for name, array in (("kernel", kernel), ("recurrent kernel", recurrent_kernel), ("bias", bias)):
        if array.ndim == 0 or array.shape[-1] % len(convention.gates):
            raise BadWeights(
                f"{where}: {name} has shape {array.shape}; expected columns for {len(convention.gates)} gates."
            )
    return LayerWeights(
        _reordered(kernel, convention),
        _reordered(recurrent_kernel, convention),
        _reordered(bias, convention),
        forget_bias=convention.forget_bias if forget_bias is None else forget_bias,
        activation=activation,
        recurrent_activation=recurrent_activation,
        cell=convention.cell,
        where=where,
    )


def _reordered(array: Array, convention: Convention) -> Array:
    if convention.gates == GATE_ORDER:
        return array
    blocks = dict(zip(convention.gates, np.split(array, len(convention.gates), axis=-1), strict=True))
    return np.concatenate([blocks[gate] for gate in GATE_ORDER], axis=-1)
