"""The file that HDF5 lays out: what it reads back comes from memory, and no failure reaches it."""

import errno
import os

import h5py
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rnnstates.output.patient_file import PatientFile, Remembered
from rnnstates.output.system import Disk

WRITES = st.lists(st.tuples(st.integers(0, 20_000), st.binary(min_size=1, max_size=9000)), max_size=8)


class Unreadable(Disk):
    """A disk that writes and does not read."""

    def pread(self, fd, count, position):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    def size(self, fd):
        raise OSError(errno.EIO, os.strerror(errno.EIO))


@given(WRITES, st.integers(0, 30_000), st.integers(0, 9000))
def test_what_was_written_is_read_back_and_the_rest_is_zero(writes, position, count):
    kept, whole = Remembered(), bytearray(50_000)
    for place, data in writes:
        kept.wrote(memoryview(data), place)
        whole[place : place + len(data)] = data
    assert kept.read(count, position) == whole[position : position + count]
    assert kept.end == max((place + len(data) for place, data in writes), default=0)


@given(st.integers(0, 1000), st.integers(1, 1000))
def test_what_was_too_much_to_keep_is_reported_and_never_wrong(position, count):
    kept = Remembered(largest=100)
    kept.wrote(memoryview(b"a" * 50), 100)
    kept.wrote(memoryview(b"b" * 140), 400)
    kept.wrote(memoryview(b"b" * 160), 540)
    found = kept.read(count, position)
    overlaps = position < 700 and position + count > 400
    assert (found is None) == overlaps
    if not overlaps:
        whole = bytes(100) + b"a" * 50 + bytes(3000)
        assert found == whole[position : position + count]


def test_hdf5_lays_a_file_out_on_a_disk_that_cannot_be_read(tmp_path):
    fd = os.open(tmp_path / "x.h5", os.O_CREAT | os.O_RDWR)
    disk = PatientFile(Unreadable(), fd)
    with h5py.File(disk, "w") as file:
        for number in range(50):
            file.create_group(f"group{number}").attrs["text"] = "x" * 3000
        file["large"] = np.arange(100_000)
        # Makes HDF5 look for what it wrote long ago.
        file.flush()
        assert file["group0"].attrs["text"] == "x" * 3000
    disk.leave()
    os.close(fd)
    with h5py.File(tmp_path / "x.h5") as file:
        assert len(file) == 51
        assert file["group49"].attrs["text"] == "x" * 3000
        assert (file["large"][:] == np.arange(100_000)).all()
