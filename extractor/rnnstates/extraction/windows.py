"""Reads and checks a window of the input, and gathers the pieces of tiles from it."""

import math
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple, cast

import numpy as np
import numpy.typing as npt

from ..arrays.axes import Embedding, Inputs, InputsOrIds, Lengths, Places, ReadIds, ReadInputs, Rows, empty_window
from ..arrays.copying import copy_rows
from ..arrays.workspace import Workspace
from ..inputs.checking import check_finite, check_tokens
from .grid import Window
from .job import Job

__all__ = ["Block", "Piece", "gather", "read_window"]

# Rows with fewer bytes than this are gathered in one go; longer ones are copied one by one.
SHORT_ROW = 2048
# If only some rows of a window are needed, this many bytes are read at a time, held in addition to the window.
PARTS = 16


class Block(NamedTuple):
    """The values read for a window.

    Parameters
    ----------
    values : floating [K, T', I] in the computing precision, or int64 [K, T'] token ids
        The rows that have steps in the window, possibly others too.
    places : int64 [R]
        Index of each row of the window in ``values``; -1 if not read.
    """

    values: ReadInputs | ReadIds
    places: Annotated[npt.NDArray[np.int64], "_"]


def read_window(job: Job, window: Window) -> Block:
    """Read and check one window; for a stretch of time, only the sequences that have steps in it.

    Raises
    ------
    BadInput
        A valid step holds something not allowed there.
    """
    count = window.rows.stop - window.rows.start
    live = np.flatnonzero(_has_steps(job, window))
    if len(live) == count or (window.first and window.last):
        return Block(_read(job, window.rows, window.steps), np.arange(count))
    places = np.full(count, -1)
    places[live] = np.arange(len(live))
    return Block(_read_some(job, window, live, most=max(1, count // PARTS)), places)


def _has_steps(job: Job, window: Window) -> Annotated[npt.NDArray[np.bool_], "R"]:
    lengths = job.shape.lengths[window.rows]
    has: npt.NDArray[np.bool_] = (
        lengths > window.steps.start if job.shape.padding == "post" else job.shape.steps - lengths < window.steps.stop
    )
    return has


def _read_some(job: Job, window: Window, live: Rows, *, most: int) -> ReadInputs | ReadIds:
    """Read some rows of a window by number: consecutive ones together, up to ``most``."""
    steps = window.steps.stop - window.steps.start
    dtype = np.dtype(np.int64) if job.tokens else job.request.computing
    values = empty_window((len(live), steps, *job.source.shape[2:]), dtype)
    edges = np.flatnonzero(np.diff(live, prepend=-2) != 1).tolist()
    for run, end in zip(edges, [*edges[1:], len(live)], strict=True):
        for start in range(run, end, most):
            stop = min(start + most, end)
            first = window.rows.start + int(live[start])
            values[start:stop] = _read(job, slice(first, first + stop - start), window.steps)
    return values


def _read(job: Job, rows: slice, steps: slice) -> ReadInputs | ReadIds:
    """Read rows and check them: floating [R, T', I], or int64 [R, T'] token ids."""
    stored = job.source.read(rows, steps)
    lengths = job.shape.lengths[rows]
    place: dict[str, Any] = {
        "first_row": rows.start,
        "first_step": steps.start,
        "steps": job.shape.steps,
        "padding": job.shape.padding,
        "where": job.source.name,
    }
    if job.tokens:
        vocabulary = len(job.network.embedding) if job.network.embedding is not None else 0
        return check_tokens(stored, lengths, vocabulary=vocabulary, **place)
    with np.errstate(over="ignore"):
        block: ReadInputs = np.asarray(stored, job.request.computing)
    if not job.request.allow_nonfinite:
        check_finite(block, lengths, original=stored, **place)
    return block


@dataclass(frozen=True, eq=False)
class Piece:
    """A stretch of time of a tile: its first k sequences, those that have steps in it.

    Parameters
    ----------
    inputs : floating [k, T, I]
        The valid steps come first, whatever the input's padding; the rest is arbitrary.
    lengths : int64 [k]
        Valid steps of each, never increasing, all positive.
    before : int64 [k]
        Valid steps of each before the piece.
    """

    inputs: Inputs
    lengths: Lengths
    before: Lengths


def gather(
    job: Job,
    block: Block,
    window: Window,
    *,
    members: Places,
    span: slice,
    embedding: Embedding | None,
    workspace: Workspace,
) -> Piece:
    """Gather a piece of a tile from its window.

    Parameters
    ----------
    job : Job
    block : Block
        The result of ``read_window``.
    window : Window
    members : int64 [B]
        The tile's rows within the window, longest first.
    span : slice
        Steps of the input, within those of the window.
    embedding : floating [vocabulary, I] or None
        For token ids.
    workspace : Workspace
        Memory for the inputs.
    """
    lengths = job.shape.lengths[window.rows][members]
    starts = np.zeros_like(lengths) if job.shape.padding == "post" else job.shape.steps - lengths
    first = np.maximum(span.start, starts)
    inside = np.minimum(span.stop, starts + lengths) - first
    live = int(np.count_nonzero(inside > 0))
    inside, first = inside[:live], first[:live]
    read = _gathered(block.values, block.places[members[:live]], first - window.steps.start, inside, workspace)
    inputs = embedding[read] if job.tokens and embedding is not None else cast("Inputs", read)
    return Piece(inputs, inside, first - starts[:live])


def _gathered(
    block: ReadInputs | ReadIds,
    members: Places,
    first: Places,
    lengths: Lengths,
    workspace: Workspace,
) -> InputsOrIds:
    width = int(lengths.max(initial=0))
    row_bytes = width * block[:1, :1].nbytes
    if row_bytes < SHORT_ROW and len(first) and (first == first[0]).all():
        taken: InputsOrIds = block[members, first[0] : first[0] + width]
        return taken
    # Zero for ids, because they are looked up in the embedding before the lengths are applied.
    make = workspace.zeros if block.ndim == 2 else workspace.array
    inputs = make("inputs", (len(members), width, *block.shape[2:]), block.dtype)
    _copy(block, members, first, lengths, inputs)
    return inputs


def _copy(
    block: ReadInputs | ReadIds,
    members: Places,
    first: Places,
    lengths: Lengths,
    inputs: InputsOrIds,
) -> None:
    if block.flags.c_contiguous:
        numbers = math.prod(block.shape[2:])
        places = np.arange(len(members)) * inputs.shape[1]
        starts = members * block.shape[1] + first
        copy_rows(block.reshape(-1, numbers), starts, inputs.reshape(-1, numbers), places, lengths)
        return
    # Part of somebody's array, or one in Fortran order: making it contiguous would need as much memory again.
    rows = zip(members.tolist(), first.tolist(), lengths.tolist(), strict=True)
    for place, (member, start, length) in enumerate(rows):
        inputs[place, :length] = block[member, start : start + length]
