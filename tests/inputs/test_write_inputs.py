"""``write_inputs``: sequences, however many, as a file that extract reads."""

import errno
import tracemalloc

import h5py
import numpy as np
import pytest

import rnnstates
from rnnstates import BadInput, CannotCreate, OptionError, WriteFailed, write_inputs
from rnnstates.exporting import inputs_file

from ..builders import embedded, one_layer
from .test_packed import FEATURES, LENGTHS, UNITS, padded, same

IDS = ["a", "b/c", "ä", "", "x y", "7", "z"]


def rows_of(values):
    return [row[:length] for row, length in zip(values, LENGTHS, strict=True)]


@pytest.mark.parametrize("block", [1, 100, 2**23])
def test_what_is_written_gives_the_states_of_the_padded_array(tmp_path, monkeypatch, block):
    monkeypatch.setattr(inputs_file, "BLOCK", block)
    monkeypatch.setattr(inputs_file, "CHUNK", 3 * 4 * FEATURES)
    values, network = padded(), one_layer(units=UNITS, features=FEATURES)
    assert write_inputs(tmp_path / "in.h5", iter(rows_of(values)), ids=iter(IDS)) == 7
    expected = rnnstates.extract(values, LENGTHS, ids=IDS, weights=network)
    same(rnnstates.extract(tmp_path / "in.h5", weights=network), expected)
    same(rnnstates.extract(tmp_path / "in.h5", units=2), rnnstates.extract(values, LENGTHS, ids=IDS, units=2))
    with h5py.File(tmp_path / "in.h5") as file:
        np.testing.assert_array_equal(file["inputs"][()], np.concatenate(rows_of(values)))
    assert [path.name for path in tmp_path.iterdir()] == ["in.h5"]


def test_token_ids_are_written(tmp_path):
    ids, network = np.random.RandomState(1).randint(0, 9, (7, 7)), embedded(vocabulary=9, features=4, units=UNITS)
    write_inputs(tmp_path / "in.h5", rows_of(ids))
    same(rnnstates.extract(tmp_path / "in.h5", weights=network), rnnstates.extract(ids, LENGTHS, weights=network))


def test_more_datasets_have_a_value_for_each_sequence_or_step(tmp_path):
    rows = rows_of(padded())
    words = [[f"w{row}-{step}ä" for step in range(length)] for row, length in enumerate(LENGTHS)]
    words = [np.array(one, "U8") for one in words]
    tags = [np.arange(length) for length in LENGTHS]
    label, name = [1, 0, 2, 1, 0, 0, 5], ["p", "q", "ö", "", "s", "t", "u"]
    write_inputs(tmp_path / "in.h5", rows, word=words, tag=tags, label=label, name=name, weight=[0.5] * 7)
    with h5py.File(tmp_path / "in.h5") as file:
        assert file["word"].asstr()[()].tolist() == np.concatenate(words).tolist()
        assert file["tag"][()].tolist() == np.concatenate(tags).tolist()
        assert file["label"][()].tolist() == label
        assert file["name"].asstr()[()].tolist() == name
        assert file["weight"].dtype == np.float64


@pytest.mark.parametrize(
    "rows, more, error, message",
    [
        ([], {}, BadInput, r"sequences: there are none"),
        ([np.ones((2, 3)), np.ones((2, 4))], {}, BadInput, r"inputs: row 1: shape \(2, 4\), but row 0 has \(2, 3\)"),
        ([np.ones((2, 3), "f4"), np.ones((2, 3))], {}, BadInput, r"inputs: row 1: dtype float64 does not fit float32"),
        ([np.ones((2, 3, 1))], {}, BadInput, r"inputs: row 0: shape \(2, 3, 1\), dtype float64; expected numbers"),
        ([[["a"]]], {}, BadInput, r"inputs: row 0: shape \(1, 1\), dtype <U1; expected numbers"),
        ([[[1j]]], {}, BadInput, r"inputs: row 0: dtype complex128; expected numbers or text"),
        ([np.ones((2, 3))] * 2, {"ids": ["a"]}, BadInput, r"ids: has 1 values, but there are more sequences"),
        ([np.ones((2, 3))], {"ids": ["a", "b"]}, BadInput, r"ids: has more values than there are sequences"),
        ([np.ones((2, 3))], {"tag": [[1, 2, 3]]}, BadInput, r"tag: row 0 has 3 entries, but its sequence has 2 steps"),
        ([np.ones((2, 3))], {"lengths": [2]}, OptionError, r"lengths=: this name is taken"),
        ([np.ones((2, 3))], {"a/b": [2]}, OptionError, r"a/b=: this name is taken"),
    ],
)
def test_what_cannot_be_written_is_refused_and_leaves_nothing(tmp_path, rows, more, error, message):
    with pytest.raises(error, match=message):
        write_inputs(tmp_path / "in.h5", rows, **more)
    assert not list(tmp_path.iterdir())


