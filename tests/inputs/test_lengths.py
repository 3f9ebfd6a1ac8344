"""Lengths from everywhere they may come, and what is wrong with those that are none."""

import io

import h5py
import numpy as np
import pytest

from rnnstates.errors import BadLengths, MissingInput
from rnnstates.inputs import open_source, read_lengths

N, T = 4, 6
GOOD = [6, 0, 3, 1]


@pytest.fixture
def source():
    return open_source(np.zeros((N, T, 2), np.float32))


@pytest.fixture
def hdf5(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["inputs"] = np.zeros((N, T, 2), np.float32)
        file["lengths"] = np.array(GOOD, ">i2")
        file["other"] = np.array([[1.0], [2], [3], [4]], np.float32)
        file["words"] = [b"a"] * N
        file["group/lengths"] = [2, 2, 2, 2]
    source = open_source(tmp_path / "x.h5")
    yield source
    source.close()


def check(lengths, source, expected=GOOD):
    result = read_lengths(lengths, source).lengths
    assert result.dtype == np.int64
    np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize("dtype", ["i1", ">i4", "u2", "u8", "f2", "f4", ">f8", "longdouble"])
def test_whole_numbers_of_any_dtype_are_lengths(source, dtype):
    check(np.array(GOOD, dtype), source)
    check(np.array(GOOD, dtype)[:, np.newaxis], source)


def test_a_list_is_lengths(source):
    check(GOOD, source)
    check(tuple(GOOD), source)


def test_full_says_that_every_step_counts(source, hdf5):
    check("full", source, [T] * N)
    check("full", hdf5, [T] * N)


def test_no_sequences_have_no_lengths():
    empty = open_source(np.zeros((0, T, 2)))
    for lengths in ([], "full", np.zeros((0, 1))):
        check(lengths, empty, [])


def test_the_dataset_lengths_is_the_default(hdf5):
    check(None, hdf5)


def test_lengths_are_looked_for_beside_the_input_first(tmp_path):
    with h5py.File(tmp_path / "y.h5", "w") as file:
        file["lengths"], file["test/lengths"] = [1, 1, 1, 1], GOOD
        file["test/inputs"] = file["train/inputs"] = np.zeros((N, T, 2), np.float32)
    # In a group of its own the input is found as the only one that fits.
    for name, expected in (("test/inputs", GOOD), ("train/inputs", [1, 1, 1, 1]), (None, GOOD)):
        if name is None:
            with h5py.File(tmp_path / "y.h5", "a") as file:
                del file["train"]
        source = open_source(tmp_path / "y.h5", dataset=name)
        check(None, source, expected)
        source.close()


def test_places_without_lengths_are_named(tmp_path):
    with h5py.File(tmp_path / "y.h5", "w") as file:
        file["a/b/inputs"] = np.zeros((N, T, 2))
    source = open_source(tmp_path / "y.h5")
    with pytest.raises(BadLengths, match="no dataset 'a/b/lengths' or 'a/lengths' or 'lengths'; expected one length"):
        read_lengths(None, source)
    source.close()


def test_a_dataset_may_be_named(hdf5):
    check("other", hdf5, [1, 2, 3, 4])
    check("/group/lengths", hdf5, [2, 2, 2, 2])


@pytest.mark.parametrize(
    "array", [np.array(GOOD), np.array(GOOD, ">f4").reshape(N, 1), np.asfortranarray(np.array(GOOD).reshape(N, 1))]
)
def test_a_npy_file_is_lengths(source, hdf5, tmp_path, array):
    np.save(tmp_path / "l.npy", array)
    check(tmp_path / "l.npy", source)
    check(str(tmp_path / "l.npy"), hdf5)


@pytest.mark.parametrize(
    "text", [b"6\n0\n3\n1\n", b"6\r\n0\r\n3\r\n1", b"\xef\xbb\xbf6\n0\n 3 \n1\n\n\n", b"6.0\n0e0\n3.000\n1\n"]
)
def test_text_with_a_number_a_line_is_lengths(source, tmp_path, text):
    (tmp_path / "l.txt").write_bytes(text)
    check(tmp_path / "l.txt", source)


def test_what_numpy_saves_as_text_is_lengths(source, tmp_path):
    np.savetxt(tmp_path / "l.txt", GOOD)
    check(str(tmp_path / "l.txt"), source)


def test_a_dataset_goes_before_a_file_and_a_path_is_always_a_file(hdf5, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lengths").write_text("1\n1\n1\n1\n")
    check("lengths", hdf5)
    check(tmp_path / "lengths", hdf5, [1, 1, 1, 1])


def test_no_lengths_name_the_mend(source):
    with pytest.raises(
        BadLengths, match=r"inputs: no lengths given; expected one length per sequence.*lengths=.full. if every step"
    ):
        read_lengths(None, source)


def test_no_lengths_in_hdf5_name_the_mend(tmp_path):
    with h5py.File(tmp_path / "y.h5", "w") as file:
        file["inputs"] = np.zeros((N, T, 2))
    source = open_source(tmp_path / "y.h5")
    with pytest.raises(BadLengths, match=r"y\.h5: no dataset 'lengths'; .* lengths=.full."):
        read_lengths(None, source)
    source.close()


def test_a_file_beside_the_input_is_suggested_and_never_used(tmp_path):
    np.save(tmp_path / "waves.npy", np.zeros((N, T, 2)))
    np.save(tmp_path / "waves_lengths.npy", GOOD)
    source = open_source(tmp_path / "waves.npy")
    with pytest.raises(BadLengths, match=r"lengths= \(such as .*waves_lengths\.npy, which is next to it\), or pass"):
        read_lengths(None, source)
    source.close()


def test_the_place_of_a_stream_may_be_given_for_the_suggestion(tmp_path):
    stream = io.BytesIO()
    np.save(stream, np.zeros((N, T, 2)))
    stream.seek(0)
    np.save(tmp_path / "waves_lengths.npy", GOOD)
    with pytest.raises(BadLengths, match=r"waves_lengths\.npy, which is next to it"):
        read_lengths(None, open_source(stream), inputs_path=tmp_path / "waves.npy")


def test_a_name_that_is_nothing_says_where_it_was_looked_for(source, hdf5, tmp_path):
    with pytest.raises(
        BadLengths,
        match=r"lengths='length': neither a dataset of .*x\.h5 nor a file; present: .* Did you mean 'lengths'\?",
    ):
        read_lengths("length", hdf5)
    with pytest.raises(MissingInput, match="lengths='length': no such file, and inputs is not an HDF5 file"):
        read_lengths("length", source)
    with pytest.raises(MissingInput, match=r"absent\.npy': no such file"):
        read_lengths(tmp_path / "absent.npy", hdf5)
    with pytest.raises(MissingInput, match=r"a directory; expected a .npy file or text with one whole number per line"):
        read_lengths(tmp_path, source)


@pytest.mark.parametrize(
    "lengths, message",
    [
        (
            [6, 0, -1, 7],
            r"row 2 has length -1, but inputs has 6 steps \(wrong in 2 of 4 rows\)\. Lengths must be whole .* 0 to 6",
        ),
        ([6, 7, 3, 1], r"row 1 has length 7, but inputs has 6 steps \(wrong in 1 of 4 rows"),
        ([6, 3.5, 3, 1], r"row 1 has length 3\.5,"),
        ([6, 3, 3, np.nan], r"row 3 has length nan,"),
        ([np.inf, 3, 3, 1], r"row 0 has length inf,"),
        (np.array([2**64 - 1, 1, 1, 1], np.uint64), r"row 0 has length 18446744073709551615,"),
        ([6, 3, 3], r"3 lengths, but inputs has 4 sequences; give one length per sequence"),
        ([[6, 3], [3, 1]], r"shape \(2, 2\); expected \(4,\), one length per sequence"),
        (6, r"shape \(\); expected \(4,\)"),
        (
            np.ones(N, bool),
            r"dtype bool \(booleans\); expected whole numbers\. A mask has one value per sequence and step",
        ),
        ([6, True, 3, 1], r"row 1 is True; expected whole numbers\. A mask has one"),
        ((6, 3, np.False_, 1), "row 2 is False; expected whole numbers"),
        ([[6], [3], [3], [True]], "row 3 is True; expected whole numbers"),
        ([[6.5, True, 3, 1]], "row 1 is True; expected whole numbers"),
        ([np.array(6), np.array(True), 3, 1], "row 1 is True; expected whole numbers"),
        (["6", "3", "3", "1"], r"dtype <U1 \(strings\); expected whole numbers"),
        ([6, None, 3, 1], r"dtype object \(Python objects"),
        ([10**30, 1, 1, 1], r"dtype object \(Python objects"),
        ([[6], [3, 1], [1], [1]], r"not a rectangular array \("),
    ],
)
def test_what_is_no_length_is_refused_with_the_first_offender(source, tmp_path, lengths, message):
    with pytest.raises(BadLengths, match=f"lengths: {message}"):
        read_lengths(lengths, source)


@pytest.mark.parametrize(
    "array, message",
    [
        (np.array([6, 0, 9, 8]), r"l\.npy: row 2 has length 9, but inputs has 6 steps \(wrong in 2 of 4 rows"),
        (np.zeros((10**6, 3)), r"l\.npy: shape \(1000000, 3\); expected \(4,\)"),
        (np.zeros(N, bool), r"l\.npy: dtype bool"),
        (np.zeros(N, "S3"), r"l\.npy: dtype \|S3 \(strings\)"),
        (np.array([None] * N), r"l\.npy: holds pickled Python objects"),
    ],
)
def test_a_npy_file_of_something_else_is_refused(source, tmp_path, array, message):
    np.save(tmp_path / "l.npy", array, allow_pickle=True)
    with pytest.raises(BadLengths, match=message):
        read_lengths(tmp_path / "l.npy", source)


@pytest.mark.parametrize(
    "content, message",
    [
        (b"6\nmany\n3\n1\n", r"row 1 is 'many'; expected a \.npy file or text with one whole number per line"),
        (b"6\n\n3\n1\n", "row 1 is ''"),
        (b"6\n1_0\n3\n1\n", r"row 1 is '1\?0'"),
        (b"6,0,3,1\n", "row 0 is '6,0,3,1'"),
        (b"6\n0\n2.5\n1\n", r"row 2 has length 2\.5"),
        (b"6\n0\nnan\n1\n", "row 2 has length nan"),
        (b"6\n0\n1e300\n1\n", "row 2 has length 1000"),
        (b"6\n0\n", "2 lengths, but inputs has 4 sequences"),
        (b"6\n0\n1\n1\n1\n", "5 lengths, but inputs has 4 sequences"),
        (b"", "empty, not one byte; expected a .npy file or text"),
        (b"PK\x03\x04abc", "a zip archive"),
        (b"\x80\x04abc", "a Python pickle, which is never loaded"),
        (b"\x89HDF\r\n\x1a\nabc", "an HDF5 file; expected .* Copy the dataset into the input file"),
        (b"\x93NUMPY\x01\x00", r"ends inside its \.npy header"),
    ],
)
def test_a_file_of_something_else_is_refused(source, tmp_path, content, message):
    (tmp_path / "l").write_bytes(content)
    with pytest.raises(BadLengths, match=f"l: {message}"):
        read_lengths(tmp_path / "l", source)


def test_a_dataset_of_something_else_is_refused(hdf5):
    with pytest.raises(BadLengths, match=r"x\.h5: dataset 'words': dtype string"):
        read_lengths("words", hdf5)
    with pytest.raises(BadLengths, match=r"x\.h5: dataset 'inputs': shape \(4, 6, 2\); expected \(4,\)"):
        read_lengths("inputs", hdf5)


def test_a_dataset_of_a_closed_file_is_refused(tmp_path, source):
    with h5py.File(tmp_path / "l.h5", "w") as file:
        dataset = file.create_dataset("lengths", data=GOOD)
    with pytest.raises(BadLengths, match=r"lengths=: is a dataset of a closed HDF5 file; .*\(dataset\[:\]\)"):
        read_lengths(dataset, source)


def test_a_linked_dataset_is_refused(tmp_path):
    with h5py.File(tmp_path / "y.h5", "w") as file:
        file["inputs"] = np.zeros((N, T, 2))
        file["lengths"] = h5py.ExternalLink("z.h5", "lengths")
    source = open_source(tmp_path / "y.h5")
    with pytest.raises(BadLengths, match="'lengths' is a link into another file"):
        read_lengths(None, source)
    source.close()
