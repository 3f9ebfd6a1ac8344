"""Reads by which values a model masks steps, where this follows from the inputs of its lowest recurrent layer."""

from collections.abc import Mapping, Sequence

import numpy as np

from ....network.step_mask import StepMask
from .graph import Layer
from .masks import Masked
from .vocabulary import version_number

__all__ = ["step_mask"]

# To which layers cast features, narrowest first; NumPy has no bfloat16.
FLOATS = ("float16", "float32", "float64")


def step_mask(
    lowest: Layer,
    below: Sequence[Layer],
    masking: Sequence[Layer],
    version: str | None,
    *,
    masked: Masked,
    by_hand: bool,
) -> StepMask | str:
    """Find what masks the steps of a stack.

    Parameters
    ----------
    lowest : Layer
        Its lowest recurrent layer.
    below : sequence of Layer
        What that reads, looking through layers that change nothing.
    masking : sequence of Layer
        The ``Masking`` layers among those.
    version : str or None
        The ``keras_version``.
    masked : bool or None
        Whether the layer is given a mask, as ``is_masked`` says.
    by_hand : bool
        Whether a mask is given to it by name.

    Returns
    -------
    StepMask or str
        A text says why it is unknown.
    """
    if by_hand:
        return f"layer '{lowest.name}' is given a mask that the model computes"
    if not masked:
        known = "the model masks no steps for" if masked is False else "it is unknown whether the model masks steps for"
        return f"{known} layer '{lowest.name}'"
    if len(masking) == 1 and len(below) == 1:
        return _of_masking(masking[0], below[0], version_number(version) or (2, 0))
    if not masking and len(below) == 1 and _masks_zero(below[0]):
        return StepMask(below[0].name, tokens=True)
    return f"the mask of layer '{lowest.name}' does not follow from its own inputs"


def _masks_zero(layer: Layer) -> bool:
    # In the graph of a SavedModel only a mask is seen, not what it depends on.
    is_seen = "table" in layer.config
    return layer.class_name == "Embedding" and not layer.custom and bool(layer.config.get("mask_zero")) and not is_seen


def _of_masking(layer: Layer, below: Layer, number: tuple[int, int]) -> StepMask | str:
    value, dtype = layer.config.get("mask_value", 0.0), _dtype(layer.config.get("dtype"))
    if isinstance(value, bool) or not isinstance(value, int | float) or layer.custom:
        return f"layer '{layer.name}' masks by {value!r:.40}, which is no number"
    if dtype not in FLOATS:
        return f"layer '{layer.name}' compares in {dtype!r:.40}"
    with np.errstate(over="ignore"):
        # Keras 3 makes a float32 tensor of the value first, so that 0.1 is in no array of another dtype.
        exact = float(np.dtype("float32" if number >= (3, 0) else dtype).type(value))
    # The inputs of a model are cast to the dtype that it states for them first.
    stated = _dtype(below.config.get("dtype"))
    return StepMask(layer.name, exact, dtype=min(dtype, stated, key=FLOATS.index) if stated in FLOATS else dtype)


def _dtype(policy: object) -> object:
    """Return the dtype in which a layer computes, from its policy as Keras stores it."""
    if isinstance(policy, Mapping):
        inside = policy.get("config")
        policy = inside.get("name") if isinstance(inside, Mapping) else None
    return policy.removeprefix("mixed_") if isinstance(policy, str) else "float32"
