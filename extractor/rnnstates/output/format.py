"""Format version 1: the datasets of a states file, with shapes, types and dimensions. Pure.

A file holds, for a network of one layer and one direction, at the root:

============================  ===================  =========================================================
``hidden``, ``cell``          [N, T, H]            zero past the length; packed layout: [sum(lengths), H]
``state``                     [N, T, 2H]           [cell, hidden]; on request
``hidden_mean``, …            [N, H]               any ``<state>_<pooling>``
``lengths``                   [N] int64
``offsets``                   [N + 1] int64        packed layout only: sequence i is rows offsets[i]:offsets[i + 1]
``ids``                       [N]                  when the input has them
``integrity/sums``            [windows, D, 2]      checksums of D datasets (``checksums``), window by window
``integrity/rest``            [32]                 SHA-256 of all other bytes of the file
============================  ===================  =========================================================

Other networks have the same set once per part, in the groups ``layer0``, ``layer0/forward``, …; the root attribute
``layers`` lists the groups (``/`` for the plain case), so that one loop reads every file.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Annotated, Any, Protocol

import numpy as np
import numpy.typing as npt

from ..arrays.axes import AllLengths
from ..network.cells import Sizes, available, carried, state_width
from ..network.model import Direction
from ..network.pooling import FINAL

__all__ = [
    "COMPRESSED_VERSION", "FORMAT", "FORMAT_VERSION", "DatasetSpec", "HasParts", "Shape", "group_name", "plan_datasets",
]  # fmt: skip

FORMAT = "rnnstates"
FORMAT_VERSION = 1
# The states are in compressed chunks, and checked by value.
COMPRESSED_VERSION = 2


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
    """

    name: str
    part: str
    state: str
    pooling: str | None
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    dimensions: tuple[str, ...]

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
    """The shape of a whole job.

    Parameters
    ----------
    lengths : int64 [N]
    steps : int
        T, the padded length.
    layout : str
        ``padded`` or ``packed``.
    padding : str
        ``post`` or ``pre``: at which end of a row of the padded layout the padding is.
    """

    lengths: AllLengths
    steps: int
    layout: str = "padded"
    padding: str = "post"

    @property
    def sequences(self) -> int:
        """N."""
        return len(self.lengths)

    @property
    def valid_steps(self) -> int:
        """The sum of all lengths."""
        return int(self.lengths.sum())

    @cached_property
    def offsets(self) -> Annotated[npt.NDArray[np.int64], "_"]:
        """Where each sequence starts in the packed layout: int64 [N + 1]."""
        return np.concatenate([[0], np.cumsum(self.lengths)]).astype(np.int64)

    @cached_property
    def first_rows(self) -> AllLengths:
        """For each sequence, its first row in a per-step dataset seen as [rows, width]: int64 [N]."""
        if self.layout == "packed":
            return self.offsets[:-1]
        starts = np.arange(self.sequences, dtype=np.int64) * self.steps
        return starts if self.padding == "post" else starts + self.steps - self.lengths

    def extent(self, sequences: slice) -> tuple[int, int]:
        """Return the rows of some sequences in such a dataset, including padding: the first, and one past the last."""
        if self.layout == "packed":
            return int(self.offsets[sequences.start]), int(self.offsets[sequences.stop])
        return sequences.start * self.steps, sequences.stop * self.steps

    def rows_of(self, spec: DatasetSpec, sequences: slice) -> tuple[int, int]:
        """Return the rows of some sequences in any dataset, seen as [rows, width]."""
        return self.extent(sequences) if spec.pooling is None else (sequences.start, sequences.stop)


class Named(Protocol):
    """A layer, of which only the name matters here."""

    @property
    def name(self) -> str:
        """Its name in the model."""


class HasParts(Protocol):
    """A ``Network``, or anything else that has parts whose states are stored."""

    def parts(self) -> Iterator[tuple[str, Named, Direction, Sizes]]:
        """Yield (path, layer, direction, weights); used are the layer's ``name`` and the cell and sizes of weights."""


def group_name(part: str) -> str:
    """Return the name of a part's group as listed in the attribute ``layers``."""
    return part or "/"


def plan_datasets(
    network: HasParts,
    shape: Shape,
    *,
    states: Sequence[str],
    pool: Sequence[str],
    dtype: "np.dtype[Any]",
    precision: "np.dtype[Any]",
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
    """
    return tuple(
        spec
        for part, _, _, weights in network.parts()
        for spec in _of_part(part, weights, shape, states=states, pool=pool, dtype=dtype, final_dtype=precision)
    )


def _of_part(
    part: str,
    weights: Sizes,
    shape: Shape,
    *,
    states: Sequence[str],
    pool: Sequence[str],
    dtype: "np.dtype[Any]",
    final_dtype: "np.dtype[Any]",
) -> Iterator[DatasetSpec]:
    prefix = f"{part}/" if part else ""
    kept = [state for state in states if state in available(weights)]
    dtype, final_dtype = dtype.newbyteorder("<"), final_dtype.newbyteorder("<")
    per_step: tuple[tuple[int, ...], tuple[str, ...]] = (
        ((shape.valid_steps,), ("step",))
        if shape.layout == "packed"
        else ((shape.sequences, shape.steps), ("sequence", "time"))
    )
    for state in kept:
        axes, names = per_step
        width, unit = _unit(weights, state)
        yield DatasetSpec(prefix + state, part, state, None, (*axes, width), dtype, (*names, unit))
    for state, pooling in _pooled(weights, states, pool):
        width, unit = _unit(weights, state)
        stored = final_dtype if pooling == FINAL else dtype
        name = f"{prefix}{state}_{pooling}"
        yield DatasetSpec(name, part, state, pooling, (shape.sequences, width), stored, ("sequence", unit))


def _pooled(weights: Sizes, states: Sequence[str], pool: Sequence[str]) -> list[tuple[str, str]]:
    """List each (state, pooling) of a part once: of all states that are pooled, of states by name, then ``final``."""
    has = available(weights)
    pairs = [(state, word) for state in states or carried(weights) for word in pool if ":" not in word]
    pairs = [(state, pooling) for state, pooling in pairs if pooling != FINAL]
    pairs += [(state, pooling) for state, colon, pooling in (word.partition(":") for word in pool) if colon]
    pairs = [(state, pooling) for state, pooling in pairs if state in has]
    pairs += [(state, FINAL) for state in carried(weights) if FINAL in pool]
    return list(dict.fromkeys(pairs))


def _unit(weights: Sizes, state: str) -> tuple[int, str]:
    width = state_width(weights, state)
    return width, "unit" if width == weights.units else f"{state}_unit"
