"""Arrays with fewer axes than (N, T, I): sequences that follow one another, one sequence, one feature per step."""

import io

import h5py
import numpy as np
import pytest

import rnnstates
from rnnstates import BadInput, BadLengths, OptionError
from rnnstates.inputs import open_source
from rnnstates.inputs.form import Form
from rnnstates.inputs.packed import PIECE, cut

from ..builders import embedded, one_layer
from .conformance import SourceConformance

LENGTHS = np.array([3, 0, 7, 1, 7, 0, 2])
FEATURES, UNITS = 4, 3


def padded(lengths=LENGTHS, features=FEATURES, seed=0, dtype=np.float32):
    values = np.random.RandomState(seed).standard_normal((len(lengths), max(lengths), features)).astype(dtype)
    for row, length in enumerate(lengths):
        values[row, length:] = np.nan if values.dtype.kind == "f" else 0
    return values


def packed(values, lengths=LENGTHS):
    return np.concatenate([row[:length] for row, length in zip(values, lengths, strict=True)])


def as_npy(flat, folder):
    np.save(folder / "x.npy", flat)
    return folder / "x.npy"


def as_stream(flat, folder):
    stream = io.BytesIO()
    np.save(stream, flat)
    stream.seek(0)
    return stream


def as_hdf5(flat, folder):
    with h5py.File(folder / "x.h5", "w") as file:
        file.create_dataset("inputs", data=flat, chunks=(2, *flat.shape[1:]), compression="gzip")
    return folder / "x.h5"


WAYS = {"memory": lambda flat, folder: flat, "npy": as_npy, "stream": as_stream, "hdf5": as_hdf5}


def same(found, expected):
    """Every array of a run is that of another, bit for bit."""
    assert set(found.datasets) == set(expected.datasets)
    for name in expected.datasets:
        np.testing.assert_array_equal(found[name], expected[name], err_msg=name)


class TestPacked(SourceConformance):
    def open_array(self, array, tmp_path, *, tokens=False):
        np.save(tmp_path / "x.npy", array.reshape(-1, *array.shape[2:]))
        whole = open_source(tmp_path / "x.npy", form=Form(tokens, axes="TI" if array.ndim == 3 else "T"))
        return cut(whole, np.full(len(array), array.shape[1]))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("layout", ["padded", "packed"])
def test_packed_inputs_give_the_states_of_padded_ones(tmp_path, way, layout):
    values, network = padded(), one_layer(units=UNITS, features=FEATURES)
    expected = rnnstates.extract(values, LENGTHS, weights=network, layout=layout)
    given = WAYS[way](packed(values), tmp_path)
    found = rnnstates.extract(given, LENGTHS, weights=network, layout=layout)
    same(found, expected)
    assert any("read as 7 sequences that follow one another, 20 steps in all" in n for n in found.provenance["notes"])


@pytest.mark.parametrize("way", ["memory", "npy", "hdf5"])
def test_packed_inputs_of_a_random_network_are_recognized_by_their_lengths(tmp_path, way):
    values = padded()
    expected = rnnstates.extract(values, LENGTHS, units=UNITS, seed=3)
    same(rnnstates.extract(WAYS[way](packed(values), tmp_path), LENGTHS, units=UNITS, seed=3), expected)


@pytest.mark.parametrize("name", ["lengths", "offsets"])
@pytest.mark.parametrize("weights", [True, False])
def test_lengths_or_offsets_beside_a_packed_dataset_are_used(tmp_path, name, weights):
    values = padded()
    network = one_layer(units=UNITS, features=FEATURES) if weights else None
    path = as_hdf5(packed(values), tmp_path)
    with h5py.File(path, "a") as file:
        file[name] = LENGTHS if name == "lengths" else np.concatenate([[0], np.cumsum(LENGTHS)])
    same(rnnstates.extract(path, weights=network), rnnstates.extract(values, LENGTHS, weights=network))


def test_offsets_are_accepted_as_lengths(tmp_path):
    values = padded()
    offsets = np.concatenate([[0], np.cumsum(LENGTHS)])
    expected = rnnstates.extract(values, LENGTHS, units=2)
    same(rnnstates.extract(packed(values), offsets, units=2), expected)
    np.savetxt(tmp_path / "offsets.txt", offsets, fmt="%d")
    same(rnnstates.extract(packed(values), tmp_path / "offsets.txt", units=2), expected)


@pytest.mark.parametrize("layout", ["padded", "packed"])
def test_a_state_of_an_output_is_an_input(tmp_path, layout):
    values = padded()
    first = rnnstates.extract(values, LENGTHS, units=5, layout=layout, output=tmp_path / "a.h5")
    network = one_layer(units=UNITS, features=5)
    hidden = np.zeros((7, 7, 5), np.float32)
    for row, states in enumerate(first):
        hidden[row, : states.length] = states.hidden
    first.close()
    expected = rnnstates.extract(hidden, LENGTHS, weights=network)
    same(rnnstates.extract(tmp_path / "a.h5", dataset="hidden", weights=network), expected)


def test_packed_token_ids_give_the_states_of_padded_ones(tmp_path):
    network = embedded(vocabulary=9, features=FEATURES, units=UNITS)
    ids = np.random.RandomState(1).randint(0, 9, (7, 7))
    expected = rnnstates.extract(ids, LENGTHS, weights=network)
    same(rnnstates.extract(packed(ids), LENGTHS, weights=network), expected)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("lengths", [None, "full", [7]])
def test_one_sequence_is_a_sequence(tmp_path, way, lengths):
    values, network = padded()[2], one_layer(units=UNITS, features=FEATURES)
    found = rnnstates.extract(WAYS[way](values, tmp_path), lengths, weights=network)
    same(found, rnnstates.extract(values[np.newaxis], "full", weights=network))
    if lengths != [7]:
        assert any("read as one sequence of 7 steps" in note for note in found.provenance["notes"])


