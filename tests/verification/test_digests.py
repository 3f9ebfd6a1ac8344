"""Files read past HDF5: holes cost nothing, and short reads go on."""

from pathlib import Path

import h5py
import numpy as np
import pytest

import rnnstates
from rnnstates import Network, RecurrentLayer
from rnnstates.output.format import DatasetSpec, Shape
from rnnstates.output.integrity import window_sums
from rnnstates.verification import digests
from rnnstates.verification.digests import Grid, Located, damaged_windows, open_raw

from ..builders import layer_weights
from .making import make, wrong


def test_holes_are_passed_over_and_what_is_in_them_is_found(place, monkeypatch):
    """Sequences of one step in two thousand: nearly all of the file is holes."""
    network = Network((RecurrentLayer("lstm", forward=layer_weights(3, 5)),))
    inputs = np.random.default_rng(0).normal(size=(40, 20_000, 3)).astype(np.float32)
    np.save("sparse.npy", inputs)
    make("sparse.npy", np.full(40, 10), weights=network, states="hidden", pool="none")
    with h5py.File("out.h5") as file:
        start, size = file["hidden"].id.get_offset(), file["hidden"].nbytes
    read = []
    whole = digests.RawFile.read

    def counted(self, count, position):
        read.append(count)
        return whole(self, count, position)

    monkeypatch.setattr(digests.RawFile, "read", counted)
    with h5py.File("out.h5") as file:
        assert not file["hidden"][3, 10:].any()
    assert rnnstates.verify("out.h5", sample=0)["checksums"] == "right"
    if Path("out.h5").stat().st_blocks * 512 < size / 4:
        assert sum(read) < size / 2
    with Path("out.h5").open("r+b") as file:
        file.seek(start + size // 2 + 4 * 5 * 15_000)
        file.write(b"\1")
    wrong("^out.h5: 'hidden': sequences 0 to 39 are not as they were written.", sample=0)


@pytest.mark.parametrize("width, item", [(5, 4), (3, 2), (7, 8), (1, 4)])
def test_sums_past_holes_are_sums_of_all_bytes(tmp_path, monkeypatch, width, item):
    monkeypatch.setattr(digests, "SHORT_HOLE", 4096)
    random = np.random.default_rng(width)
    path, offset, rows = tmp_path / "sparse", 24, 40_000
    spec = DatasetSpec("x", "", "x", None, (rows, width), np.dtype(f"u{item}"), ())
    with path.open("wb") as file:
        for at in np.sort(random.integers(0, rows * width * item, 30)):
            file.seek(offset + int(at))
            file.write(random.bytes(int(random.integers(1, 9000))))
        file.truncate(offset + rows * width * item)
    grid = Grid(Shape(np.ones(rows, np.int64), 1, "packed"), 13_000)
    with open_raw(str(path)) as raw:
        expected = [
            window_sums(raw.read, offset, spec, (number * 13_000, min(rows, (number + 1) * 13_000)))
            for number in range(4)
        ]
        looked_at = raw, [Located(spec, offset)], grid, range(4), lambda number, _: expected[number]
        assert damaged_windows(*looked_at) == {}
        monkeypatch.setattr("os.lseek", unknown)
        assert damaged_windows(*looked_at) == {}
        expected[2] = (1, 1)
        assert damaged_windows(*looked_at) == {"x": [(26_000, 38_999)]}


def unknown(*_):
    raise OSError(22, "this file system knows no holes")


def test_a_read_that_gives_less_goes_on(tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_bytes(bytes(range(100)))
    whole = digests.os.pread
    monkeypatch.setattr("os.pread", lambda fd, count, position: whole(fd, min(count, 7), position))
    with open_raw(str(path)) as raw:
        assert raw.read(50, 3) == bytes(range(3, 53))
        assert raw.read(50, 80) == bytes(range(80, 100))
