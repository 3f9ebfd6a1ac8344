"""Some rows, some steps, and several inputs as one."""

import h5py
import numpy as np
import pytest

from rnnstates import BadInput, OptionError
from rnnstates.inputs import open_ids, open_source
from rnnstates.inputs.choosing import choose_rows, choose_steps
from rnnstates.inputs.form import Form
from rnnstates.inputs.joined import Joined
from rnnstates.inputs.selected import SomeRows, SomeSteps

from .conformance import SourceConformance, make_inputs

IDS = ["a", "b/c", "ä", "7", "a b", "x", "y"]


class TestSomeRows(SourceConformance):
    def open_array(self, array, tmp_path, *, tokens=False):
        order = np.random.RandomState(2).permutation(2 * len(array))[: len(array)]
        whole = np.zeros((2 * len(array), *array.shape[1:]), array.dtype)
        whole[order] = array
        np.save(tmp_path / "x.npy", whole)
        return SomeRows(open_source(tmp_path / "x.npy", form=Form(tokens)), order)


class TestSomeSteps(SourceConformance):
    def open_array(self, array, tmp_path, *, tokens=False):
        around = [(0, 0), (2, 3), *[(0, 0)] * (array.ndim - 2)]
        np.save(tmp_path / "x.npy", np.pad(array, around))
        whole = open_source(tmp_path / "x.npy", form=Form(tokens))
        return SomeSteps(whole, slice(2, 2 + array.shape[1]))


class TestJoined(SourceConformance):
    def open_array(self, array, tmp_path, *, tokens=False):
        parts = [array[:2], array[2:2], array[2:3], array[3:]]
        return Joined([open_source(part, form=Form(tokens)) for part in parts])

    # The files are identified, not their content; here there are none.
    def test_big_endian_values_are_read_right(self, truth, tmp_path):
        super().test_big_endian_values_are_read_right(truth, tmp_path)


@pytest.mark.parametrize("padding", ["post", "pre"])
def test_shorter_inputs_are_padded_on_the_side_of_the_padding(padding):
    long, short = make_inputs((2, 5, 3)), make_inputs((3, 2, 3), seed=4)
    joined = Joined([open_source(long), open_source(short)], padding)
    expected = np.zeros((5, 5, 3), np.float32)
    expected[:2] = long
    expected[2:, slice(0, 2) if padding == "post" else slice(3, 5)] = short
    np.testing.assert_array_equal(joined.read(slice(0, 5), slice(0, 5)), expected)
    np.testing.assert_array_equal(joined.read(slice(1, 4), slice(1, 4)), expected[1:4, 1:4])


def test_inputs_of_different_widths_are_refused():
    with pytest.raises(BadInput, match=r"inputs: 4 features per step, but inputs: 3 features per step"):
        Joined([open_source(make_inputs((2, 5, 3))), open_source(make_inputs((2, 5, 4)))])


@pytest.fixture
def source(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["inputs"], file["ids"] = make_inputs(), IDS
        file["test"], file["some"] = [5, 0, 2], ["ä", "a"]
    source = open_source(tmp_path / "x.h5")
    yield source
    source.close()


def as_text(name, lines):
    def made(folder):
        (folder / name).write_text("\n".join(lines) + "\n")
        return folder / name

    return made


def as_npy(name, values):
    def made(folder):
        np.save(folder / name, values)
        return folder / name

    return made


@pytest.mark.parametrize(
    "rows, expected",
    [
        ("2:5", [2, 3, 4]),
        ("-2:", [5, 6]),
        (":", range(7)),
        ("3:3", []),
        (slice(1, 6, 2), [1, 3, 5]),
        ([3, -1, 3], [3, 6, 3]),
        (np.array([2], np.uint8), [2]),
        (np.arange(7) % 3 == 0, [0, 3, 6]),
        ([], []),
        (["ä", "7"], [2, 3]),
        ([b"x"], [5]),
        (np.array(["b/c"]), [1]),
        ("test", [5, 0, 2]),
        ("some", [2, 0]),
        (as_text("rows.txt", ["6", " 1", ""]), [6, 1]),
        (as_text("ids.txt", ["y", "a b"]), [6, 4]),
        (as_npy("rows.npy", np.array([4, 1])), [4, 1]),
        (as_npy("ids.npy", np.array(["x"])), [5]),
    ],
)
def test_rows_are_places_or_ids(source, tmp_path, rows, expected):
    given = rows(tmp_path) if callable(rows) else rows
    found = choose_rows(given, source, open_ids(None, source))
    assert found.tolist() == list(expected)
    assert found.dtype == np.int64


@pytest.mark.parametrize(
    "rows, error, message",
    [
        ([7], OptionError, r"rows: row 7 is not there; expected 0 to 6"),
        ([-8], OptionError, r"rows: row -8 is not there"),
        (np.ones(6, bool), OptionError, r"rows: a mask of shape \(6,\); expected \(7,\)"),
        (np.ones((2, 2), int), OptionError, r"rows: shape \(2, 2\); expected one row number or id per sequence"),
        ([1.5], OptionError, r"rows: dtype float64; expected row numbers, a mask or ids"),
        (["a", "no", "nor"], BadInput, r"rows: 'no', 'nor' not among the ids of the sequences \(2 in all\)"),
        (
            "5:9,2",
            OptionError,
            r"rows='5:9,2': expected FIRST:LAST, such as .* a list of row numbers or ids is given as",
        ),
        ("nowhere", BadInput, r"rows='nowhere': neither a dataset of .* nor a file"),
        (5, OptionError, r"rows"),
    ],
)
def test_rows_that_are_not_there_are_refused(source, rows, error, message):
    with pytest.raises(error, match=message):
        choose_rows(rows, source, open_ids(None, source))


def test_ids_must_be_there_and_once(source):
    with pytest.raises(OptionError, match=r"rows: are ids, but the sequences have none"):
        choose_rows(["a"], source, None)
    twice = open_ids(["a", "b", "a", "c", "d", "e", "f"], source)
    with pytest.raises(BadInput, match=r"rows: 'a' stand there more than once; give row numbers"):
        choose_rows(["b", "a"], source, twice)


def test_steps_are_a_stretch_of_time(source):
    assert choose_steps("1:3", source) == slice(1, 3)
    assert choose_steps(":-1", source) == slice(0, 4)
    assert choose_steps(slice(2, 99), source) == slice(2, 5)
    for wrong in ("3:3", "9:", "1", "a:b", slice(0, 4, 2), 3):
        with pytest.raises(OptionError, match=r"steps="):
            choose_steps(wrong, source)
