"""``repack``: what it writes, read by h5py with its own or hdf5plugin's filters, and what it refuses."""

import contextlib
import itertools
import json
import os
import sys
from pathlib import Path

import h5py
import hdf5plugin  # noqa: F401 - registers the filters with which h5py reads here
import numpy as np
import pytest

import rnnstates
from rnnstates import BadStates, CannotCreate, EngineUnavailable, OptionError
from rnnstates.output import repack as module
from rnnstates.output.names import names_of
from rnnstates.output.repacking import cuts

from ..builders import bidirectional_stack, one_layer, ragged
from ..faults.faulty import Faulty
from ..verification.making import seal

INPUTS, LENGTHS = ragged(sequences=9, steps=8, features=3)
INPUTS = np.nan_to_num(INPUTS).astype(np.float32)
IDS = [f"séq/{row}" for row in range(9)]
# Bytes of a chunk: all, some sequences, some steps of one.
CHUNKS = (2**20, 100, 20)
WAYS = [
    (layout, padding, compression, CHUNKS[number % 3])
    for number, (layout, padding, compression) in enumerate(
        itertools.product(rnnstates.LAYOUTS, ("post", "pre"), rnnstates.COMPRESSIONS)
    )
]


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # Several windows, pieces and chunks, some of them within one sequence.
    monkeypatch.setattr("rnnstates.extraction.grid.WINDOW_BYTES", 200)
    return tmp_path


def make(output="out.h5", lengths=LENGTHS, inputs=INPUTS, **options):
    options = {"weights": one_layer(), "engine": "numpy", "pool": "mean,final", "ids": IDS[: len(lengths)], **options}
    rnnstates.extract(inputs, lengths, output=output, **options).close()


def valid(file, name):
    """Read the valid steps of each sequence, or its vector, with h5py alone."""
    dataset, found = file[name], []
    for row, length in enumerate(file["lengths"]):
        if name.rpartition("_")[2] in rnnstates.POOLINGS:
            found.append(dataset[row])
        elif file.attrs["layout"] == b"packed":
            found.append(dataset[file["offsets"][row] : file["offsets"][row + 1]])
        else:
            pre = file.attrs["padding"] == b"pre"
            found.append(dataset[row, dataset.shape[1] - length :] if pre else dataset[row, :length])
    return found


def same_values(one, other):
    with h5py.File(one) as before, h5py.File(other) as after:
        names = [name.decode() for name in before["integrity"].attrs["datasets"]]
        for name in names:
            for mine, theirs in zip(valid(before, name), valid(after, name), strict=True):
                assert mine.tobytes() == theirs.tobytes(), name
            if after.attrs["layout"] == b"padded" and after[name].ndim == 3:
                assert np.count_nonzero(after[name][()]) == sum(map(np.count_nonzero, valid(after, name)))
        for name in {"lengths", "ids"} & set(before):
            assert before[name].dtype == after[name].dtype
            assert before[name][()].tobytes() == after[name][()].tobytes()
        for group in before.attrs["layers"]:
            assert dict(before[group].attrs).keys() <= dict(after[group].attrs).keys()
            assert before[group].attrs["layer_name"] == after[group].attrs["layer_name"]


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
        told = after.provenance
        (entry,) = told.pop("repacked")
        assert entry | {"from": None} == {
            "from": None, "layout": "padded", "dtype": "float16", "compression": "gzip",
            "rnnstates": rnnstates.__version__,
        }  # fmt: skip
        assert entry["from"]["path"] == str(place / "out.h5")
        assert len(bytes.fromhex(entry["from"]["digest"])) == 32
        changed = {"dtype": "float16", "compression": "gzip"}
        assert told == before.provenance | changed


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


@pytest.mark.parametrize("compression", ["none", "gzip", "blosc"])
def test_a_damaged_source_is_found_wherever_it_is(place, compression):
    make(ids=None)
    rnnstates.repack("out.h5", "old.h5", compression=compression)
    content = Path("old.h5").read_bytes()
    with h5py.File("old.h5") as file:
        chunk = (
            file["hidden"].id.get_chunk_info(0).byte_offset if file["hidden"].chunks else file["hidden"].id.get_offset()
        )
        places = [chunk + 40, file["lengths"].id.get_offset(), file["integrity/sums"].id.get_offset()]
    for at in [*places, content.index(b'"engine": "numpy"') + 12]:
        changed = bytearray(content)
        changed[at] ^= 1
        Path("bad.h5").write_bytes(changed)
        with pytest.raises(BadStates, match="damaged"):
            rnnstates.repack("bad.h5", "new.h5", layout="packed")
        assert not os.path.exists("new.h5")
    assert sorted(os.listdir()) == ["bad.h5", "old.h5", "out.h5"]


