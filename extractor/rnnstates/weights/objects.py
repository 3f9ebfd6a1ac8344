"""Opens weights given as live objects as the container that the same model's file would give.

Neither PyTorch nor Keras is imported here: whoever has one of their objects has imported it.
"""

import contextlib
import os
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np

from ..arrays.axes import Array
from ..errors import BadWeights, OptionError, RnnstatesError
from ..errors.articles import with_article
from ..untrusted.given import as_array
from .keras_object import of_keras
from .readers import Container, Tensor, open_container
from .readers.base import as_floating
from .torch_module import arrays_of, is_a

__all__ = ["WHERE", "is_path", "opened"]

# The name of weights without a file in messages.
WHERE = "weights"
EXPECTED = "a path, a mapping from name to array (a state_dict), a torch module, or a built Keras model or layer"
# Depth of nested mappings; beyond this one may contain itself.
DEEPEST = 32


def is_path(weights: object) -> bool:
    """Return whether weights are given as a file."""
    return isinstance(weights, str | os.PathLike)


@contextlib.contextmanager
def opened(weights: Any) -> Iterator[Container]:
    """Open weights that are given as a path or an object.

    Raises
    ------
    OptionError
        It cannot hold weights.
    MissingInput, BadWeights
        As ``open_container``.
    """
    if is_path(weights):
        with open_container(os.fspath(weights)) as container:
            yield container
    elif isinstance(weights, Mapping):
        yield _of_mapping(_flat(_entries(weights)), "mapping of arrays")
    elif is_a(weights, "torch", "nn.Module"):
        yield _of_mapping(arrays_of(weights), "PyTorch module")
    elif is_a(weights, "keras", "Layer"):
        with of_keras(weights) as container:
            yield container
    else:
        kind = type(weights)
        package = "" if kind.__module__ == "builtins" else f" of {kind.__module__.partition('.')[0]}"
        raise OptionError(
            f"{WHERE}: is of type {kind.__name__}{package}; expected {EXPECTED}. Save it, and give the path."
        )


def _entries(arrays: Mapping[Any, Any]) -> Mapping[Any, Any]:
    """Read a mapping once: it may be an open file, and each access to a .npz decompresses it."""
    try:
        return dict(arrays)
    except (MemoryError, RnnstatesError):
        raise
    # A closed file may raise anything.
    except Exception as reason:
        raise BadWeights(
            f"{WHERE}: {with_article(type(arrays).__name__)} that cannot be read ({reason}); expected arrays by name. "
            "If its file is closed, open it again."
        ) from reason


def _flat(arrays: Mapping[Any, Any]) -> Mapping[Any, Any]:
    """Flatten a PyTorch checkpoint or a tree of parameters, with the names that its file would give."""
    if not any(isinstance(value, Mapping) for value in arrays.values()):
        return arrays
    leaves = dict(_leaves(arrays))
    if any(is_a(leaf, "torch", "Tensor") for leaf in leaves.values()):
        from .readers.torch.nesting import found_tensors

        return found_tensors(
            arrays, lambda value: is_a(value, "torch", "Tensor") or isinstance(value, np.ndarray), WHERE
        )
    return leaves


def _leaves(tree: Mapping[Any, Any], name: str = "", depth: int = 1) -> Iterator[tuple[str, Any]]:
    if depth > DEEPEST:
        raise BadWeights(f"{WHERE}: is nested too deeply for a model, below '{name[:80]}'; expected names of arrays.")
    for key, value in tree.items():
        longer = f"{name}/{key}" if name else str(key)
        if isinstance(value, Mapping):
            yield from _leaves(value, longer, depth + 1)
        else:
            yield longer, value


def _of_mapping(arrays: Mapping[Any, Any], kind: str) -> Container:
    tensors = {}
    for name, value in arrays.items():
        if not isinstance(name, str):
            raise OptionError(f"{WHERE}=: has the key {name!r}; expected names of arrays.")
        if (tensor := _tensor(name, value)) is not None:
            tensors[name] = tensor
    return Container(WHERE, kind, tensors)


def _tensor(name: str, value: object) -> Tensor | None:
    """Return an array without copying it; None for non-arrays in a checkpoint, as in a file.

    An array that is not a weight, such as a random key, is refused when it is used.
    """
    where = f"{WHERE}: '{name}'"
    if is_a(value, "h5py", "Dataset") and not value:
        raise BadWeights(f"{where}: is a dataset of a closed HDF5 file; expected an open one. Open the file again.")
    # A nested tensor raises when asked for its shape.
    if not isinstance(value, list | tuple) and not is_a(value, "torch", "Tensor") and not hasattr(value, "shape"):
        return None
    try:
        values = as_array(value, where, BadWeights, "Expected numbers.")
    except BadWeights as reason:
        shape = _shape_of(value, reason)
        return Tensor(name, shape, partial(_refuse, reason)) if shape or is_a(value, "torch", "Tensor") else None
    is_text = values.dtype.kind not in "fiub" and not values.shape
    return None if is_text else Tensor(name, values.shape, partial(as_floating, values, where))


def _shape_of(value: object, reason: BadWeights) -> tuple[int, ...]:
    from .readers.torch.beside import shape_of

    try:
        return shape_of(value)
    # A list has no shape, and a lazy parameter fails in its own way.
    except Exception:
        raise reason from None


def _refuse(reason: BadWeights) -> Array:
    raise reason
