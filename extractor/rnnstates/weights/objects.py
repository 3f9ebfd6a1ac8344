"""Weights given as objects of a live process: they become what the readers make of the same model's file.

Neither PyTorch nor Keras is imported here: whoever has an object of theirs has imported it.
"""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..arrays import Array
from ..articles import with_article
from ..errors import BadWeights, OptionError, RnnstatesError
from .readers import Container, Tensor, open_container
from .readers.base import as_floating

__all__ = ["WHERE", "is_path", "nonlinearity_of", "opened"]

# What messages call weights that have no file.
WHERE = "weights"
EXPECTED = (
    "a path, a Network, a mapping from name to array (a state_dict), a torch module, or a built Keras model or layer"
)


def is_path(weights: Any) -> bool:
    """Tell whether weights are given as a file."""
    return isinstance(weights, str | os.PathLike)


@contextlib.contextmanager
def opened(weights: Any) -> Iterator[Container]:
    """Open weights that are given as a path or an object.

    Raises
    ------
    OptionError
        It is nothing that can hold weights.
    MissingInput, BadWeights
        As ``open_container``.
    """
    if is_path(weights):
        with open_container(os.fspath(weights)) as container:
            yield container
    elif isinstance(weights, Mapping):
        yield _of_mapping(weights, "mapping of arrays")
    elif _is_a(weights, "torch", "nn.Module"):
        yield _of_mapping(weights.state_dict(), "PyTorch module")
    elif _is_a(weights, "keras", "Layer"):
        with _of_keras(weights) as container:
            yield container
    else:
        raise OptionError(f"{WHERE}=: is {with_article(type(weights).__name__)}; expected {EXPECTED}.")


def nonlinearity_of(weights: Any) -> str | None:
    """Tell what a torch module's ``nn.RNN`` are run with, which no state_dict says; None for no such layer.

    Raises
    ------
    BadWeights
        Several of them differ.
    """
    if not _is_a(weights, "torch", "nn.Module"):
        return None
    found = {
        module.nonlinearity
        for module in weights.modules()
        if isinstance(getattr(module, "nonlinearity", None), str) and hasattr(module, "hidden_size")
    }
    if len(found) > 1:
        raise BadWeights(f"{WHERE}: its RNN layers use {' and '.join(sorted(found))}; say which with activation=.")
    return found.pop() if found else None


def _is_a(value: Any, package: str, name: str) -> bool:
    """Tell whether a value is of a class of a package, if that is imported at all."""
    kind: Any = sys.modules.get(package)
    for part in name.split("."):
        kind = getattr(kind, part, None)
    return isinstance(kind, type) and isinstance(value, kind)


def _of_mapping(arrays: Mapping[Any, Any], kind: str) -> Container:
    tensors = {}
    for name, value in arrays.items():
        if not isinstance(name, str):
            raise OptionError(f"{WHERE}=: has the key {name!r}; expected names of arrays.")
        values = _as_array(value, name)
        if values is not None:
            tensors[name] = Tensor(name, values.shape, partial(as_floating, values, f"{WHERE}: '{name}'"))
    return Container(WHERE, kind, tensors)


def _as_array(value: Any, name: str) -> Array | None:
    """Give an array without copying it; None for what is beside the arrays of a checkpoint, as in a file."""
    if isinstance(value, np.ma.MaskedArray):
        raise BadWeights(f"{WHERE}: '{name}' is a masked array, whose mask would be lost; give the plain array.")
    if _is_a(value, "torch", "Tensor"):
        plain = value.detach().cpu()
        return np.asarray(plain.float() if str(plain.dtype) == "torch.bfloat16" else plain)
    if not hasattr(value, "shape") and not isinstance(value, list | tuple):
        return None
    try:
        array = np.asarray(value)
    except (ValueError, TypeError) as reason:
        raise BadWeights(f"{WHERE}: '{name}' is no array ({reason}); expected numbers.") from reason
    if array.dtype.kind not in "fiu":
        raise BadWeights(f"{WHERE}: '{name}' has dtype {array.dtype}; expected numbers.")
    return array


@contextlib.contextmanager
def _of_keras(layer: Any) -> Iterator[Container]:
    """Save a model as ``.keras`` and read that: Keras' own words for what it holds."""
    if not layer.built:
        raise BadWeights(f"{WHERE}: '{layer.name}' has no weights yet; call it once on data.")
    model = layer if _is_a(layer, "keras", "Model") else _alone(layer)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        try:
            with open_container(str(path)) as container:
                yield Container(WHERE, container.kind, container.tensors, container.attributes, container.documents)
        except RnnstatesError as reason:
            reason.args = (str(reason).replace(str(path), WHERE),)
            raise


def _alone(layer: Any) -> Any:
    """Put a layer into a model of its own; the layer is the same one."""
    keras: Any = sys.modules["keras"]
    kernels = [weight for weight in layer.weights if len(weight.shape) == 2]
    if not kernels:
        raise BadWeights(f"{WHERE}: '{layer.name}' ({type(layer).__name__}) is no recurrent layer; expected one.")
    return keras.Sequential([keras.Input((None, kernels[0].shape[0])), layer])
