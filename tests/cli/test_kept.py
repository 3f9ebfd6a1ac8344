"""The options that say what is kept."""

import json

import h5py
import numpy as np
import pytest

import rnnstates as library

from ..builders import bidirectional_stack
from .running import rnnstates, text

JOB = ("extract", "x.npy", "o.h5", "--lengths", "full", "--engine", "numpy", "--weights", "w.weights.h5")


@pytest.fixture
def place(tmp_path):
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(2, 7, 3)))
    library.save_weights(bidirectional_stack(), tmp_path / "w.weights.h5")
    return tmp_path


def test_the_command_keeps_what_its_options_say(place):
    options = ("--keep-layers", "top", "--keep-units", "1", "--every", "3", "--pool", "cell:mean")
    done = rnnstates(*JOB, *options, cwd=place)
    assert done.returncode == 0, done.stderr
    assert "2 sequences, 6 steps, 8 datasets" in text(done.stderr)
    with h5py.File(place / "o.h5") as file:
        assert file["layer1/forward/hidden"].shape == (2, 3, 1)
        assert file["layer1/backward/cell_mean"].shape == (2, 1)
        assert "layer0" not in file
        assert file["input_lengths"][()].tolist() == [7, 7]
    shown = text(rnnstates("info", "o.h5", cwd=place).stdout)
    assert "kept:\n" in shown
    assert "keep_units: 1\n" in shown
    verified = rnnstates("verify", "o.h5", "--json", cwd=place)
    assert (verified.returncode, json.loads(verified.stdout)["checksums"]) == (0, "right")


def test_a_dry_run_says_what_is_kept(place):
    done = rnnstates(*JOB, "--dry-run", "--last-steps", "2", "--keep-layers", "layer0", cwd=place)
    assert done.returncode == 0, done.stderr
    shown = text(done.stdout)
    assert "layer1" not in shown
    assert "kept: --last-steps 2\n" in shown
    assert "dataset layer0/forward/hidden: (2, 2, 4) float32" in shown


def test_units_are_kept_by_layer(place):
    options = ("--keep-units", "high=1", "--keep-units", "layer0/backward=3,0")
    shown = text(rnnstates(*JOB, *options, "--dry-run", cwd=place).stdout)
    layers = "--keep-units layer1/forward=1, --keep-units layer1/backward=1, --keep-units layer0/backward=3,0"
    assert f"kept: {layers}\n" in shown
    done = rnnstates(*JOB, *options, cwd=place)
    assert done.returncode == 0, done.stderr
    with h5py.File(place / "o.h5") as file:
        shapes = [file[f"{part}/hidden"].shape[-1] for part in ("layer0/backward", "layer0/forward", "layer1/forward")]
    assert shapes == [2, 4, 1]
    assert "layer1/forward: 1\n" in text(rnnstates("info", "o.h5", cwd=place).stdout)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--keep-layers", "layer9"), "--keep-layers 'layer9': no layer has this name"),
        (("--keep-units", "9:"), "--keep-units '9:': 'layer0/forward/hidden' has 4 units, 0 to 3."),
        (("--keep-units", "1", "--keep-units", "2"), "'--keep-units': every layer has 1 and 2; expected one list."),
        (("--keep-units", "1", "--keep-units", "high=2"), "'--keep-units': 1 is of every layer, others of one; exp"),
        (("--every", "2", "--last-steps", "2"), "--every 2, --last-steps 2: are two choices of steps"),
        (("--layer-average", "all"), "--layer-average: layer 'high' is forward"),
        (("--keep-layers", "none"), "--keep-layers none: keeps no layer"),
    ],
)
def test_a_refusal_speaks_of_options(place, options, message):
    done = rnnstates(*JOB, *options, cwd=place)
    assert done.returncode == 2
    assert message.replace("'", "") in text(done.stderr).replace("'", "")


@pytest.mark.parametrize("option", ["--keep-layers top", "--layer-average all", "--univariate"])
def test_a_whole_model_refuses_what_only_layers_of_weights_have(place, option):
    done = rnnstates("extract", "x.npy", "o.h5", "--model", "m.keras", *option.split(), cwd=place)
    assert done.returncode == 2
    assert f"{option}: cannot be combined with --model" in text(done.stderr)
