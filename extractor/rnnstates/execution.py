"""Running a planned job: read a window, compute its tiles side by side, hand every state to the sink.

One thread a tile. While the tiles of a window are computed the next window is read; two windows are held at most.
Nothing polls: the reading thread waits for the oldest window's tiles.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from typing import Any, NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from .arrays import Array, Tile
from .checking import check_finite, check_tokens
from .errors import BadInput
from .job import WINDOWS_HELD, Job
from .network.cells import DERIVED, GATE_STATES
from .network.stack import Engine, Stack
from .output.format import DatasetSpec
from .output.sink import Sink, to_dtype
from .planning import Window, tiles, windows
from .pooling import pool
from .weights.canonical import Network

__all__ = ["Progress", "run"]

# Called with the steps done and the steps in all.
Progress = Callable[[int, int], None]


def run(job: Job, engine: Engine, sink: Sink, progress: Progress | None = None) -> int:
    """Compute every state of a job.

    Parameters
    ----------
    job : Job
    engine : Engine
    sink : Sink
        Gets each row of each dataset once, from several threads.
    progress : callable or None
        Called from the calling thread after each tile.

    Raises
    ------
    BadInput
        A valid step holds something that is not allowed there; earlier rows have been given to the sink.
    WriteFailed
        The sink's.

    Returns
    -------
    int
        How many values were too large for the dtype they are stored in, and became infinite.
    """
    gates = [state for state in job.request.states if state in GATE_STATES]
    worker = _Worker(job, sink, Stack(job.network, engine, gates))
    # Two levels of threads would fight for the cores, and products split among threads round differently.
    with threadpool_limits(1), engine.running():
        return _run_windows(job, worker, progress)


def _run_windows(job: Job, worker: "_Worker", progress: Progress | None) -> int:
    tally = _Tally(job.shape.valid_steps, progress)
    held: deque[list[Future[_Done]]] = deque()
    threads = ThreadPoolExecutor(job.threads, thread_name_prefix="rnnstates")
    try:
        for window in windows(job.shape.lengths, job.shape.steps, job.grid, padding=job.shape.padding):
            members = list(_tiles(job, window))
            block = _Block(read_window(job, window), uses=len(members))
            held.append([threads.submit(worker.compute, tile, block, window) for tile in members])
            if len(held) == WINDOWS_HELD:
                tally.wait_for(held.popleft())
        while held:
            tally.wait_for(held.popleft())
    finally:
        threads.shutdown(wait=True, cancel_futures=True)
    return tally.overflowed


class _Block:
    """A window's values, let go by the last tile that uses them.

    An executor keeps a task's arguments a little longer than the task's result is awaited; were they the values
    themselves, a third window would be read while the first is still in memory.
    """

    def __init__(self, values: Array, uses: int) -> None:
        self.values: Array | None = values
        self._left, self._lock = uses, threading.Lock()

    def done(self) -> None:
        """Tell that one tile needs it no longer."""
        with self._lock:
            self._left -= 1
            if self._left == 0:
                self.values = None


class _Done(NamedTuple):
    """What a finished tile reports."""

    steps: int
    overflowed: int


class _Tally:
    """Adds up what the tiles report; only the calling thread touches it."""

    def __init__(self, steps: int, progress: Progress | None) -> None:
        self._all, self._progress = steps, progress
        self.steps = self.overflowed = 0

    def wait_for(self, tiles_of_a_window: "list[Future[_Done]]") -> None:
        """Wait for a window's tiles; raises what one of them raised."""
        for future in as_completed(tiles_of_a_window):
            done = future.result()
            self.steps += done.steps
            self.overflowed += done.overflowed
            if self._progress is not None:
                self._progress(self.steps, self._all)


def _tiles(job: Job, window: Window) -> Iterator[Array]:
    return tiles(job.shape.lengths[window.rows], job.grid)


