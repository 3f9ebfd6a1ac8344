"""Describes Python code in JSON types: its instructions, and the values and functions that it names."""

import functools
import hashlib
import sysconfig
from collections.abc import Iterator, Mapping
from types import CodeType, FunctionType
from typing import Any

import numpy as np

from ..keras.started import tf
from .finding import Layer

__all__ = ["Code"]

# Libraries identified by their recorded versions.
LIBRARIES = ("builtins", "keras", "numpy", "rnnstates", "tensorflow")
INSTALLED = tuple({sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")})
# What Keras calls when a model runs.
CALLED = ("__call__", "call", "compute_mask", "get_initial_state")


class Code:
    """Describes the code of a model's classes and functions, except those of libraries.

    Parameters
    ----------
    places : mapping
        The position of each layer and operation in the model, by address.
    """

    def __init__(self, places: Mapping[int, int]) -> None:
        self._places = places

    def of(self, layer: Layer) -> list[Any]:
        """Describe the code of a layer's class, and of functions that are attributes of the layer."""
        found = [one for name in CALLED for one in _of_class(layer, name)] + list(vars(layer).values())
        reading, functions = _Reading(self._places, layer), (_function(one) for one in found)
        return [reading.function(one) for one in functions if one is not None and _package(one) not in LIBRARIES]

    def value(self, value: Any) -> Any:
        """Describe a value; an object of an unknown class by the class's name."""
        return _Reading(self._places, None).value(value)


class _Reading:
    """A traversal of a layer's code, in which each function is described once."""

    def __init__(self, places: Mapping[int, int], layer: Layer) -> None:
        self._places, self._layer = places, layer
        self._known: dict[int, int] = {}

    def function(self, function: FunctionType) -> Any:
        if _package(function) in LIBRARIES:
            return f"{function.__module__}.{function.__qualname__}"
        compiled = function.__code__
        if id(compiled) in self._known:
            return self._known[id(compiled)]
        self._known[id(compiled)] = len(self._known)
        given = [compiled, _held(function), function.__defaults__, function.__kwdefaults__]
        named = {name: self._named(name, function) for name in sorted(set(_names(compiled)))}
        return [*(self.value(one) for one in given), named]

    def value(self, value: Any) -> Any:
        if isinstance(value, bool | int | str | None):
            return value
        if isinstance(value, float | complex | bytes | type(...)):
            return repr(value)
        if isinstance(value, Mapping):
            return {str(name): self.value(inner) for name, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(one) for one in value]
        if isinstance(value, set | frozenset):
            # Their order differs between processes.
            return sorted(repr(self.value(one)) for one in value)
        if isinstance(value, CodeType):
            return [_digest(value.co_code), list(value.co_names), self.value(value.co_consts)]
        return self._object(value)

    def _object(self, value: Any) -> Any:
        if id(value) in self._places:
            return f"layer {self._places[id(value)]}"
        if isinstance(value, np.ndarray | np.generic) or (tf.is_tensor(value) and hasattr(value, "numpy")):
            array = np.ascontiguousarray(value)
            return f"{array.shape} {array.dtype} {_digest(array.tobytes())}"
        if isinstance(value, functools.partial):
            return self.value([value.func, value.args, value.keywords])
        function = _function(value)
        return type(value).__name__ if function is None else self.function(function)

    def _named(self, name: str, function: FunctionType) -> list[Any]:
        """Describe what a name in code may mean: an attribute of the layer or of its class, or a global."""
        # The layer's own name may be numbered by Keras.
        found = [] if self._layer is None or name == "name" else [vars(self._layer).get(name)]
        found += _of_class(self._layer, name)
        meant = function.__globals__.get(name)
        if not isinstance(meant, FunctionType) or _is_followed(meant, function):
            found.append(meant)
        return [self.value(one) for one in found]


def _of_class(layer: Layer, name: str) -> list[Any]:
    """Return the attributes of this name in a layer's class and its bases, except classes of libraries."""
    own = [one for one in type(layer).__mro__ if one.__module__.partition(".")[0] not in LIBRARIES]
    return [vars(one)[name] for one in own if name in vars(one)]


def _function(value: Any) -> FunctionType | None:
    """Find the function in a method, a property or a ``tf.function``."""
    for inside in ("__func__", "fget", "python_function"):
        value = getattr(value, inside, value)
    return value if isinstance(value, FunctionType) else None


def _package(function: FunctionType) -> str:
    """Return the package of a function's code; a wrapper's own module name may be that of what it wraps."""
    return str(function.__globals__.get("__name__")).partition(".")[0]


def _is_followed(function: FunctionType, by: FunctionType) -> bool:
    """Return whether a function that another one uses is described too: same package, or not installed."""
    return _package(function) == _package(by) or not function.__code__.co_filename.startswith(INSTALLED)


def _held(function: FunctionType) -> list[Any]:
    """Return the closure values of a function; a cell may still be empty."""
    cells = function.__closure__ or ()
    return [cell.cell_contents for cell in cells if cell != type(cell)()]


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _names(inner)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
