"""Bad input that changes while the run reads it."""

import os
from pathlib import Path

import numpy as np
import pytest

from rnnstates.inputs.hdf5 import Hdf5Source
from rnnstates.inputs.npy import NpySource

from .catalogue import DATA, FROM_HDF5, FROM_NPY, INPUTS, check_same, hdf5, run


def truncated(path):
    os.truncate(path, path.stat().st_size - 10)


def grown(path):
    with path.open("ab") as file:
        file.write(b"more")


def overwritten(path):
    status = path.stat()
    with path.open("r+b") as file:
        file.seek(-8, os.SEEK_END)
        file.write(b"\x01" * 8)
    # The clock of a file system may not have moved on since it was made.
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 10**9))


def exchanged(path):
    Path("other").write_bytes(b"something else")
    os.replace("other", path)


def change_at_the_first_read(monkeypatch, source, change):
    whole = source.read

    def read(self, *block):
        monkeypatch.setattr(source, "read", whole)
        change(Path(self.identity["path"]))
        return whole(self, *block)

    monkeypatch.setattr(source, "read", read)


SOURCES = {"npy": (NpySource, FROM_NPY), "HDF5": (Hdf5Source, FROM_HDF5)}


@pytest.mark.parametrize("kind", SOURCES)
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (truncated, "bytes when it was opened and has"),
        (grown, "bytes when it was opened and has"),
        (overwritten, "was written to after it was opened"),
    ],
)
def test_an_input_that_changes_while_it_is_read_is_refused(place, kind, change, message, monkeypatch, capsys):
    source, arguments = SOURCES[kind]
    for output in ("new.h5", "taken.h5"):
        hdf5()()
        np.save("in.npy", INPUTS)
        before = Path("taken.h5").read_bytes()
        change_at_the_first_read(monkeypatch, source, change)
        assert run(monkeypatch, "extract", arguments[0], output, *arguments[1:], "--force") == DATA
        complaint = capsys.readouterr().err.splitlines()[-1]
        assert complaint.startswith(f"rnnstates: {arguments[0]}")
        assert message in complaint
        assert "something changes it while it is read. Start again when it is complete." in complaint
        assert Path("taken.h5").read_bytes() == before
        assert not list(Path().glob("new.h5*"))


@pytest.mark.parametrize("kind", SOURCES)
def test_a_file_put_in_the_place_of_the_input_while_it_is_read_does_no_harm(place, kind, monkeypatch, capsys):
    source, arguments = SOURCES[kind]
    assert run(monkeypatch, "extract", arguments[0], "usual.h5", *arguments[1:]) == 0
    change_at_the_first_read(monkeypatch, source, exchanged)
    assert run(monkeypatch, "extract", arguments[0], "new.h5", *arguments[1:]) == 0
    check_same("new.h5", "usual.h5")
