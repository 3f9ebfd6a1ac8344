"""Prints notices, warnings and progress to standard error, and encodes JSON; everything is escaped."""

import contextlib
import json
import logging
import math
import sys
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Any

import click

import rnnstates

from .stopping import check_signals
from .wording import in_words_of

__all__ = ["LONGEST_LINE", "Reporter", "json_text", "logged", "note", "say", "size", "worded"]

# A command to be repeated must be complete; provenance keeps up to 16384 characters of it.
LONGEST_LINE = 20_000

SECONDS_BETWEEN_LINES = 30.0

# Keys under which an answer of the library has messages.
MESSAGES = ("notes", "problem", "reason", "selected")


class _Line(logging.Formatter):
    """``note: …``, ``warning: …`` or, at level DEBUG, the seconds so far; in the words of a command."""

    def __init__(self, ctx: click.Context) -> None:
        super().__init__()
        self._began = time.monotonic()
        # Taken now: the log record may come from a thread, in which click has no context.
        self._ctx = ctx

    def format(self, record: logging.LogRecord) -> str:
        word = "warning" if record.levelno >= logging.WARNING else "note"
        if record.levelno < logging.INFO:
            word = f"{time.monotonic() - self._began:.2f} s"
        return rnnstates.printable(f"{word}: {in_words_of(self._ctx, record.getMessage())}")


def say(*lines: str) -> None:
    """Print lines to standard error, with unprintable characters escaped."""
    for line in lines:
        sys.stderr.write(rnnstates.printable(line, most=LONGEST_LINE) + "\n")


def json_text(value: Any) -> str:
    r"""Write one line of strict JSON in printable ASCII.

    NaN and infinities, which JSON lacks, become null; lone surrogates, which its readers refuse, become their escapes.

    Examples
    --------
    >>> json_text({"largest": float("nan"), "name": "\x7f"})
    '{"largest": null, "name": "\\u007f"}'
    """
    return json.dumps(_strict(value), default=str, allow_nan=False).replace("\x7f", "\\u007f")


def _strict(value: Any) -> Any:
    if isinstance(value, dict):
        return {_strict(key): _strict(element) for key, element in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(element) for element in value]
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    return None if isinstance(value, float) and not math.isfinite(value) else value


@contextlib.contextmanager
def logged(*, quiet: bool = False, verbose: bool = False) -> Iterator[None]:
    """Print the library's log to standard error, one line each: warnings, notes unless quiet, plans if verbose."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Line(click.get_current_context()))
    logger = logging.getLogger("rnnstates")
    logger.addHandler(handler)
    logger.setLevel(logging.WARNING if quiet else logging.DEBUG if verbose else logging.INFO)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = True


def note(text: str) -> None:
    """Print a note to standard error, in the words of the running command."""
    say(f"note: {in_words_of(click.get_current_context(), text)}")


def worded(answer: Any, *, is_message: bool = False) -> Any:
    """Put the messages in an answer of the library into the words of the running command; the rest is unchanged.

    Parameters
    ----------
    answer : dict, list or scalar
        In JSON types.
    is_message : bool
        Whether texts in it are messages; in a dict, those under ``MESSAGES`` are anyway.
    """
    if isinstance(answer, dict):
        return {key: worded(value, is_message=key in MESSAGES) for key, value in answer.items()}
    if isinstance(answer, list):
        return [worded(element, is_message=is_message) for element in answer]
    if is_message and isinstance(answer, str):
        return in_words_of(click.get_current_context(), answer)
    return answer


class Reporter:
    """Shows progress: a bar on a terminal, a line every 30 s elsewhere, or nothing.

    Parameters
    ----------
    kind : str
        ``auto``, ``plain`` or ``none``.
    unit : str
        What is counted.
    """

    def __init__(self, kind: str, unit: str = "step") -> None:
        self._bar: Any = None
        self._unit = unit
        self._kind = "bar" if kind == "auto" and sys.stderr.isatty() else kind
        self._last = time.monotonic()
        # Steps done, and when, at the first update: what an earlier run finished says nothing about this one's speed.
        self._first: tuple[int, float] | None = None

    def update(self, done: int, total: int) -> None:
        """Report the steps done, including earlier runs, and the total; raises StopRequest after a signal."""
        check_signals()
        now = time.monotonic()
        if self._first is None:
            self._first = done, now
        if self._kind == "bar":
            self._update_bar(done, total)
        elif self._kind != "none" and now - self._last >= SECONDS_BETWEEN_LINES:
            self._last = now
            sys.stderr.write(f"{done} of {total} {self._unit}s{self._speed(done, total, now)}\n")
            sys.stderr.flush()

    def _speed(self, done: int, total: int, now: float) -> str:
        """Return the speed and the time left; empty after only one update."""
        first, began = self._first or (done, now)
        if done <= first or now <= began:
            return ""
        rate = (done - first) / (now - began)
        return f", {rate:.0f} per second, about {(total - done) / rate:.0f} s left"

    def _update_bar(self, done: int, total: int) -> None:
        if self._bar is None:
            try:
                from tqdm import tqdm

                self._bar = tqdm(
                    total=total, initial=done, unit=self._unit, unit_scale=True, leave=False, file=sys.stderr
                )
            except ValueError:
                # An environment variable such as TQDM_NCOLS that tqdm cannot parse.
                self._kind = "plain"
                return
        self._bar.update(done - self._bar.n)

    def __enter__(self) -> "Reporter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()


def size(count: int | None) -> str:
    """Format a number of bytes for people.

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
