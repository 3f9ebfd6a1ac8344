"""The sink for files: under the output's name there is either nothing or a complete file, and finished work is kept.

States are written to ``OUTPUT.partial`` by ``pwrite`` at offsets known beforehand, from any thread, without HDF5.
Finished windows are recorded in ``OUTPUT.journal`` (``recorder``); once all of them are on disk, the file is renamed to
``OUTPUT`` (``naming``), never over somebody else's file.
"""

import itertools
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from types import TracebackType

import numpy as np

from ..arrays.axes import Rows, Table
from ..arrays.checksums import Sums, add, sums, sums_of_rows
from ..errors import InputChanged
from .destination import exists
from .format import DatasetSpec
from .integrity import window_slice
from .journal import Window
from .journal_file import read_journal
from .lock import RunLock
from .naming import name_output, remove_unfinished, tidy, tidy_compressed
from .ours import has_name
from .partial import Partial, Wanted, is_output_of, open_partial
from .recorder import PACE, Pace, Recorder
from .system import Place, Writeback, translated, write_all

__all__ = ["FileSink"]


def _nothing() -> None:
    """Do nothing; the default ``check``."""


@dataclass
class _Gathered:
    """What has been put of a window: the sums of each dataset, and the number of bytes."""

    sums: list[Sums] = field(default_factory=list)
    size: int = 0


