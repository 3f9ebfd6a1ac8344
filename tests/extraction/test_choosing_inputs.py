"""Some rows, some steps and several files give what the whole gives there."""

import h5py
import numpy as np
import pytest

import rnnstates
from rnnstates import BadInput, BadLengths, MissingInput, OptionError

from ..builders import one_layer, ragged

_, LENGTHS = ragged(sequences=9, steps=8, features=3)
INPUTS = np.random.RandomState(0).standard_normal((9, 8, 3))
IDS = [f"s{row}" for row in range(9)]


def write(path, rows=slice(None), ids=IDS, steps=None, **more):
    with h5py.File(path, "w") as file:
        file["inputs"], file["lengths"] = INPUTS[rows, :steps], LENGTHS[rows]
        if ids is not None:
            file["ids"] = ids[rows] if isinstance(rows, slice) else [ids[row] for row in rows]
        for name, values in more.items():
            file[name] = values
    return path


def whole(**options):
    return rnnstates.extract(INPUTS, LENGTHS, ids=IDS, weights=one_layer(units=4), **options)


def same(found, expected, rows=slice(None)):
    assert set(found.datasets) - {"per_sequence/input_row"} == set(expected.datasets)
    for name in expected.datasets:
        np.testing.assert_array_equal(found[name][()], expected[name][rows], err_msg=name)


@pytest.mark.parametrize("rows", ["2:7", [4, 0, 8], ["s5", "s1"], np.arange(9) % 2 == 0, "chosen"])
@pytest.mark.parametrize("kind", ["hdf5", "memory"])
def test_some_rows_have_the_states_that_they_have_in_the_whole(tmp_path, rows, kind):
    chosen = [7, 3]
    given = write(tmp_path / "x.h5", chosen=chosen) if kind == "hdf5" else INPUTS
    lengths, ids = (None, None) if kind == "hdf5" else (LENGTHS, IDS)
    places = rows
    if isinstance(rows, str):
        places = {"2:7": slice(2, 7), "chosen": chosen}[rows]
        rows = chosen if (kind, rows) == ("memory", "chosen") else rows
    if isinstance(places, list) and isinstance(places[0], str):
        places = [IDS.index(one) for one in places]
    found = rnnstates.extract(given, lengths, ids=ids, rows=rows, weights=one_layer(units=4))
    same(found, whole(), places)


@pytest.mark.parametrize("padding", ["post", "pre"])
def test_some_steps_are_a_sequence_of_their_own(padding):
    lengths = np.array([8, 0, 3, 5, 6, 1, 8, 4, 2])
    found = rnnstates.extract(INPUTS.astype("f4"), lengths, steps="2:6", padding=padding, units=4, seed=1)
    first = np.zeros(9, int) if padding == "post" else 8 - lengths
    kept = np.clip(np.minimum(first + lengths, 6) - np.maximum(first, 2), 0, None)
    assert found.lengths.tolist() == kept.tolist()
    cut = rnnstates.extract(INPUTS[:, 2:6].astype("f4"), kept, padding=padding, units=4, seed=1)
    same(found, cut)


@pytest.mark.parametrize("suffixes", [("h5", "h5", "h5"), ("h5", "npz", "h5")])
def test_several_files_are_one_input(tmp_path, suffixes):
    parts = [slice(0, 4), slice(4, 5), slice(5, 9)]
    paths = []
    for number, (rows, suffix) in enumerate(zip(parts, suffixes, strict=True)):
        path = tmp_path / f"part{number}.{suffix}"
        if suffix == "h5":
            write(path, rows)
        else:
            np.savez(path, inputs=INPUTS[rows], lengths=LENGTHS[rows], ids=IDS[rows])
        paths.append(path)
    same(rnnstates.extract(paths, weights=one_layer(units=4)), whole())
    same(rnnstates.extract(str(tmp_path / "part*"), weights=one_layer(units=4)), whole())
    found = rnnstates.extract(paths, rows=["s6", "s4"], weights=one_layer(units=4))
    same(found, whole(), [6, 4])
    assert [part["path"] for part in found.provenance["input"]["inputs"]] == [str(path) for path in paths]


@pytest.mark.parametrize("padding", ["post", "pre"])
def test_files_of_different_padded_lengths_are_one_input(tmp_path, padding):
    for number, steps in enumerate((5, 8)):
        with h5py.File(tmp_path / f"{number}.h5", "w") as file:
            file["inputs"], file["lengths"] = INPUTS[:4, :steps].astype("f4"), [5, 2, 0, 3]
    found = rnnstates.extract([tmp_path / "0.h5", tmp_path / "1.h5"], padding=padding, units=4, layout="packed")
    both = [
        rnnstates.extract(tmp_path / f"{number}.h5", padding=padding, units=4, layout="packed") for number in (0, 1)
    ]
    np.testing.assert_array_equal(found["hidden"], np.concatenate([one["hidden"] for one in both]))
    assert "ids" not in found.datasets


