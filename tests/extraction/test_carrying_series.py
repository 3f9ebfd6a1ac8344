"""Labels and text that are stored sequence by sequence, as lists or in columns, stand beside the states."""

import h5py
import numpy as np
import pytest

import rnnstates
from rnnstates import BadInput

LENGTHS = np.array([4, 0, 7, 1, 5])
INPUTS = np.random.RandomState(0).standard_normal((5, 7, 3)).astype("f4")
ROWS = [row[:length] for row, length in zip(INPUTS, LENGTHS, strict=True)]
LABELS = [np.random.RandomState(row).randint(-9, 9, length) for row, length in enumerate(LENGTHS)]
BOXES = [np.random.RandomState(9 + row).standard_normal((length, 2)) for row, length in enumerate(LENGTHS)]
WORDS = [[f"w{row}ä{step}" * (step % 3) for step in range(length)] for row, length in enumerate(LENGTHS)]
TITLES = ["a", "ä" * 9, "", "x/y", "z"]
VECTORS = np.random.RandomState(5).standard_normal((5, 4))


def check(states, *names, rows=range(5)):
    """Compare every sequence with what was given, in the order of its steps."""
    expected = {"labels": LABELS, "boxes": BOXES, "words": WORDS}
    for one, row in zip(states, rows, strict=True):
        for name in set(names) & set(expected):
            found = np.asarray(one[f"per_step/{name}"])
            found = np.char.decode(found, "utf-8") if found.dtype.kind == "S" else found
            np.testing.assert_array_equal(found, expected[name][row], name)
        if "titles" in names:
            assert one.per_sequence.titles.decode() == TITLES[row]
        if "vectors" in names:
            np.testing.assert_array_equal(one.per_sequence.vectors, VECTORS[row])
    assert {name.rpartition("/")[2] for name in states.datasets if name.startswith("per_")} >= set(names)


def table(path, rows=slice(None)):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import feather, parquet

    columns = {"x": [row.tolist() for row in ROWS], "labels": LABELS, "boxes": [row.tolist() for row in BOXES],
               "words": WORDS, "titles": TITLES, "vectors": VECTORS.tolist()}  # fmt: skip
    types = {"boxes": pa.list_(pa.list_(pa.float64(), 2))}
    made = pa.table({name: pa.array(list(values[rows]), types.get(name)) for name, values in columns.items()})
    if path.suffix == ".parquet":
        parquet.write_table(made, path, row_group_size=2)
    else:
        feather.write_feather(made, path, chunksize=2)
    return path


def group(path):
    with h5py.File(path, "w") as file:
        for row in range(5):
            # The names in another order than the labels are stored.
            file[f"inputs/s{row}"] = ROWS[row]
        for row in reversed(range(5)):
            file[f"labels/s{row}"], file[f"boxes/s{row}"] = LABELS[row], BOXES[row].reshape(-1, 2)
            file.create_dataset(f"words/s{row}", data=WORDS[row], shape=(LENGTHS[row],), dtype=h5py.string_dtype())
        file["titles"], file["vectors"] = TITLES, VECTORS
    return path


def varying(path):
    with h5py.File(path, "w") as file:
        file["inputs"] = INPUTS
        file["lengths"] = LENGTHS
        stored = file.create_dataset("labels", 5, h5py.vlen_dtype(np.int32))
        for row in range(5):
            stored[row] = LABELS[row]
    return path


@pytest.mark.parametrize("layout", rnnstates.LAYOUTS)
@pytest.mark.parametrize("suffix", [".parquet", ".feather"])
def test_columns_of_lists_and_of_text_are_copied(tmp_path, suffix, layout):
    names = ["labels", "boxes", "words", "titles", "vectors"]
    options = {"dataset": "x", "units": 2, "carry": names, "layout": layout}
    made = rnnstates.extract(table(tmp_path / f"x{suffix}"), **options, output=tmp_path / "o.h5")
    check(made, *names)
    assert rnnstates.verify(tmp_path / "o.h5")["recomputed"]
    check(rnnstates.extract(tmp_path / f"x{suffix}", **options, rows=[4, 0, 2]), *names, rows=[4, 0, 2])


