"""Zarr stores as inputs: written by zarr and xarray, against what these read."""

import warnings
from pathlib import Path

import numpy as np
import pytest

import rnnstates
from rnnstates.errors import BadInput, BadLengths, EngineUnavailable
from rnnstates.inputs import open_ids, read_lengths
from rnnstates.inputs.form import Form
from rnnstates.untrusted.zarr import codecs as unpacking
from rnnstates.untrusted.zarr import stores

from ..builders import embedded, one_layer
from .conformance import make_inputs
from .stored import LENGTHS, open_, same, values_of
from .zarr_stores import IDS, KINDS, WAYS, below, read_all, store_of

zarr = pytest.importorskip("zarr", minversion="3")
codecs = pytest.importorskip("zarr.codecs")
numcodecs = pytest.importorskip("numcodecs")
xarray = pytest.importorskip("xarray")
google_crc32c = pytest.importorskip("google_crc32c")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("way", WAYS)
def test_states_are_those_of_the_array(tmp_path, way, kind):
    values = values_of()
    path = store_of(tmp_path, {"inputs": values, "lengths": LENGTHS, "ids": IDS}, way, kind=kind)
    network = one_layer(units=3, features=4)
    same(rnnstates.extract(path, weights=network), rnnstates.extract(values, LENGTHS, ids=IDS, weights=network))


@pytest.mark.parametrize("way", ["2", "3", "3, shards"])
def test_blocks_equal_what_zarr_reads(tmp_path, way):
    values = make_inputs((9, 11, 4))
    path = store_of(tmp_path, {"inputs": values}, way, chunks=(2, 4, 2))
    expected = zarr.open_group(str(path), mode="r")["inputs"]
    with open_(path) as source:
        assert (source.rows_together, source.steps_together) == (2, 4)
        for rows, steps in [(slice(1, 9), slice(3, 10)), (slice(8, 9), slice(0, 11)), (slice(2, 4), slice(4, 4))]:
            np.testing.assert_array_equal(source.read(rows, steps), expected[rows, steps])


@pytest.mark.parametrize("form", [2, 3])
def test_types_are_those_of_zarr(tmp_path, form):
    for dtype in ("bool", "i1", "u2", "i4", "u8", "f2", "f8", ">f4", ">i2"):
        values = (make_inputs() % 2).astype(dtype) if dtype == "bool" else make_inputs().astype(dtype)
        path = store_of(tmp_path, {"inputs": values}, str(form))
        found = read_all(path)
        assert found.dtype == values.dtype.newbyteorder("=")
        np.testing.assert_array_equal(found, zarr.open_group(str(path), mode="r")["inputs"][:])


@pytest.mark.parametrize("name", ["lengths", "offsets"])
def test_packed_arrays_are_cut_at_the_lengths_or_offsets_beside_them(tmp_path, name):
    values = values_of()
    flat = np.concatenate([row[:length] for row, length in zip(values, LENGTHS, strict=True)])
    beside = LENGTHS if name == "lengths" else np.concatenate([[0], np.cumsum(LENGTHS)])
    path = store_of(tmp_path, {"a/inputs": flat, name: beside})
    found = rnnstates.extract(path, dataset="a/inputs", units=3)
    same(found, rnnstates.extract(values, LENGTHS, units=3))


def test_token_ids_are_embedded(tmp_path):
    network, tokens = embedded(vocabulary=9, features=4, units=3), np.random.RandomState(1).randint(0, 9, (5, 7))
    path = store_of(tmp_path, {"tokens": tokens, "lengths": LENGTHS}, "2")
    same(rnnstates.extract(path, weights=network), rnnstates.extract(tokens, LENGTHS, weights=network))


def test_what_export_wrote_is_an_input(tmp_path):
    values = values_of()
    rnnstates.extract(values, LENGTHS, ids=IDS, units=3, output=tmp_path / "o.h5").close()
    rnnstates.export(tmp_path / "o.h5", tmp_path / "o.zarr")
    found = rnnstates.extract(tmp_path / "o.zarr", dataset="hidden", units=2)
    same(found, rnnstates.extract(tmp_path / "o.h5", dataset="hidden", units=2))


def test_a_store_that_is_one_array_is_an_input(tmp_path):
    values = make_inputs()
    for form in (2, 3):
        path = tmp_path / f"{form}.zarr"
        zarr.create_array(str(path), data=values, zarr_format=form)
        np.testing.assert_array_equal(read_all(path), values)
        with open_(path) as source:
            assert source.name == str(path)


@pytest.mark.parametrize("dtype", ["U3", "S3", str])
@pytest.mark.parametrize("way", ["2", "3"])
def test_ids_of_every_type_of_string_are_read(tmp_path, dtype, way):
    ids = ["a", "bb", "c", "d", "ee"]
    beside = ids if dtype is str else np.array(ids, dtype)
    with open_(store_of(tmp_path, {"inputs": make_inputs((5, 2, 3)), "ids": beside}, way)) as source:
        assert [bytes(one) for one in open_ids(None, source).read(0, 5)] == [one.encode() for one in ids]


def test_consolidated_metadata_change_nothing(tmp_path):
    for way in ("2", "3"):
        path = store_of(tmp_path, {"a/inputs": make_inputs(), "a/lengths": np.arange(5)}, way)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            zarr.consolidate_metadata(str(path))
        with open_(path) as source:
            assert source.name.endswith("dataset 'a/inputs'")


