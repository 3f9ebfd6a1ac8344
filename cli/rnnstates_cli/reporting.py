"""What goes to standard error while a command works: notices, warnings, progress."""

import contextlib
import logging
import sys
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Any

__all__ = ["Reporter", "logged", "size"]

SECONDS_BETWEEN_LINES = 30.0


class _Line(logging.Formatter):
    """``note: …`` or ``warning: …``."""

    def format(self, record: logging.LogRecord) -> str:
        word = "warning" if record.levelno >= logging.WARNING else "note"
        return f"{word}: {record.getMessage()}"


@contextlib.contextmanager
def logged() -> Iterator[None]:
    """Print what the library says to standard error, one line each."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Line())
    logger = logging.getLogger("rnnstates")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = True


class Reporter:
    """Shows progress: a bar on a terminal, a line every 30 s elsewhere, or nothing.

    Parameters
    ----------
    kind : str
        ``auto``, ``plain`` or ``none``.
    """

    def __init__(self, kind: str) -> None:
        self._bar: Any = None
        self._kind = "bar" if kind == "auto" and sys.stderr.isatty() else kind
        self._last = time.monotonic()
        # Steps done, and when, at the first update: what an earlier run finished says nothing of this one's speed.
        self._first: tuple[int, float] | None = None

    def update(self, done: int, total: int) -> None:
        """Report the steps done, those of earlier runs included, and in all."""
        now = time.monotonic()
        if self._first is None:
            self._first = done, now
        if self._kind == "bar":
            self._update_bar(done, total)
        elif self._kind != "none" and now - self._last >= SECONDS_BETWEEN_LINES:
            self._last = now
            sys.stderr.write(f"{done} of {total} steps{self._speed(done, total, now)}\n")
            sys.stderr.flush()

    def _speed(self, done: int, total: int, now: float) -> str:
        """Say how fast it is and how long it takes still; nothing where the first update is all there is."""
        first, began = self._first or (done, now)
        if done <= first or now <= began:
            return ""
        rate = (done - first) / (now - began)
        return f", {rate:.0f} a second, about {(total - done) / rate:.0f} s left"

    def _update_bar(self, done: int, total: int) -> None:
        if self._bar is None:
            from tqdm import tqdm

            self._bar = tqdm(total=total, initial=done, unit="step", unit_scale=True, leave=False, file=sys.stderr)
        self._bar.update(done - self._bar.n)

    def __enter__(self) -> "Reporter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()


def size(count: int | None) -> str:
    """Write bytes as a person reads them.

    Examples
    --------
    >>> size(1234567)
    '1.2 MB'
    """
    if count is None:
        return "unknown"
    number = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.0f} bytes" if unit == "bytes" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} TB"
