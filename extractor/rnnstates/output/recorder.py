"""Makes finished windows durable, several at a time: syncs their bytes, then records them in the journal.

A separate thread does so every half minute or gigabyte, whichever comes first, while computing continues. A failure is
not retried: after a failed sync the system may have dropped what it should have written, so nothing more is recorded
and the run ends.
"""

import threading
from collections.abc import Callable
from typing import NamedTuple

from .journal import Window
from .partial import Partial
from .stored import packed_sums
from .system import System, write_all

__all__ = ["PACE", "Pace", "Recorder"]


class Pace(NamedTuple):
    """When finished windows are recorded at the latest.

    Parameters
    ----------
    seconds : float
    bytes : int
        Bytes written since the last time.
    """

    seconds: float = 30.0
    bytes: int = 2**30


PACE = Pace()


class Recorder:
    """Records finished windows; called from any thread.

    Parameters
    ----------
    system : System
    made : Partial
    check : callable
        Raises if the input may have changed since the run began; then nothing is recorded.
    pace : Pace
    """

    def __init__(self, system: System, made: Partial, check: Callable[[], None], pace: Pace) -> None:
        self._system, self._partial, self._check, self._pace = system, made, check, pace
        self._pending: list[Window] = []
        self._bytes, self._closed = 0, False
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self.failure: BaseException | None = None
        self.recorded = len(made.windows)

    def finished(self, window: Window, size: int) -> None:
        """Report that all bytes of a window have been written."""
        with self._changed:
            self._pending.append(window)
            self._bytes += size
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="rnnstates-recorder", daemon=True)
                self._thread.start()
            elif self._bytes >= self._pace.bytes:
                self._changed.notify()

    def close(self, *, complete: bool) -> None:
        """Record what is finished and wait for it; ``complete`` says whether that is everything.

        Raises
        ------
        OSError
            The disk is full or failing, now or earlier.
        BadInput
            Raised by ``check``.
        """
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()
        if self.failure is not None:
            raise self.failure
        self._record(complete=complete)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(self._is_due, timeout=self._pace.seconds)
                if self._closed:
                    return
            try:
                self._record(complete=False)
            except BaseException as reason:
                # Raised by the next call of ``put`` or ``close``.
                self.failure = reason
                return

    def _is_due(self) -> bool:
        return self._closed or self._bytes >= self._pace.bytes

    def _record(self, *, complete: bool) -> None:
        with self._changed:
            windows, self._pending, self._bytes = self._pending, [], 0
        if not windows and not complete:
            return
        self._check()
        made, system = self._partial, self._system
        for window in windows:
            packed = packed_sums(window)
            write_all(system, made.fd, memoryview(packed), made.header.sums_at + window.window * len(packed))
        # The file's size was synced when it was laid out, so its data suffice; complete files are synced entirely.
        (system.fsync if complete else system.fdatasync)(made.fd)
        made.journal.append(*windows, *([None] if complete else []))
        made.journal.sync()
        self.recorded += len(windows)
