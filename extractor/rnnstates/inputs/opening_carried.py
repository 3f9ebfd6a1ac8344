"""Finds the datasets that are copied into the output: next to the input, or as a Python program gives them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from ..errors import BadInput
from ..untrusted.given import as_array
from .base import Source
from .carried import Carried, check_names
from .carried_entries import PER_SEQUENCE, PER_STEP, entries_of
from .container import Series
from .hdf5_choice import guess, listing
from .lengths import ValidSteps
from .lists import rows_of
from .named import Named, beside, places

__all__ = ["open_carried"]


def open_carried(given: object, source: Source, valid: ValidSteps) -> tuple[Carried, ...]:
    """Find datasets to copy.

    Parameters
    ----------
    given : None, names or mapping
        Names of datasets next to the input, in one text with commas or a list; or arrays by name, or lists of arrays.
        ``per_step/NAME`` or ``per_sequence/NAME`` says what its entries are of, where both may be meant.
    source : Source
        The input, whole: its sequences and steps are those of the arrays.
    valid : ValidSteps
        Its valid steps: lists of arrays have an entry for each of these.

    Raises
    ------
    BadInput
        There is none of this name, or it has neither an entry per sequence nor per step.
    """
    if given is None:
        return ()
    if isinstance(given, Mapping):
        found = [(str(name), _given(values, f"carry['{name}']")) for name, values in given.items()]
    else:
        names = given.split(",") if isinstance(given, str) else given
        if not isinstance(names, Sequence) or not all(isinstance(name, str) for name in names):
            raise BadInput("carry=: expected names of datasets next to the input, or a dict of arrays.")
        found = [(name.strip().strip("/"), _beside(name.strip(), source)) for name in names]
    carried = tuple(_opened(name, values, source, valid) for name, values in found)
    check_names(carried)
    return carried


def _given(values: object, where: str) -> Named:
    series = _series_of(values, where)
    mend = "Give one value for each sequence or step."
    return Named(where, as_array(values, where, BadInput, mend) if series is None else series)


def _beside(name: str, source: Source) -> Named:
    container = source.container
    if container is None:
        raise BadInput(
            f"carry={name!r}: {source.name} has no datasets; give arrays by name: carry={{'{name}': array}}."
        )
    names = source.own_ids if isinstance(source.own_ids, list) else None
    if (role := _role(name)) and container.find(name, BadInput) is None:
        name = name.removeprefix(f"{role}/")
    for place in places(container, name):
        if (series := container.series(place, names, BadInput)) is not None:
            return Named(f"{container.path}: {container.noun} '{place.strip('/')}'", series)
    found = beside(container, name, BadInput)
    if found is None:
        present = container.present(BadInput)
        raise BadInput(
            f"carry={name!r}: no such {container.noun} in {container.path}; present: {listing(present)}."
            f"{guess(name, present)}"
        )
    return found


def _opened(name: str, found: Named, source: Source, valid: ValidSteps) -> Carried:
    carried = entries_of(found, source, valid, _role(name))
    return replace(carried, name=_name_in_output(name, found.where))


def _name_in_output(name: str, where: str) -> str:
    """Return the last part of a name, if a dataset can have it."""
    last = name.rpartition("/")[2]
    if last in ("", ".", "..") or "\0" in last or not last.isprintable():
        raise BadInput(f"{where}: the output can have no dataset {last!r}; expected a printable name. Rename it.")
    return last


def _role(name: str) -> str:
    """Return what the name says its entries are of; empty if it does not."""
    return next((role for role in (PER_STEP, PER_SEQUENCE) if name.strip("/").startswith(f"{role}/")), "")


def _series_of(values: object, where: str) -> Series | None:
    """Return what a Python program has as lists of arrays, or as a ragged tensor; None for anything else.

    Raises
    ------
    BadInput
        Entries differ in their axes.
    """
    given = rows_of(values)
    if not given or all(np.ndim(row) == 0 for row in given):
        return None
    rows = [as_array(row, f"{where}: row {number}", BadInput) for number, row in enumerate(given)]
    tail = next((row.shape[1:] for row in rows if row.size), ())
    wrong = next(
        (number for number, row in enumerate(rows) if row.ndim == 0 or (row.size and row.shape[1:] != tail)), None
    )
    if wrong is not None:
        raise BadInput(
            f"{where}: row {wrong} has shape {rows[wrong].shape}; expected (steps, …), with the same axes after the "
            "steps as in other rows."
        )
    types = {row.dtype for row in rows if row.size} or {np.dtype(np.float32)}
    lengths = np.array([len(row) for row in rows], np.int64)
    return Series(lengths, tail, np.result_type(*types), rows.__getitem__)