class FileSink:
    """Writes a states file; a context manager that keeps finished work unless ``commit`` was called.

    Parameters
    ----------
    place : Place
    wanted : Wanted
    force : bool
        Whether ``commit`` may replace an existing file.
    check : callable
        Raises if the input has changed since the run began.
    pace : Pace

    Attributes
    ----------
    committed : bool
        Whether the file has its final name already: an earlier run may have ended just after renaming it.
    windows : dict
        The windows finished by earlier runs, by number.

    Raises
    ------
    OutputBusy
        Another run is writing the same output.
    DoesNotMatch
        What an earlier run left belongs to a different job.
    CannotCreate, PermissionDenied, WriteFailed
        The file cannot be created there.
    """

    def __init__(
        self,
        place: Place,
        wanted: Wanted,
        *,
        force: bool = False,
        check: Callable[[], None] = _nothing,
        pace: Pace = PACE,
    ) -> None:
        self._place, self._contents, self._force = place, wanted.contents, force
        self._compression = wanted.compression
        self._gathered: dict[int, _Gathered] = {}
        self._overflowed, self._mutex = 0, threading.Lock()
        self._numbers = {spec.name: number for number, spec in enumerate(wanted.contents.specs)}
        self.windows: dict[int, Window] = {}
        self._run_lock = RunLock(place)
        try:
            self.committed = self._was_committed(wanted)
            if not self.committed:
                self._open(wanted, check, pace)
        except OSError as reason:
            self._run_lock.release()
            raise translated(reason, place.names.partial) from reason
        except BaseException:
            self._run_lock.release()
            raise

    @property
    def overflowed(self) -> int:
        """Number of values too large for their dtype, including earlier runs."""
        return self._overflowed + sum(window.overflowed for window in self.windows.values())

    @property
    def recorded(self) -> int:
        """Number of windows finished and on disk, including earlier runs."""
        return self._recorder.recorded

    def put(self, spec: DatasetSpec, row: int, values: Table, window: int) -> None:
        """Write rows of a window at their position.

        Raises
        ------
        WriteFailed
            The disk is full or failing.
        """
        self._write(spec, row, values)
        self._add(window, spec, sums(values, row * spec.width), values.nbytes)

    def put_sequences(
        self,
        spec: DatasetSpec,
        places: Rows,
        values: Table,
        first: Rows,
        counts: Rows,
        window: int,
    ) -> None:
        """Write several stretches of rows; stretches adjacent in both source and file are written in one call.

        Raises
        ------
        WriteFailed
            The disk is full or failing.
        """
        apart = (places[1:] != places[:-1] + counts[:-1]) | (first[1:] != first[:-1] + counts[:-1])
        edges = [0, *(np.flatnonzero(apart) + 1).tolist(), len(places)]
        starts, begins, ends = places.tolist(), first.tolist(), (first + counts).tolist()
        for start, stop in itertools.pairwise(edges):
            self._write(spec, starts[start], values[begins[start] : ends[stop - 1]])
        found = sums_of_rows(values, first, places, counts)
        self._add(window, spec, found, int(counts.sum()) * spec.width * spec.dtype.itemsize)

    def finish(self, window: int, overflowed: int, read: Sums | None = None) -> None:
        """Report that all rows of a window have been put; it is recorded within half a minute.

        Raises
        ------
        WriteFailed
            Recording has failed.
        """
        if self._recorder.failure is not None:
            with self._translated():
                raise self._recorder.failure
        rows = window_slice(self._contents.shape, window, self._contents.window_rows)
        with self._mutex:
            gathered = self._gathered.pop(window, None) or self._nothing_put()
            self._overflowed += overflowed
        self._recorder.finished(
            Window(
                window, int(self._contents.shape.lengths[rows].sum()), overflowed, self._partial.journal.elapsed,
                tuple(gathered.sums), read,
            ),
            gathered.size,
        )  # fmt: skip

    def commit(self) -> None:
        """Make the file durable and rename it to the output.

        Raises
        ------
        CannotCreate
            The name was taken meanwhile; the finished work stays in ``.partial``.
        WriteFailed
            The disk is full or failing, or ``.partial`` has been replaced by a different file.
        """
        with self._translated():
            self._recorder.close(complete=True)
            self._name()
        self.committed = True
        tidy(self._place)

    def _name(self) -> None:
        if self._compression == "none":
            name_output(self._place, self._partial.fd, force=self._force)
            return
        # Few runs need it.
        from .compressing import compress

        compress(self._place, self._partial, self._compression, force=self._force)

    def _was_committed(self, wanted: Wanted) -> bool:
        """Return whether the output was made by an earlier run of this job that ended while tidying up."""
        names = self._place.names
        if not os.path.lexists(names.output):
            return False
        known = None if wanted.restart else read_journal(names.journal)
        ours = known is not None and known.header.identity == wanted.identity
        if known is not None and ours and is_output_of(self._place, known):
            tidy(self._place)
            return True
        if known is not None and ours and self._compression != "none":
            from .compressing import is_compressed_from

            if is_compressed_from(self._place, known):
                tidy_compressed(self._place)
                return True
        if not self._force:
            raise exists(names.output)
        return False

    def _open(self, wanted: Wanted, check: Callable[[], None], pace: Pace) -> None:
        signed = wanted._replace(session=str(self._run_lock.holder))
        self._partial: Partial = open_partial(self._place, signed)
        self.windows = self._partial.windows
        self._recorder = Recorder(self._place.system, self._partial, check, pace)
        self._writeback = Writeback(self._partial.fd)

    def _write(self, spec: DatasetSpec, row: int, values: Table) -> None:
        position = self._partial.header.offsets[spec.name] + row * spec.width * spec.dtype.itemsize
        # Not ``_translated``: this is called for each stretch of a tile, and entering a context costs as much.
        try:
            write_all(self._place.system, self._partial.fd, values.reshape(-1).view(np.uint8).data, position)
        except OSError as reason:
            raise translated(reason, self._place.names.partial) from reason
        self._writeback.wrote(values.nbytes)

    def _add(self, window: int, spec: DatasetSpec, found: Sums, size: int) -> None:
        number = self._numbers[spec.name]
        with self._mutex:
            gathered = self._gathered.setdefault(window, self._nothing_put())
            gathered.sums[number] = add(gathered.sums[number], found)
            gathered.size += size

    def _nothing_put(self) -> _Gathered:
        return _Gathered([(0, 0)] * len(self._numbers))

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except OSError as reason:
            raise translated(reason, self._place.names.partial) from reason

    def _leave(self, error: BaseException | None) -> None:
        """Record what is finished; if nothing is, or if it is useless, leave nothing behind."""
        # What cannot be recorded is recomputed; the error that ended the run is raised, not this one.
        with suppress(Exception):
            self._recorder.close(complete=False)
        with suppress(OSError):
            if not self._recorder.recorded or isinstance(error, InputChanged) or self._is_replaced():
                remove_unfinished(self._place, self._partial.fd)

    def _is_replaced(self) -> bool:
        """Return whether a different file has the name of the unfinished one; then the journal does not describe it."""
        partial = self._place.names.partial
        return os.path.lexists(partial) and not has_name(self._partial.fd, partial)

    def __enter__(self) -> "FileSink":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # A signal may end any of these; the others are still executed.
        with ExitStack() as last:
            last.callback(self._run_lock.release)
            if hasattr(self, "_partial"):
                last.callback(self._close, lambda: self._place.system.close(self._partial.fd))
                last.callback(self._close, self._partial.journal.close)
            if not self.committed:
                self._leave(error)

    @staticmethod
    def _close(close: Callable[[], None]) -> None:
        with suppress(OSError):
            close()
