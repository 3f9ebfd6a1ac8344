"""Keeping some lines of C++ libraries from the user, while everything else reaches standard error.

A library that writes to file descriptor 2 itself cannot be told otherwise from Python. The descriptor is diverted into
a pipe for a while, whose other end a thread sorts line by line: at once, if a thread of Python may run. What C++ writes
just before it aborts the process is lost; nothing inside the process could pass it on.
"""

import contextlib
import fcntl
import os
import re
import select
import sys
import threading
from collections.abc import Iterator

__all__ = ["Diversion", "without_lines"]

STDERR = 2
# How long the beginning of a line may wait for its end before it is passed on as it is (milliseconds).
PATIENCE = 50
# How long to wait for what is still in the pipe (seconds); longer waits are for a child process that has its end too.
DRAINING = 0.5
# C++ may write while no thread of Python can run, and would wait for ever once the pipe is full (bytes).
ROOM = 1 << 20


class Diversion:
    """Standard error without some lines, from its making until ``stop``.

    Parameters
    ----------
    pattern : bytes
        A regular expression for the beginning of the lines to hold back.
    """

    def __init__(self, pattern: bytes) -> None:
        self._pattern, self._lock = re.compile(pattern), threading.Lock()
        self._held: list[bytes] = []
        self._diverted = self._inside_line = self._all_pass = False
        _flush()
        try:
            self._kept = os.dup(STDERR)
        except OSError:
            return  # closed: nothing to divert
        self._divert()

    def _divert(self) -> None:
        self._read, write = os.pipe()
        with contextlib.suppress(OSError, AttributeError):
            fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, ROOM)
        self._pipe = os.fstat(write)
        os.dup2(write, STDERR)
        os.close(write)
        self._diverted = True
        self._thread = threading.Thread(target=self._pump, name="stderr-filter", daemon=True)
        self._thread.start()

    def stop(self, *, replay: bool) -> None:
        """Give standard error back; may be called again.

        Parameters
        ----------
        replay : bool
            Whether to write out now what was held back.
        """
        with self._lock:
            if not self._diverted:
                return
            self._diverted = False
            _flush()
            with contextlib.suppress(OSError):
                # Somebody else may have diverted it meanwhile.
                if os.path.samestat(os.fstat(STDERR), self._pipe):
                    os.dup2(self._kept, STDERR)
            self._thread.join(DRAINING)
            # A child process may have the pipe for its standard error: what it says is nobody's chatter.
            self._all_pass = True
        if replay:
            _write(STDERR, b"".join(self._held))

    def _pump(self) -> None:
        waiting, rest = select.poll(), b""
        waiting.register(self._read, select.POLLIN)
        while True:
            if not waiting.poll(PATIENCE if rest else None):
                rest = self._impatient(rest)
            elif not (data := os.read(self._read, ROOM)):
                break
            else:
                rest = self._sort(rest + data)
        self._pass(rest)
        os.close(self._read)
        os.close(self._kept)

    def _sort(self, text: bytes) -> bytes:
        """Pass on or hold back whole lines; gives the line that has no end yet."""
        lines = text.splitlines(keepends=True)
        rest = b"" if text.endswith((b"\n", b"\r")) else lines.pop()
        for line in lines:
            self._pass(line)
        return rest

    def _impatient(self, rest: bytes) -> bytes:
        """Pass on the beginning of a line whose end does not come, unless it is one to hold back."""
        if self._pattern.match(rest) and not self._inside_line and not self._all_pass:
            return rest
        self._pass(rest)
        return b""

    def _pass(self, line: bytes) -> None:
        if self._pattern.match(line) and not self._inside_line and not self._all_pass:
            self._held.append(line)
            return
        _write(self._kept, line)
        self._inside_line = bool(line) and not line.endswith((b"\n", b"\r"))


_one_at_a_time = threading.Lock()


@contextlib.contextmanager
def without_lines(pattern: bytes) -> Iterator[None]:
    """Hold back lines meanwhile; what was held back is written after all if an error ends it."""
    with _one_at_a_time:
        diversion = Diversion(pattern)
        failed = True
        try:
            yield
            failed = False
        finally:
            diversion.stop(replay=failed)


def _flush() -> None:
    if sys.stderr is not None:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.flush()


def _write(descriptor: int, text: bytes) -> None:
    """Write all; where nobody reads any more, the pipe must be emptied all the same."""
    with contextlib.suppress(OSError):
        while text:
            text = text[os.write(descriptor, text) :]