def test_ids_that_collide_get_the_name_of_their_file(tmp_path):
    paths = [write(tmp_path / "a.h5", slice(0, 3)), write(tmp_path / "b.h5", slice(2, 4))]
    assert rnnstates.extract(paths, units=2).ids.tolist() == ["a/s0", "a/s1", "a/s2", "b/s2", "b/s3"]
    (tmp_path / "c").mkdir()
    paths = [paths[0], write(tmp_path / "c/a.h5", slice(0, 1))]
    assert rnnstates.extract(paths, units=2).ids.tolist() == ["0/s0", "0/s1", "0/s2", "1/s0"]
    paths = [write(tmp_path / "a.h5", slice(0, 2)), write(tmp_path / "d.h5", slice(4, 6), ids=None)]
    assert rnnstates.extract(paths, units=2).ids.tolist() == ["a/s0", "a/s1", "d/0", "d/1"]
    with h5py.File(tmp_path / "d.h5", "a") as file:
        file["ids"] = [5, -3]
    assert rnnstates.extract(paths, units=2).ids.tolist() == ["s0", "s1", "5", "-3"]


def test_what_several_files_cannot_share_is_refused(tmp_path):
    paths = [write(tmp_path / "a.h5"), write(tmp_path / "b.h5")]
    with pytest.raises(OptionError, match=r"lengths=: an array cannot be shared by several inputs"):
        rnnstates.extract(paths, [1] * 18, units=2)
    with pytest.raises(OptionError, match=r"ids=: a list cannot be shared by several inputs"):
        rnnstates.extract(paths, ids=["a"] * 18, units=2)
    with pytest.raises(MissingInput, match=r"c\.h5"):
        rnnstates.extract([*paths, tmp_path / "c.h5"], units=2)
    with pytest.raises(MissingInput, match=r"none\*"):
        rnnstates.extract(str(tmp_path / "none*.h5"), units=2)
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["inputs"], file["lengths"] = np.ones((2, 3, 5)), [1, 1]
    with pytest.raises(BadInput, match=r"b\.h5: dataset 'inputs': has 5 features per step, but layer 'lstm' reads 3"):
        rnnstates.extract(paths, units=2)
    mask = np.arange(8) >= 8 - LENGTHS[:, np.newaxis]
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["inputs"], file["lengths"] = INPUTS, mask
    with pytest.raises(BadLengths, match=r"some are padded after the valid steps, others before them"):
        rnnstates.extract(paths, units=2)


def test_a_run_of_some_rows_is_another_job(tmp_path):
    path = write(tmp_path / "x.h5")
    rnnstates.extract(path, rows="0:4", units=2, output=tmp_path / "o.h5").close()
    rnnstates.extract(path, rows="0:4", units=2, output=tmp_path / "o.h5", if_exists="skip").close()
    for rows in ("1:5", [0, 1, 2, 3][::-1], None):
        with pytest.raises(rnnstates.DoesNotMatch):
            rnnstates.extract(path, rows=rows, units=2, output=tmp_path / "o.h5", if_exists="skip")


@pytest.mark.parametrize("options", [{"rows": "2:6"}, {"steps": "1:5"}, {"rows": [5, 2], "steps": "2:"}])
@pytest.mark.parametrize("several", [False, True])
def test_verify_reads_the_same_rows_and_steps_again(tmp_path, options, several):
    path = write(tmp_path / "x.h5")
    given = [path, write(tmp_path / "y.h5")] if several else path
    rnnstates.extract(given, units=2, output=tmp_path / "o.h5", **options).close()
    assert rnnstates.verify(tmp_path / "o.h5")["recomputed"]


def test_zeros_and_ones_for_all_sequences_are_not_taken_for_numbers():
    with pytest.raises(OptionError, match=r"a 0 or 1 for each of 9 sequences; expected their numbers, or truth values"):
        whole(rows=np.arange(9) % 2)
    same(whole(rows=[1, 0]), whole(), [1, 0])


def test_ids_that_are_no_text_are_refused():
    with pytest.raises(BadInput, match=r"UTF-8"):
        whole(rows=["\udb63a"])


def test_rows_of_a_dataset_are_decoded(tmp_path):
    path = write(tmp_path / "x.h5", chosen=np.array([2, 9, 1], np.int8))
    with h5py.File(path, "a") as file:
        file["chosen"].attrs["_FillValue"] = np.int8(9)
    with pytest.raises(BadInput, match=r"'chosen': row 1 holds 9"):
        rnnstates.extract(path, rows="chosen", units=2)


@pytest.mark.parametrize("options", [{"steps": "1:4"}, {"rows": "1:3"}])
def test_verify_says_that_lengths_given_beside_packed_sequences_are_not_there(tmp_path, options):
    np.save(tmp_path / "x.npy", np.concatenate([row[:length] for row, length in zip(INPUTS, LENGTHS, strict=True)]))
    output = tmp_path / "o.h5"
    rnnstates.extract(tmp_path / "x.npy", LENGTHS, units=2, output=output, **options).close()
    found = rnnstates.verify(output)
    assert (found["checksums"], found["recomputed"]) == ("right", [])
    assert "the lengths at which" in found["reason"]
