"""Progress and notices on standard error."""

import fcntl
import io
import logging
import pty
import re
import struct
import subprocess
import sys
import termios

import click
import numpy as np
import pytest

from rnnstates_cli import reporting
from rnnstates_cli.reporting import Reporter, logged, size


@pytest.fixture
def clock(monkeypatch):
    """A clock that a test moves by hand."""
    now = [0.0]
    monkeypatch.setattr(reporting.time, "monotonic", lambda: now[0])
    return now


def test_a_line_every_30_seconds_says_how_far_it_is(clock, capsys):
    with Reporter("plain") as reporter:
        for done in range(1, 10):
            clock[0] += 10
            reporter.update(done * 100, 1000)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "300 of 1000 steps, 10 per second, about 70 s left"
    assert len(lines) == 3


@pytest.mark.parametrize("earlier", [0, 900, 10**9])
def test_the_time_left_is_that_of_this_run_whatever_an_earlier_one_finished(earlier, clock, capsys):
    with Reporter("plain") as reporter:
        for done in range(1, 6):
            clock[0] += 10
            reporter.update(earlier + done * 100, earlier + 1000)
    line = capsys.readouterr().err.splitlines()[0]
    assert line == f"{earlier + 300} of {earlier + 1000} steps, 10 per second, about 70 s left"


def test_a_bar_that_the_environment_spoils_becomes_lines(clock, capsys, monkeypatch):
    def spoiled(**_options):
        raise ValueError("invalid literal for int() with base 10: 'abc'")  # TQDM_NCOLS=abc

    monkeypatch.setattr("tqdm.tqdm", spoiled)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with Reporter("auto") as reporter:
        for done in range(1, 5):
            clock[0] += 40
            reporter.update(done * 100, 1000)
    assert len(capsys.readouterr().err.splitlines()) == 3


def test_a_speed_that_is_not_known_yet_is_not_made_up(clock, capsys):
    with Reporter("plain") as reporter:
        clock[0] += 40
        reporter.update(5000, 6000)
        clock[0] += 40
        reporter.update(5400, 6000)
    assert capsys.readouterr().err.splitlines() == [
        "5000 of 6000 steps",
        "5400 of 6000 steps, 10 per second, about 60 s left",
    ]


@pytest.mark.parametrize("earlier", [0, 10**6])
def test_the_bar_does_not_count_the_steps_of_earlier_runs_in_its_rate(earlier, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with Reporter("auto") as reporter:
        reporter.update(earlier + 10, earlier + 100)
        reporter.update(earlier + 30, earlier + 100)
        about = reporter._bar.format_dict
    assert about["n"] - about["initial"] == 20
    assert (about["n"], about["total"]) == (earlier + 30, earlier + 100)


def test_none_says_nothing(clock, capsys):
    with Reporter("none") as reporter:
        clock[0] += 1000
        reporter.update(1, 2)
    assert capsys.readouterr().err == ""


def test_a_short_run_into_a_log_says_nothing(capsys):
    with Reporter("auto") as reporter:
        reporter.update(1, 2)
    assert capsys.readouterr().err == ""


def test_on_a_terminal_there_is_a_bar(tmp_path):
    np.save(tmp_path / "in.npy", np.ones((20, 5, 3), np.float32))
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 25, 80, 0, 0))
    command = [sys.executable, "-m", "rnnstates_cli.main", "extract", "in.npy", "out.h5", "--lengths", "full"]
    done = subprocess.run(command, cwd=tmp_path, stderr=theirs, stdout=subprocess.DEVNULL, timeout=60)
    assert done.returncode == 0
    with io.FileIO(ours, closefd=True) as terminal:
        shown = terminal.read(65536).decode()
    assert re.search(r"\d+%\|.*/100 ", shown)


def test_notices_and_warnings_are_distinguished(capsys):
    with click.Context(click.Command("c")), logged():
        logging.getLogger("rnnstates").info("small")
        logging.getLogger("rnnstates").warning("large")
    logging.getLogger("rnnstates").info("unheard")
    assert capsys.readouterr().err == "note: small\nwarning: large\n"


@pytest.mark.parametrize(
    "count, text", [(None, "unknown"), (0, "0 bytes"), (999, "999 bytes"), (1000, "1.0 kB"), (2.5e12, "2.5 TB")]
)
def test_sizes_are_written_for_people(count, text):
    assert size(count) == text
