"""Ids are data: every kind is read, none is interpreted."""

import gzip
import io

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnstates.errors import BadInput, MissingInput
from rnnstates.inputs import ids as ids_module
from rnnstates.inputs import open_ids, open_source

WORDS = ["a/b", "a/b", "", "Größe"]
BYTES = [word.encode() for word in WORDS]


@pytest.fixture
def source():
    return open_source(np.zeros((4, 3, 2)))


@pytest.fixture
def hdf5(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["inputs"] = np.zeros((4, 3, 2))
        file.create_dataset("varying", data=WORDS, dtype=h5py.string_dtype())
        file.create_dataset("ascii", data=BYTES, dtype=h5py.string_dtype("ascii"))
        file["fixed"] = np.array(BYTES, "S20")
        file["numbers"] = np.array([3, -1, 3, 2**40], ">i8")
        file["small"] = np.array([3, 1, 3, 255], "u1")
        file["floats"] = np.zeros(4)
        file["three"] = [1, 2, 3]
        file["table"] = np.zeros((4, 2), int)
        file["empty"] = np.zeros((4, 0), "S1")
        file.create_dataset("raw", data=[b"\xff\xfe", b"b", b"c", b"d"], dtype=h5py.string_dtype())
    source = open_source(tmp_path / "x.h5", dataset="inputs")
    yield source
    source.close()


def read(ids, rows=3):
    blocks = list(ids.blocks(rows))
    assert [start for start, _ in blocks] == list(range(0, ids.count, rows))
    assert all(block.dtype == ids.dtype for _, block in blocks)
    return np.concatenate([block for _, block in blocks]).tolist()


@pytest.mark.parametrize("name", ["varying", "ascii", "fixed"])
@pytest.mark.parametrize("rows", [1, 3, 10])
def test_strings_of_any_storage_are_read_in_blocks(hdf5, name, rows):
    ids = open_ids(name, hdf5)
    assert (ids.count, ids.dtype) == (4, np.dtype(f"S{len('Größe'.encode())}"))
    assert read(ids, rows) == BYTES


def test_bytes_that_are_no_utf8_stay_as_they_are(hdf5, source, tmp_path):
    assert read(open_ids("raw", hdf5))[0] == b"\xff\xfe"
    (tmp_path / "ids.txt").write_bytes(b"a\xff\nb\nc\nd\n")
    assert read(open_ids(tmp_path / "ids.txt", source)) == [b"a\xff", b"b", b"c", b"d"]
    assert read(open_ids([b"\xff", "a", b"c", "d"], source)) == [b"\xff", b"a", b"c", b"d"]


def test_numbers_are_stored_as_int64(hdf5, source):
    for ids, expected in (("numbers", [3, -1, 3, 2**40]), ("small", [3, 1, 3, 255])):
        opened = open_ids(ids, hdf5)
        assert opened.dtype == np.int64
        assert read(opened) == expected
    assert read(open_ids([4, np.int8(3), 2, 1], source)) == [4, 3, 2, 1]
    assert open_ids(np.arange(4, dtype="u2"), source).dtype == np.int64


def test_the_dataset_ids_is_the_default(tmp_path, source):
    with h5py.File(tmp_path / "y.h5", "w") as file:
        file["inputs"] = np.zeros((4, 3, 2))
    bare = open_source(tmp_path / "y.h5")
    assert open_ids(None, bare) is None
    bare.close()
    with h5py.File(tmp_path / "y.h5", "a") as file:
        file["ids"] = BYTES
    with_ids = open_source(tmp_path / "y.h5")
    assert read(open_ids(None, with_ids)) == BYTES
    with_ids.close()
    assert open_ids(None, source) is None


@pytest.mark.parametrize(
    "array", [np.array(WORDS), np.array(BYTES), np.array(WORDS, ">U9"), np.array([5, 1, 5, 2], ">u2")]
)
def test_a_npy_file_holds_ids(source, tmp_path, array):
    np.save(tmp_path / "ids.npy", array)
    expected = array.tolist() if array.dtype.kind == "u" else BYTES
    assert read(open_ids(str(tmp_path / "ids.npy"), source)) == expected
    assert read(open_ids(array, source)) == expected


def test_text_holds_an_id_a_line(source, tmp_path):
    (tmp_path / "ids.txt").write_bytes(b"\xef\xbb\xbf" + "\r\n".join(WORDS).encode() + b"\r\n\r\n")
    assert read(open_ids(tmp_path / "ids.txt", source)) == BYTES


def test_objects_of_strings_are_ids(source):
    assert read(open_ids(np.array(WORDS, object), source)) == BYTES
    assert read(open_ids(iter(WORDS), source)) == BYTES


def test_empty_ids_are_at_least_one_byte_wide(source):
    assert open_ids([""] * 4, source).dtype == np.dtype("S1")
    assert read(open_ids([""] * 4, source)) == [b""] * 4


def test_no_sequences_have_no_ids():
    empty = open_source(np.zeros((0, 3, 2)))
    assert list(open_ids([], empty).blocks(5)) == []


def test_the_width_is_found_over_all_blocks(hdf5, monkeypatch):
    monkeypatch.setattr(ids_module, "BLOCK_ROWS", 2)
    assert open_ids("varying", hdf5).dtype == np.dtype("S7")
    assert read(open_ids("varying", hdf5), 2) == BYTES


@given(st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), min_size=1, max_size=9))
@settings(max_examples=50, deadline=None)
def test_any_text_comes_back(words):
    source = open_source(np.zeros((len(words), 3, 2)))
    ids = open_ids(words, source)
    assert ids.dtype.itemsize == max(1, *(len(word.encode()) for word in words), 1)
    assert read(ids, 4) == [word.encode() for word in words]


