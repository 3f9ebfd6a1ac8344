"""The sequences of a run out of those of its inputs: several joined, all of them or some."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..errors import BadLengths
from ..inputs.base import Source
from ..inputs.carried import Carried, check_names, joined, some_rows, some_steps
from ..inputs.choosing import choose_rows, choose_steps
from ..inputs.ids_of_run import joined_ids, some_ids
from ..inputs.joined import Joined
from ..inputs.lengths import ValidSteps
from ..inputs.selected import Places, SomeRows, SomeSteps, steps_kept
from .request import Options
from .sequences import Sequences

__all__ = ["INPUT_ROW", "choose"]

# The name in the output of the numbers of chosen rows.
INPUT_ROW = "input_row"


def choose(found: Sequence[Sequences], options: Options) -> Sequences:
    """Join several inputs, and choose rows and steps.

    Parameters
    ----------
    found : sequence of Sequences
        Those of each input, at least one.
    options : Options

    Raises
    ------
    BadLengths, BadInput, OptionError
    """
    return _chosen(found[0] if len(found) == 1 else _joined(found), options)


def _joined(found: Sequence[Sequences]) -> Sequences:
    sources, valid = [each.source for each in found], [each.valid for each in found]
    short = [
        each for each, source in zip(valid, sources, strict=True) if (each.lengths < source.shape[1]).any()
    ] or valid[:1]  # fmt: skip
    sides = {each.padding for each in short}
    if len(sides) > 1:
        raise BadLengths(
            "inputs=: some are padded after the valid steps, others before them; expected one side. Run them apart."
        )
    side = sides.pop()
    every = ValidSteps(
        np.concatenate([each.lengths for each in valid]), side, valid[0].found,
        tuple(note for each in valid for note in each.notes),
    )  # fmt: skip
    copied = tuple(joined(parts, sources, side) for parts in zip(*(each.carried for each in found), strict=True))
    ids = joined_ids([each.ids for each in found], [source.shape[0] for source in sources], _labels(sources))
    return Sequences(Joined(sources, side), every, ids, copied)


def _labels(sources: Sequence[Source]) -> list[str]:
    """Name each input: by its file's name without suffix if these differ, else by its number."""
    named = [Path(str(source.identity["path"])).name.partition(".")[0] for source in sources]
    return named if len(set(named)) == len(named) else [str(number) for number in range(len(named))]


def _chosen(found: Sequences, options: Options) -> Sequences:
    source, valid, ids, carried = found
    if options.rows is not None:
        places = choose_rows(options.rows, source, ids)
        source, ids = SomeRows(source, places), ids if ids is None else some_ids(ids, places)
        valid = valid._replace(lengths=valid.lengths[places])
        carried = (*(some_rows(each, places) for each in carried), _numbers(places))
        check_names(carried)
    if options.steps is not None:
        steps = choose_steps(options.steps, source)
        valid = valid._replace(lengths=steps_kept(valid.lengths, steps, source.shape[1], valid.padding))
        source = SomeSteps(source, steps)
        carried = tuple(some_steps(each, steps) for each in carried)
    return Sequences(source, valid, ids, carried)


def _numbers(places: Places) -> Carried:
    """Return the numbers of the chosen sequences in the input, for the output."""
    return Carried(INPUT_ROW, False, (), np.dtype("<i8"), lambda wanted: places[wanted])
