"""Input, weights and initial states: found again, changed, missing, given."""

import os
import re
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

import rnnstates
from rnnstates import BadInput, BadWeights, MissingInput, OptionError
from rnnstates.verification import recomputing

from ..builders import one_layer
from .making import INPUTS, LENGTHS, make, right, wrong


def test_the_sample_has_the_longest_and_the_shortest_and_is_the_same_for_a_seed(place):
    lengths = np.array([3, 8, 0, 5, 5, 5, 1, 5, 5])
    make("in.h5", lengths)
    assert rnnstates.verify("out.h5", sample=1)["recomputed"] == [1]
    assert rnnstates.verify("out.h5", sample=2)["recomputed"] == [1, 6]
    chosen = [rnnstates.verify("out.h5", sample=4, seed=seed)["recomputed"] for seed in (0, 0, 1, 2, 3)]
    assert chosen[0] == chosen[1]
    assert len({tuple(rows) for rows in chosen}) > 1
    assert all({1, 6} < set(rows) and len(rows) == 4 and 2 not in rows for rows in chosen)


def test_a_sample_of_none_looks_at_the_file_alone(place):
    make()
    found = rnnstates.verify("out.h5", sample=0)
    assert (found["recomputed"], found["reason"]) == ([], "a sample of 0 was requested")
    assert found["datasets"]["hidden_last"] == {"recomputed": None, "pooled": 0.0}


def test_a_changed_input_is_refused_with_both_values(place):
    make()
    with h5py.File("in.h5", "r+") as file:
        file["inputs"][0, 0, 0] = 9.0
    wrong(
        "^in.h5: is not the input that out.h5 was made from: sample_sha256 is [0-9a-f]{64}, was [0-9a-f]{64}. Give the "
        "original with inputs=FILE, or extract again",
        BadInput,
    )
    np.save("in.npy", INPUTS)
    Path("in.npy").rename("in.h5")
    wrong(r"^in.h5: .* out.h5 was made from an input of \d+ bytes of hdf5; give that with inputs=FILE.", BadInput)


def test_changed_weights_are_refused_with_both_digests(place):
    make()
    Path("w.weights.h5").unlink()
    rnnstates.save_weights(one_layer(seed=1), "w.weights.h5")
    wrong(
        "^w.weights.h5: are not the weights that out.h5 was made with: SHA-256 is [0-9a-f]{64}, was [0-9a-f]{64}. G",
        BadWeights,
    )


def test_a_changed_initial_state_is_refused_with_both_values(place):
    np.savez("start.npz", hidden=np.ones(5))
    make(initial_state="start.npz")
    np.savez("start.npz", hidden=np.zeros(5))
    wrong("^start.npz: is not the initial state that out.h5 was made with: sample_sha256 is .*, was", BadInput)
    Path("start.npz").unlink()
    reason = rnnstates.verify("out.h5")["reason"]
    assert "the initial states start.npz are not there; give them with initial_state=FILE" in reason


def test_what_is_not_there_is_the_reason_why_nothing_is_recomputed(place):
    make()
    Path("in.h5").unlink()
    Path("w.weights.h5").unlink()
    found = rnnstates.verify("out.h5")
    assert found["recomputed"] == []
    assert found["reason"] == (
        "the input in.h5 is not there; give it with inputs=FILE; the weights w.weights.h5 are not there; give them "
        "with weights=FILE"
    )


def test_a_pipe_of_the_recorded_name_is_not_waited_for(place):
    make()
    for name in ("in.h5", "w.weights.h5"):
        Path(name).unlink()
        os.mkfifo(name)
    assert "the input in.h5 is not there" in rnnstates.verify("out.h5")["reason"]


def test_weights_that_need_what_is_not_installed_are_the_reason(place, monkeypatch):
    torch = pytest.importorskip("torch")
    state = {"weight_ih_l0": torch.ones(20, 3), "weight_hh_l0": torch.ones(20, 5), "bias_ih_l0": torch.zeros(20),
             "bias_hh_l0": torch.zeros(20)}  # fmt: skip
    torch.save(state, "w.pt")
    make(weights="w.pt")
    right()
    monkeypatch.setitem(sys.modules, "torch", None)
    assert rnnstates.verify("out.h5")["reason"].startswith("the weights cannot be read here: ")


