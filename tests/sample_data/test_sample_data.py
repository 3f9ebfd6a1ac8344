"""The sample files are what their script makes, say what README.md says, and the trained states mean something."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

import rnnstates
from rnnstates.network.initialise import random_network
from rnnstates.network.model import Network

from .probe import held_out_r2

SAMPLE = Path(__file__).resolve().parents[2] / "sample_data"
CLOSED_BY = {"(": ")", "[": "]", "{": "}"}


@pytest.fixture(scope="module")
def parens():
    with h5py.File(SAMPLE / "parens.h5") as file:
        return {name: dataset[()] for name, dataset in file.items()} | dict(file["inputs"].attrs)


@pytest.fixture(scope="module")
def texts(parens):
    """The sequences as text, one character a valid step."""
    rows = zip(parens["inputs"], parens["lengths"], strict=True)
    return ["".join(parens["vocabulary"][token] for token in row[:length]) for row, length in rows]


@pytest.fixture(scope="module")
def trained():
    return rnnstates.extract(SAMPLE / "parens.h5", weights=SAMPLE / "parens.keras", pool="none")


def stack_heights(text):
    """Read a text as a person would: each closing bracket must close the last open one."""
    stack, heights = [], []
    for character in text:
        if character in CLOSED_BY:
            stack.append(CLOSED_BY[character])
        elif character in CLOSED_BY.values():
            assert stack.pop() == character, text
        heights.append(len(stack))
    assert not stack, text
    return heights


@pytest.mark.parametrize(
    "only, names", [("parens", ["parens.h5"]), ("waves", ["waves.npy", "waves_lengths.npy"])], ids=["parens", "waves"]
)
def test_files_are_byte_for_byte_what_the_script_makes(only, names, tmp_path):
    subprocess.run([sys.executable, SAMPLE / "make.py", "--only", only, "--into", tmp_path], check=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    for name in names:
        assert (tmp_path / name).read_bytes() == (SAMPLE / name).read_bytes(), name


def test_sample_data_stays_small():
    assert sum(path.stat().st_size for path in SAMPLE.iterdir() if path.is_file()) < 500_000


def test_brackets_are_balanced_and_depth_counts_the_open_ones(parens, texts):
    assert len(texts) == 400
    for text, depth in zip(texts, parens["depth"], strict=True):
        heights = stack_heights(text)
        assert depth.tolist() == heights + [0] * (len(depth) - len(heights))
    assert parens["depth"].max() == 8
    assert set("".join(texts)) == set("([{)]}abcd")


def test_a_depth_off_by_one_would_be_seen(parens, texts):
    assert (parens["depth"][0, : len(texts[0])] - 1).tolist() != stack_heights(texts[0])
    with pytest.raises(AssertionError):
        stack_heights("(]")


def test_padding_of_the_brackets_is_zero_and_no_character_is(parens):
    steps = parens["inputs"].shape[1]
    assert np.array_equal(parens["inputs"] > 0, np.arange(steps) < parens["lengths"][:, None])
    assert (parens["lengths"].min(), parens["lengths"].max()) == (4, steps) == (4, 64)
    assert len(np.unique(parens["lengths"])) > 50
    assert len(set(parens["ids"].tolist())) == 400


def test_waves_are_finite_where_they_count_and_nan_elsewhere():
    waves, lengths = np.load(SAMPLE / "waves.npy"), np.load(SAMPLE / "waves_lengths.npy")
    assert (waves.shape, waves.dtype, lengths.shape, lengths.dtype) == ((40, 200, 5), np.float32, (40,), np.int64)
    assert (lengths.min(), lengths.max()) == (1, 200)
    valid = np.arange(200) < lengths[:, None]
    assert np.array_equal(np.isfinite(waves), np.repeat(valid[:, :, None], 5, axis=2))
    assert np.isnan(waves[~valid]).all()
    assert 0.3 < waves[valid].std() < 2


def test_no_nan_of_the_waves_reaches_a_state():
    lengths = np.load(SAMPLE / "waves_lengths.npy")
    states = rnnstates.extract(SAMPLE / "waves.npy", SAMPLE / "waves_lengths.npy", units=7)
    valid = np.arange(200) < lengths[:, None]
    for name in ("hidden", "cell"):
        assert np.isfinite(states[name]).all()
        assert (states[name][valid] != 0).all()
        assert (states[name][~valid] == 0).all()


def test_the_model_holds_no_date_address_or_optimizer():
    with zipfile.ZipFile(SAMPLE / "parens.keras") as file:
        assert file.namelist() == ["config.json", "metadata.json", "model.weights.h5"]
        assert {member.date_time for member in file.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert json.loads(file.read("metadata.json"))["date_saved"] == "1980-01-01@00:00:00"
        assert b"shared_object_id" in file.read("config.json")
        shared = []
        json.loads(file.read("config.json"), object_hook=lambda part: shared.append(part.get("shared_object_id", 0)))
        assert max(shared) < 20
        with h5py.File(file.open("model.weights.h5")) as weights:
            assert "optimizer" not in weights


def test_trained_cell_states_tell_the_nesting_depth(trained, parens):
    assert held_out_r2(trained["cell"], parens["depth"], parens["lengths"]) > 0.95


def test_the_depth_is_in_the_cell_state_more_than_in_the_hidden_one(trained, parens):
    assert held_out_r2(trained["hidden"], parens["depth"], parens["lengths"]) < 0.9


@pytest.mark.parametrize("seed", range(4))
def test_random_cell_states_tell_the_depth_far_worse(seed, trained, parens):
    units = trained["cell"].shape[2]
    embedding = np.random.RandomState(seed).standard_normal((len(parens["vocabulary"]), 8)).astype(np.float32)
    network = Network(random_network(8, units=units, seed=seed).layers, embedding=embedding)
    states = rnnstates.extract(SAMPLE / "parens.h5", weights=network, states="cell", pool="none")
    assert held_out_r2(states["cell"], parens["depth"], parens["lengths"]) < 0.75


def test_the_demo_runs_twice_from_a_folder_with_a_space_and_shows_what_came_out(tmp_path):
    checkout = tmp_path / "a checkout"
    shutil.copytree(SAMPLE, checkout / "sample_data")
    environment = os.environ | {"PYTHON": os.path.relpath(sys.executable, checkout)}
    for _ in range(2):
        done = subprocess.run(
            ["sh", "sample_data/demo.sh"], cwd=checkout, env=environment, check=False, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        shown = done.stdout
        command = "$ rnnstates extract sample_data/parens.h5 .demo/parens_states.h5 --weights sample_data/parens.keras"
        assert f"{command} --force\n" in shown
        assert "cell" in shown.split("$ rnnstates info .demo/parens_states.h5\n")[1]
        assert sorted(path.name for path in (checkout / ".demo").iterdir()) == ["parens_states.h5"]
