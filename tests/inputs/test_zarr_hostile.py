"""Damaged and hostile Zarr stores, and stores that change while they are read."""

import json
import os
import shutil
import struct

import numpy as np
import pytest

from rnnstates.errors import BadInput, BadLengths, InputChanged
from rnnstates.inputs import read_lengths

from .conformance import make_inputs
from .stored import open_
from .zarr_stores import KINDS, WAYS, below, read_all, store_of

zarr = pytest.importorskip("zarr", minversion="3")
codecs = pytest.importorskip("zarr.codecs")
numcodecs = pytest.importorskip("numcodecs")
xarray = pytest.importorskip("xarray")
google_crc32c = pytest.importorskip("google_crc32c")


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


def test_a_sparse_bomb_is_refused(tmp_path):
    zarr.create_array(str(tmp_path / "x.zarr"), shape=(10**9, 10**3, 10), chunks=(1, 10**3, 10), dtype="f4")
    with pytest.raises(BadInput, match=r"declares 40000000000000 bytes but stores .* most of it was never written"):
        read_all(tmp_path / "x.zarr")
    path = store_of(tmp_path, {"inputs": make_inputs(), "lengths": np.zeros(1)})
    edited(path / "lengths", shape=[10**12])
    with open_(path) as source, pytest.raises(BadLengths, match="dataset 'lengths': declares 8000000000000 bytes"):
        read_lengths(None, source)
