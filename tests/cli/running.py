"""Running the command, in the process of the tests or, where a process is what is tested, in one of its own."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading

from rnnstates_cli.main import main

__all__ = ["process", "rnnstates", "text"]


def process(*arguments, cwd=None, stdin=None, env=None, **options):
    """Run the command as a user does, in a process of its own; gives it finished, with bytes of its streams."""
    return subprocess.run(
        [sys.executable, "-m", "rnnstates_cli.main", *map(str, arguments)],
        cwd=cwd,
        input=stdin,
        stdin=None if stdin is not None else subprocess.DEVNULL,
        capture_output=True,
        env={**os.environ, **(env or {})},
        timeout=120,
        **options,
    )


def rnnstates(*arguments, cwd=None, stdin=None, env=None, together=False):
    """Run the command in this process, where everything is imported already; gives what ``process`` gives.

    The three streams are those of the process, so that what compiled code prints is seen as well. ``together``, what it
    prints to standard error is in standard output, in the order in which a terminal or a pipe would get it.
    """
    words = ["rnnstates", *map(str, arguments)]
    with _place(cwd, env), _own_state(words), _streams(stdin or b"", together) as printed:
        try:
            main()
        except SystemExit as ended:
            code = ended.code
    return subprocess.CompletedProcess(words, code, *printed)


@contextlib.contextmanager
def _place(cwd, env):
    place, before = os.getcwd(), dict(os.environ)
    os.environ.update(env or {})
    os.chdir(cwd or ".")
    try:
        yield
    finally:
        os.chdir(place)
        os.environ.clear()
        os.environ.update(before)


@contextlib.contextmanager
def _own_state(words):
    """Give back what the command changes of its process: streams, handlers of signals, the hook for lost errors."""
    heeded = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    before = sys.argv, sys.stdin, sys.stdout, sys.stderr, sys.unraisablehook
    sys.argv = words
    try:
        yield
    finally:
        sys.argv, sys.stdin, sys.stdout, sys.stderr, sys.unraisablehook = before
        for number, handler in heeded.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _streams(given, together):
    """Let 0, 1 and 2 be a pipe with these bytes and two files; gives a list that has their content afterwards."""
    printed = []
    kept = [os.dup(number) for number in range(3)]
    source, sink = os.pipe()
    feeder = threading.Thread(target=_feed, args=(sink, given))
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        for number, stream in enumerate((source, out.fileno(), (out if together else err).fileno())):
            os.dup2(stream, number)
        os.close(source)
        sys.stdin = os.fdopen(0, closefd=False)
        sys.stdout, sys.stderr = os.fdopen(1, "w", closefd=False), os.fdopen(2, "w", buffering=1, closefd=False)
        feeder.start()
        try:
            yield printed
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            for number, stream in enumerate(kept):
                os.dup2(stream, number)
                os.close(stream)
            feeder.join()
        for file in (out, err):
            file.seek(0)
            printed.append(file.read())


def _feed(sink, given):
    # The command may end before it has read all.
    with contextlib.suppress(BrokenPipeError), open(sink, "wb") as pipe:
        pipe.write(given)


def text(stream):
    return stream.decode()
