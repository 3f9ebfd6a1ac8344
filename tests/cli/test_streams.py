"""Standard output and standard error that are full or whose reader has gone."""

import contextlib
import os
import signal
import subprocess
import sys

import pytest

import rnnstates as library


@contextlib.contextmanager
def unwritable(kind):
    """A descriptor on which every write fails."""
    if kind == "full":
        stream = os.open("/dev/full", os.O_WRONLY)
    else:
        read, stream = os.pipe()
        os.close(read)
    yield stream
    os.close(stream)


def run(place, *arguments, **streams):
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams}
    command = [sys.executable, "-m", "rnnstates_cli.main", *arguments]
    return subprocess.run(command, cwd=place, stdin=subprocess.DEVNULL, timeout=120, check=False, **streams)


EXTRACT = ("extract", "in.h5", "out.h5", "--json")
PRINTING = [EXTRACT, ("--help",), ("extract", "--help"), ("--version",), ("info", "in.h5")]


@pytest.mark.parametrize("arguments", PRINTING, ids=" ".join)
@pytest.mark.parametrize("kind, code", [("full", 74), ("broken", -signal.SIGPIPE)])
def test_an_answer_that_cannot_be_printed_is_an_error_but_nothing_is_lost(place, kind, code, arguments):
    with unwritable(kind) as stream:
        done = run(place, *arguments, stdout=stream)
    assert done.returncode == code
    assert b"Traceback" not in done.stderr
    assert (b"standard output cannot be written" in done.stderr) == (kind == "full")
    if arguments is EXTRACT:
        library.open(place / "out.h5").close()


@pytest.mark.parametrize(
    "arguments, code",
    [
        (EXTRACT, 0),
        (("extract", "in.h5", "out.h5", "--units", "no"), 2),
        (("extract", "missing.h5", "out.h5"), 66),
        (("extract",), 2),
    ],
)
@pytest.mark.parametrize("kind", ["full", "broken"])
def test_what_standard_error_does_not_take_changes_no_exit_code(place, kind, arguments, code):
    with unwritable(kind) as stream:
        assert run(place, *arguments, stderr=stream).returncode == code
    if not code:
        library.open(place / "out.h5").close()


@pytest.mark.parametrize("kind", ["full", "broken"])
@pytest.mark.parametrize("progress", ["plain", "auto"])
def test_progress_that_cannot_be_written_ends_no_run(place, kind, progress):
    # Each update writes a line.
    script = (
        "import sys; from rnnstates_cli import main, reporting; reporting.SECONDS_BETWEEN_LINES = -1.0; main.main()"
    )
    with unwritable(kind) as stream:
        done = subprocess.run(
            [sys.executable, "-c", script, *EXTRACT, "--progress", progress],
            cwd=place, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stream, timeout=120, check=False,
        )  # fmt: skip
    assert done.returncode == 0
    library.open(place / "out.h5").close()
