"""Runs a planned job: reads windows, owns the threads that compute their tiles, and passes every state to the sink.

Each tile is computed by one thread. While the tiles of a window are computed, the calling thread reads the next window;
at most two windows are held. Where time is cut, a tile's task in one window waits for its task in the previous window.
Nothing polls: the calling thread waits for the oldest window's tiles.
"""

import threading
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from concurrent.futures import TimeoutError as FuturesTimeoutError

import numpy as np

from ..arrays.checksums import Sums
from ..arrays.workspace import Workspace
from ..engines.base import Engine
from ..engines.stack import Stack
from ..errors import Stopped
from ..network.cells import GATE_STATES
from ..output.sink import Sink
from .bands import Band
from .grid import Window, pieces, tiles, windows
from .job import Job
from .request import Progress
from .resume import EarlierRun, sums_read
from .tiles import Tile, TileSweep
from .windows import Block, gather, read_window

__all__ = ["make_stack", "run"]

# Time allowed for finishing the windows begun before the time limit (seconds).
GRACE = 10.0


def make_stack(job: Job, engine: Engine) -> Stack:
    """Prepare the job's weights in an engine.

    Raises
    ------
    EngineUnavailable
        It cannot run one of the layers.
    """
    return Stack(job.network, engine, [state for state in job.request.computed if state in GATE_STATES])


def run(
    job: Job, engine: Engine, stack: Stack, sink: Sink, progress: Progress | None = None, until: float | None = None
) -> None:
    """Compute every state of a job that the sink lacks.

    Parameters
    ----------
    job : Job
    engine : Engine
    stack : Stack
        Made from the job by this engine.
    sink : Sink
        Receives each row of each dataset once, from several threads.
    progress : callable or None
        Called from the calling thread after each tile.
    until : float or None
        When to stop, by ``time.monotonic``: no window is begun after that, and those begun have ``GRACE`` seconds.

    Raises
    ------
    BadInput
        A valid step holds something not allowed there; earlier rows have been passed to the sink.
    DoesNotMatch
        An earlier run read, and finished, a different input.
    WriteFailed
        The sink failed.
    Stopped
        The time limit was reached.
    """
    worker = _Worker(job, stack)
    with engine.running():
        _run_windows(job, sink, worker, _Tally(job, sink, progress, until))


def _run_windows(job: Job, sink: Sink, worker: "_Worker", tally: "_Tally") -> None:
    held: deque[list[Future[int]]] = deque()
    threads = ThreadPoolExecutor(job.threads, thread_name_prefix="rnnstates")
    tasks = _Tasks(job, sink, worker, threads)
    shape = job.shape
    cut = windows(shape.lengths, shape.steps, job.grid, padding=shape.padding, sweeps=tuple(job.sweeps))
    earlier = EarlierRun(job, sink.windows)
    try:
        for window in cut:
            if earlier.has_finished(window):
                continue
            tally.check_time()
            held.append(tasks.submit(window, read_window(job, window)))
            if len(held) == job.windows_held:
                tally.wait_for(held.popleft())
        while held:
            tally.wait_for(held.popleft())
    finally:
        worker.stop.set()
        threads.shutdown(wait=True, cancel_futures=True)


class _Held:
    """A window's values, released by the last tile that uses them.

    An executor keeps a task's arguments slightly beyond its result; if they were the values themselves, a third window
    would be read while the first is still in memory.
    """

    def __init__(self, values: Block, read: Sums | None, uses: int) -> None:
        self.values: Block | None = values
        # Checksums of the band so far.
        self.read = read
        self._left, self._lock = uses, threading.Lock()

    def done(self) -> None:
        """Report that one tile no longer needs it."""
        with self._lock:
            self._left -= 1
            if self._left == 0:
                self.values = None