@pytest.mark.parametrize(
    "name, message",
    [
        ("three", r"dataset 'three': 3 ids, but .* has 4 sequences; give one id per sequence"),
        ("table", r"dataset 'table': shape \(4, 2\); expected \(4,\), one id per sequence"),
        ("empty", r"dataset 'empty': shape \(4, 0\); expected \(4,\), one id per sequence"),
        ("floats", r"dataset 'floats': dtype float64; expected strings or integers"),
        ("number", r"ids='number': neither a dataset of .* nor a file; .* Did you mean 'numbers'\?"),
    ],
)
def test_a_dataset_of_something_else_is_refused(hdf5, name, message):
    with pytest.raises(BadInput, match=message):
        open_ids(name, hdf5)


@pytest.mark.parametrize(
    "ids, message",
    [
        (["a", "b"], "ids: 2 ids, but inputs has 4 sequences"),
        (["a", 1, "b", "c"], "ids: row 1 is int '1'; expected only strings or integers"),
        ([True, False, True, True], "ids: row 0 is bool 'True'"),
        ([1.0, 2.0, 3.0, 4.0], r"ids: row 0 is float '1\.0'"),
        (np.zeros(4), "ids: dtype float64; expected strings or integers"),
        (np.zeros(4, bool), "ids: dtype bool"),
        ([2**70, 1, 2, 3], "ids: an id does not fit int64; give the ids as strings"),
        (np.array([1, 2**63, 2, 3], np.uint64), "ids: row 1 is 9223372036854775808, beyond int64"),
        (["a", "\ud800", "b", "c"], r"ids: row 1 is '\\ud800', which UTF-8 cannot hold; give it as bytes"),
        (["a\0", "a", "b", "c"], r"ids: row 0 is b'a\\x00'; its last null character would be lost"),
        (["d", b"a\0\0", "b", "c"], r"ids: row 1 is b'a\\x00\\x00'"),
        (iter(["a", "b", "c", "d\0"]), r"ids: row 3 is b'd\\x00'"),
        (gzip.GzipFile(fileobj=io.BytesIO(b"no gzip")), "ids: Not a gzipped file .*; expected one id per sequence"),
        ((1 // number for number in (1, 1, 0)), "ids: integer division or modulo by zero; expected one id"),
        (7, "ids: 'int' object is not iterable; expected one id per sequence, strings or integers"),
    ],
)
def test_what_is_no_id_is_refused(source, ids, message):
    with pytest.raises(BadInput, match=message):
        open_ids(ids, source)


def test_a_dataset_of_a_closed_file_is_refused(tmp_path, source):
    with h5py.File(tmp_path / "i.h5", "w") as file:
        dataset = file.create_dataset("ids", data=[1, 2, 3, 4])
    with pytest.raises(BadInput, match="ids=: is a dataset of a closed HDF5 file; expected an open one"):
        open_ids(dataset, source)


def test_files_of_something_else_are_refused(source, tmp_path):
    np.save(tmp_path / "objects.npy", np.array(WORDS, object), allow_pickle=True)
    np.save(tmp_path / "floats.npy", np.zeros(4))
    (tmp_path / "pickle").write_bytes(b"\x80\x04abc")
    (tmp_path / "short.txt").write_text("a\nb\n")
    for name, message in {
        "objects.npy": "holds pickled Python objects",
        "floats.npy": "dtype float64; expected strings or integers",
        "pickle": "a Python pickle, which is never loaded",
        "short.txt": "2 ids, but inputs has 4 sequences",
    }.items():
        with pytest.raises(BadInput, match=f"{name}: {message}"):
            open_ids(tmp_path / name, source)
    with pytest.raises(MissingInput, match="ids='absent': no such file"):
        open_ids("absent", source)


@pytest.mark.parametrize("shape", [(4, 1), (1, 4)])
@pytest.mark.parametrize("array", [np.array(BYTES), np.array([5, 1, 5, 2], ">u2")], ids=["text", "numbers"])
def test_ids_may_lie_in_a_row_or_column_as_lengths_may(source, tmp_path, shape, array):
    np.save(tmp_path / "ids.npy", array.reshape(shape))
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["inputs"], file["ids"] = np.zeros((4, 3, 2)), array.reshape(shape)
    hdf5 = open_source(tmp_path / "x.h5")
    for ids in (open_ids(None, hdf5), open_ids(tmp_path / "ids.npy", source), open_ids(array.reshape(shape), source)):
        assert read(ids) == array.tolist()
    hdf5.close()


@pytest.mark.parametrize("count", [1, 2, 4])
def test_character_arrays_of_netcdf_are_joined_as_xarray_joins_them(tmp_path, count, monkeypatch):
    xarray = pytest.importorskip("xarray")
    monkeypatch.setattr(ids_module, "BLOCK_BYTES", 9)
    words = np.array(["ä", "b c", "", "long"][:count])
    encoding = {"ids": {"dtype": "S1"}}
    variables = {"inputs": (("n", "t", "i"), np.zeros((count, 3, 2))), "ids": (("n",), words)}
    xarray.Dataset(variables).to_netcdf(tmp_path / "x.nc", engine="h5netcdf", encoding=encoding)
    with h5py.File(tmp_path / "x.nc") as file:
        letters = file["ids"][()]
    assert letters.dtype == "S1"
    assert letters.ndim == 2
    source = open_source(tmp_path / "x.nc")
    with xarray.open_dataset(tmp_path / "x.nc", engine="h5netcdf") as right:
        expected = [word.encode() for word in right["ids"].values.tolist()]
    assert read(open_ids(None, source)) == read(open_ids(letters, source)) == expected
    source.close()


def test_ids_are_looked_for_beside_the_input_first(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["ids"], file["a/ids"] = [1, 2, 3, 4], [5, 6, 7, 8]
        for name in ("inputs", "a/inputs", "a/b/inputs", "c/inputs"):
            file[name] = np.zeros((4, 3, 2))
    nearest = {"inputs": [1, 2, 3, 4], "a/inputs": [5, 6, 7, 8], "/a/b/inputs": [5, 6, 7, 8], "c/inputs": [1, 2, 3, 4]}
    for name, expected in nearest.items():
        source = open_source(tmp_path / "x.h5", dataset=name)
        assert read(open_ids(None, source)) == expected
        # A name that is given is a path from the root.
        assert read(open_ids("ids", source)) == [1, 2, 3, 4]
        source.close()
