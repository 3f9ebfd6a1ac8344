"""The library with its array types checked: every call by beartype, dtype and axes by jaxtyping.

``rnnstates.arrays.axes`` says what an array is as ``Annotated[npt.NDArray[np.int64], "B T"]``, which costs nothing when
the program runs. Here the library is imported a second time, through jaxtyping's import hook, and each such type
becomes ``jaxtyping.Int64[np.ndarray, "B T"]``. Only what holds arrays is checked; mypy looks after the rest.
"""

import contextlib
import functools
import importlib
import operator
import pkgutil
import sys
import types
from collections.abc import Mapping, Sequence
from importlib.machinery import ExtensionFileLoader
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin

import jaxtyping
import numpy as np
from beartype import beartype
from beartype.door import is_bearable
from beartype.vale import Is

__all__ = ["ROOMS", "Checked", "arrays_without_axes", "as_checked", "beartyped", "checked_library"]

# The rooms in which arrays have axes that are known.
ROOMS = ("arrays", "network", "engines", "inputs", "extraction", "output")

BUILDERS = f"{__package__}.builders"

# What jaxtyping calls the abstract dtypes; the others have their own names there.
ABSTRACT = {
    Any: jaxtyping.Shaped,
    np.generic: jaxtyping.Shaped,
    np.number: jaxtyping.Num,
    np.integer: jaxtyping.Integer,
    np.floating: jaxtyping.Float,
}
CONCRETE = {getattr(np, name.lower()): getattr(jaxtyping, name) for name in (
    *("Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64", "Float16", "Float32", "Float64"),
)} | {np.bool_: jaxtyping.Bool}  # fmt: skip


# Functions by ``module.name``: those with types that are checked, those that have been called, and those with arrays of
# which the axes are not said.
DECLARED, CALLED, WITHOUT_AXES = set(), set(), set()


class Checked(NamedTuple):
    """The library with its checks, ``tests.builders`` that uses it, and the three sets of functions."""

    library: types.ModuleType
    builders: types.ModuleType
    declared: set[str]
    called: set[str]
    without_axes: set[str]


def as_checked(hint):
    """Give the type that is checked, or None where a type holds no array with axes.

    beartype looks at one element of a container; those of arrays are looked at one by one.
    """
    origin, parts = get_origin(hint), get_args(hint)
    if origin is Annotated and isinstance(parts[1], str):
        return jaxtyping.Float[Any, parts[1]] if parts[0] is Any else _array(parts[0], parts[1])
    if origin in (Union, types.UnionType):
        inner = [as_checked(part) or part for part in parts]
        return functools.reduce(operator.or_, inner) if inner != list(parts) else None
    if not isinstance(origin, type) or not issubclass(origin, Mapping | Sequence | tuple) or issubclass(origin, str):
        return None
    inner = [as_checked(part) for part in parts]
    if not any(inner):
        return None
    if issubclass(origin, tuple) and Ellipsis not in parts:
        return tuple[tuple(one or Any for one in inner)]
    [element] = filter(None, inner)
    return Annotated[origin, Is[lambda values: _all_are(values, element)]]


def _all_are(values, element):
    return all(is_bearable(one, element) for one in (values.values() if isinstance(values, Mapping) else values))


def _array(array, axes):
    [scalar] = get_args(get_args(array)[1])
    scalars = get_args(scalar) if get_origin(scalar) in (Union, types.UnionType) else (scalar,)
    kinds = [get_origin(one) or one for one in scalars]
    return functools.reduce(operator.or_, ((ABSTRACT | CONCRETE)[kind][np.ndarray, axes] for kind in kinds))


def arrays_without_axes(hint):
    """Tell whether a type holds an array of which it does not say the axes."""
    if get_origin(hint) is np.ndarray or hint is np.ndarray:
        return True
    return get_origin(hint) is not Annotated and any(map(arrays_without_axes, _listed(get_args(hint))))


def _listed(parts):
    return [one for part in parts for one in (part if isinstance(part, list) else [part])]


def beartyped(function):
    """Check those parameters and results of a function that hold arrays; jaxtyping calls this for each function."""
    name = f"{function.__module__}.{function.__qualname__}"
    hints = function.__annotations__
    if any(map(arrays_without_axes, hints.values())):
        WITHOUT_AXES.add(name)
    checked = {one: as_checked(hint) for one, hint in hints.items()}
    if not any(checked.values()):
        return function
    DECLARED.add(name)
    function.__annotations__ = {one: hint or Any for one, hint in checked.items()}
    checking = beartype(function)

    @functools.wraps(function)
    def noted(*given, **named):
        CALLED.add(name)
        return checking(*given, **named)

    return noted


@contextlib.contextmanager
def checked_library(patch):
    """Import rnnstates again, checked, as long as the context lasts; gives what to use of it."""
    kept = {name: module for name, module in sys.modules.items() if _is_ours(name)}
    compiled = {name for name, module in kept.items() if isinstance(module.__spec__.loader, ExtensionFileLoader)}
    # jaxtyping would import JAX to leave itself out of its tracebacks.
    patch.setitem(sys.modules, "jax", None)
    for name in kept.keys() - compiled:
        del sys.modules[name]
    try:
        with jaxtyping.install_import_hook([f"rnnstates.{room}" for room in ROOMS], f"{__name__}.beartyped"):
            library, builders = map(importlib.import_module, ("rnnstates", BUILDERS))
            for room in ROOMS:
                _check_fields(importlib.import_module(f"rnnstates.{room}"))
            yield Checked(library, builders, DECLARED, CALLED, WITHOUT_AXES)
    finally:
        for name in [name for name in sys.modules if _is_ours(name)]:
            del sys.modules[name]
        sys.modules.update(kept)


def _check_fields(package):
    """Import all of a room and check the fields of its NamedTuples; jaxtyping does so with dataclasses only."""
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        for one in vars(importlib.import_module(module.name)).values():
            if isinstance(one, type) and hasattr(one, "_fields") and one.__module__ == module.name:
                one.__new__ = jaxtyping.jaxtyped(one.__new__, typechecker=beartyped)


def _is_ours(name):
    return name.partition(".")[0] == "rnnstates" or name == BUILDERS