def test_existing_files_are_kept_unless_force_is_given(place):
    make()
    Path("new.h5").write_bytes(b"mine")
    with pytest.raises(CannotCreate, match=r"^new.h5: exists; replace it with force=True"):
        rnnstates.repack("out.h5", "new.h5")
    with pytest.raises(CannotCreate, match=r"^out.h5: is also read by this run"):
        rnnstates.repack("out.h5", "out.h5", force=True)
    Path("next.h5.partial").write_bytes(Path("out.h5").read_bytes())
    with pytest.raises(CannotCreate, match=r"/next\.h5: an unfinished run of it is there; finish that one, remove "):
        rnnstates.repack("out.h5", "next.h5")
    assert Path("new.h5").read_bytes() == b"mine"
    rnnstates.repack("out.h5", "new.h5", force=True)
    same_values("out.h5", "new.h5")


def test_wrong_words_are_refused(place):
    make()
    for name in ("layout", "dtype", "compression"):
        with pytest.raises(OptionError, match=f"^{name}='lzma': unknown; known are "):
            rnnstates.repack("out.h5", "new.h5", **{name: "lzma"})


def test_a_missing_hdf5plugin_is_named(place, monkeypatch):
    make()
    monkeypatch.setitem(sys.modules, "hdf5plugin", None)
    with pytest.raises(
        EngineUnavailable, match=r"needs hdf5plugin .*pip install 'rnnstates\[compress\]', or use"
    ) as seen:
        rnnstates.repack("out.h5", "new.h5", compression="zstd")
    assert seen.value.exit_code == 69
    rnnstates.repack("out.h5", "new.h5", compression="gzip")


def test_a_file_without_checksums_is_refused(place):
    make()
    with h5py.File("out.h5", "r+") as file:
        del file["integrity"]
    with pytest.raises(BadStates, match="has no checksums, because it was made before files had them, so its states"):
        rnnstates.repack("out.h5", "new.h5")


@pytest.mark.parametrize("compression", ["none", "gzip"])
@pytest.mark.parametrize("fault", ["ENOSPC", "EIO", "signal before"])
def test_whatever_fails_no_file_is_left_and_the_next_call_succeeds(place, monkeypatch, compression, fault):
    make()
    counted = Faulty(fault)
    monkeypatch.setattr(module, "SYSTEM", counted)
    rnnstates.repack("out.h5", "whole.h5", compression=compression)
    for at in range(1, len(counted.log) + 1, 3):
        for path in Path().glob("new.h5*"):
            path.unlink()
        monkeypatch.setattr(module, "SYSTEM", Faulty(fault, at))
        with contextlib.suppress(rnnstates.OutputError, KeyboardInterrupt):
            rnnstates.repack("out.h5", "new.h5", compression=compression)
        if os.path.exists("new.h5"):
            assert Path("new.h5").read_bytes() == Path("whole.h5").read_bytes()
        monkeypatch.setattr(module, "SYSTEM", Faulty())
        rnnstates.repack("out.h5", "new.h5", compression=compression, force=True)
        assert Path("new.h5").read_bytes() == Path("whole.h5").read_bytes()
        assert [path.name for path in Path().glob("new.h5*")] == ["new.h5"], at


def test_what_a_killed_one_left_is_replaced(place):
    make()
    rnnstates.repack("out.h5", "whole.h5", compression="gzip")
    whole = Path("whole.h5").read_bytes()
    for left in (b"", whole[:100], whole[: len(whole) // 2], whole):
        names_of("new.h5").fresh.write_bytes(left)
        rnnstates.repack("out.h5", "new.h5", compression="gzip", force=True)
        assert Path("new.h5").read_bytes() == whole
        names_of("new.h5").fresh.write_bytes(left)
        assert rnnstates.clean("new.h5") == ["new.h5.partial.new"]
    assert sorted(os.listdir()) == ["new.h5", "out.h5", "whole.h5"]


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
