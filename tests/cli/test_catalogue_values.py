"""Bad input, what the values are: lengths, features, token ids, names of sequences."""

from pathlib import Path

import h5py
import numpy as np
import pytest

import rnnstates

from .catalogue import (
    DATA,
    FROM_HDF5,
    FROM_NPY,
    INPUTS,
    LENGTHS,
    TOKENS,
    USAGE,
    WHOLE,
    WITH_TOKENS,
    Accepted,
    Mistake,
    check_accepted,
    check_refused,
    check_same,
    content,
    hdf5,
    npy,
    only,
    run,
    with_value,
)

# A hundred runs of the whole command.
pytestmark = pytest.mark.slow


def lengths(values, *says):
    """A mistake in the lengths, in HDF5 and in a .npy of its own."""
    yield Mistake(hdf5(lengths=values), FROM_HDF5, DATA, ("in.h5: dataset 'lengths': ", *says))
    yield Mistake(npy(np.asarray(values), "lengths.npy"), FROM_NPY, DATA, ("lengths.npy: ", *says))


RANGE = "Lengths must be whole numbers from 0 to 5; check that they were made for these inputs."
ONE_EACH = "give one length per sequence"
MASK = "A mask has one value per sequence and step"
TWICE = np.array([[1, 1, 0, 0, 0], [1, 0, 1, 0, 0], [0, 0, 0, 0, 0], [1, 1, 1, 1, 1]])

LENGTHS_OF = {
    "a negative length": lengths([1, -2, 3, -4], "row 1 has length -2", "has 5 steps (wrong in 2 of 4 rows)", RANGE),
    "a length beyond T": lengths([1, 2, 6, 4], "row 2 has length 6", "has 5 steps (wrong in 1 of 4 rows)", RANGE),
    "a length beyond int64": lengths(np.array([1, 2**63 + 5, 1, 1], np.uint64), "row 1 has length 9223372036854775813"),
    "half a step": lengths([1, 2.5, 3, 4], "row 1 has length 2.5", "(wrong in 1 of 4 rows)", RANGE),
    "a NaN length": lengths([np.nan, 1, 3, np.nan], "row 0 has length nan", "(wrong in 2 of 4 rows)", RANGE),
    "an infinite length": lengths([1, np.inf, 3, 4], "row 1 has length inf", "(wrong in 1 of 4 rows)", RANGE),
    "wrong lengths of every sort": lengths(
        [-1, 9, 2.5, np.nan], "row 0 has length -1", "(wrong in 4 of 4 rows)", RANGE
    ),
    "too few lengths": lengths([1, 2], "2 lengths, but ", "has 4 sequences; " + ONE_EACH),
    "too many lengths": lengths([1] * 9, "9 lengths, but ", "has 4 sequences; " + ONE_EACH),
    "a table of lengths": lengths(
        np.ones((4, 2), int), "shape (4, 2); expected (4,), one length per sequence, or a mask of 4 sequences and 5"
    ),
    "one length": lengths(np.int64(3), "shape (); expected (4,), one length per sequence. Reshape"),
    "a mask of other steps": lengths(np.ones((4, 6), bool), "shape (4, 6); expected (4,)", "4 sequences and 5", MASK),
    "a mask with time first": lengths(np.ones((5, 4), int), "shape (5, 4); expected (4,)", "It is turned.", MASK),
    "a mask of other numbers": lengths(TWICE * 2, "sequence 0, step 0 is 2; expected a mask of booleans"),
    "a mask with a hole": lengths(TWICE, "sequence 1 has a hole at step 1: it is masked, but"),
    "a mask of both sides": lengths(
        TWICE[:, ::-1] * [[1], [0], [1], [1]] + [[0] * 5, [1] + [0] * 4, [0] * 5, [0] * 5],
        "marks the first steps of sequence 1, but the last ones of sequence 0; expected",
    ),
    "no mask but truth values": lengths(np.ones(4, bool), "dtype bool (booleans); expected whole numbers.", MASK),
    "complex lengths": lengths(np.ones(4, complex), "dtype complex128 (complex numbers); expected", "Save them as"),
}

