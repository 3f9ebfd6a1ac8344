"""``repack``: what it writes, read by h5py with its own or hdf5plugin's filters, and what it refuses."""

import json
import os

import h5py
import hdf5plugin  # noqa: F401 - registers the filters with which h5py reads here
import numpy as np
import pytest

import rnnstates
from rnnstates.output.repacking import cuts

from ..builders import bidirectional_stack, one_layer
from ..verification.making import seal
from .repacked import INPUTS, WAYS, make, same_values


@pytest.mark.parametrize("layout, padding, compression, size", WAYS)
def test_every_value_is_kept_in_every_layout_and_compression(place, monkeypatch, layout, padding, compression, size):
    monkeypatch.setattr(cuts, "CHUNK_BYTES", size)
    monkeypatch.setattr(cuts, "PIECE_BYTES", size * 3 // 2)
    make(layout=layout, padding=padding, weights=bidirectional_stack(), states="cell,hidden", pool="std,final")
    for new in rnnstates.LAYOUTS:
        made = rnnstates.repack("out.h5", "new.h5", layout=new, compression=compression, force=True)
        assert (made["layout"], made["compression"], made["overflowed"], made["notes"]) == (new, compression, 0, [])
        same_values("out.h5", "new.h5")
        checked = rnnstates.verify("new.h5", inputs=INPUTS, weights=bidirectional_stack(), sample=3)
        assert checked["checksums"] == ("right" if compression == "none" else "by value")
        assert checked["recomputed"]
        assert checked["notes"] == []
    assert sorted(os.listdir()) == ["new.h5", "out.h5"]


@pytest.mark.parametrize("compression", rnnstates.COMPRESSIONS)
def test_there_and_back_gives_the_same_sums(place, compression):
    make(padding="pre")
    rnnstates.repack("out.h5", "packed.h5", layout="packed", compression=compression)
    rnnstates.repack("packed.h5", "back.h5", layout="padded", compression="none")
    with h5py.File("out.h5") as before, h5py.File("back.h5") as after:
        assert (before["integrity/sums"][()] == after["integrity/sums"][()]).all()
        assert before["hidden"].dims[1][0].name == after["hidden"].dims[1][0].name == "/time"
        assert before["hidden"].attrs["axes"] == after["hidden"].attrs["axes"]
        assert after["hidden"].id.get_offset()
    same_values("out.h5", "back.h5")


def test_the_compressed_file_is_what_other_programs_expect(place):
    import xarray

    make()
    rnnstates.repack("out.h5", "new.h5", compression="gzip")
    with h5py.File("new.h5") as file:
        assert file.attrs["format_version"] == 2
        assert [file["cell"].compression, file["cell"].shuffle, file["cell"].chunks] == ["gzip", True, (9, 8, 5)]
    with xarray.open_dataset("new.h5", engine="h5netcdf") as opened, rnnstates.open("out.h5") as states:
        assert opened["cell"].dims == ("sequence", "time", "unit")
        assert opened["hidden_mean"].dims == ("sequence", "unit")
        np.testing.assert_array_equal(opened["cell"].values, states["cell"][()])


@pytest.mark.parametrize("compression, code", [("zstd", 32015), ("blosc", 32001)])
def test_the_filters_are_those_of_hdf5plugin(place, compression, code):
    make()
    rnnstates.repack("out.h5", "new.h5", compression=compression)
    with h5py.File("new.h5") as file:
        filters = file["hidden"].id.get_create_plist()
        assert code in [filters.get_filter(number)[0] for number in range(filters.get_nfilters())]
    rnnstates.repack("new.h5", "again.h5", layout="packed")
    with rnnstates.open("again.h5") as states:
        assert states.provenance["compression"] == compression
        assert [entry["layout"] for entry in states.provenance["repacked"]] == ["padded", "packed"]


def test_provenance_says_from_which_file_and_how(place):
    make()
    rnnstates.repack("out.h5", "new.h5", dtype="float16", compression="gzip")
    with rnnstates.open("out.h5") as before, rnnstates.open("new.h5") as after:
        found = after.provenance
        (entry,) = found.pop("repacked")
        assert entry | {"from": None} == {
            "from": None, "layout": "padded", "dtype": "float16", "compression": "gzip",
            "rnnstates": rnnstates.__version__,
        }  # fmt: skip
        assert entry["from"]["path"] == str(place / "out.h5")
        assert len(bytes.fromhex(entry["from"]["digest"])) == 32
        changed = {"dtype": "float16", "compression": "gzip"}
        assert found == before.provenance | changed


def test_narrower_states_are_rounded_counted_and_said(place):
    make(states="cell", pool="sum,final")
    with h5py.File("out.h5", "r+") as file:
        file["cell"][1, 0, 1] = 1e6
    seal()
    made = rnnstates.repack("out.h5", "new.h5", dtype="float16")
    assert made["overflowed"] == 1
    assert made["notes"] == [
        "the states are rounded from float32 to float16.",
        "1 values are too large for float16 and are stored as infinity.",
    ]
    with h5py.File("out.h5") as before, h5py.File("new.h5") as after:
        with np.errstate(over="ignore"):
            assert (after["cell"][()] == before["cell"][()].astype("f2")).all()
        assert after["cell_sum"].dtype == "f2"
        assert after["cell_final"].dtype == "f4"
        assert after["cell_final"][()].tobytes() == before["cell_final"][()].tobytes()


def test_wider_states_keep_the_precision_that_they_had(place):
    make(dtype="float16")
    made = rnnstates.repack("out.h5", "new.h5", dtype="float64")
    assert made["notes"] == ["the states have the precision of float16, in which they were stored before."]
    with h5py.File("out.h5") as before, h5py.File("new.h5") as after:
        assert (after["cell"][()] == before["cell"][()]).all()
        assert json.loads(after.attrs["provenance"])["narrowest"] == "float16"
    assert rnnstates.verify("new.h5", inputs=INPUTS, weights=one_layer())["recomputed"]


@pytest.mark.parametrize("lengths", [[], [0, 0, 0], [8, 8], [0]])
@pytest.mark.parametrize("compression", rnnstates.COMPRESSIONS)
def test_few_sequences_and_empty_ones(place, lengths, compression):
    lengths = np.array(lengths, np.int64)
    make(inputs=INPUTS[: len(lengths)], lengths=lengths)
    for layout in ("packed", "padded"):
        rnnstates.repack("out.h5", "new.h5", layout=layout, compression=compression, force=True)
        same_values("out.h5", "new.h5")
        rnnstates.verify("new.h5", inputs=INPUTS[: len(lengths)], weights=one_layer())


@pytest.mark.slow
@pytest.mark.parametrize("compression", rnnstates.COMPRESSIONS)
def test_padding_alone_is_not_taken_for_a_false_size(place, compression):
    """Some dozens of bytes stand for a chunk of padding."""
    make(
        "out.h5",
        np.array([1, 0], np.int64),
        np.ones((2, 800_000, 1), np.float32),
        weights=one_layer(1, 20),
        states="cell",
    )
    rnnstates.repack("out.h5", "new.h5", compression=compression)
    with rnnstates.open("new.h5") as states:
        assert states["cell"].nbytes == 128_000_000
        assert states[0].cell.shape == (1, 20)
    rnnstates.repack("new.h5", "back.h5", compression="none", layout="packed")
    same_values("out.h5", "back.h5")
