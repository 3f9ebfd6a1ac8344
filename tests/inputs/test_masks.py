"""Lengths from masks of every origin: as NumPy sums them, and refused where steps do not follow one another."""

import h5py
import numpy as np
import pytest

import rnnstates
import rnnstates.inputs.packed
from rnnstates.errors import BadLengths, OptionError
from rnnstates.inputs import mask as mask_module
from rnnstates.inputs import open_source, read_lengths
from rnnstates.inputs.form import Form

N, T, I = 5, 7, 2
LENGTHS = np.array([3, 0, 7, 1, 6])
POST = np.arange(T) < LENGTHS[:, np.newaxis]
PRE = POST[:, ::-1]
INPUTS = np.random.RandomState(4).normal(size=(N, T, I)).astype("f4")


def source_of(tmp_path, mask, **attributes):
    with h5py.File(tmp_path / "in.h5", "w") as file:
        file["inputs"] = INPUTS
        file["mask"] = mask
        file["mask"].attrs.update(attributes)
    return open_source(tmp_path / "in.h5")


def written(way, mask, tmp_path):
    """Give (lengths, source) for a mask in memory, in a .npy beside the input, or in its file."""
    if way == "hdf5":
        return "mask", source_of(tmp_path, mask)
    if way == "npy":
        np.save(tmp_path / "mask.npy", mask)
        return tmp_path / "mask.npy", open_source(INPUTS)
    return mask, open_source(INPUTS)


WAYS = ("memory", "npy", "hdf5")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("dtype", ["?", "i1", "u8", ">i4", "f2", ">f8"])
@pytest.mark.parametrize("side, mask", [("post", POST), ("pre", PRE)])
def test_lengths_and_side_are_those_of_the_mask(tmp_path, way, dtype, side, mask):
    given, source = written(way, mask.astype(dtype), tmp_path)
    found = read_lengths(given, source)
    np.testing.assert_array_equal(found.lengths, mask.sum(axis=1))
    assert (found.lengths.dtype, found.padding, found.found) == (np.int64, side, "mask")
    assert len(found.notes) == (side == "pre")
    source.close()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("axes", ["TNI", "ITN", "NTI", "NIT"])
def test_a_mask_has_the_order_of_the_inputs_axes(tmp_path, way, axes):
    stored = INPUTS.transpose(["NTI".index(letter) for letter in axes])
    turned = PRE if axes.index("N") < axes.index("T") else PRE.T
    np.save(tmp_path / "in.npy", stored)
    with h5py.File(tmp_path / "in.h5", "w") as file:
        file["inputs"], file["mask"] = stored, turned
    np.save(tmp_path / "mask.npy", np.asfortranarray(turned))
    path, given = {
        "memory": (stored, turned), "npy": (tmp_path / "in.npy", tmp_path / "mask.npy"),
        "hdf5": (tmp_path / "in.h5", "mask"),
    }[way]  # fmt: skip
    source = open_source(path, form=Form(axes=axes))
    found = read_lengths(given, source)
    np.testing.assert_array_equal(found.lengths, LENGTHS)
    assert found.padding == "pre"
    with pytest.raises(BadLengths, match=r"or a mask of 5 sequences and 7 steps\. It is turned\. A mask has"):
        read_lengths(PRE.T if turned is PRE else PRE, source)
    source.close()


@pytest.mark.parametrize("layout", [{"chunks": (2, 3)}, {"chunks": (3, 7), "compression": "gzip"}, {}])
def test_a_mask_is_read_some_rows_at_a_time(tmp_path, monkeypatch, layout):
    monkeypatch.setattr(mask_module, "PIECE", 3 * T)
    rows = []
    add = mask_module.MaskTally.add
    monkeypatch.setattr(mask_module.MaskTally, "add", lambda *args: rows.append(len(args[2])) or add(*args))
    with h5py.File(tmp_path / "in.h5", "w") as file:
        file["inputs"] = INPUTS
        file.create_dataset("mask", data=PRE, **layout)
    source = open_source(tmp_path / "in.h5")
    np.testing.assert_array_equal(read_lengths("mask", source).lengths, LENGTHS)
    assert rows == ([2, 2, 1] if layout.get("chunks") == (2, 3) else [3, 2])
    np.save(tmp_path / "mask.npy", PRE.astype("u1"))
    np.testing.assert_array_equal(read_lengths(tmp_path / "mask.npy", source).lengths, LENGTHS)
    source.close()


def test_a_mask_that_is_all_or_nothing_leaves_the_side_as_stated():
    source = open_source(INPUTS)
    whole = np.repeat(np.array([1, 0, 1, 1, 0])[:, np.newaxis], T, axis=1)
    for padding in ("post", "pre"):
        found = read_lengths(whole, source, padding=padding)
        assert (found.padding, found.notes) == (padding, ())
        np.testing.assert_array_equal(found.lengths, whole[:, 0] * T)


@pytest.mark.parametrize("shape", [(1, 6), (6, 1), (1, 1)])
def test_one_row_or_column_is_a_mask_where_it_fits_no_lengths(shape):
    mask = np.ones(shape, int)
    mask[-1, -1] = 0
    source = open_source(np.ones((*shape, 2)))
    np.testing.assert_array_equal(read_lengths(mask, source).lengths, mask.sum(axis=1))
    np.testing.assert_array_equal(read_lengths(mask.astype(bool), source).lengths, mask.sum(axis=1))


