"""``rnnstates status`` and ``rnnstates clean``: what they say of each state of an output, and what they leave alone."""

import json
import os
import re
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

import rnnstates
from rnnstates.extraction import grid, schedule
from rnnstates.output.journal import Window, encode
from rnnstates.output.lock import RunLock
from rnnstates.output.names import names_of
from rnnstates.output.system import Place
from rnnstates_cli.main import _run

from ..builders import one_layer, ragged

INPUTS, LENGTHS = ragged(sequences=50)
COMMAND = "rnnstates extract in.npy out.h5"


class End(Exception):
    """What ends a run in these tests."""


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(grid, "WINDOW_BYTES", 1000)


def extract(until=None):
    """Run to the end, or to a window."""
    read, count = schedule.read_window, []

    def ending(job, window):
        count.append(window)
        if until is not None and len(count) > until:
            raise End
        return read(job, window)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(schedule, "read_window", ending)
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
    assert run("clean", "out.h5") == (0, "out.h5: nothing to remove next to it\n", "")
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
    assert re.fullmatch(r"\d+ steps per second, about \d+ s left", rate)
    assert command == f"to resume: {COMMAND}"
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
    assert f"5 steps per second, about {left:.0f} s left\n" in run("status", "out.h5")[1]


def test_a_run_that_is_at_work_is_named_and_left_alone(run):
    stop()
    with RunLock(Place(names_of("out.h5"))) as lock:
        assert run("status", "out.h5")[1].startswith(f"out.h5: being made by {lock.holder}\n")
        before = sorted(os.listdir())
        code, out, err = run("clean", "out.h5")
        assert (code, out) == (75, "")
        assert re.search(rf"out\.h5\.lock: locked by \S+:{os.getpid()} since \S+; wait for that run", err)
        assert sorted(os.listdir()) == before


def test_clean_removes_what_any_kill_leaves(run):
    stop()
    Path("out.h5.lock").write_text("")
    Path("out.h5.partial.new").write_bytes(b"\x89HDF\r\n\x1a\n half a header")
    Path("out.h5").write_text("the output of another day")
    removed = json.loads(run("clean", "out.h5", "--json")[1])["removed"]
    assert removed == ["out.h5.partial", "out.h5.partial.new", "out.h5.journal", "out.h5.lock"]
    assert os.listdir() == ["out.h5"]


def test_clean_leaves_what_no_run_leaves(run):
    Path("out.h5.partial").write_text("precious")
    code, _, err = run("clean", "out.h5")
    assert code == 73
    assert "out.h5.partial: is not an unfinished output of rnnstates, so no run left it" in err
    Path("out.h5.partial").unlink()
    Path("out.h5.partial").mkdir()
    assert run("clean", "out.h5")[0] == 73
    assert os.listdir() == ["out.h5.partial"]


FOREIGN = {
    "journal": "a journal of rnnstates",
    "lock": "a lock of rnnstates",
    "partial.new": "the start of an HDF5 file of rnnstates",
}


@pytest.mark.parametrize("end", FOREIGN)
def test_a_file_of_the_user_s_beside_an_output_is_never_removed(run, end):
    Path(f"out.h5.{end}").write_text("Dear diary,\n")
    said = rf"out\.h5\.{end}: begins with b'Dear diary,\\n'; expected {FOREIGN[end]}, so no run left it\. Move it away"
    code, _, err = run("clean", "out.h5")
    assert code == 73
    assert re.search(said, err)
    for options in ({}, {"restart": True}):
        with pytest.raises(rnnstates.CannotCreate, match=said):
            rnnstates.extract(INPUTS[:1], [3], output="out.h5", engine="numpy", **options)
    assert [(name, Path(name).read_text()) for name in os.listdir()] == [(f"out.h5.{end}", "Dear diary,\n")]


def somebody_s_hdf5(name):
    with h5py.File(name, "w") as file:
        file["inputs"] = np.nan_to_num(INPUTS)
        file["lengths"] = LENGTHS
    return Path(name).read_bytes()


@pytest.mark.parametrize("end", ["partial", "partial.new"])
def test_another_users_hdf5_file_beside_an_output_is_never_removed(run, end):
    name = f"out.h5.{end}"
    whole = somebody_s_hdf5(name)
    somebody_s_hdf5("in.h5")
    for command in (["clean", "out.h5"], ["extract", "in.h5", "out.h5"],
                    ["extract", "in.h5", "out.h5", "--force", "--restart"]):  # fmt: skip
        code, _, err = run(*command)
        assert (code, name in err, "so no run left it. Move it away" in err) == (73, True, True)
        assert Path(name).read_bytes() == whole
    with pytest.raises(rnnstates.CannotCreate, match="no run left it"):
        rnnstates.preview("in.h5", output="out.h5")
    assert sorted(os.listdir()) == ["in.h5", name]


