"""Files that another program rewrote: their bytes are others, and every value is compared."""

import shutil
import subprocess

import h5py
import numpy as np
import pytest

import rnnstates

from .making import NETWORKS, make, right, seal, wrong

REWRITTEN = "was rewritten by another program; its bytes are others, but every value is as it was written."
STATES_ONLY = (
    "was rewritten by another program; its states are as they were written, but nothing tells whether lengths, ids and "
    "attributes are."
)
OPTIONS = {
    "as it is": [],
    "deflated": ["-f", "SHUF", "-f", "GZIP=4"],
    "in chunks across sequences": ["-l", "hidden,cell:CHUNK=2x3x2"],
    "with a checksum of HDF5's": ["-f", "FLET", "-l", "CHUNK=1"],
}
needs_h5repack = pytest.mark.skipif(shutil.which("h5repack") is None, reason="needs h5repack")


def h5repack(*options):
    subprocess.run(["h5repack", *options, "out.h5", "new.h5"], check=True, timeout=60)


def copied_by_h5py():
    with h5py.File("out.h5") as old, h5py.File("new.h5", "w") as new:
        for name, value in old.attrs.items():
            new.attrs.create(name, value, dtype=old.attrs.get_id(name).dtype)
        for name in old:
            old.copy(name, new)


@needs_h5repack
@pytest.mark.parametrize("name", OPTIONS)
def test_what_h5repack_wrote_is_right_by_value(place, name):
    make(states="hidden,cell", pool="mean,final")
    h5repack(*OPTIONS[name])
    found = right("new.h5")
    assert found["checksums"] == "by value"
    assert found["notes"] == [f"new.h5: {REWRITTEN}"]
    rnnstates.repack("new.h5", "again.h5", layout="packed", compression="none")
    assert right("again.h5")["checksums"] == "right"


def test_what_h5py_copied_is_right_by_value(place):
    make(weights=NETWORKS["a bidirectional stack"], layout="packed")
    copied_by_h5py()
    found = right("new.h5", weights=NETWORKS["a bidirectional stack"])
    assert (found["checksums"], found["notes"]) == ("by value", [f"new.h5: {REWRITTEN}"])


EDITS = {
    "a state": (lambda file: edited(file["cell"], (3, 0, 1)), "'cell': sequences 0 to 8 are not as they were written"),
    "padding": (lambda file: edited(file["hidden"], (3, 7, 0)), "'hidden': sequences 0 to 8 are not as they were"),
    "a pooled state": (lambda file: edited(file["cell_mean"], (4, 1)), "'cell_mean': sequences 0 to 8 are not as they"),
    "an id": (lambda file: file["ids"].__setitem__(2, b"other"), "something outside the states was changed"),
    "an attribute": (lambda file: file.attrs.create("mood", 3), "something outside the states was changed"),
    "the name of a layer": (
        lambda file: file.attrs.modify("layer_name", np.bytes_("lstn")),
        "something outside the states was changed",
    ),
    "a sum": (lambda file: edited(file["integrity/sums"], (0, 1, 0)), "'cell': sequences 0 to 8 are not as they were"),
    "a place": (lambda file: edited(file["integrity/places"], 0), "something outside the states was changed"),
    "the digest": (lambda file: edited(file["integrity/content"], 5), "something outside the states was changed"),
    "no digest": (lambda file: file["integrity"].pop("content"), "something outside the states was changed"),
    "another dataset": (lambda file: file.create_dataset("more", data=[3]), "something outside the states was changed"),
}  # fmt: skip


def edited(dataset, place):
    dataset[place] = np.nextafter(dataset[place], np.float32(9)) if dataset.dtype.kind == "f" else dataset[place] + 1


@pytest.mark.parametrize("compression", [None, "gzip", "blosc"])
@pytest.mark.parametrize("name", EDITS)
def test_a_changed_value_is_found(place, name, compression):
    """In a copy that h5py made, and in outputs that we compressed."""
    edit, message = EDITS[name]
    make(states="hidden,cell", pool="mean")
    if compression is None:
        copied_by_h5py()
    else:
        rnnstates.repack("out.h5", "new.h5", compression=compression)
        if name == "a place":
            pytest.skip("a compressed file has no places")
    with h5py.File("new.h5", "r+") as file:
        edit(file)
    if name == "no digest" and compression is None:
        assert right("new.h5")["notes"] == [f"new.h5: {STATES_ONLY}"]
    else:
        wrong(f"^new.h5: {message}.*The file was damaged or edited after it was made", path="new.h5", sample=0)


def test_places_that_are_right_leave_the_bytes_to_be_compared(place):
    make()
    with h5py.File("out.h5", "r+") as file:
        file.attrs.create("mood", 3)
        assert file["integrity/places"][()].tolist() == [
            file[name].id.get_offset() for name in file["integrity"].attrs["datasets"]
        ]
    wrong("^out.h5: something outside the states was changed")


@needs_h5repack
def test_of_files_of_early_versions_the_states_are_compared(place):
    make(pool="mean")
    with h5py.File("out.h5", "r+") as file:
        del file["integrity/places"], file["integrity/content"]
    seal()
    assert right()["checksums"] == "right"
    h5repack("-f", "GZIP=1")
    assert right("new.h5")["notes"] == [f"new.h5: {STATES_ONLY}"]
    with pytest.raises(rnnstates.BadStates, match="something outside the states was changed"):
        rnnstates.repack("new.h5", "again.h5")
    with h5py.File("new.h5", "r+") as file:
        edited(file["cell"], (3, 0, 1))
    wrong("^new.h5: 'cell': sequences 0 to 8 are not as they were written", path="new.h5", sample=0)
