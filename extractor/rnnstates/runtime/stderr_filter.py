"""Keeps chosen lines of C++ libraries off standard error and lets everything else through.

Python cannot redirect a library that writes to file descriptor 2 itself. The descriptor is therefore diverted into a
pipe for a while, and a thread sorts what arrives line by line, as soon as Python may run. What C++ writes just before
it aborts the process is lost; nothing inside the process could pass it on.
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
# How long the start of a line may wait for its end before it is passed on (milliseconds).
PATIENCE = 50
# How long to wait for the rest of the pipe (seconds); anything longer is a child process that holds its end open.
DRAINING = 0.5
# Size of the pipe (bytes): C++ may write while no Python thread can run, and would block for ever once it is full.
ROOM = 1 << 20


class Diversion:
    """Filters standard error from construction until ``stop``.

    Parameters
    ----------
    pattern : bytes
        A regular expression that matches the start of the lines to hold back.
    """

    def __init__(self, pattern: bytes) -> None:
        self._pattern, self._lock = re.compile(pattern), threading.Lock()
        self._held: list[bytes] = []
        self._diverted = self._inside_line = self._all_pass = False
        _flush()
        try:
            self._kept = os.dup(STDERR)
        except OSError:
            return  # standard error is closed: nothing to divert
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
        """Restore standard error; may be called again.

        Parameters
        ----------
        replay : bool
            Whether to write the held lines now.
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
            # The pipe may be the standard error of a child process: none of its lines is held back.
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
        """Pass on or hold back whole lines; return the last line if it is not complete yet."""
        lines = text.splitlines(keepends=True)
        rest = b"" if text.endswith((b"\n", b"\r")) else lines.pop()
        for line in lines:
            self._pass(line)
        return rest

    def _impatient(self, rest: bytes) -> bytes:
        """Pass on the start of a line whose end does not arrive, unless it is one to hold back."""
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
    """Hold back matching lines inside a ``with`` block; they are written after all if it raises."""
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
    """Write everything; if nobody reads any more, the text is dropped, because the pipe must be emptied anyway."""
    with contextlib.suppress(OSError):
        while text:
            text = text[os.write(descriptor, text) :]
