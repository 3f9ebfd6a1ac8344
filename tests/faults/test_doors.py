"""What is no file is refused at every door; what has no end is bounded; what is complete is said to be complete."""

import contextlib
import ctypes
import errno
import itertools
import json
import os
import subprocess
import sys
import threading

import numpy as np
import pytest

import rnnstates
from rnnstates import CannotCreate, MissingInput, OptionError, OutputUnread, RnnstatesError
from rnnstates.output import system
from rnnstates.output.system import DISK, write_all

INPUTS = np.ones((2, 3, 2), np.float32)
DOORS = {
    "inputs": lambda path: rnnstates.extract(path, "full", units=2),
    "lengths": lambda path: rnnstates.extract(INPUTS, path, units=2),
    "ids": lambda path: rnnstates.extract(INPUTS, "full", ids=path, units=2),
    "weights": lambda path: rnnstates.load_weights(path),
    "config": lambda path: rnnstates.extract(INPUTS, "full", weights=path, config=path),
    "initial_state": lambda path: rnnstates.extract(INPUTS, "full", units=2, initial_state=path),
    "describe": lambda path: rnnstates.describe(path),
    "open": lambda path: rnnstates.open(path),
    "verify": lambda path: rnnstates.verify(path),
}
DEVICES = ("/dev/zero", "/dev/random", "/dev/null", "/proc/self/mem", "/proc/self/pagemap")


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("door", DOORS)
def test_a_device_is_refused_at_every_door(door, device):
    with pytest.raises(RnnstatesError, match=device):
        DOORS[door](device)


@pytest.mark.parametrize("door", ["lengths", "ids"])
def test_a_pipe_without_end_is_bounded(door, tmp_path):
    os.mkfifo(pipe := tmp_path / "pipe")

    def write_for_ever():
        with open(pipe, "wb") as file:
            try:
                while True:
                    file.write(b"1\n" * 30_000)
                    file.flush()
            except BrokenPipeError:
                pass

    writer = threading.Thread(target=write_for_ever)
    writer.start()
    with pytest.raises(RnnstatesError, match=r"pipe: more than \d+ bytes for 2 sequences"):
        DOORS[door](str(pipe))
    writer.join(10)
    assert not writer.is_alive()


@pytest.mark.parametrize("length", [246, 252, 256, 5000])
def test_a_name_that_is_too_long_is_refused_before_anything_is_made(length, tmp_path):
    with pytest.raises(CannotCreate, match="too long"):
        rnnstates.extract(INPUTS, "full", units=2, output=tmp_path / ("n" * (length - 3) + ".h5"))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["a\0b.h5", "loop.h5"])
def test_a_name_that_no_file_can_have_is_refused(name, tmp_path):
    (tmp_path / "loop.h5").symlink_to(tmp_path / "loop.h5")
    with pytest.raises(CannotCreate):
        rnnstates.extract(INPUTS, "full", units=2, output=tmp_path / name)


def test_a_name_that_is_no_utf8_is_read_and_written(tmp_path):
    name = os.fsdecode(b"\xff.npy")
    np.save(tmp_path / name, INPUTS)
    with rnnstates.extract(tmp_path / name, "full", units=2, output=tmp_path / os.fsdecode(b"\xfe.h5")) as states:
        assert len(states) == 2
    assert rnnstates.verify(tmp_path / os.fsdecode(b"\xfe.h5"))["recomputed"] == [0, 1]


@pytest.mark.parametrize("door", DOORS)
def test_a_name_with_a_null_byte_is_refused_at_every_door(door):
    with pytest.raises(RnnstatesError):
        DOORS[door]("a\0b")


def test_no_output_has_a_null_byte_in_its_name():
    with pytest.raises(RnnstatesError, match="null byte"):
        rnnstates.status("a\0b.h5")
    assert rnnstates.clean("a\0b.h5") == []


def test_a_letter_without_bytes_is_in_no_name():
    for call in (rnnstates.extract, rnnstates.preview):
        with pytest.raises(CannotCreate, match=r"^'\\ud800.h5': no file can have that name"):
            call(INPUTS, "full", units=2, output="\ud800.h5")
    with pytest.raises(MissingInput, match=r"^'\\ud800.h5': no file can have that name"):
        rnnstates.status("\ud800.h5")


