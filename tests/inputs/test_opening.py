"""Files by content and not by name; what is no input, and what to make of it."""

import contextlib
import gzip
import io
import os
import pickle
import threading
import zipfile

import h5py
import numpy as np
import pytest

from rnnstates.errors import BadInput, MissingInput, OptionError
from rnnstates.inputs import open_source

from .conformance import make_inputs


def test_a_wrong_suffix_does_no_harm(tmp_path):
    truth = make_inputs()
    with open(tmp_path / "npy.h5", "wb") as file:
        np.save(file, truth)
    with h5py.File(tmp_path / "hdf5.npy", "w") as file:
        file["inputs"] = truth
    for name in ("npy.h5", "hdf5.npy"):
        source = open_source(tmp_path / name)
        np.testing.assert_array_equal(source.read(slice(0, 7), slice(0, 5)), truth)
        source.close()


def test_hdf5_behind_a_user_block_is_found(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w", userblock_size=512) as file:
        file["inputs"] = make_inputs()
    source = open_source(tmp_path / "x.h5")
    source.close()
    assert source.shape == (7, 5, 3)


def test_a_missing_file_is_missing_input(tmp_path):
    with pytest.raises(
        MissingInput, match=r"absent\.npy: no such file; expected a \.npy, \.npz, HDF5, Zarr, Parquet or Arrow file"
    ):
        open_source(tmp_path / "absent.npy")


def test_a_directory_is_missing_input(tmp_path):
    with pytest.raises(
        MissingInput, match=r": a directory; expected a \.npy, \.npz, HDF5, Zarr, Parquet or Arrow file"
    ):
        open_source(tmp_path)


def test_a_file_that_may_not_be_read_is_missing_input(tmp_path, monkeypatch):
    np.save(tmp_path / "x.npy", make_inputs())

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.open", refuse)
    with pytest.raises(MissingInput, match=r"x\.npy: may not be read; check its permissions"):
        open_source(tmp_path / "x.npy")


@pytest.mark.parametrize("name", ["a\0b.npy", "x" * 5000])
def test_a_name_no_file_can_have_is_missing_input(name):
    with pytest.raises(MissingInput, match="cannot be opened"):
        open_source(name)


def test_a_loop_of_links_is_missing_input(tmp_path):
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(MissingInput, match="cannot be opened"):
        open_source(tmp_path / "a")


def test_an_empty_file_is_bad_input(tmp_path):
    (tmp_path / "x.h5").touch()
    with pytest.raises(
        BadInput, match=r"x\.h5: empty, not one byte; expected a \.npy, \.npz, HDF5, Zarr, Parquet or Arrow file"
    ):
        open_source(tmp_path / "x.h5")


def zipped():
    stream = io.BytesIO()
    np.savez(stream, inputs=make_inputs())
    return stream.getvalue()


def empty_zip():
    stream = io.BytesIO()
    zipfile.ZipFile(stream, "w").close()
    return stream.getvalue()


@pytest.mark.parametrize(
    "content, message",
    [
        (empty_zip(), "an empty zip archive"),
        *[
            (pickle.dumps([1], protocol), "a Python pickle, which is never loaded .* np.save")
            for protocol in (2, 3, 4, 5)
        ],
        (gzip.compress(b"abc", mtime=0), "a compressed file; expected .* Unpack it .* and give the file in it"),
        (b"MATLAB 5.0 MAT-file", r"a MATLAB file .* -v7\.3"),
        ("1,2\n".encode("utf-16"), "text in UTF-16"),
        (b"time,x,y\n1,2,3\n", "text that starts with 'time,x,y'; expected .* np.loadtxt"),
        ("Größe".encode() * 20, "text that starts with 'Größe"),
        (b"\x00\x01\x02\x03rest", r"starts with b'\\x00\\x01\\x02\\x03rest', which is not a known kind of file"),
        (b"\n \n", "starts with"),
    ],
)
def test_other_files_are_named_and_a_way_is_shown(tmp_path, content, message):
    (tmp_path / "data").write_bytes(content)
    with pytest.raises(BadInput, match=f"data: {message}"):
        open_source(tmp_path / "data")
    with pytest.raises(BadInput, match=f"standard input: {message}"):
        open_source(io.BytesIO(content))


def test_a_npz_is_read_from_a_file_only():
    with pytest.raises(
        BadInput, match=r"standard input: a zip archive such as \.npz.*; expected .* Take one array out"
    ):
        open_source(io.BytesIO(zipped()))


def test_a_pipe_with_a_name_is_read_as_a_stream(tmp_path):
    truth = make_inputs()
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(to_npy(truth)))
    writer.start()
    source = open_source(pipe)
    np.testing.assert_array_equal(source.read(slice(0, 7), slice(0, 5)), truth)
    source.close()
    writer.join()
    assert source.name == str(pipe)


def write_text_into(pipe):
    # The reader may have gone by then.
    with contextlib.suppress(BrokenPipeError):
        pipe.write_bytes(b"a,b,c\n1,2,3\n")


def test_a_bad_pipe_is_closed_and_named(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for expected, options in ((BadInput, {}), (OptionError, {"dataset": "inputs"})):
        writer = threading.Thread(target=write_text_into, args=[pipe])
        writer.start()
        with pytest.raises(expected, match="pipe: "):
            open_source(pipe, **options)
        writer.join()


def to_npy(array):
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


@pytest.mark.parametrize("inputs", [io.BytesIO(), make_inputs()])
def test_a_dataset_name_without_a_file_is_a_contradiction(inputs):
    with pytest.raises(OptionError, match="dataset='x': names a dataset, but the input is not an HDF5 file"):
        open_source(inputs, dataset="x")


def test_nested_lists_are_an_input():
    source = open_source([[[1, 2], [3, 4], [5, 6]]])
    np.testing.assert_array_equal(source.read(slice(0, 1), slice(1, 3)), [[[3, 4], [5, 6]]])


def test_a_masked_array_is_refused_because_its_mask_would_be_lost():
    with pytest.raises(BadInput, match="inputs: a masked array"):
        open_source(np.ma.masked_less(make_inputs(), 9))


def test_arrays_are_kept_and_not_copied():
    truth = make_inputs()
    assert np.shares_memory(open_source(truth).read(slice(2, 4), slice(0, 3)), truth)
