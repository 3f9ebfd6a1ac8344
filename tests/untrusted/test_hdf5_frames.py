"""Chunks of Zstandard and Blosc that announce another size than the chunk's: refused before HDF5 unpacks them."""

import struct

import h5py
import hdf5plugin
import numpy as np
import pytest

import rnnstates
from rnnstates import BadStates
from rnnstates.untrusted.hdf5_chunks import check_frames

FILTERS = {"zstd": hdf5plugin.Zstd(clevel=3), "blosc": hdf5plugin.Blosc(cname="lz4")}
SHAPE = (6, 500)


def made(path, name, **options):
    values = np.random.default_rng(0).integers(0, 9, SHAPE).astype("f4")
    with h5py.File(path, "w") as file:
        file.create_dataset("x", data=values, **{**FILTERS[name], "chunks": (2, 500), **options})
    return values


def checked(path):
    with h5py.File(path) as file:
        check_frames(file["x"], "x", BadStates)
        return file["x"][()]


@pytest.mark.parametrize("rows", [1, 2, 6])
@pytest.mark.parametrize("name", FILTERS)
def test_sound_chunks_of_any_size_pass(tmp_path, name, rows):
    """The size of a frame of Zstandard takes 1, 2 or 4 bytes."""
    for width in (3, 60, 500):
        values = made(tmp_path / "x.h5", name, chunks=(rows, width), shuffle=name == "zstd")
        assert (checked(tmp_path / "x.h5") == values).all()


@pytest.mark.parametrize("found", [3999, 4001, 2**31 - 1])
@pytest.mark.parametrize("name", FILTERS)
def test_a_chunk_that_announces_another_size_is_refused(tmp_path, name, found):
    made(tmp_path / "x.h5", name)
    with h5py.File(tmp_path / "x.h5") as file:
        at = file["x"].id.get_chunk_info(1).byte_offset
    content = bytearray((tmp_path / "x.h5").read_bytes())
    if name == "blosc":
        content[at + 4 : at + 8] = struct.pack("<I", found)
    else:
        # A descriptor that says that the size takes four bytes, and no window.
        content[at + 4 : at + 9] = bytes([0b10100000]) + struct.pack("<I", found)
    (tmp_path / "x.h5").write_bytes(content)
    with pytest.raises(BadStates, match=rf"^x: its chunk at \(2, 0\) announces {found} bytes; expected 4000\. The"):
        checked(tmp_path / "x.h5")


@pytest.mark.parametrize("name", FILTERS)
def test_a_chunk_that_is_none_is_refused(tmp_path, name):
    made(tmp_path / "x.h5", name)
    with h5py.File(tmp_path / "x.h5", "r+") as file:
        file["x"].id.write_direct_chunk((0, 0), b"\x28\xb5\x2f\xfd")
    with pytest.raises(BadStates, match=r"its chunk at \(0, 0\) announces no size; expected 4000"):
        checked(tmp_path / "x.h5")


@pytest.mark.parametrize("compression", rnnstates.COMPRESSIONS[1:])
def test_a_hostile_output_is_refused_by_verify_and_repack(tmp_path, monkeypatch, compression):
    """A chunk that unpacks to less than it should would make HDF5 take other memory for values."""
    monkeypatch.chdir(tmp_path)
    rnnstates.extract(np.ones((3, 9, 4)), "full", units=50, output="x.h5", compression=compression).close()
    with h5py.File("x.h5", "r+") as file:
        short = np.zeros(100, "f4")
        with h5py.File("y.h5", "w") as other:
            settings = {"gzip": {"compression": "gzip", "shuffle": True}, "zstd": {**FILTERS["zstd"], "shuffle": True}}
            one = other.create_dataset("x", data=short, chunks=(100,), **settings.get(compression, FILTERS["blosc"]))
            _, stored = one.id.read_direct_chunk((0,))
        file["hidden"].id.write_direct_chunk((0, 0, 0), stored)
    for call in (rnnstates.verify, lambda path: rnnstates.repack(path, "z.h5", compression="none")):
        with pytest.raises(BadStates, match=r"'hidden': its chunk at .* expected 5400"):
            call("x.h5")
