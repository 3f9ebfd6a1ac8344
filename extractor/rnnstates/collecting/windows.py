"""Runs the model batch by batch, and hands the states to a sink window by window."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from ..arrays.axes import Array, Lengths, StepStates, valid_mask
from ..errors import BadInput, DoesNotMatch, Stopped
from ..extraction.agreement import Notes
from ..extraction.request import Request
from ..network.cells import DERIVED
from ..network.pooling import pool
from ..output.format import DatasetSpec, Shape
from ..output.kept.parts import EVERYTHING, Kept, StoredParts
from ..output.layout import Ids
from ..output.sink import AnyFloats, Sink, to_dtype
from .checking import check_alone
from .feeding import Feed
from .running import Batch, Part, Parts, Runner

__all__ = ["Collection", "Grid", "collect_windows"]


@dataclass(frozen=True)
class Grid:
    """How rows are divided: into batches that the model runs at once, and windows that are written at once."""

    batch_rows: int
    window_rows: int

    def as_dict(self) -> dict[str, int]:
        """Return it for the record."""
        return {"batch_rows": self.batch_rows, "window_rows": self.window_rows}


@dataclass(frozen=True, eq=False)
class Collection:
    """Everything known before the states are computed; the counterpart of ``extract``'s ``Job``.

    ``alone`` is the result of the first row by itself.
    """

    request: Request
    source: Feed
    network: Parts
    ids: Ids | None
    shape: Shape
    grid: Grid
    specs: tuple[DatasetSpec, ...]
    notes: Notes
    runner: Runner
    alone: Batch
    engine: str = "keras"
    tokens: bool = False
    initial: None = None
    kept: Kept = EVERYTHING
    # A model's inputs are whole arrays.
    carried: tuple[()] = ()

    @property
    def stored(self) -> StoredParts:
        """The parts that are stored: all."""
        return StoredParts(self.network, self.kept)

    def check_unchanged(self) -> None:
        """Raise ``InputChanged`` if the inputs have changed since they were opened."""
        self.source.check_unchanged()


def collect_windows(
    collection: Collection,
    sink: Sink,
    *,
    progress: Callable[[int, int], None] | None = None,
    until: float | None = None,
) -> None:
    """Run the model over all rows that the sink does not have.

    Raises
    ------
    BadInput
        A state of a valid step is NaN or infinite.
    BadWeights
        See ``Runner``.
    DoesNotMatch
        An input in memory is not what an earlier run read.
    Stopped
        The time limit is reached.
    """
    shape, done = collection.shape, sum(window.steps for window in sink.windows.values())
    for number, rows in _cut(slice(0, shape.sequences), collection.grid.window_rows):
        known = sink.windows.get(number)
        if known is None:
            if until is not None and time.monotonic() >= until:
                raise Stopped
            _Window(collection, sink, number).run(rows)
            done += int(shape.lengths[rows].sum())
            if progress is not None:
                progress(done, shape.valid_steps)
        else:
            _compare(collection, rows, known.read)


def _cut(rows: slice, size: int) -> Iterator[tuple[int, slice]]:
    for number, start in enumerate(range(rows.start, rows.stop, size)):
        yield number, slice(start, min(rows.stop, start + size))


def _compare(collection: Collection, rows: slice, read: tuple[int, int] | None) -> None:
    if read is None:
        return
    found, feed = (0, 0), collection.source
    for _, batch in _cut(rows, collection.grid.batch_rows):
        found = feed.sums(feed.read(batch), batch, found)
    if found != tuple(read):
        raise DoesNotMatch(
            f"{feed.name}: sequences {rows.start} to {rows.stop - 1} are not those that the unfinished output was made "
            "from. Give the same input, or throw the unfinished work away with restart=True."
        )


class _Window:
    """Rows on their way to the sink."""

    def __init__(self, collection: Collection, sink: Sink, number: int) -> None:
        self._job, self._sink, self._number, self._overflowed = collection, sink, number, 0

    def run(self, rows: slice) -> None:
        """Compute a window and hand it to the sink."""
        read, feed = (0, 0), self._job.source
        for _, batch in _cut(rows, self._job.grid.batch_rows):
            arrays = feed.read(batch)
            read = feed.sums(arrays, batch, read)
            made = self._states_of(arrays, batch)
            if not batch.start:
                self._check_alone(made)
            for part in self._job.network.listed:
                self._put_part(part, made, batch)
        self._sink.finish(self._number, self._overflowed, read)

    def _states_of(self, arrays: list[Array], rows: slice) -> Batch:
        runner, shape = self._job.runner, self._job.shape
        runner.lookups.check(self._job.source, arrays, rows.start, shape.lengths[rows], shape.padding)
        with runner.lookups.named(self._job.source, arrays, rows.start):
            return runner(self._job.source.packed(arrays))

    def _check_alone(self, made: Batch) -> None:
        for one, states, alone in zip(self._job.runner.heard, made.states, self._job.alone.states, strict=True):
            check_alone(one, states, alone)

    def _put_part(self, part: Part, made: Batch, rows: slice) -> None:
        specs = [spec for spec in self._job.specs if spec.part == part.path]
        lengths, padding = self._job.shape.lengths[rows], self._job.shape.padding
        for state in dict.fromkeys(spec.state for spec in specs):
            values = _to_front(_state(made, part, state), lengths, padding)
            self._check(values, lengths, rows, part, state)
            for spec in specs:
                if spec.state == state:
                    self._put(spec, values, lengths, rows, part)

    def _put(self, spec: DatasetSpec, values: StepStates, lengths: Lengths, rows: slice, part: Part) -> None:
        if spec.pooling is not None:
            vectors = pool(spec.pooling, values, lengths, direction=part.direction)
            kept_vectors = vectors if spec.columns is None else vectors[:, spec.columns]
            self._sink.put(spec, rows.start, self._cast(kept_vectors, spec), self._number)
            return
        kept = self._job.shape.kept.choose(values, lengths, np.zeros_like(lengths), lengths)
        some, steps = np.flatnonzero(kept.counts), kept.values.shape[1]
        units = kept.values if spec.columns is None else kept.values[:, :, spec.columns]
        flat = self._cast(units, spec).reshape(-1, spec.width)
        places = self._job.shape.first_rows[rows][some]
        self._sink.put_sequences(spec, places, flat, some * steps, kept.counts[some], self._number)

    def _cast(self, values: AnyFloats, spec: DatasetSpec) -> AnyFloats:
        cast, overflowed = to_dtype(values, spec.dtype)
        self._overflowed += overflowed
        return cast

    def _check(self, values: StepStates, lengths: Lengths, rows: slice, part: Part, state: str) -> None:
        if self._job.request.allow_nonfinite or np.isfinite(values).all():
            return
        row, step, unit = (int(place[0]) for place in np.nonzero(~np.isfinite(values)))
        if self._job.shape.padding == "pre":
            step += self._job.shape.steps - int(lengths[row])
        raise BadInput(
            f"{self._job.source.name}: layer '{part.path}' has a {state} state of {values[row].max()} in sequence "
            f"{rows.start + row}, step {step}, unit {unit}; expected finite numbers. Mend the input or the weights, or "
            "let it pass with allow_nonfinite=True."
        )


def _state(made: Batch, part: Part, state: str) -> StepStates:
    parts = DERIVED.get(state, (state,))
    found = [made.of(part, name) for name in parts if name == "hidden" or part.weights.cell == "lstm"]
    return found[0] if len(found) == 1 else np.concatenate(found, axis=2)


def _to_front(values: StepStates, lengths: Lengths, padding: str) -> StepStates:
    """Move the valid steps to the front, followed by zeros: a new array [B, T, W]."""
    steps = values.shape[1]
    if padding == "pre":
        places = np.arange(steps) + (steps - lengths)[:, np.newaxis]
        values = np.take_along_axis(values, np.minimum(places, steps - 1)[:, :, np.newaxis], axis=1)
    return np.where(valid_mask(lengths, steps)[:, :, np.newaxis], values, values.dtype.type(0))
