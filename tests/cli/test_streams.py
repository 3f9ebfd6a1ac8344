"""Standard output and standard error that are full or whose reader has gone."""

import itertools
import signal

import pytest

import rnnstates as library

from .catalogue import fill_place
from .forking import CLOSED_PIPE, run_each

UNWRITABLE = {"full": "/dev/full", "broken": CLOSED_PIPE}
EXTRACT = ("extract", "in.h5", "out.h5", "--json")
PRINTING = [EXTRACT, ("--help",), ("extract", "--help"), ("--version",), ("info", "in.h5")]
TELLING = {
    EXTRACT: 0,
    ("extract", "in.h5", "out.h5", "--units", "no"): 2,
    ("extract", "missing.h5", "out.h5"): 66,
    ("extract",): 2,
}
PROGRESS = [(*EXTRACT, "--progress", kind) for kind in ("plain", "auto")]
# Each update writes a line.
EVERY_LINE = "from rnnstates_cli import reporting; reporting.SECONDS_BETWEEN_LINES = -1.0"


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    """Run each command with a stream that takes nothing; gives (place, how it ended) by stream, kind and command."""
    cases = [
        *itertools.product(["stdout"], UNWRITABLE, PRINTING),
        *itertools.product(["stderr"], UNWRITABLE, [*TELLING, *PROGRESS]),
    ]
    places = {case: tmp_path_factory.mktemp("streams") for case in cases}
    with pytest.MonkeyPatch.context() as patch:
        for place in places.values():
            patch.chdir(place)
            fill_place()
    runs = [
        (place, words, EVERY_LINE if words in PROGRESS else "", {stream: UNWRITABLE[kind]})
        for (stream, kind, words), place in places.items()
    ]
    return dict(zip(cases, zip(places.values(), run_each(runs), strict=True), strict=True))


@pytest.mark.parametrize("arguments", PRINTING, ids=" ".join)
@pytest.mark.parametrize("kind, code", [("full", 74), ("broken", -signal.SIGPIPE)])
def test_an_answer_that_cannot_be_printed_is_an_error_but_nothing_is_lost(ended, kind, code, arguments):
    place, done = ended["stdout", kind, arguments]
    assert done.returncode == code
    assert "Traceback" not in done.stderr
    assert ("standard output cannot be written" in done.stderr) == (kind == "full")
    if arguments is EXTRACT:
        library.open(place / "out.h5").close()


@pytest.mark.parametrize("arguments", TELLING, ids=" ".join)
@pytest.mark.parametrize("kind", UNWRITABLE)
def test_what_standard_error_does_not_take_changes_no_exit_code(ended, kind, arguments):
    place, done = ended["stderr", kind, arguments]
    assert done.returncode == TELLING[arguments]
    if not done.returncode:
        library.open(place / "out.h5").close()


@pytest.mark.parametrize("arguments", PROGRESS, ids=" ".join)
@pytest.mark.parametrize("kind", UNWRITABLE)
def test_progress_that_cannot_be_written_ends_no_run(ended, kind, arguments):
    place, done = ended["stderr", kind, arguments]
    assert done.returncode == 0
    library.open(place / "out.h5").close()
