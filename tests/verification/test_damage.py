"""Every kind of damage, done to a real output, is found even where its checksums are right."""

from pathlib import Path

import h5py
import numpy as np
import pytest

import rnnstates
from rnnstates import MissingInput

from .making import LENGTHS, edit, edit_provenance, make, right, seal, set_text, wrong


def flip_byte(name, offset):
    """Flip the highest bits of a value; the checksums are those of what is there then."""
    with h5py.File("out.h5") as file:
        start = file[name].id.get_offset()
    with open("out.h5", "r+b") as raw:
        raw.seek(start + offset)
        byte = raw.read(1)[0]
        raw.seek(start + offset)
        raw.write(bytes([byte ^ 0x60]))
    seal()


@pytest.mark.parametrize("layout", rnnstates.LAYOUTS)
def test_a_flipped_byte_of_a_state_is_found_by_its_mean(place, layout):
    make(layout=layout, pool="mean")
    flip_byte("hidden", 4 * (5 * 2 + 3) + 3)
    wrong(
        r"^out.h5: 'hidden_mean' is not the mean of 'hidden' in sequence 0 \(unit 3 is .*, from the states ", sample=0
    )


@pytest.mark.parametrize("layout", rnnstates.LAYOUTS)
def test_a_flipped_byte_is_found_by_recomputing_where_nothing_is_pooled(place, layout):
    make(layout=layout, pool="none")
    flip_byte("cell", 4 * (5 * 2 + 3) + 3)
    wrong(
        r"'cell' differs from the result in float64 in sequence 0 \(step 2, unit 3 is .*, recomputed .*\); expected a "
        r"difference of at most \d.\de-05 plus the rounding of float32"
    )


@pytest.mark.parametrize("name", ["hidden_last", "hidden_final", "cell_max", "cell_std", "hidden_sum", "cell_first"])
def test_a_wrong_pooled_value_is_found(place, name):
    make()
    with h5py.File("out.h5", "r+") as file:
        file[name][4, 2] += 1e-3
    seal()
    state, _, pooling = name.partition("_")
    wrong(f"'{name}' is not the {pooling} of '{state}' in sequence 4 ")


def test_a_wrong_pooled_value_is_found_by_recomputing_where_no_states_are_stored(place):
    make(states="none", pool="mean,final")
    edit("hidden_mean", (4, 2), 0.75)
    wrong(r"'hidden_mean' differs from the result in float64 in sequence 4 \(unit 2 is 0.75, recomputed ")


@pytest.mark.parametrize("padding", rnnstates.PADDINGS)
def test_padding_that_is_not_zero_is_found_with_five_examples(place, padding):
    make(padding=padding)
    with h5py.File("out.h5", "r+") as file:
        for row, length in enumerate(LENGTHS):
            if length < 8:
                file["hidden"][row, 7 if padding == "post" else 0, 1] = 0.25
    seal()
    wrong(
        r"^out.h5: 'hidden' is not zero past the length in 8 sequences, the first 1 \(step \d is 0.25\), 2 .*, 3 .*, "
        r"4 .*, 5 \(step \d is 0.25\); expected zeros there. The file was damaged or edited after it was made; make it "
        r"again\.$"
    )


def test_nan_in_the_padding_is_found(place):
    make()
    edit("cell", (8, 3, 0), np.nan)
    wrong(r"'cell' is not zero past the length in sequence 8 \(step 3 is nan\)")


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("layout", rnnstates.LAYOUTS)
def test_a_state_that_is_not_finite_is_found(place, layout, value):
    make(layout=layout)
    edit("hidden", (0, 3, 1) if layout == "padded" else (3, 1), value)
    wrong(rf"'hidden' is not finite in sequence 0 \(step 3, unit 1 is {value}\); expected finite numbers, unless the")


def test_nan_in_a_pooled_value_is_found(place):
    make(states="none")
    edit("cell_max", (3, 2), np.nan)
    wrong(r"'cell_max' is not finite in sequence 3 \(unit 2 is nan\)")
    make(states="none", force=True)
    edit("cell_final", (8, 2), np.nan)
    wrong(r"'cell_final' is not finite in sequence 8 \(unit 2 is nan\)")


def test_a_number_where_an_empty_sequence_has_none_is_found(place):
    make()
    edit("hidden_mean", 8, 0.0)
    wrong(r"'hidden_mean' is not NaN in sequence 8 \(unit 0 is 0.0\); expected NaN where the length is 0")


@pytest.mark.parametrize(
    "row, length, message",
    [
        (3, 9, r"dataset 'lengths' has 9 for sequence 3 \(1 such\); expected 0 to 8"),
        (3, -1, r"dataset 'lengths' has -1 for sequence 3"),
        (0, 7, "'hidden' is not zero past the length in sequence 0"),
        (8, 1, r"'hidden_mean' is not the mean of 'hidden' in sequence 8 \(unit 0 is nan, from the states 0.0\)"),
    ],
)
def test_a_wrong_length_is_found(place, row, length, message):
    make()
    edit("lengths", row, length)
    wrong(message)


