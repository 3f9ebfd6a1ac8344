"""``rnnstates status`` and ``rnnstates clean``: what they say of each state of an output, and what they leave alone."""

import json
import os
import re
import sys
from pathlib import Path

import numpy as np
import pytest

import rnnstates
from rnnstates import execution, planning
from rnnstates.output.journal import Window, encode
from rnnstates.output.lock import RunLock
from rnnstates.output.names import names_of
from rnnstates.output.system import DISK
from rnnstates_cli.main import _run

from ..builders import one_layer, ragged

INPUTS, LENGTHS = ragged(sequences=50)
COMMAND = "rnnstates extract in.npy out.h5"


class End(Exception):
    """What ends a run in these tests."""


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(planning, "WINDOW_BYTES", 1000)


def extract(until=None):
    """Run to the end, or to a window."""
    read, count = execution.read_window, []

    def ending(job, window):
        count.append(window)
        if until is not None and len(count) > until:
            raise End
        return read(job, window)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(execution, "read_window", ending)
        options = {"weights": one_layer(), "output": "out.h5", "threads": 1, "provenance": {"command": COMMAND}}
        rnnstates.extract(np.nan_to_num(INPUTS), LENGTHS, engine="numpy", **options).close()


def stop():
    with pytest.raises(End):
        extract(until=5)


@pytest.fixture
def run(monkeypatch, capsys):
    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["rnnstates", *arguments])
        code = _run()
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return code, out, err

    return run


def test_an_output_that_is_nowhere(run):
    assert run("status", "out.h5") == (0, "out.h5: no such output, finished or not\n", "")
    assert run("clean", "out.h5") == (0, "out.h5: nothing was left beside it\n", "")
    assert json.loads(run("status", "out.h5", "--json")[1]) == {"output": "out.h5", "state": "absent"}


def test_an_output_that_is_finished(run):
    extract()
    assert run("status", "out.h5") == (0, "out.h5: finished\n", "")
    assert run("clean", "out.h5")[0] == 0
    assert os.listdir() == ["out.h5"]


def test_a_file_that_is_no_output_of_ours(run):
    Path("out.h5").write_text("something else")
    code, out, err = run("status", "out.h5")
    assert (code, out) == (65, "")
    assert "out.h5: text that starts with 'something else'; expected an HDF5 file of states" in err


def test_a_pipe_is_not_waited_for(run):
    os.mkfifo("out.h5")
    for command in ("status", "verify"):
        code, out, err = run(command, "out.h5")
        assert (code, out) == (65, "")
        assert "out.h5: a pipe or device; expected an HDF5 file" in err


def test_a_run_that_was_stopped(run):
    stop()
    found = json.loads(run("status", "out.h5", "--json")[1])
    assert found["state"] == "stopped"
    assert 0 < found["windows"] < found["windows_in_all"]
    assert 0 < found["steps"] < found["steps_in_all"] == LENGTHS.sum()
    code, out, _ = run("status", "out.h5")
    assert code == 0
    first, progress, rate, command = out.splitlines()
    assert first == "out.h5: not finished, nobody is at work"
    windows, steps = (f"{found[name]} of {found[name + '_in_all']} {name}" for name in ("windows", "steps"))
    assert re.fullmatch(rf"{windows}, {steps} \(\d+%\), \S+ (bytes|kB) on disk", progress)
    assert re.fullmatch(r"\d+ steps a second, about \d+ s left", rate)
    assert command == f"to go on: {COMMAND}"
    assert run("clean", "out.h5")[1].splitlines() == ["removed out.h5.partial", "removed out.h5.journal"]
    assert os.listdir() == []


def test_the_rate_is_that_of_the_last_session_alone(run):
    stop()
    with open("out.h5.journal", "ab") as journal:
        journal.write(encode("host:7 since noon"))
        sums = ((0, 0),) * 6
        journal.write(encode(Window(0, steps=12, overflowed=0, elapsed=3.0, sums=sums)))
        journal.write(encode(Window(1, steps=18, overflowed=0, elapsed=6.0, sums=sums)))
    found = rnnstates.status("out.h5")
    assert found["rate"] == 5
    left = (found["steps_in_all"] - found["steps"]) / 5
    assert f"5 steps a second, about {left:.0f} s left\n" in run("status", "out.h5")[1]


def test_a_run_that_is_at_work_is_named_and_left_alone(run):
    stop()
    with RunLock(names_of("out.h5"), DISK) as lock:
        assert run("status", "out.h5")[1].startswith(f"out.h5: being made by {lock.holder}\n")
        before = sorted(os.listdir())
        code, out, err = run("clean", "out.h5")
        assert (code, out) == (75, "")
        assert re.search(rf"out\.h5\.lock: locked by \S+:{os.getpid()} since \S+; wait for that run", err)
        assert sorted(os.listdir()) == before


def test_clean_removes_what_any_kill_leaves(run):
    stop()
    Path("out.h5.lock").write_text("garbage")
    Path("out.h5.partial.new").write_bytes(b"half a header")
    Path("out.h5").write_text("the output of another day")
    removed = json.loads(run("clean", "out.h5", "--json")[1])["removed"]
    assert removed == ["out.h5.partial", "out.h5.partial.new", "out.h5.journal", "out.h5.lock"]
    assert os.listdir() == ["out.h5"]


def test_clean_leaves_what_no_run_leaves(run):
    Path("out.h5.partial").write_text("precious")
    code, _, err = run("clean", "out.h5")
    assert code == 73
    assert "out.h5.partial: in the way and not a file of ours" in err
    Path("out.h5.partial").unlink()
    Path("out.h5.partial").mkdir()
    assert run("clean", "out.h5")[0] == 73
    assert os.listdir() == ["out.h5.partial"]


def test_what_is_left_of_a_link_s_target_is_found_by_the_link(run, tmp_path):
    stop()
    os.mkdir("elsewhere")
    os.symlink(tmp_path / "out.h5", "elsewhere/link.h5")
    assert json.loads(run("status", "elsewhere/link.h5", "--json")[1])["state"] == "stopped"
    run("clean", "elsewhere/link.h5")
    assert os.listdir() == ["elsewhere"]