def test_a_sample_for_which_the_disk_has_no_room_is_a_reason_and_no_fault(place, monkeypatch):
    make()
    monkeypatch.setattr(recomputing, "GROUP_BYTES", 1)
    real = recomputing.extract

    def full(*arguments, **options):
        raise rnnstates.WriteFailed("the disk is full") if options["output"] else AssertionError

    monkeypatch.setattr(recomputing, "extract", full)
    found = rnnstates.verify("out.h5")
    assert found["reason"] == "there is no room for the recomputed states (the disk is full)"
    assert found["recomputed"] == []
    monkeypatch.setattr(recomputing, "extract", real)
    assert rnnstates.verify("out.h5")["reason"] is None


def test_what_came_in_memory_is_the_reason_and_may_be_given(place):
    start = {"hidden": np.ones(5), "cell": np.full((9, 5), 0.5)}
    make(INPUTS, LENGTHS, weights=one_layer(), initial_state=start)
    assert rnnstates.verify("out.h5")["reason"] == (
        "the input was an array in memory; give it with inputs=FILE; the initial states were arrays in memory; give "
        "them with initial_state=FILE; the weights were arrays in memory; give them with weights=FILE"
    )
    assert right(inputs=INPUTS, weights=one_layer(), initial_state=start)["notes"] == []
    with open("in.npy", "wb") as file:
        np.save(file, INPUTS)
    with open("in.npy", "rb") as stream:
        make(stream, LENGTHS, force=True)
    assert rnnstates.verify("out.h5")["reason"] == "the input came through a pipe; give it with inputs=FILE"


def test_files_that_moved_along_with_the_output_are_found_beside_it(place, monkeypatch):
    np.savez("start.npz", hidden=np.ones(5))
    make(initial_state="start.npz")
    monkeypatch.chdir("/")
    right(place / "out.h5")


def test_another_file_of_the_recorded_name_does_not_hide_the_right_one(place, monkeypatch):
    make()
    elsewhere = place / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    with h5py.File("in.h5", "w") as file:
        file["inputs"] = np.ones((2, 2, 3))
    rnnstates.save_weights(one_layer(seed=3), "w.weights.h5")
    right(place / "out.h5")


def test_the_same_in_other_files_is_compared_with_a_note(place):
    make()
    np.save("in.npy", INPUTS)
    rnnstates.save_weights(one_layer(), "w.safetensors")
    found = right(inputs="in.npy", weights="w.safetensors")
    assert re.match(
        "in.npy: is not the file that the states were made from .kind is npy, was hdf5; ", found["notes"][0]
    )
    assert found["notes"][1] == "w.safetensors: is not the file that the states were made with; compared anyway."


def test_given_files_that_do_not_fit_are_refused(place):
    make()
    np.save("short.npy", INPUTS[:4])
    wrong(
        r"short.npy: has shape \(4, 8, 3\); expected \(9, 8, 3\), the shape of what out.h5 was made from",
        BadInput, inputs="short.npy",
    )  # fmt: skip
    wrong("no.npy: no such file", MissingInput, inputs="no.npy")
    wrong("no.keras: no such file", MissingInput, weights="no.keras")
    rnnstates.save_weights(one_layer(units=4), "four.weights.h5")
    wrong(
        "four.weights.h5: are / forward lstm 4 units; expected / forward lstm 5 units, which out.h5 was made with",
        BadWeights, weights="four.weights.h5",
    )  # fmt: skip
    with open("in.h5", "rb") as stream:
        wrong("inputs|stream|standard input", BadInput, inputs=stream)


def test_a_stream_is_refused_because_it_has_no_single_sequences(place):
    make()
    np.save("in.npy", INPUTS)
    with open("in.npy", "rb") as stream:
        wrong("a stream, from which single sequences cannot be read; save it to a file", BadInput, inputs=stream)


def test_other_weights_of_the_same_shape_are_found_wrong(place):
    make()
    wrong("'hidden' differs from the result in float64 in 8 sequences, the first 0 .*or the weights are not those",
          weights=one_layer(seed=1))  # fmt: skip


def test_options_that_mean_nothing_are_refused(place):
    make()
    wrong("sample=-1: expected 0 or more", OptionError, sample=-1)
    wrong("seed=-1: expected 0 to 4294967295", OptionError, seed=-1)
    wrong("initial_state=: out.h5 was made without one; leave it out", OptionError, initial_state="x.npz")