def read_window(job: Job, window: Window) -> Array:
    """Read and check one window.

    Returns
    -------
    floating [R, T', I] in the computing precision, or int64 [R, T'] token ids
    """
    stored = job.source.read(window.rows, window.steps)
    lengths = job.shape.lengths[window.rows]
    place: dict[str, Any] = {
        "first_row": window.rows.start,
        "first_step": window.steps.start,
        "steps": job.shape.steps,
        "padding": job.shape.padding,
        "where": job.source.name,
    }
    if job.tokens:
        vocabulary = len(job.network.embedding) if job.network.embedding is not None else 0
        return check_tokens(stored, lengths, vocabulary=vocabulary, **place)
    with np.errstate(over="ignore"):
        block: Array = np.asarray(stored, job.request.precision)
    if not job.request.allow_nonfinite:
        check_finite(block, lengths, original=stored, **place)
    return block


class _Worker:
    """Computes one tile after another; shared by the threads."""

    def __init__(self, job: Job, sink: Sink, stack: Stack) -> None:
        self._job, self._sink, self._stack = job, sink, stack
        self._first_rows = job.shape.first_rows()
        embedding = job.network.embedding
        self._embedding = None if embedding is None else np.asarray(embedding, job.request.precision)
        self._directions = {part: direction for part, _, direction, _ in job.network.parts()}

    def compute(self, members: Array, block: _Block, window: Window) -> _Done:
        """Run the tile of these rows of the window and store its states."""
        tile = self._tile(members, block.values, window)
        block.done()
        initial = {} if self._job.initial is None else self._job.initial.read(tile.rows)
        start = _starts(self._job.network, initial, len(tile.rows), self._job.request.precision)
        results = self._stack.run(tile, start)
        overflowed = 0
        for spec in self._job.specs:
            overflowed += self._store(spec, tile, results[spec.part], start[spec.part])
        return _Done(int(tile.lengths.sum()), overflowed)

    def _tile(self, members: Array, block: Any, window: Window) -> Tile:
        rows = np.asarray(members, np.int64) + window.rows.start
        lengths = self._job.shape.lengths[rows]
        steps = int(lengths[0])
        # Zero, not garbage: products of a fused engine may touch what lies past the length.
        inputs = np.zeros((len(rows), steps, *block.shape[2:]), block.dtype)
        for place, (member, length) in enumerate(zip(members, lengths, strict=True)):
            start = 0 if self._job.shape.padding == "post" else block.shape[1] - length
            inputs[place, :length] = block[member, start : start + length]
        if self._job.tokens and self._embedding is not None:
            inputs = self._embedding[inputs]
        return Tile(rows, inputs, lengths)

    def _store(self, spec: DatasetSpec, tile: Tile, states: Mapping[str, Array], start: Mapping[str, Array]) -> int:
        values = _state(states, spec.state)
        if spec.pooling is not None:
            direction = self._directions[spec.part]
            first = start.get(spec.state)
            vectors = pool(spec.pooling, values, tile.lengths, direction=direction, start=first)
            pooled, overflowed = to_dtype(vectors, spec.dtype)
            for row, vector in zip(tile.rows, pooled, strict=True):
                self._sink.put(spec, int(row), vector[np.newaxis])
            return overflowed
        values, overflowed = to_dtype(values, spec.dtype)
        for row, length, sequence in zip(tile.rows, tile.lengths, values, strict=True):
            if length:
                self._sink.put(spec, int(self._first_rows[row]), sequence[:length])
        return overflowed


def _state(states: Mapping[str, Array], name: str) -> Array:
    if name not in DERIVED:
        return states[name]
    return np.concatenate([states[part] for part in DERIVED[name] if part in states], axis=-1)


def _starts(
    network: Network, given: Mapping[str, Mapping[str, Array]], rows: int, precision: str
) -> dict[str, dict[str, Array]]:
    """Give the states that each part starts from, [B, W]: those of the run, else those that its weights bring."""
    starts: dict[str, dict[str, Array]] = {}
    for part, _, _, weights in network.parts():
        learned = {name: np.broadcast_to(values, (rows, len(values))) for name, values in weights.initial.items()}
        chosen = {**learned, **given.get(part, {})}
        with np.errstate(over="ignore"):
            starts[part] = {name: np.asarray(values, precision) for name, values in chosen.items()}
        for name, values in starts[part].items():
            if not np.isfinite(values).all():
                raise BadInput(f"initial state '{name}': is too large for {precision}; use --precision float64.")
    return starts
