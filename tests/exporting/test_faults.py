"""A full disk, an interrupt, a name that is taken meanwhile: nothing half done has the final name, nothing is left."""

import contextlib
import errno
import os
import resource
import signal
import subprocess
import sys
import time

import h5py
import numpy as np
import pytest

import rnnstates
from rnnstates.exporting.formats import EXPORTERS

from ..cli.running import rnnstates as run
from .reading import made

FORMATS = list(EXPORTERS)
KINDS = [*FORMATS, "folder"]


def options_for(kind):
    if kind == "folder":
        return {"per_sequence": "csv", "datasets": "cell"}
    return {"datasets": "cell"}


@contextlib.contextmanager
def disk_of(size):
    """Let no file grow beyond a size, as if the disk were full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def content(path):
    return path.read_bytes()


@pytest.mark.parametrize("kind", KINDS)
def test_a_full_disk_leaves_nothing(kind, tmp_path):
    path = made(tmp_path / "o.h5")
    before = content(path)
    with disk_of(100), pytest.raises(rnnstates.WriteFailed, match=f"out{kind}: the disk is full .* export less"):
        rnnstates.export(path, tmp_path / f"out{kind}", **options_for(kind))
    assert os.listdir(tmp_path) == ["o.h5"]
    assert content(path) == before


@pytest.mark.parametrize("kind", KINDS)
def test_an_interrupt_leaves_nothing(kind, tmp_path):
    def stop(*_):
        raise KeyboardInterrupt

    path = made(tmp_path / "o.h5")
    with pytest.raises(KeyboardInterrupt):
        rnnstates.export(path, tmp_path / f"out{kind}", **options_for(kind), progress=stop)
    assert os.listdir(tmp_path) == ["o.h5"]


@pytest.mark.parametrize("kind", KINDS)
def test_an_existing_destination_is_left_alone_and_replaced_on_wish(kind, tmp_path):
    path = made(tmp_path / "o.h5")
    target = tmp_path / f"out{kind}"
    rnnstates.export(path, target, **options_for(kind))
    files = {file: content(file) for file in tmp_path.rglob("*") if file.is_file()}
    with pytest.raises(rnnstates.CannotCreate, match=r"exists; replace it with force=True"):
        rnnstates.export(path, target, **options_for(kind), rows="0:2")
    assert {file: content(file) for file in tmp_path.rglob("*") if file.is_file()} == files
    with disk_of(100), pytest.raises(rnnstates.WriteFailed):
        rnnstates.export(path, target, **options_for(kind), force=True)
    assert {file: content(file) for file in tmp_path.rglob("*") if file.is_file()} == files
    assert rnnstates.export(path, target, **options_for(kind), rows="0:2", force=True)["sequences"] == 2
    assert sorted(os.listdir(tmp_path)) == ["o.h5", f"out{kind}"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_destination_that_appears_meanwhile_is_left_alone(kind, tmp_path):
    target = tmp_path / f"out{kind}"
    path = made(tmp_path / "o.h5")
    with pytest.raises(rnnstates.CannotCreate, match="exists; replace it with force=True"):
        rnnstates.export(path, target, **options_for(kind), progress=lambda *_: target.write_text("mine"))
    assert target.read_text() == "mine"
    assert sorted(os.listdir(tmp_path)) == ["o.h5", f"out{kind}"]


# The command, which stops in the middle until a signal ends it.
WAITING = """
import signal, time
from pathlib import Path
from rnnstates_cli import reporting
from rnnstates_cli.main import main

# Shells start jobs in the background with some of them ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

def wait(reporter, done, total):
    Path("waiting").touch()
    time.sleep(60)

