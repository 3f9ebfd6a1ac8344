"""What becomes of an output that exists: ``if_exists`` of extract, in Python and in the command."""

import json
import os
from pathlib import Path

import h5py
import numpy as np
import pytest

import rnnstates
from rnnstates.extraction import extract
from rnnstates.output.lock import RunLock
from rnnstates.output.names import names_of
from rnnstates.output.system import Place

from ..builders import bidirectional_stack, one_layer, ragged

INPUTS, LENGTHS = ragged()
INPUTS = np.nan_to_num(INPUTS, posinf=0, neginf=0)


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """Work in a directory with inputs as arrays, .npy and HDF5."""
    monkeypatch.chdir(tmp_path)
    np.save("in.npy", INPUTS)
    np.save("lengths.npy", LENGTHS)
    with h5py.File("in.h5", "w") as file:
        file["inputs"], file["lengths"] = INPUTS, LENGTHS
        file["ids"] = np.array([f"é{row}" for row in range(9)], object)


@pytest.fixture
def computed(monkeypatch):
    """Count the runs that compute."""
    runs = []
    run = extract.run
    monkeypatch.setattr(extract, "run", lambda *given, **named: (runs.append(1), run(*given, **named))[1])
    return runs


def content(path="out.h5"):
    with open(path, "rb") as file:
        return file.read()


JOBS = {
    "arrays": {"inputs": INPUTS, "lengths": LENGTHS, "units": 4},
    "a file with ids": {"inputs": "in.h5", "units": 4, "layout": "packed"},
    "a network in memory": {"inputs": "in.npy", "lengths": "lengths.npy", "weights": bidirectional_stack()},
    "integers as ids": {
        "inputs": "in.npy",
        "lengths": "full",
        "ids": np.arange(9),
        "units": 3,
        "states": "none",
        "pool": "max",
    },
    "initial states": {"inputs": "in.h5", "units": 4, "initial_state": {"hidden": np.ones(4), "cell": np.ones((9, 4))}},
    "no sequences": {"inputs": np.zeros((0, 5, 3)), "lengths": [], "ids": [], "units": 4},
    "padding in front": {
        "inputs": "in.npy",
        "lengths": "lengths.npy",
        "padding": "pre",
        "units": 2,
        "dtype": "float16",
    },
}


@pytest.mark.parametrize("job", JOBS.values(), ids=JOBS)
def test_the_same_job_again_opens_what_is_done_and_computes_nothing(job, computed, caplog):
    caplog.set_level("INFO", "rnnstates")
    with rnnstates.extract(**job, output="out.h5", if_exists="skip") as states:
        assert not states.skipped
    before, changed = content(), os.stat("out.h5").st_mtime_ns
    with rnnstates.extract(**job, output="out.h5", if_exists="skip") as states:
        assert states.skipped
        assert states.sequences == len(states.lengths)
    assert len(computed) == 1
    assert (content(), os.stat("out.h5").st_mtime_ns) == (before, changed)
    assert "out.h5: already done" in caplog.text


def test_threads_memory_and_place_do_not_make_another_job(computed):
    rnnstates.extract("in.npy", "lengths.npy", units=4, output="out.h5", threads=1).close()
    os.mkdir("elsewhere")
    os.rename("in.npy", "elsewhere/moved.npy")
    again = rnnstates.extract(
        "elsewhere/moved.npy", LENGTHS, units=4, output="out.h5", threads=2, memory="1G", if_exists="skip"
    )
    with again as states:
        assert states.skipped
    assert len(computed) == 1


LARGE = np.random.default_rng(0).normal(size=(40, 50, 30)).astype("f4")


def changed(values, *at):
    values = np.array(values)
    values[at] += 1
    return values


BASE = {"inputs": INPUTS, "lengths": LENGTHS, "weights": one_layer(), "ids": [f"s{row}" for row in range(9)]}
OTHER = {
    "options": ({"pool": "max"}, r"pool was \['mean', 'last'\], is \['max'\]"),
    "layout": ({"layout": "packed"}, "layout was 'padded', is 'packed'"),
    "precision": ({"precision": "float64"}, "precision was 'float32', is 'float64'"),
    "lengths": ({"lengths": changed(LENGTHS, int(np.argmin(LENGTHS)))}, "lengths was '.*, is '"),
    "ids": ({"ids": [f"t{row}" for row in range(9)]}, "ids was '.*, is '"),
    "no ids": ({"ids": None}, "ids was '.*, is None"),
    "weights": ({"weights": one_layer(seed=1)}, "weights.fingerprint was"),
    "inputs": ({"inputs": changed(INPUTS, 3, 0, 1)}, "input.sample_sha256 was '"),
    "initial state": ({"initial_state": {"hidden": np.ones(5)}}, "initial_state was None, is"),
}


