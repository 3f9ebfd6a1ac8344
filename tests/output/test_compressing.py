"""``extract(compression=)``: what it gives, and that whatever ends it while it compresses costs no computing."""

import contextlib
import os
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

import rnnstates
from rnnstates import BadStates, CannotCreate, DoesNotMatch, OptionError
from rnnstates.extraction import extract as running
from rnnstates.extraction import schedule
from rnnstates.output.repacking import rewriting

from ..builders import one_layer, ragged
from ..faults.faulty import Faulty

INPUTS, LENGTHS = ragged(sequences=9, steps=8, features=3)
INPUTS = np.nan_to_num(INPUTS).astype(np.float32)
QUIET = {"command": None, "started": None}


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("rnnstates.extraction.grid.WINDOW_BYTES", 200)
    np.save("in.npy", INPUTS)
    return tmp_path


@pytest.fixture
def computed(monkeypatch):
    """The windows that are computed from here on."""
    numbers, read = [], schedule.read_window

    def counted(job, window):
        numbers.append(window.number)
        return read(job, window)

    monkeypatch.setattr(schedule, "read_window", counted)
    return numbers


def make(output="out.h5", compression="gzip", **options):
    options = {"weights": one_layer(), "engine": "numpy", "provenance": QUIET, **options}
    states = rnnstates.extract("in.npy", LENGTHS, output=output, compression=compression, **options)
    with states:
        return states.skipped


def left():
    return sorted(path.name for path in Path().glob("out.h5*"))


@pytest.mark.parametrize("compression", ["gzip", "zstd", "blosc"])
@pytest.mark.parametrize(
    "options", [{}, {"layout": "packed", "dtype": "float16"}, {"padding": "pre", "states": "none"}]
)
def test_the_states_are_those_of_a_run_that_does_not_compress(place, compression, options):
    make(compression=compression, **options)
    make("plain.h5", "none", **options)
    with h5py.File("out.h5") as file, h5py.File("plain.h5") as plain:
        assert (file["integrity/sums"][()] == plain["integrity/sums"][()]).all()
        for name in plain["integrity"].attrs["datasets"]:
            assert file[name][()].tobytes() == plain[name][()].tobytes()
            assert file[name].chunks
    checked = rnnstates.verify("out.h5", weights=one_layer())
    assert (checked["checksums"], checked["notes"]) == ("by value", [])
    assert checked["recomputed"]
    with rnnstates.open("out.h5") as states, rnnstates.open("plain.h5") as others:
        made = states.provenance
        assert made["repacked"][0]["from"]["path"] is None
        assert {name: made[name] for name in others.provenance} == others.provenance
        assert made["compression"] == compression
    assert left() == ["out.h5"]


def test_the_same_job_gives_the_same_bytes(place):
    make()
    first = Path("out.h5").read_bytes()
    make(threads=3, force=True)
    assert Path("out.h5").read_bytes() == first


def test_states_in_memory_are_not_compressed(place):
    with pytest.raises(OptionError, match=r'^compression="gzip": states in memory are arrays; expected an output, '):
        rnnstates.extract(INPUTS, LENGTHS, compression="gzip")
    with pytest.raises(OptionError, match=r"^compression='lzma': unknown; known are none, gzip, zstd, blosc"):
        make(compression="lzma")
    assert left() == []


def test_skip_knows_a_compressed_output_and_no_other(place, computed):
    make()
    del computed[:]
    assert make(if_exists="skip")
    assert not computed
    for other in ("none", "zstd"):
        with pytest.raises(DoesNotMatch, match="made by a different job: compression was 'gzip', is "):
            make(compression=other, if_exists="skip")
    shutil.copy("out.h5", "whole.h5")
    with h5py.File("out.h5", "r+") as file:
        file["cell"][3, 0, 1] += 1e-7
    with pytest.raises(DoesNotMatch, match="damaged or was edited: 'cell' is not as it was written"):
        make(if_exists="skip")
    shutil.copy("whole.h5", "out.h5")
    with h5py.File("out.h5", "r+") as file:
        file.attrs.modify("provenance", file.attrs["provenance"].replace(b'"started": null', b'"started": 1999'))
    with pytest.raises(DoesNotMatch, match="damaged or was edited: something outside the states is not as it was"):
        make(if_exists="skip")


def test_a_run_that_ends_while_it_compresses_goes_on_there(place, computed, monkeypatch):
    make("whole.h5")
    moves = []

    def interrupted(self, number):
        moves.append(number)
        if len(moves) > 2:
            raise KeyboardInterrupt
        move(self, number)

    move = rewriting._Job.move
    monkeypatch.setattr(rewriting._Job, "move", interrupted)
    with pytest.raises(KeyboardInterrupt):
        make()
    assert left() == ["out.h5.journal", "out.h5.partial"]
    found = rnnstates.status("out.h5")
    assert (found["state"], found["windows"]) == ("stopped", found["windows_in_all"])
    monkeypatch.setattr(rewriting._Job, "move", move)
    del computed[:]
    with pytest.raises(DoesNotMatch, match="was begun by a different job: compression was 'gzip', is None"):
        make(compression="none")
    make()
    assert not computed
    assert left() == ["out.h5"]
    assert Path("out.h5").read_bytes() == Path("whole.h5").read_bytes()