@pytest.mark.parametrize("order", ["TI", "IT"])
def test_axes_of_one_sequence_are_those_given(order):
    values = padded()[2]
    expected = rnnstates.extract(values[np.newaxis], "full", units=2)
    given = values if order == "TI" else values.T
    same(rnnstates.extract(given, "full", units=2, axes=order), expected)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("how", [{}, {"univariate": True}, {"axes": "NT"}])
def test_one_feature_per_step_needs_no_axis(tmp_path, way, how):
    values, network = padded(features=1), one_layer(units=UNITS, features=1)
    found = rnnstates.extract(WAYS[way](values[:, :, 0], tmp_path), LENGTHS, weights=network, **how)
    same(found, rnnstates.extract(values, LENGTHS, weights=network))


def test_integers_are_one_feature_per_step_only_when_that_is_said():
    values, network = np.random.RandomState(1).randint(0, 9, (7, 7)), one_layer(units=UNITS, features=1)
    with pytest.raises(BadInput, match=r"Token ids need weights with an embedding"):
        rnnstates.extract(values, LENGTHS, weights=network)
    found = rnnstates.extract(values, LENGTHS, weights=network, univariate=True)
    same(found, rnnstates.extract(values[:, :, np.newaxis], LENGTHS, weights=network))


def test_booleans_are_zeros_and_ones():
    values = np.random.RandomState(1).randint(0, 2, (7, 7, FEATURES)).astype(bool)
    same(rnnstates.extract(values, LENGTHS), rnnstates.extract(values.astype("f4"), LENGTHS))
    flat = packed(values)
    same(rnnstates.extract(flat, LENGTHS), rnnstates.extract(values.astype("f4"), LENGTHS))


def test_long_and_short_rows_are_read_in_pieces():
    lengths = np.array([5, 2 * PIECE // 8 + 3, 0, 1, 4])
    flat = np.arange(2 * lengths.sum(), dtype=np.float32).reshape(-1, 2)
    source = cut(open_source(flat, form=Form(axes="TI")), lengths)
    block = source.read(slice(0, 5), slice(0, source.shape[1]))
    start = 0
    for row, length in enumerate(lengths.tolist()):
        np.testing.assert_array_equal(block[row, :length], flat[start : start + length])
        assert not block[row, length:].any()
        start += length
    np.testing.assert_array_equal(source.read(slice(1, 5), slice(2, 5))[3, :2], flat[-2:])


def test_all_sequences_may_be_empty():
    found = rnnstates.extract(np.zeros((0, 3), np.float32), [0, 0], weights=one_layer(units=UNITS, features=3))
    assert found["hidden"].shape == (2, 1, UNITS)
    assert not found["hidden"].any()


@pytest.mark.parametrize(
    "given, lengths, error, message",
    [
        (np.ones((20, 4)), [3, 4], BadLengths, r"2 lengths that sum to 7, but inputs has 20 steps that follow"),
        (np.ones((20, 4)), [3.5, 16.5], BadLengths, r"row 0 is 3\.5; expected whole numbers, which sum to the 20"),
        (np.ones((20, 4)), [-3, 23], BadLengths, r"row 0 is -3; expected whole numbers"),
        (
            np.ones((20, 4)),
            np.ones((4, 5), int),
            BadLengths,
            r"shape \(4, 5\); expected one length per sequence, or a mask",
        ),
        (np.ones((0, 4)), None, BadInput, r"one sequence of 0 steps"),
        (np.ones((20, 5)), [20], BadInput, r"has 5 features per step, but layer 'lstm' reads 4"),
    ],
)
def test_lengths_that_do_not_fit_are_refused(given, lengths, error, message):
    with pytest.raises(error, match=message):
        rnnstates.extract(given, lengths, weights=one_layer(units=UNITS, features=4))


def test_two_axes_that_may_mean_several_things_are_refused():
    with pytest.raises(BadInput, match=r"shape \(20, 4\); expected \(N, T, I\).*one sequence x\[np\.newaxis\]"):
        rnnstates.extract(np.ones((20, 4)), "full", units=2)
    with pytest.raises(BadInput, match=r"shape \(20, 1\); expected \(N, T, I\)"):
        rnnstates.extract(np.ones((20, 1)), "full", weights=one_layer(units=UNITS, features=1))
    with pytest.raises(OptionError, match=r"univariate=True: inputs has shape \(2, 3, 4\); expected \(N, T\)"):
        rnnstates.extract(np.ones((2, 3, 4)), "full", univariate=True)


def test_offsets_that_do_not_rise_are_refused(tmp_path):
    path = as_hdf5(np.ones((20, 4)), tmp_path)
    with h5py.File(path, "a") as file:
        file["offsets"] = [0, 9, 8, 20]
    with pytest.raises(BadLengths, match=r"'offsets': are offsets that do not rise from 0 to 20"):
        rnnstates.extract(path, units=2)


@pytest.mark.parametrize("way", ["npy", "hdf5"])
def test_verify_reads_packed_inputs_again(tmp_path, way):
    path, output = WAYS[way](packed(padded()), tmp_path), tmp_path / "out.h5"
    rnnstates.extract(path, LENGTHS, units=UNITS, output=output).close()
    assert rnnstates.verify(output)["recomputed"]


def test_verify_reads_one_feature_per_step_again(tmp_path):
    path, output = as_npy(padded(features=1)[:, :, 0], tmp_path), tmp_path / "out.h5"
    rnnstates.extract(path, LENGTHS, units=UNITS, univariate=True, output=output).close()
    assert rnnstates.verify(output)["recomputed"]
