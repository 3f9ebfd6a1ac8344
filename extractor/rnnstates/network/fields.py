"""Checks the types of fields of LayerWeights, RecurrentLayer and Network; turns lists and tensors into arrays."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..errors import BadWeights, OptionError
from ..errors.arguments import check_arguments
from ..errors.articles import with_article
from ..untrusted.given import as_array

if TYPE_CHECKING:
    from .model import LayerWeights, Network, RecurrentLayer

__all__ = ["settle_layer", "settle_network", "settle_weights"]

ARRAYS = ("kernel", "recurrent_kernel", "bias")
OPTIONAL_ARRAYS = ("recurrent_bias", "peepholes", "projection")
# Fields that ``errors.arguments`` checks; among them, those that may not be None.
SETTINGS = (
    *("cell", "where", "forget_bias", "cell_clip", "projection_clip", "preactivation_clip"),
    *("reset_after", "coupled"),
)
REQUIRED = ("cell", "where", "forget_bias")


def settle_weights(weights: "LayerWeights") -> None:
    """Check the types of the fields and replace lists and tensors by arrays.

    Raises
    ------
    BadWeights
        A field that should be an array is not one.
    OptionError
        A setting has the wrong type.
    """
    check_arguments({name: getattr(weights, name) for name in SETTINGS}, REQUIRED)
    for name in ("activation", "recurrent_activation", "output_activation"):
        value = getattr(weights, name)
        if not isinstance(value, str) and not callable(value) and not (value is None and name.startswith("output")):
            raise OptionError(f"{name}=: is {with_article(type(value).__name__)}; expected the name of an activation.")
    for name in (*ARRAYS, *OPTIONAL_ARRAYS):
        value = getattr(weights, name)
        if value is not None or name in ARRAYS:
            _put(weights, name, _array(value, f"{weights.where}: {name.replace('_', ' ')}"))
    if weights.factors is not None:
        if not isinstance(weights.factors, list | tuple) or len(weights.factors) != 2:
            raise OptionError(f"factors=: {_kind(weights.factors)}; expected a tuple of two arrays, or None.")
        _put(weights, "factors", tuple(_array(one, f"{weights.where}: a factor") for one in weights.factors))
    _expect_mapping("initial", weights.initial)
    started = weights.initial.items()
    _put(weights, "initial", {name: _array(values, f"{weights.where}: initial {name}") for name, values in started})


def settle_layer(layer: "RecurrentLayer", weights: type) -> None:
    """Check the types of the fields; ``weights`` is the class of each direction's weights.

    Raises
    ------
    OptionError
    """
    check_arguments({name: getattr(layer, name) for name in ("name", "merge", "residual")}, ("name", "merge"))
    for name, value in (("forward", layer.forward), ("backward", layer.backward)):
        if value is not None and not isinstance(value, weights):
            raise OptionError(f"{name}=: {_kind(value)}; expected LayerWeights or None.")


def settle_network(network: "Network", layer: type) -> None:
    """Check the types of the fields and replace lists by tuples; ``layer`` is the class of its layers.

    Raises
    ------
    BadWeights
        The embedding is not an array.
    OptionError
        A field has the wrong type.
    """
    given: Any = network.layers
    if not isinstance(given, list | tuple):
        raise OptionError(f"layers=: {_kind(given)}; expected a tuple of RecurrentLayer.")
    for number, one in enumerate(given):
        if not isinstance(one, layer):
            raise OptionError(f"layers=: number {number} {_kind(one)}; expected a RecurrentLayer.")
    _put(network, "layers", tuple(given))
    if network.embedding is not None:
        _put(network, "embedding", _array(network.embedding, "the embedding"))
    _expect_mapping("origin", network.origin)
    check_arguments({"notes": network.notes, "no_embedding": network.no_embedding}, ("notes",))
    _put(network, "notes", (network.notes,) if isinstance(network.notes, str) else tuple(network.notes))


def _array(value: object, where: str) -> Any:
    if value is None or isinstance(value, str | bytes | Mapping):
        raise BadWeights(f"{where}: {_kind(value)}; expected an array of floating-point numbers.")
    return as_array(value, where, BadWeights, "Expected floating-point numbers.")


def _expect_mapping(name: str, value: object) -> None:
    if not isinstance(value, Mapping):
        raise OptionError(f"{name}=: {_kind(value)}; expected a dict.")


def _kind(value: object) -> str:
    return f"is {with_article(type(value).__name__)}"


def _put(frozen: object, name: str, value: object) -> None:
    object.__setattr__(frozen, name, value)
