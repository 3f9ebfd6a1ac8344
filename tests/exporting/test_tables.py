"""Tables: pandas reads from every file what the states have, bit for bit."""

import csv
import json

import numpy as np
import pytest

import rnnstates

from .reading import TABLES, TEXTS, made, of_steps

FORMATS = list(TABLES)
OPTIONS = [
    {"ids": TEXTS},
    {"layout": "packed", "padding": "pre", "dtype": "float16"},
    {"padding": "pre", "dtype": "float64", "precision": "float64", "ids": list(range(20, 29))},
    {"stack": True, "layout": "packed", "ids": ["", *TEXTS[1:]]},
]


def exported(path, suffix, **options):
    target = path.with_suffix(suffix)
    rnnstates.export(path, target, **options)
    return TABLES[suffix](target)


def columns(frame, name, dtype, suffix):
    found = [column for column in frame.columns if column.rpartition("_")[0] == name]
    assert [int(column.rpartition("_")[2]) for column in found] == list(range(len(found)))
    values = frame[found].to_numpy()
    if suffix != ".csv":
        assert values.dtype == dtype
    return values.astype(dtype)


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("options", OPTIONS)
def test_pooled_vectors_are_one_row_per_sequence(options, suffix, tmp_path):
    path = made(tmp_path / "o.h5", **options)
    frame = exported(path, suffix)
    assert list(frame["id"].astype(str)) == list(map(str, options.get("ids", range(9))))
    with rnnstates.open(path) as states:
        names = [name for name in states.datasets if name.endswith(("_mean", "_last"))]
        assert len(names) in (4, 16)
        for name in names:
            expected = states[name][...]
            assert np.array_equal(columns(frame, name, expected.dtype, suffix), expected, equal_nan=True)
        assert len(frame.columns) == 1 + sum(states[name].shape[1] for name in names)


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("options", OPTIONS)
def test_states_are_one_row_per_valid_step(options, suffix, tmp_path):
    path = made(tmp_path / "o.h5", **options)
    name = "layer1/backward/cell" if "stack" in options else "cell"
    frame = exported(path, suffix, datasets=name)
    with rnnstates.open(path) as states:
        expected = of_steps([{name: one[name]} for one in states], name)
        assert np.array_equal(columns(frame, name, expected.dtype, suffix), expected)
        ids = options.get("ids", range(9))
        keys = [(str(ids[row]), row, step) for row in range(9) for step in range(states.lengths[row])]
    assert list(zip(frame["id"].astype(str), frame["sequence"], frame["step"], strict=True)) == keys


@pytest.mark.parametrize("suffix", FORMATS)
def test_small_blocks_of_chosen_rows_and_units_give_the_same(suffix, tmp_path, monkeypatch):
    import rnnstates.exporting.content as content

    boxes = content.boxes
    monkeypatch.setattr(content, "boxes", lambda leading, size, *_: boxes(leading, size, 900))
    monkeypatch.setattr("rnnstates.exporting.csv_text.LINES_AT_ONCE", 2)
    path = made(tmp_path / "o.h5", ids=TEXTS)
    rows = [7, 8, 0, 1, 2, 4]
    frame = exported(path, suffix, datasets="hidden,cell", rows=rows, units="3:,0")
    with rnnstates.open(path) as states:
        chosen = [states[row] for row in rows]
        assert list(frame.columns[3:]) == [f"{name}_{unit}" for name in ("hidden", "cell") for unit in (3, 4, 0)]
        for name in ("hidden", "cell"):
            expected = of_steps(chosen, name)[:, [3, 4, 0]]
            assert np.array_equal(frame[[f"{name}_{unit}" for unit in (3, 4, 0)]].to_numpy(np.float32), expected)
        assert list(frame["sequence"]) == [row for row in rows for _ in range(states.lengths[row])]
        assert list(frame["id"]) == [TEXTS[row] for row in rows for _ in range(states.lengths[row])]