OTHER_LENGTHS = {
    "no lengths beside a npy": Mistake(
        lambda: Path("lengths.npy").rename("in_lengths.npy"),
        ["in.npy"],
        DATA,
        ("in.npy: no lengths given; expected one", "such as in_lengths.npy, which is next to it", "--lengths full"),
    ),
    "no lengths in HDF5": Mistake(
        only(inputs=INPUTS), FROM_HDF5, DATA, ("in.h5: no dataset 'lengths'; expected one", "--lengths full")
    ),
    "strings as lengths": Mistake(
        hdf5(lengths=["1", "2", "3", "4"]), FROM_HDF5, DATA, ("'lengths': dtype string", "expected whole numbers. Save")
    ),
    "a word among lengths": Mistake(
        content("l.txt", b"1\n2\nx\n3\n"),
        ["in.npy", "--lengths", "l.txt"],
        DATA,
        ("l.txt: row 2 is 'x'; expected a .npy",),
    ),
    "a padding value that is no number": Mistake(
        None,
        ["in.npy", "--lengths", "trailing:x"],
        USAGE,
        ("--lengths trailing:x: 'x' is no number; expected the value of the padding, such as --lengths trailing:0 or",),
    ),
    "a padding value on the other side": Mistake(
        None,
        ["in.npy", "--lengths", "trailing:0", "--padding", "pre"],
        USAGE,
        ("--lengths trailing:0: is padding after the valid steps, but --padding pre says", "--lengths leading:0."),
    ),
    "a mask on the other side": Mistake(
        npy(np.eye(4, 5).cumsum(axis=1)[:, ::-1], "m.npy"),
        ["in.npy", "--lengths", "m.npy", "--padding", "pre"],
        USAGE,
        ("m.npy: masks the last steps of sequence 1, but --padding pre says", "expected one side. Leave --padding out"),
    ),
    "the mask of weights that have none": Mistake(
        None,
        ["in.npy", "--lengths", "model"],
        DATA,
        ("--lengths model: the weights say no mask; expected a Keras model whose", "Give the lengths."),
    ),
    "a wrong number among lengths": Mistake(
        content("l.txt", b"1\n2\n7\n3\n"), ["in.npy", "--lengths", "l.txt"], DATA, ("l.txt: row 2 has length 7", RANGE)
    ),
}

CLEAN = "expected finite numbers in every valid step. Clean them, check the lengths, or pass --allow-nonfinite."


def features(place, value, *says, array=INPUTS):
    """A mistake in the features, in HDF5 and in a .npy."""
    wrong = with_value(place, value, array)
    yield Mistake(hdf5(inputs=wrong), FROM_HDF5, DATA, ("in.h5: dataset 'inputs': ", *says))
    yield Mistake(npy(wrong), FROM_NPY, DATA, ("in.npy: ", *says))


FEATURES = {
    "a NaN": features((0, 3, 1), np.nan, "sequence 0, step 3, feature 1 is nan (1 such in sequences 0 to 3)", CLEAN),
    "an infinity": features((0, 2, 0), np.inf, "sequence 0, step 2, feature 0 is inf (1 such", CLEAN),
    "a negative infinity": features((0, 4, 2), -np.inf, "sequence 0, step 4, feature 2 is -inf (1 such", CLEAN),
    "many NaN": features((0, slice(1, 4)), np.nan, "sequence 0, step 1, feature 0 is nan (9 such", CLEAN),
    "what float32 does not hold": features(
        (0, 1, 1),
        1e300,
        "sequence 0, step 1, feature 1 is 1e+300, which does not fit float32 (1 such",
        "Scale the inputs, or compute with --precision float64",
        array=INPUTS.astype(np.float64),
    ),
}