def test_an_existing_file_is_replaced_only_when_that_is_said(tmp_path):
    rows = rows_of(padded())
    (tmp_path / "in.h5").write_bytes(b"mine")
    with pytest.raises(CannotCreate, match=r"in\.h5: exists; replace it with force=True"):
        write_inputs(tmp_path / "in.h5", rows)
    assert (tmp_path / "in.h5").read_bytes() == b"mine"
    with pytest.raises(BadInput):
        write_inputs(tmp_path / "in.h5", [*rows, np.ones(3)], force=True)
    assert (tmp_path / "in.h5").read_bytes() == b"mine"
    write_inputs(tmp_path / "in.h5", rows, force=True)
    assert rnnstates.extract(tmp_path / "in.h5", units=2).sequences == 7
    with pytest.raises(OptionError, match=r"in\.npy: expected a name that ends in \.h5"):
        write_inputs(tmp_path / "in.npy", rows)


def test_a_full_disk_is_reported_and_leaves_nothing(tmp_path, monkeypatch):
    class Full(type(inputs_file.DISK)):
        def pwrite(self, descriptor, data, position):
            if position > 50_000:
                raise OSError(errno.ENOSPC, "No space left on device")
            return super().pwrite(descriptor, data, position)

    monkeypatch.setattr(inputs_file, "DISK", Full())
    monkeypatch.setattr(inputs_file, "BLOCK", 10_000)
    monkeypatch.setattr(inputs_file, "CHUNK", 4096)
    given = []

    def rows():
        for row in range(100):
            given.append(row)
            yield np.ones((10_000, 4), np.float32)

    with pytest.raises(WriteFailed, match=r"No space left|the disk is full"):
        write_inputs(tmp_path / "in.h5", rows())
    assert len(given) < 60
    assert not list(tmp_path.iterdir())


def test_memory_does_not_grow_with_the_sequences(tmp_path):
    tracemalloc.start()
    write_inputs(tmp_path / "in.h5", (np.ones((5000, 8), np.float32) for _ in range(400)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (tmp_path / "in.h5").stat().st_size > 64e6
    assert peak < 40e6


@pytest.mark.parametrize("order", [[0, 1, 2], [1, 0, 2], [2, 0, 1]])
def test_empty_lists_say_nothing_of_dtype_and_width(tmp_path, order):
    rows, words = [[[1.0, 2.0], [3.0, 4.0]], [], [[5.0, 6.0]]], [["a", "bé"], [], ["c"]]
    rnnstates.write_inputs(tmp_path / "x.h5", [rows[row] for row in order], words=[words[row] for row in order])
    with h5py.File(tmp_path / "x.h5") as file:
        assert file["inputs"][()].tolist() == [step for row in order for step in rows[row]]
        assert file["words"].asstr()[()].tolist() == [word for row in order for word in words[row]]
        assert file["lengths"][()].tolist() == [len(rows[row]) for row in order]


def test_values_for_an_empty_sequence_are_refused(tmp_path):
    with pytest.raises(BadInput, match=r"words: row 1 has 1 entries, but its sequence has 0 steps"):
        rnnstates.write_inputs(tmp_path / "x.h5", [[[1.0]], []], words=[["a"], ["b"]])
