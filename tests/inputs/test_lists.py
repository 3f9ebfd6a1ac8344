"""Sequences of different lengths in memory, of every library, give the states of the padded array."""

import errno
import gc
import tempfile
import warnings
import weakref

import awkward
import numpy as np
import pytest

import rnnstates
from rnnstates import BadInput, BadLengths
from rnnstates.inputs import open_source
from rnnstates.inputs.form import Form

from ..builders import embedded, one_layer
from .conformance import SourceConformance
from .test_packed import FEATURES, LENGTHS, UNITS, padded, same


def rows_of(values, lengths=LENGTHS):
    return [row[:length] for row, length in zip(values, lengths, strict=True)]


def objects(rows):
    array = np.empty(len(rows), object)
    array[:] = rows
    return array


def awkward_array(rows):
    flat = np.concatenate(rows)
    return awkward.unflatten(awkward.Array(flat), [len(row) for row in rows])


def tensorflow_ragged(rows):
    import tensorflow as tf

    return tf.RaggedTensor.from_row_lengths(np.concatenate(rows), [len(row) for row in rows])


def tensorflow_constant(rows):
    import tensorflow as tf

    return tf.ragged.constant([row.tolist() for row in rows], dtype=tf.as_dtype(rows[0].dtype))


def torch_rows(rows):
    import torch

    return [torch.from_numpy(row.copy()) for row in rows]


def torch_nested(layout):
    def made(rows):
        import torch

        tensors = torch_rows(rows)
        with warnings.catch_warnings():
            # The strided layout is a prototype, torch says.
            warnings.simplefilter("ignore")
            return torch.nested.nested_tensor(
                tensors, layout=getattr(torch, layout), requires_grad=tensors[0].is_floating_point()
            )

    return made


def torch_packed(rows):
    from torch.nn.utils.rnn import pack_sequence

    return pack_sequence(torch_rows(rows), enforce_sorted=False)


WAYS = {
    "list": list,
    "tuple": tuple,
    "object array": objects,
    "nested lists": lambda rows: [row.tolist() for row in rows],
    "awkward": awkward_array,
    "awkward lists": lambda rows: awkward.Array([row.tolist() for row in rows]),
    **{
        name: pytest.param(way, marks=pytest.mark.framework, id=name)
        for name, way in {
            "torch": torch_rows,
            "torch nested": torch_nested("strided"),
            "torch jagged": torch_nested("jagged"),
            "tensorflow": tensorflow_ragged,
            "tensorflow constant": tensorflow_constant,
        }.items()
    },
}


class TestRows(SourceConformance):
    def open_array(self, array, tmp_path, *, tokens=False):
        return open_source(list(array) or array, form=Form(tokens))


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_sequences_give_the_states_of_the_padded_array(way):
    values, network = padded(), one_layer(units=UNITS, features=FEATURES)
    expected = rnnstates.extract(values, LENGTHS, weights=network)
    rows = way(rows_of(values))
    same(rnnstates.extract(rows, weights=network), expected)
    same(rnnstates.extract(rows, "full", weights=network), expected)
    same(rnnstates.extract(rows, LENGTHS, weights=network), expected)


@pytest.mark.framework
def test_packed_sequences_of_torch_come_in_their_original_order():
    lengths = np.array([3, 1, 7, 2])
    values, network = padded(lengths), one_layer(units=UNITS, features=FEATURES)
    expected = rnnstates.extract(values, lengths, weights=network)
    same(rnnstates.extract(torch_packed(rows_of(values, lengths)), weights=network), expected)


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_token_ids_and_single_features_have_no_axis(way):
    ids, network = np.random.RandomState(1).randint(0, 9, (7, 7)), embedded(vocabulary=9, features=4, units=UNITS)
    expected = rnnstates.extract(ids, LENGTHS, weights=network)
    same(rnnstates.extract(way(rows_of(ids)), weights=network), expected)
    series, network = padded(features=1), one_layer(units=UNITS, features=1)
    expected = rnnstates.extract(series, LENGTHS, weights=network)
    same(rnnstates.extract(way(rows_of(series[:, :, 0])), weights=network), expected)


def test_rows_of_one_length_are_padded_only_where_lengths_say_so():
    values = padded(np.array([7, 7, 7]))
    same(rnnstates.extract(list(values), units=UNITS), rnnstates.extract(values, "full", units=UNITS))
    same(rnnstates.extract(list(values), [7, 2, 0], units=UNITS), rnnstates.extract(values, [7, 2, 0], units=UNITS))


def test_booleans_are_zeros_and_ones():
    rows = [np.nan_to_num(row) > 0 for row in rows_of(padded())]
    expected = rnnstates.extract([row.astype("f4") for row in rows], units=UNITS)
    same(rnnstates.extract(rows, units=UNITS), expected)
    with pytest.raises(BadInput, match=r"inputs: row 0: dtype bool \(booleans\)"):
        rnnstates.extract([row[:, 0] for row in rows], weights=embedded(vocabulary=9, features=4, units=UNITS))


def test_lengths_that_contradict_the_rows_are_refused():
    with pytest.raises(BadLengths, match=r"row 2 is 6, but sequence 2 of inputs has 7 steps, which all count"):
        rnnstates.extract(rows_of(padded()), [3, 0, 6, 1, 7, 0, 2])
    with pytest.raises(BadLengths, match=r"lengths: 2 lengths, but inputs has 7 sequences"):
        rnnstates.extract(rows_of(padded()), [3, 0])


