"""Converts stored arrays and their convention to the canonical form; one pure function."""

from collections.abc import Mapping
from typing import Any, cast

import numpy as np

from ..arrays.axes import Array, Floats
from ..errors import BadWeights
from ..network.model import GATES, LayerWeights
from .conventions import Convention

__all__ = ["ROLES", "sizes", "to_layer_weights"]

# The roles of a cell's arrays; blocks are in the convention's order.
ROLES = (
    "kernel",
    "recurrent_kernel",
    "bias",
    "recurrent_bias",
    "peepholes",
    "projection",
    "first_factor",
    "second_factor",
    "initial_hidden",
    "initial_cell",
)


def to_layer_weights(
    arrays: Mapping[str, Array], convention: Convention, *, where: str = "weights", **settings: Any
) -> LayerWeights:
    """Convert stored arrays to the canonical form.

    Parameters
    ----------
    arrays : mapping
        By role, a name in ``ROLES``: at least ``kernel`` [I, G * H] and ``recurrent_kernel`` [W, G * H], with the
        convention's block order and orientation; perhaps ``bias`` and ``recurrent_bias`` [G * H], ``peepholes``
        [3, H], ``projection`` [H, P], ``first_factor`` [I, H] and ``second_factor`` [H, H], ``initial_hidden`` [W]
        and ``initial_cell`` [H].
    convention : Convention
    where : str
        For messages.
    **settings
        Other arguments of ``LayerWeights``: activations, clips, ``forget_bias`` in place of the convention's, ….

    Returns
    -------
    LayerWeights
        The arrays in their own dtype.

    Raises
    ------
    BadWeights
        A shape does not fit, or a value is not finite.
    """
    for role, array in arrays.items():
        if role in ("kernel", "recurrent_kernel", "bias", "recurrent_bias"):
            _check_blocks(role, array, convention, where)
    if "peepholes" in arrays and (arrays["peepholes"].ndim != 2 or len(arrays["peepholes"]) != 3):
        raise BadWeights(f"{where}: peepholes has shape {arrays['peepholes'].shape}; expected (3, units).")
    # LayerWeights refuses what is not floating.
    blocks = {role: cast("Floats", _blocks(role, array, convention)) for role, array in arrays.items()}
    bias = blocks.get("bias")
    if bias is None:
        bias = np.zeros(blocks["recurrent_kernel"].shape[-1:], blocks["recurrent_kernel"].dtype)
    factors = (blocks["first_factor"], blocks["second_factor"]) if "first_factor" in blocks else None
    options: dict[str, Any] = {
        "forget_bias": convention.forget_bias,
        "reset_after": convention.reset_after,
        "peepholes": blocks.get("peepholes"),
        "projection": blocks.get("projection"),
        "recurrent_bias": blocks.get("recurrent_bias"),
        "initial": {state: blocks[f"initial_{state}"] for state in ("hidden", "cell") if f"initial_{state}" in blocks},
        **settings,
    }
    kernel, recurrent_kernel = blocks["kernel"], blocks["recurrent_kernel"]
    return LayerWeights(kernel, recurrent_kernel, bias, cell=convention.cell, factors=factors, where=where, **options)


def sizes(shapes: Mapping[str, tuple[int, ...]], convention: Convention) -> tuple[int, int, int]:
    """Return (features, units, width of the hidden state) from shapes by role; 0 for what they do not determine."""
    kernel, recurrent = (shapes[role] for role in ("kernel", "recurrent_kernel"))
    if len(kernel) != 2 or len(recurrent) != 2:
        return 0, 0, 0
    if convention.transposed:
        kernel, recurrent = kernel[::-1], recurrent[::-1]
    return kernel[0], recurrent[1] // len(convention.gates), recurrent[0]


def _check_blocks(role: str, array: Array, convention: Convention, where: str) -> None:
    axis = 0 if convention.transposed else -1
    if array.ndim not in (1, 2) or array.shape[axis] % len(convention.gates):
        called = "rows" if convention.transposed and array.ndim == 2 else "columns"
        raise BadWeights(
            f"{where}: {role.replace('_', ' ')} has shape {array.shape}; expected {called} for "
            f"{len(convention.gates)} gates."
        )


def _blocks(role: str, array: Array, convention: Convention) -> Array:
    """Convert one array to our orientation, block order and sign of each gate."""
    if role == "peepholes":
        return _chosen(array, convention.peepholes, ("input_gate", "forget_gate", "output_gate"), axis=0)
    if convention.transposed and role in ("kernel", "recurrent_kernel", "projection"):
        array = array.T
    if role not in ("kernel", "recurrent_kernel", "bias", "recurrent_bias"):
        return array
    if convention.negated:
        array = np.concatenate(
            [
                np.negative(block) if gate in convention.negated else block
                for gate, block in zip(convention.gates, _split(array, len(convention.gates)), strict=True)
            ],
            axis=-1,
        )
    return _chosen(array, convention.gates, GATES[convention.cell], axis=-1)


def _split(array: Array, parts: int) -> list[Array]:
    return np.split(array, parts, axis=-1)


def _chosen(array: Array, stored: tuple[str, ...], wanted: tuple[str, ...], *, axis: int) -> Array:
    if stored == wanted:
        return array
    blocks = dict(zip(stored, np.split(array, len(stored), axis=axis), strict=True))
    return np.concatenate([blocks[gate] for gate in wanted], axis=axis)
