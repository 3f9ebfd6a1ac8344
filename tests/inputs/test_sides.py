"""Padding on the other side than was said: noticed from the values, without false alarms."""

import io

import h5py
import numpy as np
import pytest

import rnnstates
from rnnstates.inputs import open_source
from rnnstates.inputs.memory import MemorySource
from rnnstates.inputs.sides import seems_turned

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
@pytest.mark.parametrize("reported", ["pre", "post"])
def test_the_wrong_side_is_noticed_and_the_right_one_is_quiet(side, reported, pad):
    assert warned(padded(side, pad=pad), reported) == (side != reported)


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
    from rnnstates.network.initialise import random_network

    network = random_network(3, units=4, seed=0)
    network = type(network)(network.layers, embedding=np.ones((30, 3), "f4"))
    values = padded("pre", ids=True)
    assert warned(values, side, units=None, weights=network) == (side == "post")


def standardised(values):
    """As a scaler of each feature leaves it: padding is one step, not one number."""
    features = np.array([[0.5, -2.0, 3.0], [2.0, 1.0, 0.25]])
    return (values - features[0]) / features[1]


def with_step_number(values):
    return np.concatenate([values, np.broadcast_to(np.arange(T)[:, None], (N, T, 1))], axis=2)


@pytest.mark.parametrize("change", [standardised, with_step_number, lambda x: with_step_number(standardised(x))])
@pytest.mark.parametrize("side", ["pre", "post"])
@pytest.mark.parametrize("reported", ["pre", "post"])
def test_padding_may_be_one_step_and_a_feature_may_go_on_in_it(change, side, reported):
    assert warned(change(padded(side)), reported) == (side != reported)


def stream(values):
    content = io.BytesIO()
    np.save(content, values)
    content.seek(0)
    return content


@pytest.mark.parametrize("side", ["pre", "post"])
@pytest.mark.parametrize("reported", ["pre", "post"])
def test_it_is_noticed_in_the_first_rows_of_a_stream_which_are_not_lost(side, reported):
    values = padded(side)
    assert warned(stream(values), reported) == (side != reported)
    found, right = (
        rnnstates.extract(given, LENGTHS, units=2, padding=reported)["hidden"] for given in (stream(values), values)
    )
    np.testing.assert_array_equal(found, right)


def test_a_stream_of_long_rows_or_one_that_ends_early_is_not_looked_at():
    assert not seems_turned(open_source(stream(np.zeros((2, 3, 2**17)))), np.array([1, 2]), "post")
    cut = io.BytesIO(stream(padded("pre")).getvalue()[:-40])
    assert seems_turned(open_source(cut), LENGTHS, "post")


def garbage():
    return np.random.default_rng(2).normal(size=(N, T, I))


def one_long_enough(values):
    """Sequences that begin with zeros, but one of them with fewer than it would be padded with."""
    values[:, 0] = 0
    return values


def one_hot():
    return np.eye(30)[np.random.default_rng(6).integers(0, 30, (N, T))]


def with_static(values):
    values[:, :, :2] = [0.0, 7.0]
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
        one_hot(),
        np.where(np.arange(T)[:, None] < LENGTHS[:, None, None], one_hot(), -1.0),
        np.where(np.arange(T)[:, None] < LENGTHS[:, None, None], with_static(garbage()), standardised(garbage() * 0)),
        with_static(garbage()),
    ],
    ids=[
        "zeros",
        "ones",
        "garbage in the padding",
        "zeros at the start",
        "constant sequences",
        "NaN in the padding",
        "one hot, cut short",
        "one hot",
        "static features, padding of one step",
        "static features, cut short",
    ],
)
def test_there_are_no_false_alarms(values):
    assert not warned(values, "post")


def test_a_mark_of_the_start_raises_no_alarm():
    values = np.concatenate([np.tile([1.0, 0.0, 0.0], (N, 1, 1)), garbage()[:, 1:]], axis=1)
    assert not warned(values, "post", np.full(N, T - 1))


def test_nothing_is_said_where_every_step_counts():
    assert not warned(padded("pre"), "post", "full")


@pytest.mark.parametrize("lengths", [[2, 5, 3, 6], [4, 4, 4, 3]])
@pytest.mark.parametrize("side", ["post", "pre"])
def test_constant_sequences_with_garbage_for_padding_raise_no_alarm(side, lengths):
    values = np.random.default_rng(3).normal(size=(4, T, I))
    for row, length in enumerate(lengths):
        values[row, slice(0, length) if side == "post" else slice(T - length, T)] = 2.5
    assert not warned(values, side, lengths, engine="numpy")


@pytest.mark.parametrize("lengths", [[1], [4], [6]])
def test_one_sequence_is_enough_also_where_most_of_it_counts(lengths):
    values = np.zeros((1, T, I))
    values[0, T - lengths[0] :] = np.random.default_rng(4).normal(size=(lengths[0], I))
    assert warned(values, "post", lengths, engine="numpy")


def test_long_sequences_are_looked_at_by_a_few_of_their_steps():
    class Counting(MemorySource):
        read_steps = 0

        def read(self, rows, steps):
            self.read_steps += steps.stop - steps.start
            return super().read(rows, steps)

    values = np.zeros((20, 100_000, 1), "f4")
    values[:, -500:] = np.random.default_rng(5).normal(size=(20, 500, 1))
    source = Counting(values)
    assert seems_turned(source, np.full(20, 500), "post")
    assert source.read_steps <= 8 * 67