reporting.Reporter.update = wait
main()
"""


@pytest.mark.parametrize(("number", "words"), [
    (signal.SIGINT, ("out.csv",)),
    (signal.SIGTERM, ("out.zarr",)),
    (signal.SIGHUP, ("out", "--per-sequence", "npz")),
    (signal.SIGKILL, ("out.npz",)),
])  # fmt: skip
def test_a_signal_ends_the_command_and_leaves_no_file_of_that_name(number, words, tmp_path):
    made(tmp_path / "o.h5")
    with subprocess.Popen(
        [sys.executable, "-c", WAITING, "export", "o.h5", *words], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    ) as child:
        while not (tmp_path / "waiting").exists():
            assert child.poll() is None
            time.sleep(0.01)
        child.send_signal(number)
        try:
            complaint = child.communicate(timeout=60)[1]
        finally:
            child.kill()
    assert child.returncode == -number
    left = sorted(set(os.listdir(tmp_path)) - {"waiting"})
    if number == signal.SIGKILL:
        assert left[0].startswith(".out.npz.")
        assert left[1:] == ["o.h5"]
    else:
        assert left == ["o.h5"]
        assert "before the output was finished" in complaint


def test_a_folder_that_cannot_be_renamed_leaves_the_old_one(tmp_path, monkeypatch):
    from rnnstates.exporting import placing

    path = made(tmp_path / "o.h5")
    rnnstates.export(path, tmp_path / "out", per_sequence="csv")
    before = sorted(os.listdir(tmp_path / "out"))
    rename, calls = type(path).rename, []

    def failing(self, target):
        calls.append(self)
        if len(calls) == 2:
            raise OSError(errno.EIO, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(placing.Path, "rename", failing)
    with pytest.raises(rnnstates.WriteFailed, match="out: writing failed"):
        rnnstates.export(path, tmp_path / "out", per_sequence="csv", rows="0:2", force=True)
    assert sorted(os.listdir(tmp_path / "out")) == before
    assert sorted(os.listdir(tmp_path)) == ["o.h5", "out"]


def test_the_command_has_the_codes_of_the_errors(tmp_path):
    made(tmp_path / "o.h5")
    (tmp_path / "there.csv").touch()
    for expected, *arguments in (
        (0, "o.h5", "a.csv", "--json"),
        (73, "o.h5", "there.csv"),
        (73, "o.h5", "absent/a.csv"),
        (2, "o.h5", "a.xlsx"),
        (2, "o.h5", "b.csv", "--rows", "0:90"),
        (66, "absent.h5", "b.csv"),
    ):
        done = run("export", *arguments, cwd=tmp_path)
        assert done.returncode == expected, done.stderr
    with disk_of(100):
        done = run("export", "o.h5", "b.csv", cwd=tmp_path)
    assert done.returncode == 74
    assert sorted(os.listdir(tmp_path)) == ["a.csv", "o.h5", "there.csv"]


def test_a_states_file_without_room_for_its_arrays_is_refused_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr("rnnstates.exporting.placing.free_space", lambda path: 77)
    with pytest.raises(rnnstates.WriteFailed, match=r"out.npy: needs 1440 bytes, but 77 are free there. Free some"):
        rnnstates.export(made(tmp_path / "o.h5"), tmp_path / "out.npy", datasets="cell")


DAMAGE = {
    "a length is not between 0 and 8": lambda file: file["lengths"].__setitem__(3, 9),
    "'cell' has shape \\(3, 8, 5\\); expected \\(9, 8\\)": lambda file: replaced(file, "cell", np.ones((3, 8, 5))),
    "'cell_mean' has shape \\(9,\\); expected": lambda file: replaced(file, "cell_mean", np.ones(9)),
    "ids are not one number or text": lambda file: file.create_dataset("ids", data=np.ones(3, int)),
}


def replaced(file, name, values):
    del file[name]
    file[name] = values


@pytest.mark.parametrize("message", DAMAGE)
def test_an_edited_states_file_is_refused(message, tmp_path):
    path = made(tmp_path / "o.h5")
    with h5py.File(path, "r+") as file:
        DAMAGE[message](file)
    with pytest.raises(rnnstates.BadStates, match=f"{message}.*it is damaged, make it again"):
        rnnstates.export(path, tmp_path / "out.npz")
    assert os.listdir(tmp_path) == ["o.h5"]


def test_offsets_that_are_not_sums_are_refused(tmp_path):
    path = made(tmp_path / "o.h5", layout="packed")
    with h5py.File(path, "r+") as file:
        file["offsets"][4] += 1
    with pytest.raises(rnnstates.BadStates, match="offsets are not the sums of the lengths"):
        rnnstates.export(path, tmp_path / "out.npz")


def test_names_that_are_no_plain_paths_are_left_out(tmp_path):
    path = made(tmp_path / "o.h5")
    with h5py.File(path, "r+") as file:
        for name in ("..", "labels", "provenance"):
            file.create_dataset(name, data=np.arange(9))
    for name in ("..", "provenance"):
        with pytest.raises(rnnstates.OptionError, match="or not numbers; expected one of"):
            rnnstates.export(path, tmp_path / "out.npz", datasets=[name])
    rnnstates.export(path, tmp_path / "out.npz", datasets=["labels"])
    assert np.load(tmp_path / "out.npz").files == ["labels", "lengths", "provenance"]