def test_an_output_beside_another_users_partial_file_is_finished(run):
    assert json.loads(run("status", "out.h5", "--json")[1])["state"] == "absent"
    whole = somebody_s_hdf5("out.h5.partial")
    assert json.loads(run("status", "out.h5", "--json")[1])["state"] == "absent"
    assert run("verify", "out.h5")[0] == 66
    os.remove("out.h5.partial")
    extract()
    Path("out.h5.partial").write_bytes(whole)
    assert run("status", "out.h5") == (0, "out.h5: finished\n", "")
    assert run("verify", "out.h5")[0] == 0


@pytest.mark.parametrize("what", ["cut", "empty", "damaged"])
def test_what_is_left_of_an_unfinished_file_beside_its_journal_is_removed(run, what):
    stop()
    whole = Path("out.h5.partial").read_bytes()
    damaged = whole.replace(b"format", b"former")
    Path("out.h5.partial").write_bytes({"cut": whole[:3000], "empty": b"", "damaged": damaged}[what])
    assert json.loads(run("status", "out.h5", "--json")[1])["state"] == "stopped"
    assert run("clean", "out.h5")[0] == 0
    assert os.listdir() == []


def test_another_users_hdf5_file_beside_a_foreign_journal_is_left_alone(run):
    stop()
    whole = somebody_s_hdf5("out.h5.partial")
    assert run("clean", "out.h5")[0] == 73
    with pytest.raises(rnnstates.CannotCreate, match=r"^out\.h5\.partial: is not an unfinished output"):
        extract()
    assert Path("out.h5.partial").read_bytes() == whole


def test_a_name_that_is_nothing_but_our_ending_is_verified_like_any_other(run):
    somebody_s_hdf5(".partial")
    code, _, err = run("verify", ".partial")
    assert (code, ".partial" in err) == (65, True)


@pytest.mark.parametrize("start", [b"", b"\0" * 20, b"0123", b'89abcdef {"jour'], ids=repr)
def test_a_journal_that_power_loss_cut_short_is_removed(run, start):
    Path("out.h5.journal").write_bytes(start)
    Path("out.h5.partial.new").write_bytes(start[:0])
    assert run("clean", "out.h5")[0] == 0
    assert os.listdir() == []


@pytest.mark.parametrize("end", ["journal", "lock", "partial", "partial.new"])
def test_a_pipe_beside_an_output_is_not_waited_for(run, end):
    os.mkfifo(f"out.h5.{end}")
    code, _, err = run("clean", "out.h5")
    assert (code, f"out.h5.{end}: not a regular file" in err) == (73, True)
    if end in ("journal", "lock"):
        code, _, err = run("status", "out.h5")
        assert (code, f"out.h5.{end}: not a regular file, so no run left it; remove it by hand" in err) == (73, True)
    with pytest.raises(rnnstates.CannotCreate, match=rf"out\.h5\.{re.escape(end)}: not a regular file"):
        rnnstates.extract(INPUTS[:1], [3], output="out.h5", engine="numpy")
    assert os.listdir() == [f"out.h5.{end}"]


@pytest.mark.parametrize("end", ["journal", "partial"])
def test_a_pipe_in_the_place_of_half_a_run_is_not_waited_for(run, end):
    stop()
    Path(f"out.h5.{end}").unlink()
    os.mkfifo(f"out.h5.{end}")
    for command in ("status", "verify", "clean"):
        assert run(command, "out.h5")[0] in (0, 66, 73)
    with pytest.raises(rnnstates.CannotCreate, match=rf"out\.h5\.{end}: not a regular file"):
        extract()


def test_what_is_left_of_a_link_s_target_is_found_by_the_link(run, tmp_path):
    stop()
    os.mkdir("elsewhere")
    os.symlink(tmp_path / "out.h5", "elsewhere/link.h5")
    assert json.loads(run("status", "elsewhere/link.h5", "--json")[1])["state"] == "stopped"
    run("clean", "elsewhere/link.h5")
    assert os.listdir() == ["elsewhere"]