def test_a_wrong_length_of_a_packed_file_is_found(place):
    make(layout="packed")
    edit("lengths", 0, 7)
    total = int(LENGTHS.sum())
    wrong(rf"dataset 'hidden' has shape \({total}, 5\); expected \({total - 1}, 5\).*dataset 'offsets' has 8 at 1; exp")


def test_a_wrong_offset_is_found(place):
    make(layout="packed")
    edit("offsets", 3, 0)
    wrong(r"dataset 'offsets' has 0 at 3; expected \d+, the sum of the lengths before")
    with h5py.File("out.h5", "r+") as file:
        del file["offsets"]
    wrong("lacks offsets; it is damaged")


def change(change_file):
    with h5py.File("out.h5", "r+") as file:
        change_file(file)


def replace(file, name, value):
    del file[name]
    file[name] = value


STRUCTURE = {
    "no cell": (lambda file: file.pop("cell"), r"dataset 'cell' is missing; expected shape \(9, 8, 5\)"),
    "another width": (
        lambda file: replace(file, "cell", np.zeros((9, 8, 4), "f4")),
        r"dataset 'cell' has shape \(9, 8, 4\); expected \(9, 8, 5\)",
    ),
    "another dtype": (
        lambda file: replace(file, "cell", np.zeros((9, 8, 5), "f8")),
        "dataset 'cell' has dtype float64; expected float32",
    ),
    "no ids": (lambda file: file.pop("ids"), "dataset 'ids' is missing; expected one id for each of 9 sequences"),
    "too few ids": (lambda file: replace(file, "ids", [1, 2]), r"dataset 'ids' has shape \(2,\); expected \(9,\)"),
    "no lengths": (lambda file: file.pop("lengths"), "lacks lengths; it is damaged"),
    "too few lengths": (
        lambda file: replace(file, "lengths", [1, 2]),
        "its attributes do not describe its content .*2 lengths, but the input had 9 sequences",
    ),
    "lengths that are not whole": (
        lambda file: replace(file, "lengths", np.ones(9)),
        "lengths cannot be what extract wrote",
    ),
    "no cell type": (lambda file: file.attrs.pop("cell_type"), "its attributes do not describe its content"),
    "an unknown cell": (lambda file: set_text(file, "cell_type", "elm"), "a cell 'elm' that runs 'forward'"),
    "an unknown layout": (lambda file: set_text(file, "layout", "heap"), "layout cannot be what extract wrote"),
    "no such group": (lambda file: file.attrs.create("layers", np.array([b"layer7"])), "no group 'layer7'"),
    "no provenance": (lambda file: set_text(file, "provenance", "{"), "out.h5: cannot be read"),
    "no format": (lambda file: file.attrs.pop("format"), "not a states file"),
    "a later version": (lambda file: file.attrs.modify("format_version", 9), "format version 9; this rnnstates reads"),
    "values elsewhere": (
        lambda file: file.pop("cell") and file.create_dataset("cell", (9, 8, 5), "<f4", external=[("x", 0, 1440)]),
        r"'cell': its values are in another file \(x\)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", STRUCTURE)
def test_what_is_missing_or_of_another_shape_is_found(place, name):
    damage, message = STRUCTURE[name]
    make()
    change(damage)
    wrong(message)


def test_everything_that_is_missing_is_reported_at_once(place):
    make()
    change(lambda file: [file.pop(name) for name in list(file) if name.startswith(("cell_", "hidden"))])
    wrong(r"dataset 'hidden' is missing.*'hidden_mean' is missing.*; and \d+ more\. The file is damaged or was ")


def test_a_file_that_does_not_say_enough_is_refused(place):
    make()
    edit_provenance(dtype=None, ids=None)
    wrong(
        "its provenance lacks dtype, ids; expected all that this version of rnnstates records. An older version made it"
    )


def test_an_unknown_pooling_state_or_precision_is_refused(place):
    make()
    edit_provenance(pool=["median"])
    wrong("pooling 'median'")
    edit_provenance(pool=["mean"], states=["mood"])
    wrong("state 'mood'")
    edit_provenance(states=["hidden"], precision="int8")
    wrong("was computed in 'int8'; this version checks float64, float32, bfloat16. Update rnnstates")


def test_bfloat16_is_judged_at_a_loose_bound(place):
    make(pool="none")
    edit_provenance(precision="bfloat16")
    with h5py.File("out.h5", "r+") as file:
        file["hidden"][0, 0, 0] += 0.01
    seal()
    assert 0.009 < right()["datasets"]["hidden"]["recomputed"] < 0.011
    edit("hidden", (0, 0, 0), 5.0)
    wrong("'hidden' differs from the result in float64 in sequence 0")


@pytest.mark.parametrize("keep", [0, 1000, 4000])
def test_a_truncated_file_is_found(place, keep):
    make()
    Path("out.h5").write_bytes(Path("out.h5").read_bytes()[:keep])
    wrong("out.h5: (empty, not one byte|not an HDF5 file|HDF5 cannot open it)")


def test_no_file_and_an_unfinished_one_are_reported(place):
    wrong("no.h5: no such file", MissingInput, path="no.h5")
    make()
    Path("out.h5").rename("out.h5.partial")
    wrong("^out.h5: not finished: ", path="out.h5.partial")
    wrong("^no.h5.partial: no such file; expected a states file", MissingInput, path="no.h5.partial")
