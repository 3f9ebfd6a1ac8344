"""Reads an input again as a run did: cut at its lengths, joined with others, and only the chosen rows and steps."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt

from ..errors import BadInput, BadLengths
from ..inputs.base import Source
from ..inputs.joined import Joined
from ..inputs.packed import cut
from ..inputs.selected import SomeRows, SomeSteps
from ..output.format import INPUT_LENGTHS
from ..output.states import States

__all__ = ["SEVERAL", "NotFound", "cut_again", "reopen"]

# The kind of an input that was made of several files.
SEVERAL = "several"
# Where the numbers of chosen rows are.
INPUT_ROW = "per_sequence/input_row"


class NotFound(Exception):  # noqa: N818 - never seen outside; becomes the reason why nothing was recomputed
    """Something that the states were made from is missing; the text says what, and which parameter names it."""


def cut_again(source: Source, part: Mapping[str, Any], states: States) -> Source:
    """Cut sequences that follow one another as the run did.

    Raises
    ------
    BadInput
        The lengths of the states are not those of the input, and it has none of its own.
    NotFound
        The input has none of its own, and the output has those of some rows or steps only.
    """
    if not part.get("packed"):
        return source
    recorded = states.provenance["input"]
    if recorded["kind"] == SEVERAL or {"rows", "steps"} & set(recorded):
        with suppress(BadLengths):
            found = cut(source, None)
            if found.lengths is not None:
                return found
        source.close()
        raise NotFound(f"the lengths at which {source.name} was cut are not in it; put them there as 'lengths'")
    try:
        return cut(source, _lengths(states))
    except BadLengths as reason:
        source.close()
        raise BadInput(f"{reason} They are those of the states; give the input that these were made from.") from reason


def _lengths(states: States) -> Annotated[npt.NDArray[np.int64], "_"]:
    """Return the lengths of the sequences as they were read."""
    return np.asarray(states[INPUT_LENGTHS] if INPUT_LENGTHS in states.datasets else states.lengths)


def reopen(states: States, opened: Sequence[Source]) -> Source:
    """Join several inputs, and choose rows and steps, as the run did.

    Parameters
    ----------
    states : States
    opened : sequence of Source
        The inputs in their order; they are closed with the result.

    Raises
    ------
    BadInput
        The output does not say which rows it has.
    """
    recorded = states.provenance["input"]
    source = opened[0] if len(opened) == 1 else Joined(opened, str(states.attributes["padding"]))
    if "rows" in recorded:
        source = SomeRows(source, _rows(states, source))
    if "steps" in recorded:
        first, last = recorded["steps"]
        source = SomeSteps(source, slice(int(first), int(last)))
    return source


def _rows(states: States, source: Source) -> Annotated[npt.NDArray[np.int64], "_"]:
    if INPUT_ROW not in states.datasets:
        raise BadInput(f"{source.name}: the dataset '{INPUT_ROW}' is missing, so it is unknown which rows were read.")
    rows = np.asarray(states[INPUT_ROW])
    if rows.dtype.kind not in "iu" or rows.ndim != 1 or ((rows < 0) | (rows >= source.shape[0])).any():
        raise BadInput(f"'{INPUT_ROW}': are not numbers of the {source.shape[0]} sequences of {source.name}.")
    return rows.astype(np.int64)
