"""What goes to standard error while a command works: notices, warnings, progress."""

import contextlib
import logging
import sys
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Any

import click

from .wording import as_options

__all__ = ["Reporter", "logged", "note", "size"]

SECONDS_BETWEEN_LINES = 30.0


class _Line(logging.Formatter):
    """``note: …`` or ``warning: …``, in the words of a command."""

    def __init__(self, ctx: click.Context) -> None:
        super().__init__()
        # Taken now: what logs may be a thread, in which click knows of no context.
        self._ctx = ctx

    def format(self, record: logging.LogRecord) -> str:
        word = "warning" if record.levelno >= logging.WARNING else "note"
        return f"{word}: {as_options(record.getMessage(), self._ctx.command, self._ctx.params)}"


@contextlib.contextmanager
def logged() -> Iterator[None]:
    """Print what the library says to standard error, one line each."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Line(click.get_current_context()))
    logger = logging.getLogger("rnnstates")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = True


def note(text: str) -> None:
    """Print a note to standard error, in the words of the command that runs."""
    ctx = click.get_current_context()
    click.echo(f"note: {as_options(text, ctx.command, ctx.params)}", err=True)


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
        self._started = self._last = time.monotonic()

    def update(self, done: int, total: int) -> None:
        """Tell the steps done and in all."""
        if self._kind == "bar":
            self._update_bar(done, total)
        elif self._kind != "none" and time.monotonic() - self._last >= SECONDS_BETWEEN_LINES:
            self._last = time.monotonic()
            rate = done / (self._last - self._started)
            left = (total - done) / rate if rate else float("inf")
            sys.stderr.write(f"{done} of {total} steps, {rate:.0f} a second, about {left:.0f} s left\n")
            sys.stderr.flush()

    def _update_bar(self, done: int, total: int) -> None:
        if self._bar is None:
            from tqdm import tqdm

            self._bar = tqdm(total=total, unit="step", unit_scale=True, leave=False, file=sys.stderr)
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