@pytest.mark.parametrize(("given", "reported"), OTHER.values(), ids=OTHER)
def test_another_job_is_refused_with_both_values_and_replaces_nothing(given, reported, computed):
    rnnstates.extract(**BASE, output="out.h5").close()
    before = content()
    with pytest.raises(
        rnnstates.DoesNotMatch, match=f'^out.h5: was made by a different job: .*{reported}.*if_exists="replace"'
    ):
        rnnstates.extract(**{**BASE, **given}, output="out.h5", if_exists="skip")
    assert content() == before
    assert len(computed) == 1


MANY = {"hidden": np.random.default_rng(1).normal(size=(5000, 8)), "cell": np.zeros(8)}
BETWEEN_SAMPLES = {
    "inputs": (LARGE, {}, changed(LARGE, 11, 20, 1), {}),
    "initial_state": (LARGE[:1, :1], MANY, LARGE[:1, :1], MANY | {"hidden": changed(MANY["hidden"], 1100, 7)}),
}


@pytest.mark.parametrize("name", BETWEEN_SAMPLES)
def test_one_value_of_a_large_array_in_memory_makes_another_job(name):
    def run(inputs, start, **options):
        inputs = np.repeat(inputs, 5000, axis=0) if start else inputs
        options |= {"initial_state": start} if start else {}
        rnnstates.extract(inputs, "full", units=8, states="none", pool="mean", output="out.h5", **options).close()

    inputs, start, other, other_start = BETWEEN_SAMPLES[name]
    run(inputs, start)
    run(inputs, start, if_exists="skip")
    with pytest.raises(rnnstates.DoesNotMatch, match=r"by a different job: (inputs|initial_state\.hidden\.\w+) was"):
        run(other, other_start, if_exists="skip")


def test_a_file_that_was_written_to_since_makes_another_job():
    rnnstates.extract("in.npy", "full", units=4, output="out.h5").close()
    np.save("in.npy", changed(INPUTS, 0, 0, 0))
    with pytest.raises(rnnstates.DoesNotMatch, match=r"input.mtime_ns was 20"):
        rnnstates.extract("in.npy", "full", units=4, output="out.h5", if_exists="skip")


def damaged_states(path):
    with h5py.File(path) as file:
        offset = file["cell"].id.get_offset()
    flip(path, offset + 8)


def damaged_elsewhere(path):
    with h5py.File(path) as file:
        at = content(path).index(b"lstm")
        assert file["cell"].id.get_offset() != at
    flip(path, at)


def flip(path, at):
    with open(path, "r+b") as file:
        file.seek(at)
        byte = file.read(1)
        file.seek(at)
        file.write(bytes([byte[0] ^ 1]))


