"""HDF5 inputs that are damaged, locked, or lead out of their file."""

import fcntl
import os
import subprocess
import sys
import types

import h5py
import numpy as np
import pytest

from rnnstates.errors import BadInput, MissingInput
from rnnstates.inputs import open_source

from .conformance import make_inputs


@pytest.fixture
def path(tmp_path):
    return tmp_path / "x.h5"


def write(path, **arrays):
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file[name.replace("__", "/")] = array


STORAGE = [
    {},
    {"chunks": (2, 3, 1)},
    {"chunks": (4, 2, 3), "compression": "gzip"},
    {"chunks": True, "compression": "lzf"},
]


@pytest.mark.parametrize("dataset", ["inputs", None])
def test_links_are_refused(path, tmp_path, dataset):
    write(tmp_path / "other.h5", inputs=make_inputs())
    for link, message in (
        (
            h5py.ExternalLink("other.h5", "/inputs"),
            r"'inputs' is a link into another file \(other\.h5\); links are refused",
        ),
        (h5py.SoftLink("/nowhere"), "'inputs' is a soft link to '/nowhere'; links are refused"),
    ):
        with h5py.File(path, "w") as file:
            file["inputs"] = link
        with pytest.raises(BadInput, match=message):
            open_source(path, dataset=dataset)


def test_external_storage_is_refused(path, tmp_path):
    secret = tmp_path / "secret"
    secret.write_bytes(bytes(1000))
    with h5py.File(path, "w") as file:
        file.create_dataset("inputs", shape=(2, 3, 4), dtype="f4", external=[(str(secret), 0, 96)])
    with pytest.raises(BadInput, match="dataset 'inputs': its values are in another file"):
        open_source(path)


def test_a_virtual_dataset_needs_all_its_sources(path, tmp_path):
    truth = make_inputs()
    write(tmp_path / "part.h5", data=truth)
    layout = h5py.VirtualLayout((7, 5, 3), np.float32)
    layout[:] = h5py.VirtualSource("part.h5", "data", (7, 5, 3))
    with h5py.File(path, "w") as file:
        file.create_virtual_dataset("inputs", layout)
    source = open_source(path)
    np.testing.assert_array_equal(source.read(slice(0, 7), slice(0, 5)), truth)
    source.close()
    (tmp_path / "part.h5").unlink()
    with pytest.raises(BadInput, match=r"a virtual dataset whose source 'data' in 'part\.h5' is missing"):
        open_source(path)


def virtual(path, source, name="data", taken=np.s_[:]):
    part = h5py.VirtualSource(source, name, (7, 5, 3), np.float32)[taken]
    layout = h5py.VirtualLayout(part.shape, np.float32)
    layout[...] = part
    with h5py.File(path, "w") as file:
        file.create_virtual_dataset("inputs", layout)


@pytest.mark.parametrize(
    ("make", "taken", "message"),
    [
        (lambda file: file.create_group("data"), np.s_[:], "whose source 'data' in 'part.h5' is missing"),
        (lambda file: file.create_dataset("data", (2, 5, 3)), np.s_[:], r"has shape \(2, 5, 3\), which does not fit"),
        # HDF5 gives zeros here without a word.
        (lambda file: file.create_dataset("data", (2, 5, 3)), np.s_[1:3], r"has shape \(2, 5, 3\), which does not fit"),
        (lambda file: file.create_dataset("data", (35, 3)), np.s_[1:3], r"has shape \(35, 3\), which does not fit"),
        (lambda file: file.__setitem__("data", h5py.SoftLink("/x")), np.s_[:], "'data' is a soft link to '/x'"),
        (lambda file: file.__setitem__("data", h5py.ExternalLink("x.h5", "/x")), np.s_[:], r"another file \(x\.h5\)"),
    ],
    ids=["a group", "too small", "a part beyond its end", "another rank", "a soft link", "an external link"],
)
def test_a_source_of_a_virtual_dataset_holds_what_is_taken_of_it(path, tmp_path, make, taken, message):
    with h5py.File(tmp_path / "part.h5", "w") as file:
        make(file)
    virtual(path, "part.h5", taken=taken)
    with pytest.raises(BadInput, match=rf"dataset 'inputs': .*{message}"):
        open_source(path)


def test_a_part_of_a_source_is_read(path, tmp_path):
    write(tmp_path / "part.h5", data=make_inputs())
    virtual(path, "part.h5", taken=np.s_[2:6])
    source = open_source(path)
    np.testing.assert_array_equal(source.read(slice(0, 4), slice(0, 5)), make_inputs()[2:6])
    source.close()


def test_the_sources_of_a_source_are_checked_too(path, tmp_path):
    virtual(tmp_path / "middle.h5", "gone.h5")
    virtual(path, "middle.h5", "inputs")
    with pytest.raises(BadInput, match=r"source 'inputs' in 'middle\.h5': .* source 'data' in 'gone\.h5' is missing"):
        open_source(path)


@pytest.mark.parametrize("source", [".", "x.h5"])
def test_a_virtual_dataset_made_of_itself_is_refused_and_not_followed(path, source):
    """HDF5 follows it until the stack overflows, which ends the process."""
    virtual(path, source, "inputs")
    with pytest.raises(BadInput, match=r"a virtual dataset made of itself \('inputs'\); copy the values"):
        open_source(path)


def test_a_bomb_is_refused(path):
    with h5py.File(path, "w") as file:
        file.create_dataset("inputs", shape=(10**6, 10**3, 64), chunks=(100, 100, 64), dtype="f4", compression="gzip")
    with pytest.raises(BadInput, match=r"declares 256000000000 bytes but stores 0"):
        open_source(path)


