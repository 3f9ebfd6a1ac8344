"""Checksums that are absent, damaged or not looked at."""

from pathlib import Path

import h5py
import numpy as np
import pytest

import rnnstates
from rnnstates import BadStates

from .making import flipped, make, right, without_checksums, wrong


def test_a_file_made_before_there_were_checksums_passes_with_a_note(place):
    make()
    without_checksums()
    found = right()
    assert found["checksums"] == "absent"
    assert found["notes"] == [
        "out.h5: has no checksums, because it was made before files had them; only its values were checked."
    ]
    with h5py.File("out.h5", "r+") as file:
        file["cell_mean"][4, 2] += 1e-3
    wrong("'cell_mean' is not the mean of 'cell' in sequence 4 ")


def test_a_damaged_name_of_the_checksums_is_found(place):
    make()
    content = Path("out.h5").read_bytes()
    Path("out.h5").write_bytes(content.replace(b"integrity\0", b"intagrity\0"))
    wrong("^out.h5: had checksums, but the group 'integrity' is gone. The file was damaged or edited")


DAMAGES = {
    "other sums": (lambda group: replace(group, "sums", np.zeros((1, 3, 2), "u8")),
                   r"dataset 'integrity/sums' has shape \(1, 3, 2\) and dtype uint64; expected \(1, \d+, 2\) and uint"),
    "sums of floats": (lambda group: replace(group, "sums", group["sums"][()].astype("f8")), "and dtype float64"),
    "no sums": (lambda group: group.pop("sums"), "dataset 'integrity/sums' is missing"),
    "a group of sums": (lambda group: group.pop("sums") and group.create_group("sums"), "'integrity/sums' is missing"),
    "a short digest": (lambda group: replace(group, "rest", np.zeros(31, "u1")), r"'integrity/rest' has shape \(31,\)"),
    "no digest": (lambda group: group.pop("rest"), "dataset 'integrity/rest' is missing"),
    "sums elsewhere": (
        lambda group: replace(group, "sums", None, shape=group["sums"].shape, dtype="<u8", external=[("x", 0, 9999)]),
        r"'integrity/sums': its values are in another file \(x\)"),
    "no window": (lambda group: group.attrs.create("window_rows", np.int64(0)), "window_rows is 0; expected 1 or more"),
    "no number": (lambda group: group.attrs.create("window_rows", np.bytes_(b"many")), "many.*; expected"),
    "no rows": (lambda group: group.attrs.pop("window_rows"), "window_rows is None; expected"),
    "smaller windows": (lambda group: group.attrs.create("window_rows", np.int64(1)), r"expected \(9, \d+, 2\)"),
    "other names": (
        lambda group: group.attrs.create("datasets", np.array([b"hidden", b"mood"])),
        "they are of hidden, mood",
    ),
    "a number for names": (lambda group: group.attrs.create("datasets", 3), "they are of 3; expected hidden, "),
    "no names": (lambda group: group.attrs.pop("datasets"), "they are of no datasets; expected hidden, "),
}  # fmt: skip


def replace(group, name, value, **options):
    del group[name]
    group.create_dataset(name, data=value, **options)


@pytest.mark.slow
@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_group_of_checksums_is_reported(place, name):
    damage, message = DAMAGES[name]
    make()
    with h5py.File("out.h5", "r+") as file:
        damage(file["integrity"])
    wrong(message)


def test_a_dataset_in_place_of_a_group_is_reported(place):
    make()
    with h5py.File("out.h5", "r+") as file:
        del file["integrity"]
        file["integrity"] = 3
    wrong("^out.h5: had checksums, but the group 'integrity' is gone")


def test_a_quick_look_reads_the_sample_only(place):
    make()
    with h5py.File("out.h5", "r+") as file:
        file["cell_mean"][8, 1] = 0.75
    found = right(quick=True)
    assert found["checksums"] == "not looked at"
    assert all(data["pooled"] is None for data in found["datasets"].values())
    with h5py.File("out.h5", "r+") as file:
        file["cell_mean"][2, 1] = 0.75
    wrong("'cell_mean' differs from the result in float64 in sequence 2 ", quick=True)
    with h5py.File("out.h5", "r+") as file:
        file["lengths"][3] = 9
    wrong("dataset 'lengths' has 9 for sequence 3", quick=True)


@pytest.mark.parametrize("sequences", [0, 4])
def test_an_output_without_a_step_has_checksums(place, sequences):
    np.save("in.npy", np.zeros((sequences, 5, 3), np.float32))
    for layout in rnnstates.LAYOUTS:
        make("in.npy", np.zeros(sequences, int), layout=layout, force=True)
        assert rnnstates.verify("out.h5")["checksums"] == "right"
        content = Path("out.h5").read_bytes()
        flipped(content, content.index(b"padded" if layout == "padded" else b"packed"))
        with pytest.raises(BadStates):
            rnnstates.verify("bad.h5")
