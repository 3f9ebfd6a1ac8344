"""Format version 1: the datasets of a states file, with shapes, types and dimensions. Pure.

A file holds, for a network of one layer and one direction, at the root:

============================  ===================  =========================================================
``hidden``, ``cell``          [N, T, H]            zero past the length; packed layout: [sum(lengths), H]
``state``                     [N, T, 2H]           [cell, hidden]; on request
``hidden_mean``, …            [N, H]               any ``<state>_<pooling>``
``lengths``                   [N] int64            stored steps; ``input_lengths`` beside it if some are left out
``offsets``                   [N + 1] int64        packed layout only: sequence i is rows offsets[i]:offsets[i + 1]
``ids``                       [N]                  when the input has them
``integrity/sums``            [windows, D, 2]      checksums of D datasets (``checksums``), window by window
``integrity/rest``            [32]                 SHA-256 of all other bytes of the file
============================  ===================  =========================================================

Other networks have the same set once per part, in the groups ``layer0``, ``layer0/forward``, …; the root attribute
``layers`` lists the groups (``/`` for the plain case), so that one loop reads every file.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt

from ..arrays.axes import AllLengths
from ..network.cells import Sizes, available, carried, made_of, state_width
from ..network.pooling import FINAL
from .kept.parts import EVERYTHING, HasParts, Kept, StoredParts
from .kept.steps import ALL_STEPS, KeptSteps
from .kept.units import KeptUnits

__all__ = [
    *("COMPRESSED_VERSION", "FORMAT", "FORMAT_VERSION", "INPUT_LENGTHS", "REDUCED_VERSION", "DatasetSpec", "Shape"),
    *("plan_datasets", "version_of"),
]

FORMAT = "rnnstates"
FORMAT_VERSION = 1
# The states are in compressed chunks, and checked by value.
COMPRESSED_VERSION = 2
# Some of the units or steps only, which readers of version 1 would take for others.
REDUCED_VERSION = 3
# The lengths of the input, if ``lengths`` counts stored steps.
INPUT_LENGTHS = "input_lengths"


@dataclass(frozen=True)
class DatasetSpec:
    """One dataset of states.

    Parameters
    ----------
    name : str
        Its path in the file, without a leading slash.
    part : str
        The network part that it belongs to, as named by ``Network.parts``.
    state : str
        ``hidden``, ``cell``, ``state``, ….
    pooling : str or None
        A name in ``POOLINGS``; None for the states of every step.
    shape : tuple of int
    dtype : dtype
        Little-endian, so that files do not depend on the machine.
    dimensions : tuple of str
        The name of each axis.
    columns : tuple of int or None
        Which columns of the state are stored; None for all.
    units : tuple of int or None
        The number of the unit in each column, if some are left out.
    """

    name: str
    part: str
    state: str
    pooling: str | None
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    dimensions: tuple[str, ...]
    columns: tuple[int, ...] | None = None
    units: tuple[int, ...] | None = None

    @property
    def width(self) -> int:
        """The size of the last axis; the dataset is seen as rows of this many values."""
        return self.shape[-1]

    @property
    def nbytes(self) -> int:
        """Bytes as declared, including the holes of a padded layout."""
        return prod(self.shape) * self.dtype.itemsize


@dataclass(frozen=True, eq=False)
class Shape:
    """The shape of a whole job: what is read, and what is stored of it.

    Parameters
    ----------
    lengths : int64 [N]
        As read.
    steps : int
        T, the padded length, as read.
    layout : str
        ``padded`` or ``packed``.
    padding : str
        ``post`` or ``pre``: at which end of a row of the padded layout the padding is.
    kept : KeptSteps
        The steps that are stored.
    found : str
        How the lengths were found, for the record.
    """

    lengths: AllLengths
    steps: int
    layout: str = "padded"
    padding: str = "post"
    kept: KeptSteps = ALL_STEPS
    found: str = "given"

    @property
    def sequences(self) -> int:
        """N."""
        return len(self.lengths)

    @property
    def valid_steps(self) -> int:
        """The sum of all lengths, as read."""
        return int(self.lengths.sum())

    @cached_property
    def stored_lengths(self) -> AllLengths:
        """The stored steps of each sequence: int64 [N]."""
        return self.lengths if self.kept.all else self.kept.counts(self.lengths)

    @property
    def stored_steps(self) -> int:
        """The padded length of stored states."""
        return self.kept.most(self.steps)

    @property
    def stored_valid_steps(self) -> int:
        """The sum of all stored lengths."""
        return int(self.stored_lengths.sum())

    @cached_property
    def offsets(self) -> Annotated[npt.NDArray[np.int64], "_"]:
        """Where each sequence starts in the packed layout: int64 [N + 1]."""
        return np.concatenate([[0], np.cumsum(self.stored_lengths)]).astype(np.int64)

    @cached_property
    def first_rows(self) -> AllLengths:
        """For each sequence, its first row in a per-step dataset seen as [rows, width]: int64 [N]."""
        if self.layout == "packed":
            return self.offsets[:-1]
        starts = np.arange(self.sequences, dtype=np.int64) * self.stored_steps
        return starts if self.padding == "post" else starts + self.stored_steps - self.stored_lengths

    def extent(self, sequences: slice) -> tuple[int, int]:
        """Return the rows of some sequences in such a dataset, including padding: the first, and one past the last."""
        if self.layout == "packed":
            return int(self.offsets[sequences.start]), int(self.offsets[sequences.stop])
        return sequences.start * self.stored_steps, sequences.stop * self.stored_steps

    def rows_of(self, spec: DatasetSpec, sequences: slice) -> tuple[int, int]:
        """Return the rows of some sequences in any dataset, seen as [rows, width]."""
        return self.extent(sequences) if spec.pooling is None else (sequences.start, sequences.stop)


def version_of(kept: Kept, steps: KeptSteps, specs: Sequence[DatasetSpec]) -> int:
    """Return the version of a file: ``REDUCED_VERSION`` if it breaks what version 1 promises."""
    unlisted = kept.layers is not None and any(spec.part not in kept.layers for spec in specs if spec.pooling == FINAL)
    return FORMAT_VERSION if steps.all and kept.units is None and not unlisted else REDUCED_VERSION


def plan_datasets(
    network: HasParts,
    shape: Shape,
    *,
    states: Sequence[str],
    pool: Sequence[str],
    dtype: "np.dtype[Any]",
    precision: "np.dtype[Any]",
    kept: Kept = EVERYTHING,
) -> tuple[DatasetSpec, ...]:
    """List every dataset of states, part by part.

    Parameters
    ----------
    network : HasParts
    shape : Shape
    states : sequence of str
        States to keep for every step, for the cells that have them. The same states are pooled; if there are none,
        every state that the cell carries.
    pool : sequence of str
        Names in ``POOLINGS``; ``cell:mean`` pools one state, whether or not it is kept for every step.
    dtype : dtype
        Dtype of the stored states.
    precision : dtype
        Dtype of the computation, in which the final states are stored, so that another run can continue from them.
    kept : Kept
        Final states are kept of all units of all layers.
    """
    stored, final = StoredParts(network, kept), [pooling for pooling in pool if pooling == FINAL]
    types = {None: dtype.newbyteorder("<"), FINAL: precision.newbyteorder("<")}
    wanted = [
        *((part, weights, _wanted(weights, states, pool)) for part, _, _, weights in stored.parts()),
        *((part, weights, _wanted(weights, (), final)) for part, _, _, weights in stored.others()),
    ]
    return tuple(
        _spec(
            part, weights, state, pooling, shape=shape, dtype=types.get(pooling, types[None]), units=kept.units_of(part)
        )
        for part, weights, pairs in wanted
        for state, pooling in pairs
        if pooling != FINAL or part not in stored.averages
    )


def _wanted(weights: Sizes, states: Sequence[str], pool: Sequence[str]) -> list[tuple[str, str | None]]:
    """List each (state, pooling) of a part: every step, all states that are pooled, states by name, then ``final``."""
    plain = [word for word in pool if ":" not in word and word != FINAL]
    named = [tuple(word.split(":")) for word in pool if ":" in word]
    pairs: list[tuple[str, str | None]] = [(state, None) for state in states]
    pairs += [(state, pooling) for state in states or carried(weights) for pooling in plain]
    pairs += [(state, pooling) for state, pooling in named]
    pairs = [(state, pooling) for state, pooling in pairs if state in available(weights)]
    pairs += [(state, FINAL) for state in carried(weights) if FINAL in pool]
    return list(dict.fromkeys(pairs))


def _spec(
    part: str, weights: Sizes, state: str, pooling: str | None, *, shape: Shape, dtype: "np.dtype[Any]",
    units: KeptUnits | None,
) -> DatasetSpec:  # fmt: skip
    name = f"{part}/{state}".strip("/") + (f"_{pooling}" if pooling else "")
    axes: tuple[int, ...] = (shape.sequences,)
    dimensions: tuple[str, ...] = ("sequence",)
    if pooling is None and shape.layout == "packed":
        axes, dimensions = (shape.stored_valid_steps,), ("step",)
    elif pooling is None:
        axes, dimensions = (shape.sequences, shape.stored_steps), ("sequence", "time")
    width = state_width(weights, state)
    unit = "unit" if width == weights.units else f"{state}_unit"
    if units is None or pooling == FINAL:
        unit = unit if units is None else f"all_{unit}"
        return DatasetSpec(name, part, state, pooling, (*axes, width), dtype, (*dimensions, unit))
    columns, numbers = _columns(weights, state, units)
    shape_of = (*axes, len(columns))
    return DatasetSpec(name, part, state, pooling, shape_of, dtype, (*dimensions, unit), columns, numbers)


def _columns(weights: Sizes, state: str, units: KeptUnits) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return which columns of a state are stored, and the number of the unit in each."""
    columns: list[int] = []
    numbers: list[int] = []
    before = 0
    for one in made_of(weights, state):
        width = state_width(weights, one)
        numbers += units.of(width)
        columns += [before + unit for unit in units.of(width)]
        before += width
    return tuple(columns), tuple(numbers)