def cut(path):
    os.truncate(path, os.path.getsize(path) // 2)


def without_sums(path):
    with h5py.File(path, "r+") as file:
        del file["integrity"]


def as_older(path):
    with h5py.File(path, "r+") as file:
        about = json.loads(file.attrs["provenance"])
        del about["identity"]
        file.attrs["provenance"] = np.bytes_(json.dumps(about))


def foreign(path):
    with h5py.File(path, "w") as file:
        file["x"] = 1


def text(path):
    with open(path, "w") as file:
        file.write("not ours")


NOT_DONE = {
    "a byte of states": (damaged_states, "'cell' is not as it was written"),
    "a byte of attributes": (damaged_elsewhere, "is not as it was written|was made by a different job"),
    "cut short": (cut, "HDF5 cannot open it"),
    "no checksums": (without_sums, "there are no checksums"),
    "made by 0.1": (as_older, "that did not record everything that the states depend on"),
    "another HDF5 file": (foreign, "not a states file"),
    "no HDF5": (text, "It is not the finished output of this job"),
}


@pytest.mark.parametrize(("spoil", "reported"), NOT_DONE.values(), ids=NOT_DONE)
def test_what_is_damaged_foreign_or_says_too_little_is_refused_and_left_alone(spoil, reported):
    rnnstates.extract(INPUTS, LENGTHS, weights=one_layer(), output="out.h5").close()
    spoil("out.h5")
    before = content()
    with pytest.raises(rnnstates.DoesNotMatch, match=f'out.h5: .*({reported}).*if_exists="replace"'):
        rnnstates.extract(INPUTS, LENGTHS, weights=one_layer(), output="out.h5", if_exists="skip")
    assert content() == before


def test_a_stream_is_refused_because_it_is_read_once():
    def again():
        with open("in.npy", "rb") as stream:
            rnnstates.extract(stream, "full", units=4, output="out.h5", if_exists="skip").close()

    again()
    with pytest.raises(rnnstates.DoesNotMatch, match="a stream of inputs can be read only once"):
        again()


def test_an_unfinished_run_is_resumed(computed):
    with pytest.raises(rnnstates.Stopped):
        rnnstates.extract(INPUTS, LENGTHS, units=4, output="out.h5", if_exists="skip", max_runtime=1e-9)
    rnnstates.extract(INPUTS, LENGTHS, units=4, output="out.h5", if_exists="skip").close()
    assert len(computed) == 2


def test_while_another_run_is_at_work_the_output_is_busy():
    rnnstates.extract(INPUTS, LENGTHS, units=4, output="out.h5").close()
    with RunLock(Place(names_of("out.h5"))), pytest.raises(rnnstates.OutputBusy):
        rnnstates.extract(INPUTS, LENGTHS, units=4, output="out.h5", if_exists="skip")


def test_what_a_run_left_that_was_ended_after_naming_its_output_is_tidied_up(monkeypatch):
    monkeypatch.setattr("rnnstates.output.writer.tidy", lambda *_: None)
    rnnstates.extract(INPUTS, LENGTHS, units=4, output="out.h5").close()
    assert os.path.exists("out.h5.journal")
    with rnnstates.extract(INPUTS, LENGTHS, units=4, output="out.h5", if_exists="skip") as states:
        assert states.skipped
    assert sorted(os.listdir()) == ["in.h5", "in.npy", "lengths.npy", "out.h5"]


@pytest.mark.parametrize("again", [{}, {"if_exists": "skip"}], ids=["the same call", "skip"])
@pytest.mark.parametrize("end", ["partial", "partial.new"])
def test_tidying_up_never_removes_a_file_of_the_user_s(end, again, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr("rnnstates.output.writer.tidy", lambda *_: None)
        rnnstates.extract(INPUTS, LENGTHS, units=4, output="out.h5").close()
    whole = content()
    os.remove("out.h5.partial")
    if end == "partial":
        os.symlink("out.h5", "out.h5.partial")
    else:
        Path("out.h5.partial.new").write_text("Dear diary,\n")
    rnnstates.extract(INPUTS, LENGTHS, units=4, output="out.h5", **again).close()
    assert content() == whole
    assert sorted(os.listdir()) == ["in.h5", "in.npy", "lengths.npy", "out.h5", f"out.h5.{end}"]
    assert os.path.islink("out.h5.partial") or content("out.h5.partial.new") == b"Dear diary,\n"


def test_fail_is_the_default_and_replace_is_what_force_does(computed):
    for options in ({}, {"if_exists": "replace"}, {"force": True}, {"force": True, "if_exists": "replace"}):
        rnnstates.extract(INPUTS, LENGTHS, units=4, output="out.h5", **options).close()
    assert len(computed) == 4
    for options in ({}, {"if_exists": "fail"}):
        with pytest.raises(rnnstates.CannotCreate, match=r"out.h5: exists; replace it with"):
            rnnstates.extract(INPUTS, LENGTHS, units=4, output="out.h5", **options)


@pytest.mark.parametrize("call", [rnnstates.extract, rnnstates.preview])
def test_an_unknown_word_and_a_contradiction_are_refused(call):
    with pytest.raises(rnnstates.OptionError, match='if_exists="overwrite": unknown; expected fail, skip, replace'):
        call(INPUTS, LENGTHS, output="out.h5", if_exists="overwrite")
    for word in ("skip", "fail"):
        with pytest.raises(rnnstates.OptionError, match=f'if_exists="{word}": contradicts'):
            call(INPUTS, LENGTHS, output="out.h5", if_exists=word, force=True)