@pytest.mark.parametrize("suffix", [".parquet", ".feather"])
def test_how_the_states_were_made_is_in_the_schema(suffix, tmp_path):
    import pyarrow.dataset

    path = made(tmp_path / "o.h5")
    exported(path, suffix)
    schema = pyarrow.dataset.dataset(path.with_suffix(suffix), format=suffix.strip(".")).schema
    with rnnstates.open(path) as states:
        assert json.loads(schema.metadata[b"rnnstates"]) == states.provenance


def test_a_wide_table_has_larger_row_groups_and_a_table_too_wide_for_parquet_is_refused(tmp_path, monkeypatch):
    import pyarrow.parquet

    from rnnstates.exporting import parquet

    path = made(tmp_path / "o.h5")
    monkeypatch.setattr(parquet, "BLOCK", 100)
    monkeypatch.setattr(parquet, "LARGEST", 500)
    groups = {}
    for few in (2**15, 30):
        monkeypatch.setattr(parquet, "FEW_CHUNKS", few)
        frame = exported(path, ".parquet", datasets="cell", force=True)
        groups[few] = pyarrow.parquet.ParquetFile(tmp_path / "o.parquet").metadata.num_row_groups
        with rnnstates.open(path) as states:
            assert len(frame) == states.lengths.sum()
    assert 1 < groups[30] < groups[2**15]
    monkeypatch.setattr(parquet, "MOST_CHUNKS", 10)
    with pytest.raises(rnnstates.OptionError, match=r"8 columns and \d+ rows is too large for one Parquet file"):
        rnnstates.export(path, tmp_path / "p.parquet", datasets="cell")


def test_units_and_steps_that_a_run_kept_have_their_numbers(tmp_path):
    path = made(tmp_path / "o.h5", states="state,cell", keep_units="1,4", every=3)
    frame = exported(path, ".parquet", datasets="state,cell")
    names = ["state_cell_1", "state_cell_4", "state_hidden_1", "state_hidden_4", "cell_1", "cell_4"]
    assert list(frame.columns) == ["id", "sequence", "step", *names]
    whole = made(tmp_path / "whole.h5")
    with rnnstates.open(whole) as states:
        for row, step, hidden in zip(frame["sequence"], frame["step"], frame["state_hidden_4"], strict=True):
            assert step % 3 == 0
            assert states[row].hidden[step, 4] == hidden
    chosen = exported(path, ".csv", datasets="state", units="4", force=True)
    assert list(chosen.columns[3:]) == ["state_cell_4", "state_hidden_4"]
    rnnstates.export(path, tmp_path / "o.npz", datasets="cell", rows="2:")
    with np.load(tmp_path / "o.npz") as arrays, rnnstates.open(whole) as states:
        assert arrays["input_lengths"].tolist() == states.lengths[2:].tolist()


def test_some_sequences_without_ids_keep_their_numbers(tmp_path):
    with rnnstates.open(made(tmp_path / "o.h5")) as states:
        rnnstates.export(states[[6, 2]], tmp_path / "a.csv")
    assert list(TABLES[".csv"](tmp_path / "a.csv")["id"]) == ["6", "2"]


def test_lengths_are_a_column(tmp_path):
    path = made(tmp_path / "o.h5")
    frame = exported(path, ".csv", datasets="lengths,hidden_mean")
    with rnnstates.open(path) as states:
        assert list(frame["lengths"]) == states.lengths.tolist()


def test_no_states_but_those_of_steps_are_exported_if_there_are_no_others(tmp_path):
    frame = exported(made(tmp_path / "o.h5", pool="none"), ".csv")
    assert list(frame.columns[:4]) == ["id", "sequence", "step", "cell_0"]


IDS = ['=1+2", "x', "two\nlines", "car\rriage", "comma,", " space ", "../../etc", "NA", "\x1b[31mred", "ü‮"]


def test_ids_of_any_characters_are_read_back_from_csv(tmp_path):
    path = made(tmp_path / "o.h5", ids=IDS)
    rnnstates.export(path, tmp_path / "o.csv")
    with open(tmp_path / "o.csv", encoding="utf-8", newline="") as file:
        assert [row[0] for row in csv.reader(file)] == ["id", *IDS]
    assert list(TABLES[".csv"](tmp_path / "o.csv")["id"]) == IDS