class OfBytes:
    def __init__(self, path):
        self.path = path

    def __fspath__(self):
        return os.fsencode(self.path)


FILES = {"inputs": "in.npy", "lengths": "l.npy", "ids": "l.npy", "initial_state": "s.npz", "open": "out.h5"}


@pytest.mark.parametrize("door", sorted({*DOORS, *FILES} - {"config"}))
def test_a_path_of_bytes_is_a_path_at_every_door(door, tmp_path):
    np.save(tmp_path / "in.npy", INPUTS)
    np.save(tmp_path / "l.npy", [3, 2])
    np.savez(tmp_path / "s.npz", hidden=np.zeros(2), cell=np.zeros(2))
    rnnstates.extract(
        INPUTS, "full", units=2, output=OfBytes(tmp_path / "out.h5"), save_weights=OfBytes(tmp_path / "w.safetensors")
    ).close()
    name = FILES.get(door, "w.safetensors" if door == "weights" else "out.h5")
    with os.scandir(os.fsencode(tmp_path)) as entries:
        for given in (OfBytes(tmp_path / name), *(entry for entry in entries if entry.name == os.fsencode(name))):
            if hasattr(answer := DOORS[door](given), "close"):
                answer.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.npy", "l.npy", "out.h5", "s.npz", "w.safetensors"]


@pytest.mark.parametrize("path", [5, RuntimeError("boom")])
def test_an_object_that_gives_no_path_is_refused(path):
    class Wrong(os.PathLike):
        def __fspath__(self):
            if isinstance(path, Exception):
                raise path
            return path

    with pytest.raises(OptionError, match=r"^a Wrong gives no path \(.*(boom|int)"):
        rnnstates.extract(INPUTS, "full", units=2, output=Wrong())


