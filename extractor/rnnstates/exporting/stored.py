"""What a states file holds, as export sees it: the only module that knows ``States``."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from ..arrays.axes import Rows
from ..errors import BadStates
from ..network.names import POOLING_NAMES, STATES
from ..output.format import Shape
from ..output.layout import encoded
from ..output.states import States
from ..untrusted.hdf5 import reading

__all__ = ["Member", "Stored", "Values", "stored_of"]

# An array in memory; an h5py.Dataset, which comes without types, in a file.
Values: TypeAlias = Any

# Kinds of NumPy's dtypes that are numbers: floats, integers, truth values.
NUMBERS = "fiub"
# Not exported by name: they go with the others.
BESIDE = ("ids", "offsets", "provenance")


@dataclass(frozen=True)
class Member:
    """One dataset of numbers.

    Parameters
    ----------
    name : str
    values : h5py.Dataset or array
        Of every step [N, T, ...] or [S, ...], else [N, ...].
    per_step : bool
    is_state : bool
        Whether it is a state or a pooled vector, not lengths or something else of the sequences.
    item : tuple of int
        The shape of an element, mostly (W,).
    numbers : int64 [W] or None
        The number of the unit in each column; None if it has no units.
    """

    name: str
    values: Values
    per_step: bool
    is_state: bool
    item: tuple[int, ...]
    numbers: Rows | None = None

    @property
    def dtype(self) -> "np.dtype[Any]":
        """The type, little-endian."""
        dtype: np.dtype[Any] = self.values.dtype
        return dtype.newbyteorder("<")


@dataclass(frozen=True, eq=False)
class Stored:
    """The content of a states file.

    Parameters
    ----------
    where : str
        For messages.
    shape : Shape
    members : dict
        By name.
    ids : dataset or array
        [N], integers or text; without ids in the input, the numbers of the sequences there.
    has_ids : bool
    provenance : str
        A JSON object.
    step_numbers : callable
        ``step_numbers(rows [K], places [K])`` returns the numbers of stored steps, by their places in the sequences.
    """

    where: str
    shape: Shape
    members: dict[str, Member]
    ids: Values
    has_ids: bool
    provenance: str
    step_numbers: Callable[[Rows, Rows], Rows]


def stored_of(states: States, where: str) -> Stored:
    """Look at every dataset of some states, which anybody may have edited.

    Raises
    ------
    BadStates
        Lengths, offsets, ids or shapes do not fit each other.
    """
    named = dict(states.datasets)
    groups = states.layers
    numbers = {
        name: dataset
        for name, dataset in named.items()
        if _is_plain(name) and dataset.dtype.kind in NUMBERS and dataset.dtype.itemsize <= 8
    }
    with reading(where, BadStates):
        shape = _shape(states, [numbers[name] for name in numbers if _state(name, groups) == (True, True)])
        if shape.layout == "packed" and not np.array_equal(named["offsets"][:], shape.offsets):
            raise _damaged(where, "offsets are not the sums of the lengths")
    if not np.all((shape.lengths >= 0) & (shape.lengths <= shape.steps)):
        raise _damaged(where, f"a length is not between 0 and {shape.steps}")
    members = [_member(name, dataset, shape, states, where) for name, dataset in numbers.items()]
    ids = named.get("ids")
    if ids is None:
        ids = states.ids
    if ids.shape != shape.lengths.shape or ids.dtype.kind not in "iuSU":
        raise _damaged(where, "ids are not one number or text for each sequence")
    known = {one.name: one for one in members if one}
    return Stored(where, shape, known, ids, "ids" in named, encoded(states.provenance), states.step_numbers)


def _is_plain(name: str) -> bool:
    """Return whether a name is a path without detours, and not taken in every format."""
    return name not in BESIDE and not {"", ".", ".."} & set(name.split("/"))


def _shape(states: States, of_steps: list[Values]) -> Shape:
    lengths = np.asarray(states.lengths).astype(np.int64)
    layout, padding = str(states.attributes["layout"]), str(states.attributes["padding"])
    longest = int(lengths.max(initial=0))
    steps = longest if layout == "packed" else max((one.shape[1] for one in of_steps if one.ndim > 1), default=longest)
    return Shape(lengths, steps, layout, padding)


def _state(name: str, groups: list[str]) -> tuple[bool, bool]:
    """Return whether a dataset is a state or a pooled vector, and whether it is of every step."""
    group, _, last = name.rpartition("/")
    state, _, pooling = last.rpartition("_")
    is_pooled = state in STATES and pooling in POOLING_NAMES
    return (group or "/") in groups and (is_pooled or last in STATES), last in STATES


def _member(name: str, values: Values, shape: Shape, states: States, where: str) -> Member | None:
    """Return a dataset with what is known about it; None if it does not belong to sequences or steps."""
    is_state, per_step = _state(name, states.layers)
    of_steps = (shape.valid_steps,) if shape.layout == "packed" else (shape.sequences, shape.steps)
    of_sequences = (shape.sequences,)
    if not is_state:
        per_step = values.shape[: len(of_steps)] == of_steps and of_steps != of_sequences
    leading = of_steps if per_step else of_sequences
    if values.shape[: len(leading)] == leading and (not is_state or values.ndim == len(leading) + 1):
        item = tuple(values.shape[len(leading) :])
        return Member(name, values, per_step, is_state, item, states.units(name) if is_state else None)
    if is_state:
        raise _damaged(where, f"'{name}' has shape {values.shape}; expected {leading} and the units")
    return None


def _damaged(where: str, what: str) -> BadStates:
    return BadStates(f"{where}: {what}; it is damaged, make it again.")
