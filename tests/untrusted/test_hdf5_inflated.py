"""Chunks that are unpacked here: as HDF5 unpacks them, and refused where HDF5 would read other memory."""

import zlib

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import rnnstates
from rnnstates import BadInput
from rnnstates.inputs.hdf5 import Hdf5Source
from rnnstates.untrusted.hdf5_inflated import InflatedChunks

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
        read = np.empty(SHAPE, "f4")
        InflatedChunks(dataset, "x", cache=0).read_into(read, (slice(0, 7), slice(0, 6), slice(0, 3)))
    assert (read[2:4] == 1).all()
    assert (read[:2] == 2.5).all()
    assert (read[4:] == 2.5).all()


def test_a_chunk_that_was_stored_without_its_filter_is_read(tmp_path):
    values = whole()
    with h5py.File(tmp_path / "x.h5", "w") as file:
        dataset = file.create_dataset("inputs", SHAPE, "f4", chunks=SHAPE, compression="gzip", shuffle=True)
        dataset.id.write_direct_chunk((0, 0, 0), values.tobytes(), filter_mask=0b11)
    source = Hdf5Source(tmp_path / "x.h5")
    np.testing.assert_array_equal(source.read(slice(0, 7), slice(0, 6)), values)
    source.close()


@pytest.mark.parametrize(
    ("content", "reported"),
    [
        (zlib.compress(b"short"), "is unpacked to 5 bytes; expected 504 bytes"),
        (zlib.compress(bytes(505)), "is unpacked to 505 bytes; expected 504 bytes"),
        (zlib.compress(bytes(2**26)), r"is unpacked to 50\d bytes; expected 504 bytes"),
        (b"no deflate at all", "cannot be unpacked; expected 504 bytes"),
    ],
    ids=["short", "long", "a bomb", "garbage"],
)
def test_a_chunk_of_another_size_is_refused(tmp_path, content, reported):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        dataset = file.create_dataset("inputs", SHAPE, "f4", chunks=SHAPE, compression="gzip")
        dataset.id.write_direct_chunk((0, 0, 0), content)
    source = Hdf5Source(tmp_path / "x.h5")
    with pytest.raises(
        BadInput, match=rf"x\.h5: dataset 'inputs': its chunk at \(0, 0, 0\) {reported}\. The file is damaged or"
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
        assert list(chunks._kept._kept) == [(4, 0, 0), (5, 0, 0), (6, 0, 0)]
        np.testing.assert_array_equal(block, whole())


def fewer_bits(base, precision, offset=0):
    kind = base.copy()
    kind.set_precision(precision)
    kind.set_offset(offset)
    return kind


def bfloat16():
    kind = h5py.h5t.IEEE_F32LE.copy()
    kind.set_fields(15, 7, 8, 0, 7)
    kind.set_precision(16)
    kind.set_size(2)
    return kind


def another_bias():
    kind = h5py.h5t.IEEE_F32BE.copy()
    kind.set_ebias(120)
    return kind


KINDS = {
    "12 of 16 bits": (fewer_bits(h5py.h5t.STD_I16LE, 12), "i2"),
    "12 of 16 bits, shifted": (fewer_bits(h5py.h5t.STD_I16LE, 12, 4), "i2"),
    "20 of 32 bits, shifted, big-endian": (fewer_bits(h5py.h5t.STD_I32BE, 20, 4), "i4"),
    "12 of 16 bits, unsigned": (fewer_bits(h5py.h5t.STD_U16LE, 12, 2), "u2"),
    "bfloat16": (bfloat16(), "f4"),
    "another exponent bias": (another_bias(), "f4"),
    "a bit field": (h5py.h5t.STD_B8LE.copy(), "u1"),
}


def of_kind(path, kind, values, name="inputs", *, deflated=1, shuffled=False):
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_chunk(tuple(-(-size // 2) for size in values.shape))
    if shuffled:
        properties.set_shuffle()
    for _ in range(deflated):
        properties.set_deflate(4)
    with h5py.File(path, "a") as file:
        space = h5py.h5s.create_simple(values.shape)
        dataset = h5py.h5d.create(file.id, name.encode(), kind, space, properties)
        is_bits = kind.get_class() == h5py.h5t.BITFIELD
        dataset.write(h5py.h5s.ALL, h5py.h5s.ALL, values, kind if is_bits else None)
    return path


@pytest.mark.parametrize("deflated", [0, 1, 2])
@pytest.mark.parametrize("kind, dtype", KINDS.values(), ids=KINDS)
def test_values_of_types_that_numpy_has_not_are_converted(tmp_path, kind, dtype, deflated):
    right = np.abs(whole("i2")).astype(dtype) if np.dtype(dtype).kind == "u" else whole("i2").astype(dtype)
    source = Hdf5Source(of_kind(tmp_path / "x.h5", kind, right, deflated=deflated, shuffled=deflated == 1))
    np.testing.assert_array_equal(source.read(slice(1, 7), slice(0, 6)), right[1:7])
    source.close()


@pytest.mark.parametrize("deflated", [1, 2, 3])
def test_a_chunk_that_is_deflated_again_and_again_is_read(tmp_path, deflated):
    right = np.random.default_rng(0).bytes(7 * 6 * 3 * 8)
    right = np.frombuffer(right, "i8").reshape(SHAPE)
    source = Hdf5Source(of_kind(tmp_path / "x.h5", h5py.h5t.STD_I64LE, right, deflated=deflated))
    assert source._inflated is not None
    np.testing.assert_array_equal(source.read(slice(0, 7), slice(0, 6)), right)
    source.close()


def test_lengths_and_ids_of_fewer_bits_are_read_and_recomputed_right(tmp_path):
    kind = fewer_bits(h5py.h5t.STD_I32LE, 20, 4)
    values, lengths, ids = whole("i4"), np.array([6, 1, 0, 3, 2, 5, 4], "i4"), np.arange(-3, 4, dtype="i4")
    for name, one in {"inputs": values, "lengths": lengths, "ids": ids}.items():
        of_kind(tmp_path / "x.h5", kind, one, name, deflated=2)
    result = rnnstates.extract(tmp_path / "x.h5", units=2, engine="numpy", output=tmp_path / "y.h5")
    right = rnnstates.extract(values, lengths, units=2, engine="numpy")
    np.testing.assert_array_equal(result["hidden"], right["hidden"])
    np.testing.assert_array_equal(result["ids"], ids)
    assert rnnstates.verify(tmp_path / "y.h5")["datasets"]["hidden"]["recomputed"] < 1e-6


def test_a_short_chunk_of_such_a_type_is_refused(tmp_path):
    path = of_kind(tmp_path / "x.h5", bfloat16(), whole())
    with h5py.File(path, "a") as file:
        file["inputs"].id.write_direct_chunk((0, 0, 0), zlib.compress(b"short"))
    source = Hdf5Source(path)
    with pytest.raises(BadInput, match=r"is unpacked to 5 bytes; expected 48 bytes"):
        source.read(slice(0, 2), slice(0, 6))
    source.close()