def test_verify_and_info_read_the_store(tmp_path):
    path = store_of(tmp_path, {"inputs": values_of(), "lengths": LENGTHS}, "3, shards")
    rnnstates.extract(path, units=3, output=tmp_path / "o.h5").close()
    report = rnnstates.verify(tmp_path / "o.h5")
    assert (report["recomputed"], report["reason"]) == ([0, 2, 3, 4], None)
    described = rnnstates.describe(path)
    assert (described["kind"], described["container"]) == ("input", "Zarr")
    assert described["datasets"][0] == {
        "name": "inputs", "shape": [5, 7, 4], "dtype": "float32", "chunks": [2, 4, 2], "shards": [4, 8, 4],
        "compression": "zstd",
    }  # fmt: skip
    store_of(tmp_path, {"inputs": values_of(seed=1), "lengths": LENGTHS}, "3, shards")
    with pytest.raises(BadInput, match=r"x\.zarr: is not the input that .* was made from: .*sample_sha256 is"):
        rnnstates.verify(tmp_path / "o.h5")


@pytest.mark.parametrize("form", [2, 3])
def test_what_xarray_packed_is_unpacked(tmp_path, form):
    values = make_inputs((5, 7, 3)).astype("f8") / 2
    values[1, 2, 0] = np.nan
    data = xarray.Dataset({"inputs": (("sequence", "time", "feature"), values), "lengths": ("sequence", LENGTHS)})
    packing = {"dtype": "i2", "scale_factor": 0.5, "add_offset": 1.0, "_FillValue": -9999}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data.to_zarr(tmp_path / "x.zarr", encoding={"inputs": packing}, zarr_format=form, consolidated=True)
        expected = xarray.open_zarr(tmp_path / "x.zarr")["inputs"].values
    with open_(tmp_path / "x.zarr") as source:
        np.testing.assert_array_equal(source.read(slice(0, 5), slice(0, 7)), expected)
        assert any("scale_factor 0.5" in note for note in source.notes)
        np.testing.assert_array_equal(read_lengths(None, source).lengths, LENGTHS)
    np.testing.assert_array_equal(np.isnan(expected), np.isnan(values))


@pytest.mark.parametrize("form", [2, 3])
def test_names_of_axes_are_heeded(tmp_path, form):
    data = xarray.Dataset({"inputs": (("time", "sequence", "feature"), make_inputs())})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data.to_zarr(tmp_path / "x.zarr", zarr_format=form, consolidated=False)
    with pytest.raises(BadInput, match=r"its axes are called 'time', 'sequence', 'feature'"):
        rnnstates.extract(tmp_path / "x.zarr", "full")
    expected = rnnstates.extract(make_inputs().transpose(1, 0, 2), "full", units=2)
    same(rnnstates.extract(tmp_path / "x.zarr", "full", axes="TNI", units=2), expected)


def test_packed_lengths_are_refused(tmp_path):
    path = store_of(tmp_path, {"lengths": LENGTHS, "inputs": values_of()}, attributes={"scale_factor": 2.0})
    with open_(path) as source, pytest.raises(BadLengths, match="its attribute scale_factor says that its numbers are"):
        read_lengths(None, source)


def test_chunks_that_were_never_written_hold_the_fill_value(tmp_path):
    path = tmp_path / "x.zarr"
    made = zarr.create_array(str(path), shape=(9, 4, 3), chunks=(2, 4, 3), dtype="f4", fill_value=0)
    made[4:6] = 1
    with open_(path) as source:
        np.testing.assert_array_equal(source.read(slice(0, 9), slice(0, 4)), made[:])
        assert "4 of 5 chunks were never written; they are read as 0.0" in source.notes[-1]


def test_a_missing_package_is_named(tmp_path, monkeypatch):
    path = store_of(tmp_path, {"inputs": make_inputs()}, "2, zstd")

    def fail(name):
        raise ImportError(f"No module named '{name}'")

    monkeypatch.setattr(unpacking, "import_module", fail)
    with pytest.raises(EngineUnavailable, match=r"this Zarr store needs zarr .*; pip install 'rnnstates\[zarr\]'"):
        read_all(path)


def test_a_long_store_is_read_in_bounded_memory(tmp_path):
    path = store_of(tmp_path, {"inputs": np.zeros((1, 1, 1), "f4")})
    made = zarr.open_array(str(path / "long"), mode="w", shape=(400, 500, 32), chunks=(4, 500, 32), dtype="f4")
    for start in range(0, 400, 4):
        made[start : start + 4] = np.float32(start + 1)
    with below(2 * 2**20), open_(path, dataset="long") as source:
        for start in range(0, 400, 4):
            assert (source.read(slice(start, start + 4), slice(0, 500)) == start + 1).all()


def test_many_folders_are_looked_at_no_further_than_necessary(tmp_path, monkeypatch):
    path = store_of(tmp_path, {"a/b/x": make_inputs(), "c": make_inputs((2, 2, 2))})
    with pytest.raises(BadInput, match=r"no dataset 'inputs', and 2 that fit: .*'a/b/x' \(7, 5, 3\) float32"):
        read_all(path)
    monkeypatch.setattr(stores, "MOST_ENTRIES", 3)
    assert len(rnnstates.describe(path)["datasets"]) < 2


def test_form_decides_as_for_every_input(tmp_path):
    path = store_of(tmp_path, {"inputs": make_inputs((6, 4), "f4")})
    assert read_all(path, form=Form(univariate=True)).shape == (6, 4, 1)
    assert Path(path).is_dir()