def test_no_sequences_have_a_mask_of_none():
    assert read_lengths(np.zeros((0, T), bool), open_source(np.zeros((0, T, I)))).lengths.shape == (0,)


@pytest.mark.parametrize("mask", [[True, True, False, False], [[True, True, False, False]]])
def test_one_sequence_has_a_mask_of_its_steps(mask):
    values = np.random.RandomState(1).normal(size=(4, 3))
    found = rnnstates.extract(values, mask, units=2, axes="TI")
    np.testing.assert_array_equal(found["cell"], rnnstates.extract(values[np.newaxis], [2], units=2)["cell"])
    expected = r"shape \(2, 3\); expected one length per sequence, or a mask of one sequence of 4 steps"
    with pytest.raises(BadLengths, match=expected):
        rnnstates.extract(values, np.ones((2, 3), bool), units=2, axes="TI")


def test_lists_and_datasets_are_masks(tmp_path):
    source = source_of(tmp_path, POST.astype("i1"), dtype="bool")
    for given in (POST.tolist(), "mask", source.file["mask"]):
        np.testing.assert_array_equal(read_lengths(given, source).lengths, LENGTHS)
    source.close()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "row, values, message",
    [
        (
            2,
            [1, 1, 0, 1, 0, 0, 0],
            "sequence 2 has a hole at step 2: it is masked, but steps before and after it count",
        ),
        (4, [0, 1, 0, 0, 1, 0, 0], "sequence 4 has a hole at step 2: it is masked"),
        (0, [0, 0, 1, 1, 0, 0, 0], "sequence 0 counts from step 2 to step 3 of 7, so it is padded on both sides; exp"),
        (
            2,
            [0, 0, 0, 0, 0, 0, 1],
            "marks the first steps of sequence 0, but the last ones of sequence 2; expected all",
        ),
        (3, [1, 1, 2, 0, 0, 0, 0], "sequence 3, step 2 is 2; expected a mask of booleans, or of zeros and ones"),
        (3, [1, -1, 2, 0, 0, 0, 0], "sequence 3, step 1 is -1; expected a mask"),
    ],
)
def test_a_mask_of_something_else_is_refused(tmp_path, monkeypatch, way, row, values, message):
    monkeypatch.setattr(mask_module, "PIECE", 2 * 2 * T)
    mask = POST.astype("i2")
    mask[row] = values
    given, source = written(way, mask, tmp_path)
    where = {"memory": "lengths", "npy": "mask.npy", "hdf5": "in.h5: dataset 'mask'"}[way]
    with pytest.raises(BadLengths, match=f"{where}: {message}"):
        read_lengths(given, source)
    source.close()


def test_a_missing_value_is_no_mark(tmp_path):
    source = source_of(tmp_path, POST.astype("i2"), missing_value=np.int16(1))
    with pytest.raises(BadLengths, match="sequence 0, step 0 is nan; expected a mask of booleans"):
        read_lengths("mask", source)
    source.close()
    mask = POST.astype("f4")
    mask[2, 4] = np.nan
    with pytest.raises(BadLengths, match="sequence 2, step 4 is nan"):
        read_lengths(mask, open_source(INPUTS))


def test_a_mask_against_the_stated_side_is_refused():
    source = open_source(INPUTS)
    assert read_lengths(PRE, source, padding="pre").notes == ()
    with pytest.raises(OptionError, match=r'lengths: masks the last steps of sequence 0, but padding="pre" says'):
        read_lengths(POST, source, padding="pre")


def test_a_mask_of_sequences_without_padding_is_refused():
    flat = INPUTS.reshape(-1, I)
    packed = rnnstates.inputs.packed.PackedSource(open_source(flat, form=Form(axes="TI")), np.array([0, 4, 35]))
    for given in (POST, np.ones((2, 31), bool)):
        with pytest.raises(BadLengths, match="lengths: a mask, but inputs is stored without padding, so every step"):
            read_lengths(given, packed)


def test_a_side_that_is_found_is_said(tmp_path, caplog):
    found = rnnstates.extract(INPUTS, PRE, units=3)
    (note,) = (note for note in found.provenance["notes"] if "mask" in note)
    assert note == (
        'lengths: masks the first steps of the shorter sequences, so they are read as with padding="pre". If True or 1 '
        "marks its padding, give the opposite."
    )
    assert found.provenance["lengths"] == "mask"
    assert found.attributes["padding"] == "pre"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("side", ["post", "pre"])
@pytest.mark.parametrize("layout", ["padded", "packed"])
def test_states_are_those_of_the_lengths(tmp_path, way, side, layout):
    mask, values = (POST, INPUTS) if side == "post" else (PRE, INPUTS[:, ::-1])
    with h5py.File(tmp_path / "in.h5", "w") as file:
        file["inputs"], file["mask"] = values, mask
    np.save(tmp_path / "in.npy", values)
    np.save(tmp_path / "mask.npy", mask)
    inputs, given = {
        "memory": (values, mask), "npy": (tmp_path / "in.npy", tmp_path / "mask.npy"),
        "hdf5": (tmp_path / "in.h5", "mask"),
    }[way]  # fmt: skip
    found = rnnstates.extract(inputs, given, units=3, layout=layout)
    expected = rnnstates.extract(values, LENGTHS, units=3, padding=side, layout=layout)
    np.testing.assert_array_equal(found.lengths, LENGTHS)
    for name in ("hidden", "cell", "hidden_mean", "cell_last"):
        np.testing.assert_array_equal(found[name], expected[name])
