"""Bad input in HDF5: damaged, locked, compressed by what is not here; and which dataset."""

import fcntl
import subprocess
import sys

import h5py
import numpy as np
import pytest

from .catalogue import (
    DATA,
    FROM_HDF5,
    INPUTS,
    LENGTHS,
    MISSING,
    USAGE,
    WHOLE,
    WITH_WEIGHTS,
    Accepted,
    Mistake,
    check_accepted,
    check_refused,
    cut,
    declared,
    hdf5,
    only,
)


def garbled():
    """Damage the superblock of in.h5."""
    with open("in.h5", "r+b") as file:
        file.seek(9)
        file.write(b"\xff" * 60)


def unlockable(number):
    """What HDF5 says where a file system has no locks (NFS: 37, DVS: 524), which no test can mount."""

    def simulate(monkeypatch):
        def refuse(*_, **__):
            raise OSError(f"Unable to synchronously open file (unable to lock file, errno = {number})")

        monkeypatch.setattr(h5py, "File", refuse)

    return simulate


def unclosed():
    script = (
        "import h5py, os; f = h5py.File('in.h5', 'w', libver='latest'); f['inputs'] = [[[1.0]]]; f.flush(); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def with_a_damaged_chunk(**filters):
    """Damage a compressed chunk; one with a checksum is unpacked by HDF5 itself."""
    with h5py.File("in.h5", "w") as file:
        file["lengths"] = LENGTHS
        data = file.create_dataset("inputs", data=INPUTS, chunks=INPUTS.shape, compression="gzip", **filters)
        offset = data.id.get_chunk_info(0).byte_offset
    with open("in.h5", "r+b") as file:
        file.seek(offset + 2)
        file.write(b"\xff" * 50)


def hdf5_2(monkeypatch):
    monkeypatch.setattr(h5py.version, "hdf5_version_tuple", (2, 0, 0))
    monkeypatch.setattr(h5py.version, "hdf5_version", "2.0.0")


def with_zstd():
    settings = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    settings.set_chunk(INPUTS.shape)
    settings.set_filter(32015, h5py.h5z.FLAG_OPTIONAL, (3,))
    with h5py.File("in.h5", "w") as file:
        file["lengths"] = LENGTHS
        h5py.h5d.create(file.id, b"inputs", h5py.h5t.IEEE_F32LE, h5py.h5s.create_simple(INPUTS.shape), settings)
        file["inputs"].id.write_direct_chunk((0, 0, 0), b"squeezed")


def without_zstd(monkeypatch):
    """It may be installed where the tests run."""
    monkeypatch.setitem(sys.modules, "hdf5plugin", None)
    monkeypatch.setattr(h5py.h5z, "filter_avail", lambda code: code != 32015)


# Truncated, locked or flagged HDF5; missing filter plugin; HDF5 2.0's chunks.
DAMAGED = {
    "a truncated HDF5": Mistake(
        cut("in.h5", 1000),
        FROM_HDF5,
        DATA,
        ("in.h5: HDF5 cannot open it (", "truncated file: eof = 1000", "damaged or cut short, make it again"),
    ),
    "an HDF5 of its first bytes alone": Mistake(cut("in.h5", 8), FROM_HDF5, DATA, ("in.h5: HDF5 cannot open it",)),
    "a garbled HDF5": Mistake(garbled, FROM_HDF5, DATA, ("in.h5: HDF5 cannot open it (", "make it again")),
    "truncated weights": Mistake(
        cut("w.weights.h5", 900), WITH_WEIGHTS, DATA, ("w.weights.h5: HDF5 cannot open it (", "eof = 900")
    ),
    "an HDF5 that its writer did not close": Mistake(
        unclosed,
        FROM_HDF5,
        DATA,
        ("in.h5: HDF5 cannot open it (", "consistency flags", "or died before closing it: wait"),
    ),
    **{
        f"an HDF5 where locks fail with {number}": Mistake(
            None, FROM_HDF5, MISSING, ("in.h5: HDF5 cannot lock it", "HDF5_USE_FILE_LOCKING=FALSE"), unlockable(number)
        )
        for number in (37, 524)
    },
    "a missing filter": Mistake(
        with_zstd,
        FROM_HDF5,
        DATA,
        (
            "in.h5: dataset 'inputs': compressed with filter zstd (32015), which this HDF5 lacks. Install hdf5plugin",
            "h5repack -f GZIP=4",
        ),
        without_zstd,
    ),
    "a damaged chunk": Mistake(
        with_a_damaged_chunk,
        FROM_HDF5,
        DATA,
        (
            "in.h5: dataset 'inputs': its chunk at (0, 0, 0) cannot be unpacked; expected 240 bytes",
            "damaged or its disk fails; copy or make it again",
        ),
    ),
    "a damaged chunk with a checksum": Mistake(
        lambda: with_a_damaged_chunk(fletcher32=True),
        FROM_HDF5,
        DATA,
        (
            "in.h5: dataset 'inputs', rows 0 to 4: HDF5 cannot read it (",
            "damaged or its disk fails; copy or make it again",
        ),
    ),
    "a chunk that HDF5 2.0 refuses": Mistake(
        lambda: with_a_damaged_chunk(fletcher32=True),
        FROM_HDF5,
        DATA,
        (
            "rows 0 to 4: HDF5 cannot read it (",
            "HDF5 2.0.0 refuses some sound chunked files",
            "pip install 'h5py<3.16'",
        ),
        hdf5_2,
    ),
}


# Dataset name absent or ambiguous.
CHOICE = {
    "an absent dataset": Mistake(
        None,
        ["in.h5", "--inputs", "input"],
        DATA,
        (
            "in.h5: no dataset 'input'; present: 'inputs' (4, 5, 3) float32, 'lengths' (4,) int64",
            "Did you mean 'inputs'? Name one with --inputs.",
        ),
    ),
    "a group": Mistake(
        only(**{"inputs/a": INPUTS}),
        ["in.h5", "--inputs", "inputs"],
        DATA,
        ("in.h5: group 'inputs': shape (4, 5, 3); expected (steps, features)", "Name one of its datasets"),
    ),
    "inputs of one axis": Mistake(
        hdf5(inputs=np.ones(3)), FROM_HDF5, DATA, ("dataset 'inputs': shape (3,); expected (N, T, I)",)
    ),
    "nothing like sequences": Mistake(
        only(input=np.ones(3), lengths=LENGTHS),
        FROM_HDF5,
        DATA,
        (
            "no dataset 'inputs' and none that fits; expected a numeric one of shape (N, T, I), present: 'input' (3,)",
            "Did you mean 'input'? Name one with --inputs.",
        ),
    ),
    "several that fit": Mistake(
        only(**{f"a{number}": INPUTS for number in range(7)}),
        FROM_HDF5,
        DATA,
        ("in.h5: no dataset 'inputs', and 7 that fit: 'a0' (4, 5, 3) float32", "and 2 more. Name one with --inputs."),
    ),
    "a dataset name for a npy": Mistake(
        None,
        ["in.npy", "--inputs", "x"],
        USAGE,
        ("in.npy: --inputs x names a dataset of an HDF5 file", "leave --inputs out"),
    ),
}

CASES = DAMAGED | CHOICE


@pytest.mark.parametrize("name", CASES)
def test_a_wrong_hdf5_is_reported_exits_as_tabled_and_leaves_everything_as_it_was(place, name, monkeypatch, capsys):
    check_refused(CASES[name], monkeypatch, capsys)


def test_a_locked_hdf5_is_reported_exits_as_tabled_and_leaves_everything_as_it_was(place, monkeypatch, capsys):
    monkeypatch.delenv("HDF5_USE_FILE_LOCKING", raising=False)
    with open("in.h5", "rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        says = ("in.h5: HDF5 cannot lock it, so another program is writing it", "HDF5_USE_FILE_LOCKING=FALSE")
        check_refused(Mistake(None, FROM_HDF5, MISSING, says), monkeypatch, capsys)


ACCEPTED = {
    "another name, and the only one that fits": Accepted(only(x=WHOLE, lengths=LENGTHS), FROM_HDF5),
    "a name that is given": Accepted(
        only(**{"a/b": WHOLE, "inputs": INPUTS, "lengths": LENGTHS}), ["in.h5", "--inputs", "a/b"]
    ),
    "compressed chunks": Accepted(
        declared(inputs={"data": WHOLE, "chunks": (3, 2, 2), "compression": "gzip", "shuffle": True}), FROM_HDF5
    ),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_an_unusual_hdf5_is_read_without_a_word(place, name, monkeypatch, capsys):
    check_accepted(ACCEPTED[name], monkeypatch, capsys)
