"""What ``verify`` says of an output that is not finished."""

from pathlib import Path

import h5py
import numpy as np
import pytest

import rnnstates
from rnnstates import BadStates

from .making import make, right, wrong
from .unfinished import leave


@pytest.fixture
def windows(place, monkeypatch):
    """Nine windows of one sequence."""
    monkeypatch.setattr("rnnstates.extraction.grid.WINDOW_BYTES", 1)


def flip(name, sequence, path="out.h5.partial"):
    with h5py.File(path) as file:
        dataset = file[name]
        at = dataset.id.get_offset() + sequence * dataset[0].nbytes + 1
    content = bytearray(Path(path).read_bytes())
    content[at] ^= 0x10
    Path(path).write_bytes(content)


@pytest.mark.parametrize("path", ["out.h5", "out.h5.partial"])
def test_how_far_it_is_is_reported(windows, monkeypatch, path):
    leave(monkeypatch, windows=5)
    wrong(
        r"^out.h5: not finished: 5 of 9 windows are, each as it was written\. Repeat the run to continue with the "
        r"others\.$",
        path=path,
    )
    wrong(r"^out.h5: not finished: 5 of 9 windows are\. Repeat the run to continue", path=path, quick=True)


def test_what_lacks_its_name_only_is_reported(windows, monkeypatch):
    leave(monkeypatch)
    wrong(r"^out.h5: not finished: 9 of 9 windows are, each as it was written\. Repeat the run to finish it\.$")


def test_nothing_finished_yet_is_reported(windows, monkeypatch):
    leave(monkeypatch, windows=0)
    wrong(r"^out.h5: not finished: 0 of 9 windows are\. Repeat the run to continue with the others\.$")


@pytest.mark.parametrize("layout", rnnstates.LAYOUTS)
def test_damaged_windows_are_named_and_computed_again(windows, monkeypatch, layout):
    make(layout=layout, output="whole.h5")
    leave(monkeypatch, windows=9, layout=layout)
    for name, sequence in (("cell_mean", 2), ("cell_mean", 3), ("cell_mean", 6), ("hidden_last", 0)):
        flip(name, sequence)
    wrong(
        r"^out.h5: not finished: 9 of 9 windows are, but 'hidden_last': sequence 0 is not as it was written; "
        r"'cell_mean': sequences 2 to 3, 6 are not as they were written\. Repeat the run with verify=True, which "
    )
    with pytest.raises(BadStates, match=r"not finished: 9 of 9 windows are\. Repeat"):
        rnnstates.verify("out.h5", quick=True)
    make(layout=layout, verify=True)
    right()
    with h5py.File("whole.h5") as whole, h5py.File("out.h5") as again:
        np.testing.assert_array_equal(whole["cell_mean"][()], again["cell_mean"][()])


def test_what_is_not_recorded_may_be_anything(windows, monkeypatch):
    leave(monkeypatch, windows=5)
    recorded = {int(line.split(b'"window": ')[1].split(b",")[0]) for line in _windows(Path("out.h5.journal"))}
    flip("cell_mean", min(set(range(9)) - recorded))
    wrong(r"^out.h5: not finished: 5 of 9 windows are, each as it was written\.")
    flip("cell_mean", min(recorded))
    wrong(rf"^out.h5: not finished: 5 of 9 windows are, but 'cell_mean': sequence {min(recorded)} is not as it was ")


def _windows(journal):
    return [line for line in journal.read_bytes().splitlines() if b'"window"' in line]


@pytest.mark.parametrize("change", ["length", "longer", "shorter", "digest", "superblock"])
def test_damage_outside_the_states_is_reported(windows, monkeypatch, change):
    leave(monkeypatch, windows=5)
    path = Path("out.h5.partial")
    if change == "length":
        flip("lengths", 0)
    elif change == "digest":
        flip("integrity/rest", 0)
    elif change == "superblock":
        path.write_bytes(b"\x88" + path.read_bytes()[1:])
    else:
        path.write_bytes(path.read_bytes() + b"\0" if change == "longer" else path.read_bytes()[:-1])
    wrong(
        r"^out.h5: not finished: 5 of 9 windows are, but something outside the states was changed \(attributes, .*\)\. "
        r"Repeat the run; it starts over\.$"
    )


@pytest.mark.parametrize("journal", [None, b"", b"nonsense\n"])
def test_a_journal_that_is_missing_or_damaged_is_reported(windows, monkeypatch, journal):
    left = leave(monkeypatch)
    left.unlink() if journal is None else left.write_bytes(journal)
    wrong(
        "^out.h5: not finished: out.h5.partial is there, but its journal is missing or damaged, so nothing in it "
        "is known to be finished. Repeat the run; it starts over.$"
    )


def test_the_journal_of_another_file_is_no_proof(windows, monkeypatch):
    journal = leave(monkeypatch, states="hidden")
    content = journal.read_bytes()
    Path("out.h5.partial").unlink()
    leave(monkeypatch).write_bytes(content)
    wrong("but something outside the states was changed")


def test_an_output_that_is_there_is_looked_at_whatever_stands_beside_it(windows, monkeypatch):
    leave(monkeypatch, windows=5)
    make(output="whole.h5")
    Path("whole.h5").rename("out.h5")
    assert right()["checksums"] == "right"
    wrong("not finished: 5 of 9", path="out.h5.partial")


def test_a_running_job_is_reported(windows, monkeypatch):
    leave(monkeypatch, windows=5)
    monkeypatch.setattr("rnnstates.verification.unfinished.is_held", lambda path: True)
    wrong(r"^out.h5: not finished: 5 of 9 windows are, each as it was written\. A run is at work; wait for it\.$")
