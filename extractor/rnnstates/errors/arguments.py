"""Checks the types of arguments to public functions; values are checked where they are used."""

import os
from collections.abc import Callable, Collection, Mapping
from numbers import Integral, Real
from typing import Any, NamedTuple

from . import OptionError
from .articles import with_article

__all__ = ["ARGUMENTS", "check_arguments"]

# No array of weights could be larger.
LARGEST = 2**31 - 1


class Kind(NamedTuple):
    """The type that a parameter accepts; also None where ``optional``."""

    fits: Callable[[Any], bool]
    expected: str
    optional: bool = True


def _is_flag(value: object) -> bool:
    return isinstance(value, bool) or type(value).__name__ in ("bool_", "bool")


def _is_whole(value: object) -> bool:
    return isinstance(value, Integral) and not _is_flag(value) and abs(int(value)) <= 2**63


def _is_number(value: object) -> bool:
    if not isinstance(value, Real) or _is_flag(value):
        return False
    try:
        float(value)
    except OverflowError:
        return False
    return True


def _are_names(value: object) -> bool:
    return isinstance(value, str) or (
        isinstance(value, list | tuple | set | frozenset) and all(isinstance(name, str) for name in value)
    )


def _are_pools(value: object) -> bool:
    if isinstance(value, Mapping):
        return all(isinstance(state, str) and _are_names(names) for state, names in value.items())
    return _are_names(value)


def _are_units(value: object) -> bool:
    if isinstance(value, Mapping):
        return all(isinstance(layer, str) and _are_units(units) for layer, units in value.items())
    if isinstance(value, str | range):
        return True
    is_list = isinstance(value, list | tuple) or getattr(value, "ndim", 0) == 1
    return is_list and isinstance(value, Collection) and len(value) > 0 and all(map(_is_whole, value))


def _is_path(value: object) -> bool:
    return isinstance(value, str | os.PathLike) and isinstance(os.fspath(value), str) and bool(os.fspath(value))


TEXT = Kind(lambda value: isinstance(value, str), "a str")
WORD = Kind(TEXT.fits, "a str", optional=False)
PATH = Kind(_is_path, "a path")
SIZE = Kind(lambda value: _is_whole(value) and value <= LARGEST, f"a whole number up to {LARGEST}")
WHOLE = Kind(_is_whole, "a whole number")
NUMBER = Kind(_is_number, "a number")
NAMES = Kind(_are_names, "a str of names with commas between, or a list of them")
POOLS = Kind(_are_pools, "a str of names with commas between, a list of them, or a dict of them by state")
FLAG = Kind(_is_flag, "True or False", optional=False)

ARGUMENTS: dict[str, Kind] = {
    **dict.fromkeys(("output", "path", "config", "save_weights", "destination"), PATH),
    **dict.fromkeys(
        (
            "layer",
            "convention",
            "activation",
            "recurrent_activation",
            "embedding",
            "dataset",
            "axes",
            "dtype",
            "compression",
            "if_exists",
            "per_sequence",
            "to",
        ),
        TEXT,
    ),
    **dict.fromkeys(("layout", "padding", "engine", "precision"), WORD),
    # Of the public classes for weights.
    **dict.fromkeys(("cell", "where", "name", "merge", "no_embedding"), WORD),
    **dict.fromkeys(("features", "units", "threads", "batch_size", "every", "last_steps"), SIZE),
    **dict.fromkeys(("seed", "sample"), WHOLE),
    **dict.fromkeys(("forget_bias", "cell_clip", "projection_clip", "preactivation_clip"), NUMBER),
    **dict.fromkeys(("states", "layers", "notes", "datasets", "keep_layers", "layer_average"), NAMES),
    "keep_units": Kind(_are_units, "a str such as '0:10,17', a list of numbers, a range or a dict of them by layer"),
    "pool": POOLS,
    "memory": Kind(lambda value: isinstance(value, str) or _is_whole(value), "bytes, or a str such as '512M'"),
    "max_runtime": Kind(lambda value: isinstance(value, str) or _is_number(value), "seconds, or a str such as '45m'"),
    **dict.fromkeys(("allow_nonfinite", "force", "quick", "restart", "univariate", "verify"), FLAG),
    **dict.fromkeys(("residual", "reset_after", "coupled"), FLAG),
    "progress": Kind(callable, "a function of (steps done, steps in all)"),
    "provenance": Kind(lambda value: isinstance(value, Mapping), "a dict"),
}


def check_arguments(given: Mapping[str, Any], required: Collection[str] = ()) -> None:
    """Refuse the first argument of a type that its parameter does not accept.

    Parameters
    ----------
    given : mapping
        Arguments by parameter name; those that ``ARGUMENTS`` does not list are checked where they are used.
    required : names
        Those that may not be None.

    Raises
    ------
    OptionError
    """
    for name, value in given.items():
        kind = ARGUMENTS.get(name)
        if kind is None or (value is None and kind.optional and name not in required) or kind.fits(value):
            continue
        found = f"is {value!r}" if _is_short(value) else f"is {with_article(type(value).__name__)}"
        expected = f"{kind.expected} or None" if kind.optional and name not in required else kind.expected
        raise OptionError(f"{name}=: {found}; expected {expected}.")


def _is_short(value: object) -> bool:
    """Whether a value is short enough to quote and says more than its type: a number, an empty str, a list of these."""
    if isinstance(value, list | tuple):
        return len(value) <= 4 and all(_is_short(one) or (isinstance(one, str) and len(one) <= 20) for one in value)
    return value == "" if isinstance(value, str) else isinstance(value, bool | int | float) and abs(value) < 2**70