def test_columns_of_several_tables_follow_one_another(tmp_path):
    names = ["labels", "words", "titles"]
    paths = [table(tmp_path / "a.parquet", slice(0, 2)), table(tmp_path / "b.feather", slice(2, 5))]
    check(rnnstates.extract(paths, dataset="x", units=2, carry=names), *names)


def test_groups_with_a_dataset_for_each_sequence_are_copied_by_their_names(tmp_path):
    names = ["labels", "boxes", "words", "titles", "vectors"]
    check(rnnstates.extract(group(tmp_path / "x.h5"), units=2, carry=names), *names)


@pytest.mark.parametrize("padding", rnnstates.PADDINGS)
def test_arrays_of_varying_length_belong_to_the_valid_steps(tmp_path, padding):
    path = varying(tmp_path / "x.h5")
    check(rnnstates.extract(path, units=2, carry="labels", padding=padding), "labels")
    found = rnnstates.extract(path, units=2, carry="labels", padding=padding, every=2)
    for one, labels in zip(found, LABELS, strict=True):
        np.testing.assert_array_equal(one.per_step.labels, labels[::2])


@pytest.mark.parametrize("inputs", [ROWS, INPUTS], ids=["rows", "padded"])
def test_lists_in_memory_are_copied(inputs):
    lengths = LENGTHS if inputs is INPUTS else None
    carry = {"labels": LABELS, "boxes": BOXES, "words": WORDS, "titles": np.array(TITLES, object), "vectors": VECTORS}
    check(rnnstates.extract(inputs, lengths, units=2, carry=carry), *carry)
    pandas = pytest.importorskip("pandas")
    carry = {"labels": pandas.Series(LABELS), "titles": pandas.Series(TITLES)}
    check(rnnstates.extract(inputs, lengths, units=2, carry=carry), *carry)


@pytest.mark.parametrize(
    "carry, message",
    [
        ({"a": LABELS[:4]}, r"carry\['a'\]: has 4 rows; expected 5, one per sequence"),
        (
            {"a": [*LABELS[:4], [1, 2]]},
            r"carry\['a'\]: row 4 has 2 entries, but sequence 4 has 5 steps \(wrong in 1 of 5 rows\)",
        ),
        ({"a": [*BOXES[:4], [1, 2, 3, 4, 5]]}, r"carry\['a'\]: row 4 has shape \(5,\); expected \(steps, …\)"),
        ({"a": [[1j] * length for length in LENGTHS]}, r"carry\['a'\]: dtype complex128; expected numbers or text"),
        ({"a": np.array([{}] * 5)}, r"carry\['a'\]: dtype object; expected numbers or text"),
    ],
)
def test_lists_that_fit_no_sequence_are_refused(carry, message):
    with pytest.raises(BadInput, match=message):
        rnnstates.extract(ROWS, units=2, carry=carry)


def test_what_a_file_has_for_some_sequences_is_refused(tmp_path):
    with h5py.File(group(tmp_path / "x.h5"), "a") as file:
        del file["labels/s3"]
        file["mixed/s0"], file["one/s0"] = np.ones((4, 2)), 3
        for row in range(1, 5):
            file[f"mixed/s{row}"] = np.ones(LENGTHS[row])
    for name, message in {
        "labels": r"group 'labels': has no dataset 's3'; expected one for each sequence, with its name",
        "mixed": r"group 'mixed': entries of shapes \[\(\), \(2,\)\]; expected one shape in all datasets",
        "one": r"group 'one', 's0': is a single value; expected one entry per step",
    }.items():
        with pytest.raises(BadInput, match=message):
            rnnstates.extract(tmp_path / "x.h5", units=2, carry=name)


def test_nulls_in_a_column_of_text_are_refused(tmp_path):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    words = [["a", None, "c", "d"], *WORDS[1:]]
    parquet.write_table(pa.table({"x": [row.tolist() for row in ROWS], "words": words}), tmp_path / "x.parquet")
    with pytest.raises(BadInput, match=r"column 'words': row 0, step 1 is null or has a null in it; expected text"):
        rnnstates.extract(tmp_path / "x.parquet", units=2, carry="words", dataset="x")