def tokens(value, dtype, *says):
    """Two wrong token ids, in HDF5 and in a .npy."""
    wrong = with_value(([1, 3], [2, 0]), value, TOKENS.astype(dtype))
    place = f"sequence 1, step 2 has token id {value} (2 such in sequences 0 to 3)"
    reported = (place, "expected whole numbers from 0 to 6, the rows of the embedding. Check the inputs", *says)
    full = hdf5(inputs=wrong, lengths=np.full(4, 5))
    yield Mistake(full, ["in.h5", *WITH_TOKENS[3:]], DATA, ("in.h5: dataset 'inputs': ", *reported))
    yield Mistake(npy(wrong), WITH_TOKENS, DATA, ("in.npy: ", *reported))


IDS_OF_TOKENS = {
    "a negative token": tokens(-1, np.int32),
    "a token beyond the vocabulary": tokens(7, np.int64),
    "a token beyond int64": tokens(2**63, np.uint64),
    "half a token": tokens(0.5, np.float64),
    "a NaN token": tokens(np.nan, np.float32),
    "an infinite token": tokens(np.inf, np.float32),
}

EACH = "give one id per sequence"


def named(values, *says):
    return Mistake(hdf5(ids=values), FROM_HDF5, DATA, ("in.h5: dataset 'ids': ", *says))


IDS = {
    "too few ids": named(["a", "b"], "2 ids, but in.h5: dataset 'inputs' has 4 sequences; " + EACH),
    "too many ids": named(["a"] * 9, "9 ids, but in.h5: dataset 'inputs' has 4 sequences; " + EACH),
    "too few lines of ids": Mistake(
        content("i.txt", b"a\nb\n"), [*FROM_NPY, "--ids", "i.txt"], DATA, ("i.txt: 2 ids, but in.npy has 4 sequences",)
    ),
    "a table of ids": named([["a", "b"]] * 4, "shape (4, 2); expected (4,), one id per sequence. Reshape"),
    "fractions as ids": named([1.5] * 4, "dtype float64; expected strings or integers. Save them as strings"),
    "truth values as ids": named([True] * 4, "dtype bool; expected strings or integers. Save them as strings"),
    "an id beyond int64": named(
        np.array([1, 2, 2**63, 4], np.uint64), "row 2 is 9223372036854775808, beyond int64; give the ids as strings"
    ),
}


def pairs(table):
    return {
        f"{name} ({way})": case for name, two in table.items() for way, case in zip(("HDF5", "npy"), two, strict=True)
    }


CASES = pairs(LENGTHS_OF) | OTHER_LENGTHS | pairs(FEATURES) | pairs(IDS_OF_TOKENS) | IDS


@pytest.mark.parametrize("name", CASES)
def test_a_wrong_value_is_reported_exits_as_tabled_and_leaves_everything_as_it_was(place, name, monkeypatch, capsys):
    check_refused(CASES[name], monkeypatch, capsys)


FORMS = {
    "whole floats": LENGTHS.astype(float),
    "whole float16": LENGTHS.astype(np.float16),
    "a column": LENGTHS[:, np.newaxis],
    "a column of whole floats": LENGTHS[:, np.newaxis].astype(np.float32),
    "bytes": LENGTHS.astype(np.uint8),
    "the other byte order": LENGTHS.astype(">i4"),
}

