"""Zarr stores as inputs: written by zarr and xarray, against what these read; damaged and hostile ones."""

import contextlib
import json
import os
import shutil
import struct
import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import pytest

import rnnstates
from rnnstates.errors import BadInput, BadLengths, EngineUnavailable, InputChanged
from rnnstates.inputs import open_ids, open_source, read_lengths
from rnnstates.inputs.form import Form
from rnnstates.untrusted.zarr import codecs as unpacking
from rnnstates.untrusted.zarr import stores

from ..builders import embedded, one_layer
from .conformance import make_inputs

zarr = pytest.importorskip("zarr", minversion="3")
codecs = pytest.importorskip("zarr.codecs")
numcodecs = pytest.importorskip("numcodecs")
xarray = pytest.importorskip("xarray")
google_crc32c = pytest.importorskip("google_crc32c")

LENGTHS = np.array([3, 0, 7, 1, 5])
IDS = ["a", "é", "cc", "d", "e"]
# How a store may be written: format, and arguments of create_array.
WAYS = {
    "2": (2, {}),
    "2, not compressed": (2, {"compressors": None}),
    "2, blosc": (2, {"compressors": numcodecs.Blosc()}),
    "2, zstd": (2, {"compressors": numcodecs.Zstd()}),
    "2, lz4": (2, {"compressors": numcodecs.LZ4()}),
    "2, zlib": (2, {"compressors": numcodecs.Zlib()}),
    "2, gzip": (2, {"compressors": numcodecs.GZip()}),
    "2, bz2": (2, {"compressors": numcodecs.BZ2()}),
    "2, lzma": (2, {"compressors": numcodecs.LZMA()}),
    "2, shuffle": (2, {"filters": [numcodecs.Shuffle(4)]}),
    "2, Fortran": (2, {"order": "F"}),
    "2, folders": (2, {"chunk_key_encoding": {"name": "v2", "separator": "/"}}),
    "3": (3, {}),
    "3, not compressed": (3, {"compressors": None}),
    "3, zstd with a checksum": (3, {"compressors": codecs.ZstdCodec(checksum=True)}),
    "3, gzip": (3, {"compressors": codecs.GzipCodec()}),
    "3, blosc": (3, {"compressors": codecs.BloscCodec(cname="lz4")}),
    "3, crc32c": (3, {"compressors": [codecs.GzipCodec(), codecs.Crc32cCodec()]}),
    "3, crc32c first": (3, {"compressors": [codecs.Crc32cCodec(), codecs.ZstdCodec()]}),
    "3, transposed": (3, {"filters": [codecs.TransposeCodec(order=(2, 0, 1))]}),
    "3, transposed twice": (3, {"filters": [codecs.TransposeCodec(order=order) for order in [(2, 0, 1), (0, 2, 1)]]}),
    "3, shards": (3, {"shards": (4, 8, 4)}),
    "3, names with dots": (3, {"chunk_key_encoding": {"name": "default", "separator": "."}}),
    "3, names of format 2": (3, {"chunk_key_encoding": {"name": "v2", "separator": "."}}),
}
KINDS = ["folder", "zip"]