class _Tasks:
    """Creates the tasks of each window; used only by the calling thread."""

    def __init__(self, job: Job, sink: Sink, worker: "_Worker", threads: ThreadPoolExecutor) -> None:
        self._job, self._sink, self._worker, self._threads = job, sink, worker, threads
        self._number = -1
        self._read: Sums | None = None
        self._tiles: list[Tile] = []
        # By tile and sweep: what it carries, and its task in the previous window.
        self._sweeps: dict[tuple[int, str], tuple[TileSweep, Future[int] | None]] = {}

    def submit(self, window: Window, values: Block) -> "list[Future[int]]":
        """Start the tasks of a window."""
        if self._number != window.number:
            self._begin_band(window)
        self._read = sums_read(self._job, window, values, self._read)
        block = _Held(values, self._read, uses=len(self._tiles))
        return [self._submit_tile(number, window, block) for number in range(len(self._tiles))]

    def _begin_band(self, window: Window) -> None:
        members = list(tiles(self._job.shape.lengths[window.rows], self._job.grid))
        band = Band(self._job, self._sink, window, parties=len(members) * len(self._job.sweeps))
        starts = self._job.initial_of(window.rows)
        self._tiles = [Tile(band, rows, starts) for rows in members]
        self._number, self._read = window.number, None
        self._sweeps.clear()

    def _submit_tile(self, number: int, window: Window, block: _Held) -> "Future[int]":
        tile = self._tiles[number]
        if window.first and window.last:
            return self._threads.submit(self._worker.whole_tile, tile, block, window)
        key = number, window.sweeps[0]
        if window.first:
            self._sweeps[key] = TileSweep(self._job, tile, window.sweeps[0]), None
        sweep, before = self._sweeps[key]
        future = self._threads.submit(self._worker.part_of_tile, sweep, block, window, before)
        self._sweeps[key] = sweep, future
        return future


class _StoppedError(Exception):
    """The run is stopping; nobody waits for the task any more."""


class _Worker:
    """Computes tiles; shared by all threads, each with its own workspace."""

    def __init__(self, job: Job, stack: Stack) -> None:
        self._job, self._stack = job, stack
        embedding = job.network.embedding
        self._embedding = None if embedding is None else np.asarray(embedding, job.request.computing)
        self._own = threading.local()
        self.stop = threading.Event()

    def whole_tile(self, tile: Tile, block: _Held, window: Window) -> int:
        """Run a tile whose sequences lie completely in the window; return the steps done."""
        steps = 0
        for name in window.sweeps:
            sweep = TileSweep(self._job, tile, name)
            steps += self._run_pieces(sweep, block, window)
            sweep.finish()
            if name == window.sweeps[-1]:
                block.done()
            tile.band.finished(block.read)
        return steps

    def part_of_tile(self, sweep: TileSweep, block: _Held, window: Window, before: "Future[int] | None") -> int:
        """Run a tile's steps in the window, after those in the previous window; return the steps done."""
        if before is not None:
            # It was submitted earlier, so it is running or done: threads take tasks in order.
            before.result()
        steps = self._run_pieces(sweep, block, window)
        block.done()
        if window.last:
            sweep.finish()
            sweep.tile.band.finished(block.read)
        return steps

    def _run_pieces(self, sweep: TileSweep, block: _Held, window: Window) -> int:
        # Each sweep reads each step; one of them counts.
        counts = sweep.name == next(reversed(self._job.sweeps))
        steps, members = 0, sweep.tile.members
        assert block.values is not None
        live = max(1, int((block.values.places[members] >= 0).sum()))
        for span in pieces(live, window.steps, self._job.grid, sweep.name):
            if self.stop.is_set():
                raise _StoppedError
            piece = gather(
                self._job, block.values, window, members=members, span=span, embedding=self._embedding,
                workspace=self._workspace,
            )  # fmt: skip
            if not len(piece.lengths):
                continue
            results = self._stack.run(
                piece.inputs, piece.lengths, sweep.state_before(piece), sweep=sweep.name, workspace=self._workspace
            )
            sweep.take(piece, results)
            steps += int(piece.lengths.sum()) if counts else 0
        return steps

    @property
    def _workspace(self) -> Workspace:
        if not hasattr(self._own, "workspace"):
            self._own.workspace = Workspace()
        workspace: Workspace = self._own.workspace
        return workspace


class _Tally:
    """Sums up what the tasks report, and checks the time; used only by the calling thread."""

    def __init__(self, job: Job, sink: Sink, progress: Progress | None, until: float | None) -> None:
        self._all, self._progress, self._until = job.shape.valid_steps, progress, until
        self._steps = sum(window.steps for window in sink.windows.values())

    def check_time(self) -> None:
        """Raise ``Stopped`` if the time limit was reached."""
        if self._until is not None and time.monotonic() >= self._until:
            raise Stopped

    def wait_for(self, tasks: "list[Future[int]]") -> None:
        """Wait for a window's tasks; re-raise the first error among them."""
        left = None if self._until is None else max(0.0, self._until + GRACE - time.monotonic())
        try:
            for future in as_completed(tasks, left):
                self._steps += future.result()
                if self._progress is not None:
                    self._progress(self._steps, self._all)
        except FuturesTimeoutError:
            raise Stopped from None
