"""No byte of a file can change without being found, and what is found is named."""

from pathlib import Path

import h5py
import numpy as np
import pytest

import rnnstates
from rnnstates import BadStates
from rnnstates.verification.digests import described

from .making import LENGTHS, NETWORKS, edit, flipped, make, seal, wrong

FLIPS = 40
FILES = {
    "padded": {"pool": "mean,final"},
    "packed": {"layout": "packed", "pool": "mean,final"},
    "a padded stack in float16, padded before": {
        "weights": NETWORKS["a bidirectional stack"], "dtype": "float16", "padding": "pre", "pool": "mean,final",
    },
    "a packed stack in float16": {
        "weights": NETWORKS["a bidirectional stack"], "dtype": "float16", "layout": "packed", "pool": "mean,final",
    },
    "float64, pooled only": {"precision": "float64", "states": "none"},
}  # fmt: skip


@pytest.fixture
def windows(place, monkeypatch):
    """Windows of one sequence each."""
    monkeypatch.setattr("rnnstates.extraction.grid.WINDOW_BYTES", 1)


def place_of(name, path="out.h5"):
    with h5py.File(path) as file:
        return file[name].id.get_offset(), file[name].nbytes


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_a_flipped_bit_anywhere_is_found(windows, name):
    make(**FILES[name])
    content = Path("out.h5").read_bytes()
    Path("bad.h5").write_bytes(content)
    assert rnnstates.verify("bad.h5", sample=0)["checksums"] == "right"
    random = np.random.default_rng(len(name))
    for at in random.integers(0, len(content), FLIPS).tolist():
        flipped(content, at, 1 << int(random.integers(8)))
        with pytest.raises(BadStates):
            rnnstates.verify("bad.h5", sample=0)


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_a_flipped_bit_of_a_state_is_named_by_dataset_and_sequence(windows, name):
    make(**FILES[name])
    content = Path("out.h5").read_bytes()
    with h5py.File("out.h5") as file:
        datasets = {called.decode(): file[called] for called in file["integrity"].attrs["datasets"]}
        places = {
            called: (found.id.get_offset(), found.nbytes, found[:1].nbytes, found.ndim)
            for called, found in datasets.items()
        }
    random = np.random.default_rng(0)
    for called, (start, size, row, axes) in places.items():
        at = int(random.integers(size))
        flipped(content, start + at, 1 << int(random.integers(8)))
        sequence = at // row
        if FILES[name].get("layout") == "packed" and axes == 2 and size == LENGTHS.sum() * row:
            sequence = int(np.searchsorted(np.cumsum(LENGTHS), at // row, "right"))
        wrong(f"^bad.h5: '{called}': sequence {sequence} is not as it was written. The file was damaged", path="bad.h5")


@pytest.mark.parametrize("layout", rnnstates.LAYOUTS)
def test_the_checksums_are_those_that_the_file_says(windows, layout):
    make(layout=layout)
    content = Path("out.h5").read_bytes()
    seal()
    assert Path("out.h5").read_bytes() == content
    edit("hidden", 0, 0.5)
    wrong("'hidden_mean' is not the mean of 'hidden' in sequence")


def test_damaged_checksums_are_found(windows):
    make()
    content = Path("out.h5").read_bytes()
    start, _ = place_of("integrity/sums")
    with h5py.File("out.h5") as file:
        _, datasets, _ = file["integrity/sums"].shape
        named = file["integrity"].attrs["datasets"][3].decode()
    flipped(content, start + 16 * (4 * datasets + 3))
    wrong(f"^bad.h5: '{named}': sequence 4 is not as it was written", path="bad.h5")
    flipped(content, place_of("integrity/rest")[0] + 31)
    wrong(r"^bad.h5: something outside the states was changed \(attributes, lengths, ids, …\)\. The", path="bad.h5")


def test_a_changed_attribute_or_id_is_found(windows):
    make()
    content = Path("out.h5").read_bytes()
    flipped(content, place_of("ids")[0])
    wrong("^bad.h5: something outside the states was changed", path="bad.h5")
    flipped(content, content.index(b'"engine": "numpy"') + 12)
    wrong("^bad.h5: something outside the states was changed", path="bad.h5")


@pytest.mark.parametrize("longer", [b"\0", b"x" * 5000])
def test_bytes_behind_the_end_are_found(place, longer):
    make()
    Path("out.h5").write_bytes(Path("out.h5").read_bytes() + longer)
    wrong("^out.h5: something outside the states was changed")


@pytest.mark.parametrize("layout", rnnstates.LAYOUTS)
def test_a_truncated_file_is_found_wherever_it_ends(place, layout):
    make(layout=layout)
    content = Path("out.h5").read_bytes()
    for keep in [*range(0, len(content), 997), len(content) - 1]:
        Path("bad.h5").write_bytes(content[:keep])
        wrong("^bad.h5: (empty, not one byte|not an HDF5 file|HDF5 cannot)", path="bad.h5")


def test_a_window_that_was_never_written_is_found(windows):
    make()
    content = bytearray(Path("out.h5").read_bytes())
    start, size = place_of("cell")
    content[start + size // 9 * 2 : start + size // 9 * 4] = bytes(size // 9 * 2)
    Path("out.h5").write_bytes(content)
    wrong("^out.h5: 'cell': sequences 2 to 3 are not as they were written.")


def test_sequences_that_changed_places_are_found(windows):
    make(layout="padded", pool="none")
    start, size = place_of("cell")
    content, row = bytearray(Path("out.h5").read_bytes()), size // 9
    rows = [content[start + place : start + place + row] for place in range(0, size, row)]
    content[start : start + size] = b"".join([rows[0], rows[2], rows[1], *rows[3:]])
    Path("out.h5").write_bytes(content)
    wrong("^out.h5: 'cell': sequences 1 to 2 are not as they were written. The", sample=0)


def test_rows_that_changed_places_within_a_window_are_found(place):
    make(layout="packed", pool="none")
    with h5py.File("out.h5", "r+") as file:
        file["hidden"][:2] = file["hidden"][()][[1, 0]]
    wrong("^out.h5: 'hidden': sequences 0 to 8 are not as they were written.", sample=0)


def test_much_damage_is_reported_briefly(windows):
    make()
    content = bytearray(Path("out.h5").read_bytes())
    with h5py.File("out.h5") as file:
        names = [name.decode() for name in file["integrity"].attrs["datasets"]]
        for name in names:
            for sequence in range(0, 9, 2) if name != "hidden" else range(9):
                content[file[name].id.get_offset() + sequence * file[name][:1].nbytes] ^= 1
    Path("out.h5").write_bytes(content)
    wrong(
        r"^out.h5: 'hidden': sequences 0 to 8 are not as they were written; 'cell': sequences 0, 2, 4, 6, 8 are not as "
        rf"they were written; .*; and {len(names) - 5} more datasets\. The file was damaged or edited after it was made"
    )
    assert described({"cell": [(row, row) for row in range(0, 30, 2)]}) == [
        "'cell': sequences 0, 2, 4, 6, 8, and 10 more stretches are not as they were written"
    ]


def test_the_account_says_in_which_precision(place):
    make()
    content = Path("out.h5").read_bytes()
    Path("bad.h5").write_bytes(content.replace(b'"precision"', b'"precisiom"'))
    wrong("^bad.h5: its provenance lacks precision; expected all", path="bad.h5")


@pytest.mark.slow
def test_a_damaged_mark_of_a_dimension_does_not_end_the_process(place):
    """HDF5's own test for one frees memory twice."""
    make()
    content = Path("out.h5").read_bytes()
    at = content.index(b"CLASS\0")
    for offset in range(-8, 48):
        flipped(content, at + offset, 0x04)
        with pytest.raises(BadStates):
            rnnstates.verify("bad.h5", sample=0)
