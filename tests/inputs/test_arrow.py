"""Parquet, Arrow and Feather files: a column of lists, each row a sequence."""

import json

import numpy as np
import pandas
import pyarrow as pa
import pytest

import rnnstates
from rnnstates import BadInput, BadLengths
from rnnstates.inputs import open_source
from rnnstates.inputs.arrow import tables
from rnnstates.inputs.arrow.ragged import ragged

from ..builders import embedded, one_layer
from ..cli.running import rnnstates as command
from .tables import COLUMNS, WAYS, lists, sequences, written
from .test_packed import FEATURES, LENGTHS, UNITS, padded, same

NETWORK = one_layer(units=UNITS, features=FEATURES)
IDS = np.array(["a", "b/c", "ä", "", "a b", "z", "y"])


# Parquet and Feather store views as plain lists.
CASES = [(way, kind) for way in WAYS for kind in COLUMNS if kind != "views" or "arrow" in way]


@pytest.mark.parametrize("way, kind", CASES)
def test_sequences_in_a_column_give_the_states_of_padded_ones(tmp_path, way, kind):
    values = padded()
    path = written(tmp_path, way, other=np.arange(7), x=sequences(values, kind))
    for layout in ("padded", "packed"):
        expected = rnnstates.extract(values, LENGTHS, weights=NETWORK, layout=layout)
        same(rnnstates.extract(path, weights=NETWORK, layout=layout), expected)


@pytest.mark.parametrize("way", WAYS)
def test_any_rows_in_any_order_are_those_of_the_column(tmp_path, way):
    values = np.nan_to_num(padded())
    source = open_source(written(tmp_path, way, x=sequences(values)))
    for first, last, begin, end in [(6, 7, 0, 7), (0, 7, 1, 4), (3, 5, 0, 2), (2, 3, 5, 7), (1, 1, 0, 3), (0, 2, 0, 0)]:
        np.testing.assert_array_equal(source.read(slice(first, last), slice(begin, end)), values[first:last, begin:end])
    source.close()
    source.close()


@pytest.mark.parametrize("dtype", ["f2", "f8", "i1", "u4", "i8", "?"])
def test_numbers_of_every_type_are_read(tmp_path, dtype):
    values = np.random.RandomState(3).randint(0, 2 if dtype == "?" else 100, (7, 7, FEATURES)).astype(dtype)
    source = open_source(written(tmp_path, "arrow", x=sequences(values)))
    assert source.dtype == values.dtype
    np.testing.assert_array_equal(source.read(slice(2, 3), slice(0, 7))[0], values[2])
    source.close()
    same(
        rnnstates.extract(written(tmp_path, x=sequences(values)), weights=NETWORK),
        rnnstates.extract(values, LENGTHS, weights=NETWORK),
    )


@pytest.mark.parametrize("how", [{}, {"univariate": True}, {"axes": "NT"}])
def test_a_list_of_numbers_is_one_feature_per_step(tmp_path, how):
    values, network = padded(features=1), one_layer(units=UNITS, features=1)
    path = written(tmp_path, x=lists(values[:, :, 0], pa.list_(pa.float32())))
    same(rnnstates.extract(path, weights=network, **how), rnnstates.extract(values, LENGTHS, weights=network))
    output = tmp_path / "out.h5"
    rnnstates.extract(path, units=2, output=output, **how).close()
    assert rnnstates.verify(output)["recomputed"]


def test_integers_are_token_ids_or_one_feature_if_that_is_said(tmp_path):
    ids = np.random.RandomState(1).randint(0, 9, (7, 7))
    path = written(tmp_path, x=lists(ids, pa.list_(pa.int32())))
    tables_of_words = embedded(vocabulary=9, features=FEATURES, units=UNITS)
    same(rnnstates.extract(path, weights=tables_of_words), rnnstates.extract(ids, LENGTHS, weights=tables_of_words))
    same(
        rnnstates.extract(path, units=2, univariate=True),
        rnnstates.extract(ids, LENGTHS, units=2, univariate=True),
    )
    with pytest.raises(BadInput, match=r"Token ids need weights with an embedding"):
        rnnstates.extract(path, units=2)


def test_lists_of_a_fixed_size_are_sequences_of_one_length(tmp_path):
    values = np.nan_to_num(padded())
    column = pa.array(values.tolist(), pa.list_(pa.list_(pa.float32(), FEATURES), 7))
    found = rnnstates.extract(written(tmp_path, x=column), weights=NETWORK)
    same(found, rnnstates.extract(values, "full", weights=NETWORK))