@pytest.mark.parametrize("kept", ["partial and journal", "journal", "all three names"])
@pytest.mark.parametrize("if_exists", ["fail", "skip", "replace"])
def test_a_run_that_ends_while_it_tidies_up_is_finished(place, computed, monkeypatch, kept, if_exists):
    ours = "rnnstates.output.writer.name_output"
    monkeypatch.setattr(ours, interrupt)
    with pytest.raises(KeyboardInterrupt):
        make(compression="none")
    for path in ("out.h5.partial", "out.h5.journal"):
        os.unlink(path)
    monkeypatch.undo()
    monkeypatch.chdir(place)
    monkeypatch.setattr("rnnstates.extraction.grid.WINDOW_BYTES", 200)
    with monkeypatch.context() as patch:
        patch.setattr("rnnstates.output.compressing.write_named", interrupt)
        with pytest.raises(KeyboardInterrupt):
            make()
    partial, journal = (Path(f"out.h5{end}").read_bytes() for end in (".partial", ".journal"))
    make()
    whole = Path("out.h5").read_bytes()
    Path("out.h5.journal").write_bytes(journal)
    if "partial" in kept or "three" in kept:
        Path("out.h5.partial").write_bytes(partial)
    if "three" in kept:
        os.link("out.h5", "out.h5.partial.new")
    del computed[:]
    make(if_exists=if_exists)
    assert left() == ["out.h5"]
    assert Path("out.h5").read_bytes() == whole


def interrupt(*_, **__):
    raise KeyboardInterrupt


def test_an_output_that_appears_meanwhile_is_left_alone(place, computed, monkeypatch):
    from rnnstates.output.repacking import named

    def late(*arguments):
        Path("out.h5").write_bytes(b"mine")
        return rewritten(*arguments)

    rewritten = named.rewrite
    monkeypatch.setattr(named, "rewrite", late)
    with pytest.raises(
        CannotCreate, match="appeared while this run was computing and is left alone; the finished states"
    ):
        make()
    monkeypatch.undo()
    monkeypatch.chdir(place)
    assert Path("out.h5").read_bytes() == b"mine"
    os.unlink("out.h5")
    del computed[:]
    monkeypatch.setattr("rnnstates.extraction.grid.WINDOW_BYTES", 200)
    make()
    assert left() == ["out.h5"]


def test_what_was_damaged_before_it_is_compressed_is_found_and_computed_again(place, monkeypatch):
    make("whole.h5")
    with monkeypatch.context() as patch:
        patch.setattr("rnnstates.output.compressing.write_named", interrupt)
        with pytest.raises(KeyboardInterrupt):
            make()
    with h5py.File("out.h5.partial", locking=False) as file:
        at = file["cell"].id.get_offset() + 21
    with open("out.h5.partial", "r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 1]))
    with pytest.raises(BadStates, match=r"'cell': sequences 0 to .* Or run the same job again with verify=True, which"):
        make()
    make(verify=True)
    assert Path("out.h5").read_bytes() == Path("whole.h5").read_bytes()
    assert left() == ["out.h5"]


@pytest.mark.fault
@pytest.mark.parametrize("fault", ["ENOSPC", "EIO", "signal after"])
def test_whatever_fails_the_next_run_finishes(place, monkeypatch, fault):
    make("whole.h5")
    whole, counted = Path("whole.h5").read_bytes(), Faulty(fault)
    monkeypatch.setattr(running, "SYSTEM", counted)
    make()
    for at in range(1 + len(fault), len(counted.log) + 1, 17):
        for path in left():
            os.unlink(path)
        monkeypatch.setattr(running, "SYSTEM", Faulty(fault, at))
        with contextlib.suppress(rnnstates.OutputError, KeyboardInterrupt):
            make()
        if os.path.exists("out.h5"):
            assert Path("out.h5").read_bytes() == whole
        monkeypatch.setattr(running, "SYSTEM", Faulty())
        with contextlib.suppress(CannotCreate):
            # Unless it was tidied up before the fault.
            make()
        assert left() == ["out.h5"], at
        assert Path("out.h5").read_bytes() == whole


def test_info_says_how_the_states_are_compressed(place):
    make(compression="zstd")
    stored = {one["name"]: one for one in rnnstates.describe("out.h5")["datasets"]}
    assert stored["cell"] == {
        "name": "cell", "shape": [9, 8, 5], "dtype": "float32", "chunks": [9, 8, 5], "compression": "zstd",
    }  # fmt: skip
    assert "chunks" not in stored["lengths"]
