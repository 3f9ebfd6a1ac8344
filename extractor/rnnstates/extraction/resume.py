"""Skips the windows that an earlier run finished; if the input might be different, they are read again and compared.

A file's modification time shows whether it has changed. An array in memory or a stream has none, so the checksums of
everything read from it are recorded with each finished window.
"""

from collections.abc import Mapping

from ..arrays.checksums import Sums, add, sums
from ..errors import DoesNotMatch
from ..output.journal import Window as Finished
from .grid import Window
from .job import Job
from .windows import Block, read_window

__all__ = ["EarlierRun", "sums_read"]


def sums_read(job: Job, window: Window, block: Block, before: Sums | None) -> Sums | None:
    """Add what was read for a window to the checksums of its band; None if they are not needed.

    Parameters
    ----------
    job : Job
    window : Window
    block : Block
    before : (int, int) or None
        The sums of the band's earlier windows; None at the first.
    """
    # Each sweep reads each step; one of them counts.
    if job.source.identity["mtime_ns"] is not None or window.sweeps[0] != next(iter(job.sweeps)):
        return before
    return add(before or (0, 0), sums(block.values, window.steps.start))


class EarlierRun:
    """Decides which windows an earlier run has finished.

    Parameters
    ----------
    job : Job
    finished : mapping
        What was recorded about each window, by its number.
    """

    def __init__(self, job: Job, finished: Mapping[int, Finished]) -> None:
        self._job, self._finished = job, finished
        self._read: Sums | None = None

    def has_finished(self, window: Window) -> bool:
        """Return whether a window need not be computed.

        Raises
        ------
        DoesNotMatch
            The input differs from what the earlier run read.
        """
        found = self._finished.get(window.number)
        if found is None:
            return False
        if found.read is not None:
            self._compare(window, found.read)
        return True

    def _compare(self, window: Window, expected: Sums) -> None:
        self._read = sums_read(self._job, window, read_window(self._job, window), self._read)
        if not window.last or window.sweeps[-1] != next(reversed(self._job.sweeps)):
            return
        read, self._read = self._read, None
        if read != expected:
            rows = window.rows
            raise DoesNotMatch(
                f"{self._job.source.name}: sequences {rows.start} to {rows.stop - 1} are not those that the unfinished "
                "output was made from. Give the same input, or discard the unfinished work with restart=True."
            )