@pytest.mark.parametrize("way", ["parquet", "arrow"])
@pytest.mark.parametrize("encode", [False, True])
def test_ids_and_lengths_are_columns(tmp_path, way, encode):
    ids = pa.array(IDS).dictionary_encode() if encode else pa.array(IDS)
    path = written(
        tmp_path, way, ids=ids, n=LENGTHS, wrong=LENGTHS[::-1], lengths=LENGTHS, numbers=np.arange(7) * 3, x=sequences()
    )
    assert rnnstates.extract(path, units=2).ids.tolist() == IDS.tolist()
    assert rnnstates.extract(path, "n", units=2, ids="numbers").ids.tolist() == list(range(0, 21, 3))
    with pytest.raises(BadLengths, match=r"row 0 is 2, but sequence 0 of .*column 'x' has 3 steps, which all count"):
        rnnstates.extract(path, "wrong", units=2)
    with pytest.raises(BadInput, match=r"ids='number': neither a dataset of .* Did you mean 'numbers'\?"):
        rnnstates.extract(path, units=2, ids="number")


def test_a_part_of_a_larger_array_is_read_as_that_part(tmp_path):
    values = padded()
    twice = pa.concat_arrays([sequences(), sequences()])
    same(
        rnnstates.extract(written(tmp_path, "arrow", x=twice.slice(3, 7)), weights=NETWORK),
        rnnstates.extract(np.roll(values, -3, axis=0), np.roll(LENGTHS, -3), weights=NETWORK),
    )


def test_the_command_reads_describes_and_verifies_a_table(tmp_path):
    path = written(tmp_path, ids=IDS, first=sequences(), second=sequences(padded(seed=5)))
    done = command("extract", path.name, "out.h5", "--units", 3, "--inputs", "second", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    with rnnstates.open(tmp_path / "out.h5") as found:
        same(found, rnnstates.extract(padded(seed=5), LENGTHS, units=3, ids=IDS))
    assert command("verify", "out.h5", cwd=tmp_path).returncode == 0
    described = json.loads(command("info", path.name, "--json", cwd=tmp_path).stdout)
    assert {"kind": "input", "container": "Parquet", "rows": 7, "row_groups": 3}.items() <= described.items()
    assert described["datasets"][0] == {"name": "ids", "shape": [7], "dtype": "string"}
    done = command("extract", path.name, "out.h5", "--force", cwd=tmp_path)
    assert done.returncode == 65
    assert b"no column 'inputs', and 2 that fit: 'first', 'second'. Name one with --inputs." in done.stderr


def test_a_table_without_rows_has_no_sequences(tmp_path):
    path = written(tmp_path, x=sequences()[:0])
    assert rnnstates.extract(path, units=2)["hidden"].shape == (0, 1, 2)


def test_an_interrupted_run_of_a_table_goes_on(tmp_path, monkeypatch):
    from rnnstates.extraction import grid

    monkeypatch.setattr(grid, "WINDOW_BYTES", 2000)
    path, output = written(tmp_path, x=sequences()), tmp_path / "out.h5"
    expected = rnnstates.extract(path, units=UNITS, output=tmp_path / "whole.h5")

    def stop(done, total):
        if done > 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rnnstates.extract(path, units=UNITS, output=output, progress=stop)
    assert rnnstates.status(output)["windows"] > 0
    with rnnstates.extract(path, units=UNITS, output=output) as found:
        same(found, expected)
    expected.close()


def test_long_rows_are_decoded_a_few_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "BATCH_BYTES", 64)
    values = padded()
    taken = []
    monkeypatch.setattr(
        "rnnstates.inputs.arrow.list_column.ragged",
        lambda column, *rest: taken.append(len(column)) or ragged(column, *rest),
    )
    path = written(tmp_path, "one row group", x=sequences(values))
    same(rnnstates.extract(path, weights=NETWORK), rnnstates.extract(values, LENGTHS, weights=NETWORK))
    assert max(taken) == 1


@pytest.mark.parametrize("kind", ["list of lists", "large list of fixed", "views"])
def test_arrays_of_arrow_and_series_of_pandas_are_sequences(kind):
    values, column = padded(), sequences(kind=kind)
    expected = rnnstates.extract(values, LENGTHS, weights=NETWORK)
    rows = [row[:length] for row, length in zip(values, LENGTHS, strict=True)]
    whole = pa.concat_arrays([column, column])
    for given in (column, whole.slice(7), pa.chunked_array([column[:3], column[3:]]), pandas.Series(rows)):
        same(rnnstates.extract(given, weights=NETWORK), expected)


def test_a_column_of_pandas_is_sequences_as_its_file_is(tmp_path):
    rows = [row[:length, 0].tolist() for row, length in zip(padded(), LENGTHS, strict=True)]
    frame = pandas.DataFrame({"x": rows, "ids": IDS}, index=range(7, 14))
    frame.to_parquet(tmp_path / "x.parquet")
    expected = rnnstates.extract(tmp_path / "x.parquet", units=2)
    assert expected.ids.tolist() == IDS.tolist()
    same(rnnstates.extract(frame["x"], units=2, univariate=True, ids=frame["ids"]), expected)
