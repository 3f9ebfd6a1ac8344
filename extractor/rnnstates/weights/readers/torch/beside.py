"""Chooses the single arrays next to a state_dict that belong to the model: tables, trained states, normalisations."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from .data import NumpyArray, array_of

__all__ = ["Widths", "is_kept", "is_one", "shape_of", "widths_of"]

_WEIGHT = re.compile(r"weight_(ih|hh)")
_TABLE = re.compile(r"emb|look_?up|wte", re.IGNORECASE)
# Logs of a training run, and averages of weights.
_NOTED = re.compile(
    r"(?:^|_)(?:loss|losses|acc|accs|accuracy|accuracies|metrics?|history|logs?|scores?|confusion|epochs?|steps?|lrs?|"
    r"best|f1|auc|perplexity|ppl|errors?|times?|seconds|curves?|results?|predictions?|targets?|labels?|batch|"
    r"ema|swa|shadow|averages?|averaged)(?:_|$)",
    re.IGNORECASE,
)


class Widths(NamedTuple):
    """The widths of inputs and states of a file's recurrent weights."""

    inputs: frozenset[int]
    states: frozenset[int]


def shape_of(value: Any) -> tuple[int, ...]:
    """Return the shape of an array; a nested tensor has none."""
    return () if getattr(value, "is_nested", False) else tuple(value.shape)


def is_one(first: object, second: object) -> bool:
    """Return whether two arrays are the same object, or share their memory."""
    return first is second or (_memory(first) is not None and _memory(first) == _memory(second))


def _memory(value: Any) -> tuple[Any, ...] | None:
    if not hasattr(value, "data_ptr") or value.is_nested or value.is_meta or "strided" not in str(value.layout):
        return None
    return value.data_ptr(), shape_of(value), value.stride(), value.dtype


def widths_of(states: Iterable[Mapping[str, Any]]) -> Widths:
    """Collect the widths of the weights of recurrent modules.

    Parameters
    ----------
    states : iterable of mapping
        Their arrays by name.
    """
    inputs, outputs = set[int](), set[int]()
    for name, value in (pair for arrays in states for pair in arrays.items()):
        match, shape = _WEIGHT.search(name), shape_of(value)
        if match and len(shape) == 2:
            (inputs if match[1] == "ih" else outputs).add(shape[1])
    return Widths(frozenset(inputs), frozenset(outputs))


def is_kept(names: tuple[str, ...], value: object, widths: Widths, *, is_part: bool) -> bool:
    """Return whether an array next to a state_dict may belong to the model.

    Parameters
    ----------
    names : tuple of str
        The keys that lead to it, its own last.
    value : object
        The array.
    widths : Widths
    is_part : bool
        Whether it is next to entries with custom keys, as parts of a model are; next to ``state_dict``, only arrays
        with the width of inputs or states may belong to the model.
    """
    shape = shape_of(value)
    if not shape or 0 in shape or not _is_floating(value) or any(map(_NOTED.search, names)):
        return False
    fits = shape[-1] in widths.states or (len(shape) == 1 and shape[0] in widths.inputs)
    return is_part or fits or (_TABLE.search(names[-1]) is not None and len(shape) == 2)


def _is_floating(value: Any) -> bool:
    if isinstance(value, NumpyArray):
        return array_of(value) is not None
    dtype = value.dtype
    return bool(dtype.is_floating_point if hasattr(dtype, "is_floating_point") else dtype.kind == "f")
