"""Chunks that are unpacked here: as HDF5 unpacks them, and refused where HDF5 would read other memory."""

import zlib

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rnnstates import BadInput
from rnnstates.sources.hdf5 import Hdf5Source
from rnnstates.sources.hdf5_inflated import InflatedChunks

SHAPE = (7, 6, 3)


def made(path, values, **options):
    with h5py.File(path, "w") as file:
        dataset = file.create_dataset("inputs", SHAPE, values.dtype, **{"compression": "gzip"} | options)
        dataset[...] = values
    return path


def whole(dtype="f4"):
    return (np.random.default_rng(0).normal(size=SHAPE) * 50).astype(dtype)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_any_block_of_any_chunks_is_what_hdf5_reads(tmp_path, data):
    dtype = data.draw(st.sampled_from(["<f4", ">f4", "<f8", "<i2", "u1", "<f2"]))
    chunks = tuple(data.draw(st.integers(1, size)) for size in SHAPE)
    path = made(tmp_path / "x.h5", whole(dtype), chunks=chunks, shuffle=data.draw(st.booleans()))
    source = Hdf5Source(path)
    assert source._inflated is not None
    for _ in range(3):
        rows, steps = (slice(*sorted(data.draw(st.tuples(*[st.integers(0, size)] * 2)))) for size in SHAPE[:2])
        np.testing.assert_array_equal(source.read(rows, steps), whole(dtype)[rows, steps])
    source.close()


def test_chunks_that_were_never_written_hold_the_fill_value(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        dataset = file.create_dataset("inputs", SHAPE, "f4", chunks=(2, 6, 3), compression="gzip", fillvalue=2.5)
        dataset[2:4] = 1
    source = Hdf5Source(tmp_path / "x.h5")
    read = source.read(slice(0, 7), slice(0, 6))
    assert (read[2:4] == 1).all()
    assert (read[:2] == 2.5).all()
    assert (read[4:] == 2.5).all()
    source.close()


def test_a_chunk_that_was_stored_without_its_filter_is_read(tmp_path):
    values = whole()
    with h5py.File(tmp_path / "x.h5", "w") as file:
        dataset = file.create_dataset("inputs", SHAPE, "f4", chunks=SHAPE, compression="gzip", shuffle=True)
        dataset.id.write_direct_chunk((0, 0, 0), values.tobytes(), filter_mask=0b11)
    source = Hdf5Source(tmp_path / "x.h5")
    np.testing.assert_array_equal(source.read(slice(0, 7), slice(0, 6)), values)
    source.close()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (zlib.compress(b"short"), "is unpacked to 5 bytes; expected 504 bytes"),
        (zlib.compress(bytes(505)), "is unpacked to 505 bytes; expected 504 bytes"),
        (zlib.compress(bytes(2**26)), r"is unpacked to 50\d bytes; expected 504 bytes"),
        (b"no deflate at all", "cannot be unpacked; expected 504 bytes"),
    ],
    ids=["short", "long", "a bomb", "garbage"],
)
def test_a_chunk_of_another_size_is_refused(tmp_path, content, told):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        dataset = file.create_dataset("inputs", SHAPE, "f4", chunks=SHAPE, compression="gzip")
        dataset.id.write_direct_chunk((0, 0, 0), content)
    source = Hdf5Source(tmp_path / "x.h5")
    with pytest.raises(
        BadInput, match=rf"x\.h5: dataset 'inputs': its chunk at \(0, 0, 0\) {told}\. The file is damaged or"
    ):
        source.read(slice(0, 2), slice(0, 6))
    source.close()


@pytest.mark.parametrize(
    "options", [{"fletcher32": True}, {"compression": None, "shuffle": True}, {"compression": "lzf"}]
)
def test_other_filters_are_hdf5_s_affair(tmp_path, options):
    source = Hdf5Source(made(tmp_path / "x.h5", whole(), chunks=(2, 3, 3), **options))
    assert source._inflated is None
    np.testing.assert_array_equal(source.read(slice(0, 7), slice(1, 5)), whole()[:, 1:5])
    source.close()


def test_no_more_chunks_are_kept_than_fit(tmp_path):
    with h5py.File(made(tmp_path / "x.h5", whole(), chunks=(1, 6, 3))) as file:
        chunks = InflatedChunks(file["inputs"], "x", cache=3 * 72)
        block = np.empty(SHAPE, "f4")
        chunks.read_into(block, (slice(0, 7), slice(0, 6), slice(0, 3)))
        assert list(chunks._kept) == [(4, 0, 0), (5, 0, 0), (6, 0, 0)]
        np.testing.assert_array_equal(block, whole())