def test_what_has_no_numbers_is_refused(path):
    varying = h5py.vlen_dtype(np.float32)
    with h5py.File(path, "w") as file:
        file.create_dataset("text", shape=(2, 3, 4), dtype=h5py.string_dtype())
        file.create_dataset("fixed", shape=(2, 3, 4), dtype="S5")
        file.create_dataset("reference", shape=(2, 3, 4), dtype=h5py.ref_dtype)
        file.create_dataset("varying", shape=(2, 3, 4), dtype=varying)
        file.create_dataset("boolean", shape=(2, 3), dtype=bool)
        file.create_dataset("complex", shape=(2, 3, 4), dtype=complex)
        file.create_dataset("records", shape=(2, 3, 4), dtype=[("a", "f4"), ("b", "i4")])
        file.create_dataset("nothing", data=h5py.Empty("f4"))
        time = h5py.h5t.UNIX_D32LE
        h5py.h5d.create(file.id, b"time", time, h5py.h5s.create_simple((2, 3, 4)))
        file.create_dataset("rank", shape=(2, 3), dtype="f4")
        file.create_dataset("steps", shape=(2, 0, 3), dtype="f4")
    for name, message in {
        "text": "dtype string; expected float16",
        "fixed": "dtype string; expected float16",
        "reference": "dtype reference; expected float16",
        "varying": r"arrays of varying length of shape \(2, 3, 4\); expected one per sequence",
        "boolean": r"dtype bool \(booleans\)",
        "complex": r"dtype complex128 \(complex numbers\)",
        "records": r"structured or raw values",
        "nothing": "declared without a shape",
        "time": "dtype unknown to NumPy",
        "rank": r"shape \(2, 3\); expected \(N, T, I\)",
        "steps": r"has 0 steps \(T\)",
    }.items():
        with pytest.raises(BadInput, match=f"dataset '{name}': .*{message}"):
            open_source(path, dataset=name)
    with h5py.File(path, "a") as file:
        del file["steps"]
    with pytest.raises(BadInput, match=r"none that fits; .* and 5 more\."):
        open_source(path)


def test_a_truncated_file_is_bad_input(path):
    write(path, inputs=make_inputs((50, 20, 8)))
    os.truncate(path, 5000)
    with pytest.raises(BadInput, match=r"x\.h5: HDF5 cannot open it \(.*truncated"):
        open_source(path)


def test_chunks_that_cannot_be_decompressed_are_bad_input(path):
    with h5py.File(path, "w") as file:
        shape, filters = (50, 20, 8), {"compression": "gzip", "fletcher32": True}
        data = file.create_dataset("inputs", data=make_inputs(shape), chunks=shape, **filters)
        chunk = data.id.get_chunk_info(0)
    with open(path, "r+b") as file:
        file.seek(chunk.byte_offset + 2)
        file.write(b"\xff" * 100)
    source = open_source(path)
    with pytest.raises(
        BadInput, match=r"dataset 'inputs', rows 3 to 9: HDF5 cannot read it .* damaged or its disk fails"
    ):
        source.read(slice(3, 9), slice(0, 20))
    source.close()


def test_a_release_of_hdf5_that_refuses_sound_files_is_named(path, monkeypatch):
    write(path, inputs=make_inputs())
    source = open_source(path)
    monkeypatch.setattr(h5py.version, "hdf5_version_tuple", (2, 0, 0))
    monkeypatch.setattr(h5py.version, "hdf5_version", "2.0.0")
    source._dataset.id.close()
    with pytest.raises(BadInput, match=r"HDF5 2\.0\.0 refuses some sound chunked files: try another h5py"):
        source.read(slice(0, 2), slice(0, 5))
    source.close()


def make_with_missing_filter(path):
    settings = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    settings.set_chunk((7, 5, 3))
    settings.set_filter(32015, h5py.h5z.FLAG_OPTIONAL, (3,))
    with h5py.File(path, "w") as file:
        space = h5py.h5s.create_simple((7, 5, 3))
        h5py.h5d.create(file.id, b"inputs", h5py.h5t.IEEE_F32LE, space, settings)
        file["inputs"].id.write_direct_chunk((0, 0, 0), b"squeezed")


def test_a_missing_filter_is_named_before_anything_is_read(path, monkeypatch):
    make_with_missing_filter(path)
    monkeypatch.setitem(sys.modules, "hdf5plugin", None)
    monkeypatch.setattr(h5py.h5z, "filter_avail", lambda code: code != 32015)
    with pytest.raises(
        BadInput, match=r"compressed with filter zstd \(32015\), which this HDF5 lacks\. Install hdf5plugin.*h5repack"
    ):
        open_source(path)


def test_hdf5plugin_is_asked_for_filters_when_one_is_missing(path, monkeypatch):
    make_with_missing_filter(path)
    monkeypatch.setitem(sys.modules, "hdf5plugin", types.ModuleType("hdf5plugin"))
    answers = iter([False, True])
    monkeypatch.setattr(h5py.h5z, "filter_avail", lambda code: next(answers))
    source = open_source(path)
    source.close()
    assert next(answers, None) is None


def test_a_locked_file_is_missing_input(path, monkeypatch):
    write(path, inputs=make_inputs())
    monkeypatch.delenv("HDF5_USE_FILE_LOCKING", raising=False)
    with open(path, "rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(MissingInput, match=r"x\.h5: HDF5 cannot lock it.*HDF5_USE_FILE_LOCKING=FALSE"):
            open_source(path)


def test_a_file_whose_writer_died_names_the_flags(path):
    script = (
        "import h5py, os, sys; f = h5py.File(sys.argv[1], 'w', libver='latest'); f['x'] = [1]; f.flush(); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", script, str(path)], check=True)
    with pytest.raises(BadInput, match=r"x\.h5: HDF5 cannot open it .*consistency flags.* still running, or died"):
        open_source(path)
