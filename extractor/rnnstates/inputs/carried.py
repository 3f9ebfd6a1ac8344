"""Datasets of the input that are copied into the output: labels, tokens, text; one value per sequence, or per step."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..errors import BadInput
from .base import Source
from .container import Entries
from .selected import Places

__all__ = ["Carried", "check_names", "joined", "some_rows", "some_steps"]


@dataclass(frozen=True)
class Carried:
    """A dataset that is copied into the output.

    Parameters
    ----------
    name : str
    per_step : bool
        Whether it has an entry for each step; else one for each sequence.
    tail : tuple of int
        The axes of an entry.
    dtype : dtype
        Numbers, or ``S<k>`` for text in UTF-8.
    read : callable
        From the numbers of sequences [n] to [n, ...], or [n, T, ...] with steps at the places of the input's steps.
    ascii : bool
        Whether all text is ASCII.
    note : str
        What was assumed about it.
    """

    name: str
    per_step: bool
    tail: tuple[int, ...]
    dtype: np.dtype[Any]
    read: Callable[[Places], Entries]
    ascii: bool = True
    note: str = ""


def check_names(carried: Sequence[Carried]) -> None:
    """Refuse datasets that would have the same name in the output, or that of another one's axis.

    Raises
    ------
    BadInput
    """
    taken: set[str] = set()
    for each in carried:
        own = {each.name, *(f"{each.name}_axis{axis}" for axis in range(len(each.tail)))}
        if same := sorted(own & taken):
            raise BadInput(
                f"carry=: {same[0]!r} would be two datasets of the output; expected different names. Rename one, or "
                "carry one only."
            )
        taken |= own


def some_rows(carried: Carried, rows: Places) -> Carried:
    """Return the entries of some sequences."""
    return replace(carried, read=lambda places: carried.read(rows[places]))


def some_steps(carried: Carried, steps: slice) -> Carried:
    """Return the entries of a stretch of time."""
    return replace(carried, read=lambda places: carried.read(places)[:, steps]) if carried.per_step else carried


def joined(parts: Sequence[Carried], sources: Sequence[Source], padding: str) -> Carried:
    """Return one dataset of those of several inputs, one after another.

    Raises
    ------
    BadInput
        They differ in what an entry is.
    """
    first = parts[0]
    for other, source in zip(parts, sources, strict=True):
        if (other.per_step, other.tail) != (first.per_step, first.tail):
            raise BadInput(f"{source.name}: carry={first.name!r}: has other axes than in {sources[0].name}.")
    starts = np.concatenate([[0], np.cumsum([source.shape[0] for source in sources])])
    steps, dtype = max(source.shape[1] for source in sources), np.result_type(*(part.dtype for part in parts))

    def read(places: Places) -> Entries:
        shape = (len(places), steps, *first.tail) if first.per_step else (len(places), *first.tail)
        block = np.zeros(shape, dtype)
        for part, source, start, stop in zip(parts, sources, starts[:-1], starts[1:], strict=True):
            here = (places >= start) & (places < stop)
            if not here.any():
                continue
            values = part.read(places[here] - start)
            if first.per_step:
                shift = steps - source.shape[1] if padding == "pre" else 0
                block[here, shift : shift + source.shape[1]] = values
            else:
                block[here] = values
        return block

    return replace(first, dtype=dtype, read=read, ascii=all(part.ascii for part in parts))
