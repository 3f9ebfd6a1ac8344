"""Outputs in places that may not be written, and beside what was left: exit codes as tabled, nothing touched."""

import contextlib
import errno
import itertools
import os
import shutil
import sys
import tempfile
from pathlib import Path

import h5py
import numpy as np
import pytest

import rnnstates
from rnnstates.extraction import extract as running
from rnnstates.output.system import Disk
from rnnstates_cli.main import _run

from .forking import run_each

NOBODY = 65534


@pytest.fixture
def place(monkeypatch):
    """A directory that anybody can look into, with an input; one that may not be written by all is ``closed``."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o777)
    monkeypatch.chdir(folder)
    np.save("in.npy", np.ones((3, 4, 2), np.float32))
    os.mkdir("closed")
    yield folder
    shutil.rmtree(folder)


@contextlib.contextmanager
def unprivileged():
    """As a user who is not root, who may write anywhere."""
    if os.geteuid():
        yield
        return
    # What is imported later may lie where another user may not read.
    rnnstates.extract("in.npy", "full", units=2, output="warm.h5").close()
    os.remove("warm.h5")
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def extract(monkeypatch, capsys):
    def extract(output, *options):
        words = ["rnnstates", "extract", "in.npy", str(output), "--lengths", "full", "--units", "2", *options]
        monkeypatch.setattr(sys, "argv", words)
        code = _run()
        out, err = capsys.readouterr()
        assert out == ""
        assert "Traceback" not in err
        return code, err

    return extract


def test_a_directory_that_may_not_be_written_is_reported_and_left_as_it_was(place, extract):
    os.chmod("closed", 0o555)
    with unprivileged():
        code, reported = extract("closed/out.h5")
    assert code == 77
    assert "closed/out.h5" in reported
    assert "choose another place" in reported
    assert os.listdir("closed") == []


@pytest.mark.parametrize("name", ["new/", ".", "closed/"])
def test_the_name_of_a_folder_is_no_output(place, extract, name):
    code, reported = extract(name)
    assert code == 73
    assert f"{name}: {'names a folder' if name == 'new/' else 'a directory'}" in reported
    assert sorted(os.listdir()) == ["closed", "in.npy"]


def test_a_file_system_that_is_read_only_is_reported(place, extract, monkeypatch):
    """Simulated: to mount one takes more rights than a test has."""

    class ReadOnly(Disk):
        def open(self, path, flags):
            raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(running, "SYSTEM", ReadOnly())
    code, reported = extract("out.h5")
    assert code == 77
    assert "out.h5.lock: cannot be written there (Read-only file system)" in reported
    assert not any(name.startswith("out") for name in os.listdir())


@pytest.mark.parametrize("left", ["out.h5.lock", "out.h5.partial", "out.h5.journal"])
def test_what_another_user_left_is_reported_and_left_alone(place, extract, left):
    if os.geteuid():
        pytest.skip("takes a second user, and so root to become one")
    Path(left).write_text("another user's")
    Path(left).chmod(0o600)
    with unprivileged():
        code, reported = extract("out.h5")
    assert code in (73, 77)
    assert left in reported
    assert Path(left).read_text() == "another user's"
    assert sorted(name for name in os.listdir() if name.startswith("out")) == [left]


def test_an_output_by_a_link_is_written_where_the_link_points(place, extract):
    os.mkdir("elsewhere")
    os.symlink("elsewhere/real.h5", "link.h5")
    assert extract("link.h5")[0] == 0
    assert os.readlink("link.h5") == "elsewhere/real.h5"
    assert os.listdir("elsewhere") == ["real.h5"]
    assert extract("link.h5")[0] == 73
    assert extract("link.h5", "--force")[0] == 0
    assert Path("link.h5").is_symlink()


@pytest.mark.parametrize("make", [os.symlink, os.link], ids=["symbolic", "hard"])
def test_the_input_by_another_name_is_no_output(place, extract, make):
    make("in.npy", "out.h5")
    before = Path("in.npy").read_bytes()
    code, reported = extract("out.h5", "--force")
    assert code == 73
    assert "is also read by this run" in reported
    assert Path("in.npy").read_bytes() == before


@pytest.mark.parametrize("make", [os.symlink, os.link], ids=["symbolic", "hard"])
@pytest.mark.parametrize("end", ["partial", "partial.new", "journal", "lock"])
def test_an_input_is_not_taken_for_what_stands_beside_an_output(place, extract, end, make):
    make("in.npy", f"out.h5.{end}")
    before = Path("in.npy").read_bytes()
    for options in ([], ["--force", "--restart"]):
        code, reported = extract("out.h5", *options)
        assert code == 73
        assert f"out.h5: while it is made, the name out.h5.{end} is needed, but this run reads that file" in reported
    assert Path("in.npy").read_bytes() == before
    assert sorted(os.listdir()) == ["closed", "in.npy", f"out.h5.{end}"]


@pytest.mark.parametrize("reads", ["weights", "lengths", "ids", "initial_state", "config"])
@pytest.mark.parametrize("call", [rnnstates.extract, rnnstates.preview])
def test_nothing_that_a_run_reads_is_taken_for_what_stands_beside_its_output(place, call, reads):
    Path("out.h5.partial").write_bytes(b"precious")
    for given in ("out.h5.partial", place / "out.h5.partial"):
        with pytest.raises(rnnstates.CannotCreate, match=r"out\.h5: while it is made, the name out\.h5\.partial"):
            call("in.npy", **{"lengths": "full", reads: given}, output="out.h5")
    assert Path("out.h5.partial").read_bytes() == b"precious"


def test_files_behind_arrays_and_in_lists_are_read_too(place):
    values = np.load("in.npy", mmap_mode="r")
    with h5py.File("out.h5", "w") as file:
        file["x"] = values
    os.link("in.npy", "other.h5.partial")
    with h5py.File("out.h5") as file, pytest.raises(rnnstates.CannotCreate, match="is also read by this run"):
        rnnstates.extract(file["x"], "full", units=2, output="out.h5", force=True)
    with pytest.raises(rnnstates.CannotCreate, match=r"the name other\.h5\.partial is needed"):
        rnnstates.extract(values, "full", units=2, output="other.h5")
    for inputs in (["in.npy", "in.npy"], {"a": "in.npy"}):
        with pytest.raises(rnnstates.CannotCreate, match=r"the name other\.h5\.partial is needed"):
            rnnstates.collect("model.keras", inputs, output="other.h5")


def test_a_dead_lock_beside_a_finished_output_is_cleared_away(place, extract):
    assert extract("out.h5")[0] == 0
    finished = Path("out.h5").read_bytes()
    Path("out.h5.lock").write_text("")
    code, reported = extract("out.h5")
    assert code == 73
    assert "out.h5: exists; replace it with --force" in reported
    assert sorted(os.listdir()) == ["closed", "in.npy", "out.h5"]
    assert Path("out.h5").read_bytes() == finished


def test_finished_states_whose_name_was_taken_get_it_when_it_is_free(place, extract, monkeypatch):
    class Taken(Disk):
        def link(self, source, target):
            Path("out.h5").write_text("somebody else's")
            super().link(source, target)

    monkeypatch.setattr(running, "SYSTEM", Taken())
    code, reported = extract("out.h5")
    assert code == 73
    assert "out.h5: appeared while this run was computing and is left alone" in reported
    assert "note: 1 of 1 windows are finished and kept next to out.h5" in reported
    monkeypatch.setattr(running, "SYSTEM", Disk())
    assert extract("out.h5")[0] == 73
    assert Path("out.h5").read_text() == "somebody else's"
    os.rename("out.h5", "theirs")
    computed = []
    monkeypatch.setattr("rnnstates.extraction.schedule.read_window", lambda *_: computed.append(None))
    code, reported = extract("out.h5")
    assert code == 0
    assert "1 of 1 windows are finished; the run continues" in reported
    assert not computed
    with rnnstates.open("out.h5") as states:
        assert states["cell"].shape == (3, 4, 2)
    assert sorted(os.listdir()) == ["closed", "in.npy", "out.h5", "theirs"]


OPERATIONS = ["size", "pread", "pwrite", "truncate", "fsync", "fdatasync"]
CALLS = [0, 1, 3, 8]


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    """Run a job on each disk that fails for ever; gives (place, how it ended) by operation and calls."""
    places = {key: tmp_path_factory.mktemp("failing") for key in itertools.product(OPERATIONS, CALLS)}
    for place in places.values():
        np.save(place / "in.npy", np.ones((3, 4, 2), np.float32))
    words = ["extract", "in.npy", "out.h5", "--lengths", "full", "--units", "2", "--engine", "numpy"]
    runs = run_each([(place, words, failing(*key), {}) for key, place in places.items()])
    return dict(zip(places, zip(places.values(), runs, strict=True), strict=True))


def failing(operation, calls):
    return f"""
import errno, itertools
from rnnstates.extraction import extract
from rnnstates.output.system import Disk

class Failing(Disk):
    calls = itertools.count()

    def {operation}(self, *arguments):
        if next(self.calls) < {calls}:
            return Disk.{operation}(self, *arguments)
        raise OSError(errno.EIO, "Input/output error")

extract.SYSTEM = Failing()
"""


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("calls", CALLS)
def test_a_disk_that_fails_for_ever_ends_the_process_with_74(ended, operation, calls):
    """To its very end: HDF5 must have nothing left that it would try to write, or to read, when it is unloaded."""
    place, done = ended[operation, calls]
    assert "Traceback" not in done.stderr
    # Few operations are made so often.
    assert done.returncode == (0 if (place / "out.h5").exists() else 74)
    assert done.returncode == 0 or "writing failed (Input/output error)" in done.stderr
    assert calls or done.returncode == 74
