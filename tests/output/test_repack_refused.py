"""``repack`` of damaged files, where it fails, and what it refuses; no half-written file is left."""

import contextlib
import os
import sys
from pathlib import Path

import h5py
import hdf5plugin  # noqa: F401 - registers the filters with which h5py reads here
import pytest

import rnnstates
from rnnstates import BadStates, CannotCreate, EngineUnavailable, OptionError
from rnnstates.output import repack as module
from rnnstates.output.names import names_of

from ..faults.faulty import Faulty
from .repacked import make, same_values


@pytest.mark.parametrize("compression", ["none", "gzip", "blosc"])
def test_a_damaged_source_is_found_wherever_it_is(place, compression):
    make(ids=None)
    rnnstates.repack("out.h5", "old.h5", compression=compression)
    content = Path("old.h5").read_bytes()
    with h5py.File("old.h5") as file:
        chunk = (
            file["hidden"].id.get_chunk_info(0).byte_offset if file["hidden"].chunks else file["hidden"].id.get_offset()
        )
        places = [chunk + 40, file["lengths"].id.get_offset(), file["integrity/sums"].id.get_offset()]
    for at in [*places, content.index(b'"engine": "numpy"') + 12]:
        changed = bytearray(content)
        changed[at] ^= 1
        Path("bad.h5").write_bytes(changed)
        with pytest.raises(BadStates, match="damaged"):
            rnnstates.repack("bad.h5", "new.h5", layout="packed")
        assert not os.path.exists("new.h5")
    assert sorted(os.listdir()) == ["bad.h5", "old.h5", "out.h5"]


def test_existing_files_are_kept_unless_force_is_given(place):
    make()
    Path("new.h5").write_bytes(b"mine")
    with pytest.raises(CannotCreate, match=r"^new.h5: exists; replace it with force=True"):
        rnnstates.repack("out.h5", "new.h5")
    with pytest.raises(CannotCreate, match=r"^out.h5: is also read by this run"):
        rnnstates.repack("out.h5", "out.h5", force=True)
    Path("next.h5.partial").write_bytes(Path("out.h5").read_bytes())
    with pytest.raises(CannotCreate, match=r"/next\.h5: an unfinished run of it is there; finish that one, remove "):
        rnnstates.repack("out.h5", "next.h5")
    assert Path("new.h5").read_bytes() == b"mine"
    rnnstates.repack("out.h5", "new.h5", force=True)
    same_values("out.h5", "new.h5")


def test_wrong_words_are_refused(place):
    make()
    for name in ("layout", "dtype", "compression"):
        with pytest.raises(OptionError, match=f"^{name}='lzma': unknown; known are "):
            rnnstates.repack("out.h5", "new.h5", **{name: "lzma"})


def test_a_missing_hdf5plugin_is_named(place, monkeypatch):
    make()
    monkeypatch.setitem(sys.modules, "hdf5plugin", None)
    with pytest.raises(
        EngineUnavailable, match=r"needs hdf5plugin .*pip install 'rnnstates\[compress\]', or use"
    ) as seen:
        rnnstates.repack("out.h5", "new.h5", compression="zstd")
    assert seen.value.exit_code == 69
    rnnstates.repack("out.h5", "new.h5", compression="gzip")


def test_a_file_without_checksums_is_refused(place):
    make()
    with h5py.File("out.h5", "r+") as file:
        del file["integrity"]
    with pytest.raises(BadStates, match="has no checksums, because it was made before files had them, so its states"):
        rnnstates.repack("out.h5", "new.h5")


@pytest.mark.parametrize("compression", ["none", "gzip"])
@pytest.mark.parametrize("fault", ["ENOSPC", "EIO", "signal before"])
def test_whatever_fails_no_file_is_left_and_the_next_call_succeeds(place, monkeypatch, compression, fault):
    make()
    counted = Faulty(fault)
    monkeypatch.setattr(module, "SYSTEM", counted)
    rnnstates.repack("out.h5", "whole.h5", compression=compression)
    for at in range(1, len(counted.log) + 1, 3):
        for path in Path().glob("new.h5*"):
            path.unlink()
        monkeypatch.setattr(module, "SYSTEM", Faulty(fault, at))
        with contextlib.suppress(rnnstates.OutputError, KeyboardInterrupt):
            rnnstates.repack("out.h5", "new.h5", compression=compression)
        if os.path.exists("new.h5"):
            assert Path("new.h5").read_bytes() == Path("whole.h5").read_bytes()
        monkeypatch.setattr(module, "SYSTEM", Faulty())
        rnnstates.repack("out.h5", "new.h5", compression=compression, force=True)
        assert Path("new.h5").read_bytes() == Path("whole.h5").read_bytes()
        assert [path.name for path in Path().glob("new.h5*")] == ["new.h5"], at


def test_what_a_killed_one_left_is_replaced(place):
    make()
    rnnstates.repack("out.h5", "whole.h5", compression="gzip")
    whole = Path("whole.h5").read_bytes()
    for left in (b"", whole[:100], whole[: len(whole) // 2], whole):
        names_of("new.h5").fresh.write_bytes(left)
        rnnstates.repack("out.h5", "new.h5", compression="gzip", force=True)
        assert Path("new.h5").read_bytes() == whole
        names_of("new.h5").fresh.write_bytes(left)
        assert rnnstates.clean("new.h5") == ["new.h5.partial.new"]
    assert sorted(os.listdir()) == ["new.h5", "out.h5", "whole.h5"]
