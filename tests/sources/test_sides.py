"""Padding on the other side than was said: noticed from the values, without false alarms."""

import h5py
import numpy as np
import pytest

import rnnstates

N, T, I = 9, 7, 3
LENGTHS = np.array([7, 2, 1, 6, 0, 3, 5, 4, 1])


def padded(side, *, pad=0.0, seed=0, ids=False):
    random = np.random.default_rng(seed)
    values = random.integers(1, 9, (N, T)) if ids else random.normal(size=(N, T, I))
    for row, length in enumerate(LENGTHS):
        values[row, slice(length, None) if side == "post" else slice(0, T - length)] = pad
    return values


def warned(values, padding, lengths=LENGTHS, **options):
    notes = rnnstates.extract(values, lengths, padding=padding, **{"units": 2, **options}).provenance["notes"]
    return any("other side" in note for note in notes)


@pytest.mark.parametrize("pad", [0.0, -1.0, 255.0])
@pytest.mark.parametrize("side", ["pre", "post"])
@pytest.mark.parametrize("told", ["pre", "post"])
def test_the_wrong_side_is_noticed_and_the_right_one_is_quiet(side, told, pad):
    assert warned(padded(side, pad=pad), told) == (side != told)


@pytest.mark.parametrize("kind", ["npy", "h5"])
def test_it_is_noticed_in_files(tmp_path, kind):
    values = padded("pre")
    if kind == "npy":
        np.save(tmp_path / "x.npy", values)
    else:
        with h5py.File(tmp_path / "x.h5", "w") as file:
            file["inputs"] = values
    assert warned(tmp_path / f"x.{kind}", "post")
    assert not warned(tmp_path / f"x.{kind}", "pre")


@pytest.mark.parametrize("side", ["pre", "post"])
def test_it_is_noticed_of_token_ids(side):
    from rnnstates.weights.initialise import random_network

    network = random_network(3, units=4, seed=0)
    network = type(network)(network.layers, embedding=np.ones((30, 3), "f4"))
    values = padded("pre", ids=True)
    assert warned(values, side, units=None, weights=network) == (side == "post")


def garbage():
    return np.random.default_rng(2).normal(size=(N, T, I))


def one_long_enough(values):
    """Sequences that begin with zeros, but one of them with fewer than it would be padded with."""
    values[:, 0] = 0
    return values


@pytest.mark.parametrize(
    "values",
    [
        np.zeros((N, T, I)),
        np.ones((N, T, I)),
        garbage(),
        one_long_enough(garbage()),
        np.where(np.arange(T)[:, None] < LENGTHS[:, None, None], 1.0, 0.0) * np.ones((N, T, I)),
        np.where(np.arange(T)[:, None] < LENGTHS[:, None, None], garbage(), np.nan),
    ],
    ids=["zeros", "ones", "garbage in the padding", "zeros at the start", "constant sequences", "NaN in the padding"],
)
def test_there_are_no_false_alarms(values):
    assert not warned(values, "post")


def test_nothing_is_said_where_every_step_counts():
    assert not warned(padded("pre"), "post", "full")
