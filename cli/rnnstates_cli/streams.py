"""Prepares standard output and standard error, which may be closed, broken or full, or lack characters."""

import io
import os
import sys
from typing import Any

__all__ = ["make_lenient", "open_closed"]


def open_closed() -> None:
    """Open streams that the caller has closed on /dev/null, so that no file of ours gets their number."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        continue
    os.close(number)
    if sys.stdout is None:
        sys.stdout = os.fdopen(1, "w", closefd=False)
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", closefd=False)


def make_lenient() -> None:
    """Make sure that printing never ends a command.

    Characters that a terminal lacks are escaped, and what standard error does not accept is dropped: the exit code
    still tells. What standard output does not accept is an error, because it is the command's answer.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    dropping = io.BufferedWriter(_Dropping(2, "w", closefd=False))
    sys.stderr = io.TextIOWrapper(dropping, sys.stderr.encoding, "backslashreplace", line_buffering=True)


class _Dropping(io.FileIO):
    """A file that accepts everything, whether or not it can be written."""

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except OSError:
            return len(data)