ACCEPTED = {
    **{f"{name} in HDF5": Accepted(hdf5(inputs=WHOLE, lengths=form), FROM_HDF5) for name, form in FORMS.items()},
    **{
        f"{name} in npy": Accepted(
            lambda form=form: (np.save("in.npy", WHOLE), np.save("l.npy", form)), ["in.npy", "--lengths", "l.npy"]
        )
        for name, form in FORMS.items()
    },
    "a text": Accepted(
        lambda: (np.save("in.npy", WHOLE), np.savetxt("l.txt", LENGTHS)), ["in.npy", "--lengths", "l.txt"]
    ),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_lengths_in_any_form_of_whole_numbers_are_read_without_a_word(place, name, monkeypatch, capsys):
    check_accepted(ACCEPTED[name], monkeypatch, capsys)


@pytest.mark.parametrize("padding", ["post", "pre"])
@pytest.mark.parametrize("filling", [np.nan, np.inf, -1e30])
def test_what_the_padding_holds_is_ignored(place, padding, filling, monkeypatch, capsys):
    valid = np.arange(5) < LENGTHS[:, np.newaxis]
    if padding == "pre":
        valid = valid[:, ::-1]
    for name, values in (("clean", 0), ("filled", filling)):
        np.save("in.npy", np.where(valid[..., np.newaxis], WHOLE, np.float32(values)))
        assert run(monkeypatch, "extract", "in.npy", f"{name}.h5", *FROM_NPY[1:], "--padding", padding) == 0
    check_same("filled.h5", "clean.h5")


@pytest.mark.parametrize("value", [-1, 7, 2**62])
def test_tokens_in_the_padding_are_ignored(place, value, monkeypatch, capsys):
    for name, padded in (("clean", 0), ("filled", value)):
        ids = np.where(np.arange(5) < LENGTHS[:, np.newaxis], 1, padded)
        np.save("in.npy", ids)
        options = ("--lengths", "lengths.npy", *WITH_TOKENS[3:])
        assert run(monkeypatch, "extract", "in.npy", f"{name}.h5", *options) == 0
    check_same("filled.h5", "clean.h5")


def test_whole_floats_are_token_ids(place, monkeypatch, capsys):
    for name, dtype in (("clean", np.int64), ("floats", np.float64)):
        np.save("in.npy", TOKENS.astype(dtype))
        assert run(monkeypatch, "extract", "in.npy", f"{name}.h5", *WITH_TOKENS[1:]) == 0
    check_same("floats.h5", "clean.h5")


def test_values_that_are_not_finite_pass_where_they_are_allowed(place, monkeypatch, capsys):
    np.save("in.npy", with_value((0, 3, 1), np.nan))
    assert run(monkeypatch, "extract", "in.npy", "new.h5", *FROM_NPY[1:], "--allow-nonfinite") == 0
    with rnnstates.open("new.h5") as states:
        assert np.isfinite(states["hidden"][0, :3]).all()
        assert np.isnan(states["hidden"][0, 3:]).all()


ODD = [b"a/b", b"a/b", b"/", b"../etc/passwd", b"..", b"\xe9t\xe9", b"\xff\xfe", "é".encode(), b"hidden"]


@pytest.mark.parametrize("way", ["HDF5", "npy", "text"])
@pytest.mark.parametrize("start", [0, 5])
def test_ids_with_slashes_twice_or_not_utf_8_are_kept_as_they_are(place, way, start, monkeypatch, capsys):
    ids = ODD[start : start + 4]
    hdf5(ids=np.array(ids))()
    np.save("ids.npy", np.array(ids))
    Path("ids.txt").write_bytes(b"\n".join(ids) + b"\n")
    arguments = {"HDF5": FROM_HDF5, "npy": [*FROM_NPY, "--ids", "ids.npy"], "text": [*FROM_NPY, "--ids", "ids.txt"]}[
        way
    ]
    assert run(monkeypatch, "extract", arguments[0], "plain.h5", "--lengths", "lengths.npy") == 0
    assert run(monkeypatch, "extract", arguments[0], "new.h5", *arguments[1:]) == 0
    with h5py.File("new.h5") as made, h5py.File("plain.h5") as plain:
        # Data, and the name of nothing.
        assert made["ids"][()].tolist() == ids
        assert set(made) == set(plain) | {"ids"}
    assert run(monkeypatch, "verify", "new.h5") == 0