@pytest.mark.parametrize("name", [".", "./", "/", ".."])
def test_a_folder_is_no_output(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for call in (rnnstates.extract, rnnstates.preview):
        with pytest.raises(CannotCreate, match="a directory; name a file in it"):
            call(INPUTS, "full", units=2, output=name)
    for call in (rnnstates.status, rnnstates.verify, rnnstates.open):
        with pytest.raises(MissingInput, match="a directory; expected"):
            call(name)
    assert rnnstates.clean(name) == []


@pytest.mark.parametrize("name", ["new/", "new//", "new/.", "./new/"])
@pytest.mark.parametrize("there", [False, True])
def test_the_name_of_a_folder_that_is_not_there_is_no_output(name, there, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if there:
        rnnstates.extract(INPUTS, "full", units=2, output="new").close()
    before = [path.read_bytes() for path in tmp_path.iterdir()]
    for call in (rnnstates.extract, rnnstates.preview):
        with pytest.raises(CannotCreate, match=r"folder, which does not exist; expected a file\. Give new, or make"):
            call(INPUTS, "full", units=2, output=name, force=True)
    with pytest.raises(OptionError, match="expected a name that ends in"):
        rnnstates.save_weights(rnnstates.random_network(2, units=1), f"new.weights.h5{name.lstrip('./new')}/")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == before


def test_a_slash_behind_a_file_is_no_damage(tmp_path):
    rnnstates.extract(INPUTS, "full", units=2, output=tmp_path / "out.h5").close()
    assert rnnstates.verify(f"{tmp_path}/out.h5/", inputs=INPUTS)["recomputed"] == [0, 1]
    with rnnstates.open(f"{tmp_path}/out.h5/") as states:
        assert len(states) == 2


class Interrupted:
    """A C library whose syncs are interrupted so often."""

    def __init__(self, times):
        self.left, self.calls = times, 0

    def fsync(self, _):
        self.calls += 1
        self.left -= 1
        ctypes.set_errno(errno.EINTR)
        return -1 if self.left >= 0 else 0

    fdatasync = fsync


@pytest.mark.parametrize("name", ["fsync", "fdatasync"])
@pytest.mark.parametrize(("times", "fails"), [(3, False), (10**9, True)])
def test_an_interrupted_sync_is_tried_again_but_not_for_ever(name, times, fails, monkeypatch):
    monkeypatch.setattr(system, "_LIBRARY", library := Interrupted(times))
    if fails:
        with pytest.raises(InterruptedError):
            getattr(DISK, name)(0)
    else:
        getattr(DISK, name)(0)
    assert library.calls == min(times + 1, system.MOST_INTERRUPTIONS)


def test_an_interrupted_write_is_tried_again_but_not_for_ever():
    class Writes:
        def pwrite(self, *_):
            raise InterruptedError(errno.EINTR, "interrupted")

    with pytest.raises(InterruptedError):
        write_all(Writes(), 0, memoryview(b"x"), 0)


def test_a_complete_output_that_cannot_be_opened_is_said_to_be_complete(tmp_path, monkeypatch):
    def refuse(path):
        raise MissingInput(f"{path}: gone")

    monkeypatch.setattr("rnnstates.extraction.deliver.open_states", refuse)
    with pytest.raises(OutputUnread, match=r"out\.h5: is complete"):
        rnnstates.extract(INPUTS, "full", units=2, output=tmp_path / "out.h5")
    monkeypatch.undo()
    with rnnstates.open(tmp_path / "out.h5") as states:
        assert len(states) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["out.h5"]


@pytest.mark.parametrize(
    "failing", ["rnnstates.extraction.deliver.open_states", "rnnstates.output.states.States.close"]
)
def test_the_command_succeeds_where_only_the_last_look_fails(tmp_path, failing):
    np.save(tmp_path / "in.npy", INPUTS)
    program = f"""
import sys
import unittest.mock
import rnnstates.extraction.deliver, rnnstates.output.states
from rnnstates_cli.main import main
sys.argv = ["rnnstates", *"extract in.npy out.h5 --lengths full --units 2 --engine numpy --json".split()]
with unittest.mock.patch("{failing}", side_effect=OSError(5, "Input/output error")):
    main()
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "is complete" in done.stderr
    assert json.loads(done.stdout)["complete"]
    assert (tmp_path / "out.h5").exists()


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_standard_streams_take_no_file_of_ours(tmp_path, closed):
    np.save(tmp_path / "in.npy", INPUTS)
    line = "-m rnnstates_cli.main extract in.npy out.h5 --lengths full --units 2 --engine numpy"
    command = f'"{sys.executable}" {line} {closed}'
    done = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with rnnstates.open(tmp_path / "out.h5") as states:
        assert states["hidden"].shape == (2, 3, 2)


def test_standard_input_that_is_closed_is_no_stream(tmp_path):
    command = f'"{sys.executable}" -m rnnstates_cli.main extract - out.h5 --lengths full <&-'
    done = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2
    assert "standard input is closed" in done.stderr


CALLS = {
    "clean": rnnstates.clean,
    "status": rnnstates.status,
    "extract": lambda path: rnnstates.extract(INPUTS, "full", units=2, output=path),
}


@pytest.mark.parametrize("first", range(1, 8))
@pytest.mark.parametrize("number", [errno.ENAMETOOLONG, errno.EIO])
@pytest.mark.parametrize("call", CALLS)
def test_a_file_of_which_nothing_can_be_asked_any_more_is_an_error_of_ours(tmp_path, monkeypatch, number, call, first):
    """Whatever is asked of it, also whether it is a link while the error is put into words."""
    (tmp_path / "out.h5.partial").touch()
    asked = itertools.count(1)

    def failing(function):
        def called(path, *args, **kwargs):
            if not isinstance(path, int) and os.fspath(path).endswith(".partial") and next(asked) >= first:
                raise OSError(number, os.strerror(number), os.fspath(path))
            return function(path, *args, **kwargs)

        return called

    for name in ("stat", "lstat"):
        monkeypatch.setattr(os, name, failing(getattr(os, name)))
    with contextlib.suppress(RnnstatesError):
        CALLS[call](tmp_path / "out.h5")