@pytest.mark.parametrize(
    "given, message",
    [
        ([np.ones((2, 3)), np.ones((2, 4))], r"inputs: row 1 has 4 features per step; expected 3, as row 0 has"),
        ([np.ones((2, 3)), np.ones(3)], r"inputs: row 1: shape \(3,\); expected \(steps, features\)"),
        ([np.ones((2, 3)), [["a", "b", "c"]]], r"inputs: row 1: dtype <U1"),
        ([[[1.0, 2.0]], [[3.0]]], r"inputs: row 1 has 1 features per step; expected 2"),
        (awkward.Array([[[1.0, 2.0]], [[3.0]]]), r"inputs: an Awkward array of type 2 .* var \* float64; exp"),
        (awkward.Array([[1.0, None], [2.0]]), r"inputs: an Awkward array of type 2 \* var \* \?float64; expected"),
        ([np.zeros((0, 0))], r"row 0 has 0 features"),
    ],
)
def test_rows_that_are_no_sequences_are_refused(given, message):
    with pytest.raises(BadInput, match=message):
        rnnstates.extract(given, weights=one_layer(units=2, features=1) if "float64; exp" in message else None)


def test_rows_are_not_copied_before_they_are_read():
    rows = [np.zeros((10**6, 2), np.float32), np.zeros((3, 2), np.float32)]
    seen = weakref.ref(rows[0])
    source = open_source(rows)
    assert np.shares_memory(source._rows.read(0, slice(0, 10)), rows[0])
    del rows, source
    gc.collect()
    assert seen() is None


def test_a_run_over_rows_resumes_only_with_the_same_rows(tmp_path):
    rows = rows_of(padded())
    rnnstates.extract(rows, units=2, output=tmp_path / "o.h5").close()
    again = rnnstates.extract(rows, units=2, output=tmp_path / "o.h5", if_exists="skip")
    assert again.skipped
    again.close()
    rows[4] = rows[4] + 1
    with pytest.raises(rnnstates.DoesNotMatch):
        rnnstates.extract(rows, units=2, output=tmp_path / "o.h5", if_exists="skip")


# Iterators


@pytest.mark.parametrize("kind", ["features", "ids", "series"])
def test_an_iterator_gives_the_states_of_the_padded_array(tmp_path, kind):
    network = {
        "features": lambda: one_layer(units=UNITS, features=FEATURES),
        "ids": lambda: embedded(vocabulary=9, features=4, units=UNITS),
        "series": lambda: one_layer(units=UNITS, features=1),
    }[kind]()
    values = np.random.RandomState(1).randint(0, 9, (7, 7)) if kind == "ids" else padded(features=network.features)
    rows = rows_of(values[:, :, 0] if kind == "series" else values)
    expected = rnnstates.extract(values, LENGTHS, weights=network)
    with rnnstates.extract(iter(rows), weights=network, output=tmp_path / "o.h5") as found:
        for name in expected.datasets:
            np.testing.assert_array_equal(found[name][()], expected[name])
    assert [path.name for path in tmp_path.iterdir()] == ["o.h5"]
    again = rnnstates.extract(iter(rows), weights=network, output=tmp_path / "o.h5", if_exists="skip")
    assert again.skipped
    again.close()
    rows[4] = rows[4] + 1
    with pytest.raises(rnnstates.DoesNotMatch):
        rnnstates.extract(iter(rows), weights=network, output=tmp_path / "o.h5", if_exists="skip")


@pytest.mark.parametrize(
    "rows, message",
    [
        ([], r"inputs: an iterator that gives no sequence"),
        ([np.ones((2, 3)), np.ones((2, 4))], r"inputs: row 1: shape \(2, 4\), but row 0 has \(2, 3\)"),
        ([np.ones((2, 3, 1))], r"inputs: row 0: shape \(2, 3, 1\); expected \(steps, features\)"),
        ([np.ones((2, 3), "f4"), np.ones((2, 3))], r"inputs: row 1: dtype float64 does not fit float32"),
        ([np.array([["a"]])], r"inputs: row 0: dtype <U1 \(strings\)"),
        ([[[1.0], [2.0, 3.0]]], r"inputs: row 0: not a rectangular array"),
    ],
)
def test_what_an_iterator_gives_is_checked(tmp_path, rows, message):
    with pytest.raises(BadInput, match=message):
        rnnstates.extract(iter(rows), units=2, output=tmp_path / "o.h5")
    assert not list(tmp_path.iterdir())


def test_an_iterator_needs_an_output():
    with pytest.raises(rnnstates.OptionError, match=r"inputs=: is an iterator, .* pass output=, or a list of them"):
        rnnstates.extract(iter([np.ones((2, 3))]), units=2)


def test_a_full_disk_ends_the_run_and_leaves_nothing(tmp_path, monkeypatch):
    def full(**_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    with pytest.raises(rnnstates.WriteFailed, match=r"cannot be kept in .* \(No space left on device\)"):
        rnnstates.extract(iter([np.ones((2, 3))]), units=2, output=tmp_path / "o.h5")
    assert not list(tmp_path.iterdir())


def test_an_error_of_the_iterator_is_its_own(tmp_path):
    def broken():
        yield np.ones((2, 3))
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        rnnstates.extract(broken(), units=2, output=tmp_path / "o.h5")
    assert not list(tmp_path.iterdir())
