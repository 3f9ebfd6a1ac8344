"""Tables that are no input: other columns, damage, changes while they are read."""

import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

import rnnstates
from rnnstates import BadInput, EngineUnavailable, InputChanged, OptionError
from rnnstates.inputs import open_source
from rnnstates.inputs.arrow import tables

from ..builders import one_layer
from ..cli.running import rnnstates as command
from .tables import WAYS, sequences, written
from .test_packed import FEATURES, UNITS

NETWORK = one_layer(units=UNITS, features=FEATURES)
IDS = np.array(["a", "b/c", "ä", "", "a b", "z", "y"])


REFUSED = {
    "a null list": ({"x": pa.array([[1.0], None, [2.0]])}, r"column 'x': row 1 is null; expected a list in every row"),
    "a null step": ({"x": pa.array([[], [[1.0, 2.0], None]])}, r"row 1, step 1 is null or has a null in it"),
    "a null value": ({"x": pa.array([[], [[1.0, 2.0], [3.0, None]]])}, r"row 1, step 1 is null or has a null in it"),
    "a null number": ({"x": pa.array([[], [1.0], [1.0, 2.0, None]])}, r"row 2, step 2 is null or has a null in it"),
    "steps of two widths": (
        {"x": pa.array([[], [[1.0, 2.0], [3.0]]])},
        r"row 1, step 1 has 1 features, but the step before has 2; expected as many in every step",
    ),
    "rows of two widths": (
        {"x": pa.array([[[1.0, 2.0]], [], [], [], [[3.0]]])},
        r"row 4 has 1 features per step, but rows before have 2; expected as many",
    ),
    "one row per step": (
        {"id": [1, 1, 2], "x": [1.0, 2.0, 3.0]},
        (
            r"no column of sequences; expected a column of lists, one list.*present: 'id' int64, 'x' double\. "
            r"If a row is one step, group the rows first, such as df\.groupby\('id', sort=False\)"
        ),
    ),
    "lists of text": ({"x": [["a"], ["b"]]}, r"no column of sequences; .* present: 'x' list<item: string>"),
    "steps without features": ({"x": pa.array([[[]], []], pa.list_(pa.list_(pa.float32())))}, r"has 0 features"),
}


@pytest.mark.parametrize("way", ["parquet", "arrow"])
@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_column_of_sequences_is_refused(tmp_path, way, name):
    columns, message = REFUSED[name]
    with pytest.raises(BadInput, match=message.replace("list<item", "list<(item|element)")):
        rnnstates.extract(written(tmp_path, way, **columns), units=2)


@pytest.mark.parametrize(
    "options, error, message",
    [
        ({"dataset": "y"}, BadInput, r"no column 'y'; present: 'ids' string, 'x' list<"),
        ({"dataset": "ids"}, BadInput, r"column 'ids' has type string; expected a column of lists"),
        (
            {"axes": "TNI"},
            OptionError,
            r"axes='TNI'; a column of lists holds one sequence per row, so its order is NTI",
        ),
        ({"univariate": True}, OptionError, r"univariate=True: .*column 'x' has shape \(7, 7, 4\); expected \(N, T\)"),
        ({"ids": "x"}, BadInput, r"column 'x': type list<.*; expected numbers or strings, one per row"),
        ({"carry": "z"}, BadInput, r"no such column in .*; present: 'ids'"),
        ({"ids": "holes"}, BadInput, r"column 'holes': row 1 is null; expected one value per row"),
    ],
)
def test_options_that_do_not_fit_a_table_are_refused(tmp_path, options, error, message):
    path = written(tmp_path, ids=IDS, x=sequences(), holes=[1, None, *range(5)])
    with pytest.raises(error, match=message):
        rnnstates.extract(path, units=2, **options)


def test_names_that_occur_twice_are_refused(tmp_path):
    table = pa.Table.from_arrays([sequences(), sequences()], ["inputs", "inputs"])
    parquet.write_table(table, tmp_path / "x.parquet")
    with pytest.raises(BadInput, match=r"2 columns are called 'inputs'. Give them different names"):
        rnnstates.extract(tmp_path / "x.parquet", units=2)


def test_without_pyarrow_the_extra_is_named(tmp_path, monkeypatch):
    path = written(tmp_path, x=sequences())
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(EngineUnavailable, match=r"Parquet and Arrow files need pyarrow .*rnnstates\[arrow\]"):
        rnnstates.extract(path, units=2)
    assert command("extract", path, tmp_path / "out.h5").returncode == 69


def test_a_file_that_is_written_to_meanwhile_is_refused(tmp_path):
    path = written(tmp_path, x=sequences())
    source = open_source(path)
    path.write_bytes(path.read_bytes() + b"more")
    with pytest.raises(InputChanged, match=r"column 'x': had \d+ bytes when it was opened"):
        source.read(slice(0, 1), slice(0, 1))
    source.close()


def test_arrays_of_arrow_that_hold_no_sequences_are_refused():
    with pytest.raises(BadInput, match=r"inputs: an Arrow array of type list<item: string>; expected lists of num"):
        rnnstates.extract(pa.array([["a"], []]), units=2)
    with pytest.raises(BadInput, match=r"inputs: row 1 is null; expected a list in every row"):
        rnnstates.extract(pa.array([[[1.0]], None]), units=2)


@pytest.mark.parametrize("way", WAYS)
def test_a_file_that_is_cut_short_is_refused(tmp_path, way):
    path = written(tmp_path, way, x=sequences())
    content = path.read_bytes()
    for size in [*range(8, len(content) - 1, 97), len(content) - 1]:
        path.write_bytes(content[:size])
        with pytest.raises(BadInput, match=r"pyarrow cannot read it \(.*\); expected a complete, undamaged file"):
            rnnstates.extract(path, units=2)


def test_more_rows_than_a_file_can_mean_to_have_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "MOST_ROWS", 100)
    path = written(tmp_path, "one row group", x=pa.array([[]] * 200_000, pa.list_(pa.float32())))
    with pytest.raises(BadInput, match=rf"200000 rows in {path.stat().st_size} bytes"):
        rnnstates.extract(path, units=2)


def test_ids_that_unpack_to_too_much_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "MOST_WHOLE", 10_000)
    path = written(tmp_path, ids=["a" * 2000] * 7, x=sequences())
    with pytest.raises(BadInput, match=r"column 'ids': pyarrow cannot .*it unpacks to more than 10000 bytes"):
        rnnstates.extract(path, units=2)