def store_of(folder, arrays, way="3", *, kind="folder", chunks=None, **more):
    """Write a store of arrays; the options of a way count for the first one only."""
    path = folder / ("x.zarr" if kind == "folder" else "x.zarr.zip")
    form, options = WAYS[way]
    chunks = chunks or ((2, 4, 2) if "shards" in options else None)
    target = str(path) if kind == "folder" else zarr.storage.ZipStore(path, mode="w")
    with warnings.catch_warnings():
        # Of zarr: what no specification contains.
        warnings.simplefilter("ignore")
        group = zarr.open_group(target, mode="w", zarr_format=form)
        for name, values in arrays.items():
            text = isinstance(values, list)
            shape = np.shape(values)
            made = group.create_array(
                name, shape=shape, dtype=str if text else values.dtype, **options, **more,
                chunks=chunks or tuple(max(1, (size + 1) // 2) for size in shape),
            )  # fmt: skip
            if np.size(values):
                made[...] = np.array(values) if text else values
            options, more, chunks = {}, {}, None
        if kind == "zip":
            target.close()
    return path


def values_of(lengths=LENGTHS, features=4, seed=0):
    """Random sequences with NaN as padding: [N, T, I]."""
    values = np.random.RandomState(seed).standard_normal((len(lengths), max(lengths), features)).astype("f4")
    for row, length in enumerate(lengths):
        values[row, length:] = np.nan
    return values


def same(found, expected):
    """Every array of a run is that of another, bit for bit."""
    assert set(found.datasets) == set(expected.datasets)
    for name in expected.datasets:
        np.testing.assert_array_equal(found[name], expected[name], err_msg=name)


def open_(path, **options):
    return contextlib.closing(open_source(path, **options))


@contextlib.contextmanager
def below(most):
    """Hold what happens inside to so many bytes at a time."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < most
    finally:
        tracemalloc.stop()


def read_all(path, **options):
    with open_(path, **options) as source:
        return source.read(slice(0, source.shape[0]), slice(0, source.shape[1]))


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


def test_a_sparse_bomb_is_refused(tmp_path):
    zarr.create_array(str(tmp_path / "x.zarr"), shape=(10**9, 10**3, 10), chunks=(1, 10**3, 10), dtype="f4")
    with pytest.raises(BadInput, match=r"declares 40000000000000 bytes but stores .* most of it was never written"):
        read_all(tmp_path / "x.zarr")
    path = store_of(tmp_path, {"inputs": make_inputs(), "lengths": np.zeros(1)})
    edited(path / "lengths", shape=[10**12])
    with open_(path) as source, pytest.raises(BadLengths, match="dataset 'lengths': declares 8000000000000 bytes"):
        read_lengths(None, source)


def edited(array, **changes):
    """Change the metadata of an array."""
    file = next(array / name for name in ("zarr.json", ".zarray") if (array / name).exists())
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))
    return array


def chunk_of(path):
    return next(file for file in sorted((path / "inputs").rglob("*")) if file.is_file() and file.name[0].isdigit())


BOMBS = {
    "2, zlib": lambda codec, size: numcodecs.Zlib().encode(bytes(size)),
    "2, gzip": lambda codec, size: numcodecs.GZip().encode(bytes(size)),
    "2, bz2": lambda codec, size: numcodecs.BZ2().encode(bytes(size)),
    "2, lzma": lambda codec, size: numcodecs.LZMA().encode(bytes(size)),
    "2, zstd": lambda codec, size: numcodecs.Zstd().encode(bytes(size)),
    "2, lz4": lambda codec, size: numcodecs.LZ4().encode(bytes(size)),
    "2, blosc": lambda codec, size: numcodecs.Blosc().encode(bytes(size)),
}


@pytest.mark.parametrize("way", BOMBS)
def test_a_bomb_in_a_chunk_is_not_unpacked(tmp_path, way):
    path = store_of(tmp_path, {"inputs": make_inputs()}, way)
    chunk_of(path).write_bytes(BOMBS[way](way, 2**26))
    with (
        below(2**24),
        pytest.raises(BadInput, match=r"dataset 'inputs': its chunk (at \(.*: .*bytes, expected|'.*more)"),
    ):
        read_all(path)


@pytest.mark.parametrize("way", [way for way in WAYS if "not" not in way])
def test_a_damaged_chunk_is_named(tmp_path, way):
    path = store_of(tmp_path, {"inputs": make_inputs((6, 8, 5))}, way)
    chunk = next(file for file in sorted((path / "inputs").rglob("*")) if file.is_file() and file.name[-1].isdigit())
    content = chunk.read_bytes()
    chunk.write_bytes(content[: len(content) // 2])
    with pytest.raises(BadInput, match=r"dataset 'inputs': (its chunk at|its shard|the index of its shard)"):
        read_all(path)


def test_a_wrong_checksum_is_noticed(tmp_path):
    path = store_of(tmp_path, {"inputs": make_inputs()}, "3, crc32c")
    chunk = path / "inputs" / "c" / "0" / "0" / "0"
    content = bytearray(chunk.read_bytes())
    content[-1] ^= 1
    chunk.write_bytes(content)
    with pytest.raises(BadInput, match=r"its chunk at \(0, 0, 0\): its checksum is wrong"):
        read_all(path)


def test_a_chunk_of_a_shard_that_is_elsewhere_is_refused(tmp_path):
    path = store_of(tmp_path, {"inputs": make_inputs()}, "3, shards")
    shard = path / "inputs" / "c" / "0" / "0" / "0"
    for start, size, message in ((10**6, 9, "ends inside a chunk"), (0, 2**40, "says that a chunk has 1099511627776")):
        content = bytearray(shard.read_bytes())
        index = len(content) - 16 * 8 - 4
        struct.pack_into("<QQ", content, index, start, size)
        struct.pack_into("<I", content, len(content) - 4, google_crc32c.value(bytes(content[index:-4])))
        shard.write_bytes(content)
        with pytest.raises(BadInput, match=f"its shard .*{message}"):
            read_all(path)


CHANGES = {
    "an unknown codec": (
        {"compressor": {"id": "pickle"}},
        r"it needs the codec 'pickle', which is not read; known: zlib",
    ),
    "an unknown filter": ({"filters": [{"id": "delta", "dtype": "<f4"}]}, "it needs the codec 'delta'"),
    "objects": ({"dtype": "|O"}, "it holds Python objects, which are never loaded"),
    "a structure": ({"dtype": [["a", "<f4"]]}, r"its dtype is \[\['a', '<f4'\]\]; expected plain numbers"),
    "a negative shape": ({"shape": [-1, 5, 3]}, r"its shape is \[-1, 5, 3\]; expected whole numbers"),
    "a huge shape": ({"shape": [2**40, 2**40, 3]}, "its shape is .* expected whole numbers"),
    "no chunks": ({"chunks": [0, 5, 3]}, r"its chunks is \[0, 5, 3\]; expected whole numbers"),
    "huge chunks": ({"chunks": [2**20, 2**20, 3]}, "its chunks have 13194139533312 bytes; expected at most 1073741824"),
    "other chunks": ({"chunks": [4, 5]}, r"its shape \(7, 5, 3\) and chunks \(4, 5\) have different numbers of axes"),
    "a fill value": ({"fill_value": [1]}, r"its fill_value is \[1\]; expected one of float32"),
    "a format": ({"zarr_format": 4}, "zarr_format is 4; expected 2 or 3"),
    "a separator": ({"dimension_separator": "../"}, r"the separator in the names of its chunks is '\.\./'"),
    "a compressor of nothing": ({"compressor": 3}, "its filters or its compressor are damaged"),
}
CHANGES_3 = {
    "a grid": ({"chunk_grid": {"name": "rectilinear"}}, "its chunk_grid is 'rectilinear'; expected 'regular'"),
    "an encoding": ({"chunk_key_encoding": "x"}, "its chunk_key_encoding is 'x'; expected 'default' or 'v2'"),
    "no name": ({"chunk_grid": 3}, "its chunk_grid is damaged"),
    "a type": ({"data_type": "complex64"}, "its data_type is complex64; expected plain numbers or strings"),
    "no codecs": ({"codecs": []}, r"its codecs are \[\]; 'bytes' is expected to be the first"),
    "a pickle": ({"codecs": ["bytes", {"name": "numcodecs.pickle"}]}, "it needs the codec 'pickle'"),
    "a transposition": (
        {"codecs": [{"name": "transpose", "configuration": {"order": [0, 0, 1]}}, "bytes"]},
        r"its codec transpose has order \[0, 0, 1\]",
    ),
    "transformers": ({"storage_transformers": [1]}, "it has storage_transformers, which are not read"),
    "shards that do not fit": (
        {"codecs": [{"name": "sharding_indexed", "configuration": {"chunk_shape": [3, 2, 1]}}]},
        r"its shards of shape \(4, 3, 2\) hold no whole chunks of shape \(3, 2, 1\)",
    ),
}


@pytest.mark.parametrize("form, name", [(2, name) for name in CHANGES] + [(3, name) for name in CHANGES_3])
def test_metadata_that_are_not_understood_are_refused(tmp_path, form, name):
    path = store_of(tmp_path, {"inputs": make_inputs()}, str(form))
    changes, message = (CHANGES if form == 2 else CHANGES_3)[name]
    edited(path / "inputs", **changes)
    with pytest.raises(BadInput, match=rf"x\.zarr: dataset 'inputs': {message}.*Save the array with np\.save"):
        read_all(path)


@pytest.mark.parametrize("text, message", [("[", "is not JSON"), ("[]", "holds no object"), (" " * 2**25, "more than")])
def test_metadata_that_are_no_object_are_refused(tmp_path, text, message):
    path = store_of(tmp_path, {"inputs": make_inputs()}, "3")
    (path / "inputs" / "zarr.json").write_text(text)
    with pytest.raises(
        BadInput, match=f"dataset 'inputs': its zarr.json {'has ' if 'more' in message else ''}{message}"
    ):
        read_all(path)


def test_no_link_is_followed(tmp_path):
    path = store_of(tmp_path, {"inputs": make_inputs()}, "2, not compressed")
    chunk = chunk_of(path)
    secret = tmp_path / "secret"
    shutil.copy(chunk, secret)
    chunk.unlink()
    chunk.symlink_to(secret)
    with pytest.raises(BadInput, match=r"x\.zarr: 'inputs/.*' is a link; nothing outside a store is read"):
        read_all(path)
    (tmp_path / "other").mkdir()
    other = store_of(tmp_path / "other", {"inputs": make_inputs()})
    shutil.move(other / "inputs", tmp_path / "elsewhere")
    (other / "inputs").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BadInput, match=r"x\.zarr: 'inputs.*' is a link; nothing outside a store is read"):
        read_all(other, dataset="inputs")


def test_a_link_that_appears_later_is_not_followed_either(tmp_path):
    path = store_of(tmp_path, {"inputs": make_inputs()}, "2, not compressed")
    chunk = chunk_of(path)
    with open_(path) as source:
        shutil.move(chunk, tmp_path / "moved")
        chunk.symlink_to(tmp_path / "moved")
        with pytest.raises(BadInput, match="is a link"):
            source.read(slice(0, 7), slice(0, 5))


@pytest.mark.parametrize("name", ["../inputs", "a/../inputs", ".", "a//b", "/etc"])
def test_names_stay_in_the_store(tmp_path, name):
    path = store_of(tmp_path, {"inputs": make_inputs()})
    with pytest.raises(BadInput, match="no dataset '"):
        read_all(path, dataset=name)
    with pytest.raises(BadInput, match="no dataset '"):
        read_all(path / "inputs" if name == "../inputs" else path, dataset=name)


def test_a_pipe_instead_of_a_chunk_does_not_block(tmp_path):
    path = store_of(tmp_path, {"inputs": make_inputs()}, "2")
    chunk = chunk_of(path)
    chunk.unlink()
    os.mkfifo(chunk)
    with pytest.raises(BadInput, match="is no regular file"):
        read_all(path)


@pytest.mark.parametrize("kind", KINDS)
def test_changes_are_noticed(tmp_path, kind):
    path = store_of(tmp_path, {"inputs": make_inputs(), "lengths": np.arange(7)}, "2", kind=kind)
    with open_(path) as source:
        source.read(slice(0, 1), slice(0, 5))
        source.check_unchanged()
        changed = path / "inputs" / "1.1.1" if kind == "folder" else path
        with open(changed, "ab") as file:
            file.write(b"x")
        os.utime(changed, ns=(2**61, 2**61))
        with pytest.raises(InputChanged, match="something changes it while it is read"):
            source.check_unchanged()
        if kind == "folder":
            with pytest.raises(InputChanged, match="was written to after the store was opened"):
                source.read(slice(0, 7), slice(0, 5))


def test_lengths_may_be_newer_than_the_inputs(tmp_path):
    path = store_of(tmp_path, {"inputs": make_inputs(), "lengths": np.arange(7) % 5})
    for file in (path / "lengths").rglob("*"):
        os.utime(file, ns=(2**61, 2**61))
    with open_(path) as source:
        source.read(slice(0, 1), slice(0, 5))
        np.testing.assert_array_equal(read_lengths(None, source).lengths, np.arange(7) % 5)


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
