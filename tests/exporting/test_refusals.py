"""What cannot be exported is refused with what would work."""

import sys

import numpy as np
import pytest

import rnnstates

from .reading import TEXTS, made

WRONG = {
    ("out.xlsx", ()): r"out.xlsx: expected a name that ends in .npy, .npz, .csv, .* because that decides the format",
    ("out.npy", ()): r"datasets=: one array is exported to .npy, but .*o.h5 has 6; name one of cell, cell_last",
    ("out.csv", (("datasets", "hidden,hidden_mean"),)): "'hidden' has one row per step, 'hidden_mean' one per sequence",
    (
        "out.csv",
        (("datasets", "nonsense"),),
    ): "datasets='nonsense': not in .*o.h5, or not numbers; expected",
    ("out.csv", (("datasets", ","),)): "datasets=: names nothing; expected some of cell",
    ("out.csv", (("datasets", 3),)): "datasets=: is 3; expected a str of names with commas between",
    ("out.csv", (("rows", "5:10"),)): "rows=: reaches 9, but there are 9 sequences, numbered from 0",
    ("out.csv", (("rows", "4:4"),)): "rows=: selects none of 9 sequences",
    ("out.csv", (("rows", -1),)): "rows=: -1 is no number from 0 and no range; expected FIRST:LAST",
    ("out.csv", (("rows", True),)): "rows=: True is no number from 0",
    ("out.csv", (("units", 1.5),)): "units=: a float is no number from 0",
    ("out.csv", (("rows", ("a/0", "zz", "yy")),)): r"has no sequence 'zz' \(2 of 3 ids are missing\); expected ids as",
    ("out.csv", (("units", "0,5"),)): "units=: reaches 5, but there are 5 units in 'cell_last', numbered from 0",
    ("out.csv", (("units", "2,1:3"),)): "units=: names unit 2 twice; expected each once",
    ("out.csv", (("units", "x"),)): "units=: 'x' is no number from 0 and no range",
    ("out.csv", (("layout", "flat"),)): "layout='flat': unknown; expected one of padded, packed",
    ("o.h5/out.csv", ()): "the directory .*o.h5 does not exist; make it first",
}


@pytest.mark.parametrize(("name", "options"), WRONG)
def test_a_wrong_call_is_refused(name, options, tmp_path):
    path = made(tmp_path / "o.h5", ids=TEXTS)
    with pytest.raises(rnnstates.RnnstatesError, match=WRONG[name, options]):
        rnnstates.export(path, tmp_path / name, **dict(options))
    assert [path.name for path in tmp_path.iterdir()] == ["o.h5"]


def test_what_is_exported_is_not_replaced(tmp_path):
    path = made(tmp_path / "o.h5").rename(tmp_path / "o.npz")
    with pytest.raises(rnnstates.CannotCreate, match="is what is exported; choose another name"):
        rnnstates.export(path, path, force=True)


@pytest.mark.parametrize("name", ["a.parquet", "a.feather", "a.zarr"])
def test_a_package_that_is_missing_is_named_with_its_extra(name, tmp_path, monkeypatch):
    for package in ("pyarrow", "zarr"):
        monkeypatch.setitem(sys.modules, package, None)
    extra, other = ("zarr", ".npz") if name == "a.zarr" else ("arrow", ".csv")
    with pytest.raises(rnnstates.EngineUnavailable, match=rf"pip install 'rnnstates\[{extra}\]'.* to {other}"):
        rnnstates.export(made(tmp_path / "o.h5"), tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["o.h5"]


def test_rows_of_a_file_of_ids(tmp_path):
    path = made(tmp_path / "o.h5", ids=TEXTS)
    (tmp_path / "ids.txt").write_text(f"\ufeff{TEXTS[5]}\r\n\n{TEXTS[2]}\n", encoding="utf-8")
    rnnstates.export(path, tmp_path / "a.npy", datasets="cell_last", rows=str(tmp_path / "ids.txt"))
    with rnnstates.open(path) as states:
        assert np.array_equal(np.load(tmp_path / "a.npy"), states["cell_last"][...][[5, 2]])


def test_ids_that_are_numbers_and_rows_without_ids_are_found_by_their_text(tmp_path):
    with_ids, without = made(tmp_path / "o.h5", ids=list(range(20, 29))), made(tmp_path / "n.h5")
    for path, names in ((with_ids, ["25", "22"]), (without, ["5", "2"])):
        rnnstates.export(path, tmp_path / "a.npy", datasets="cell_last", rows=names, force=True)
        with rnnstates.open(path) as states:
            assert np.array_equal(np.load(tmp_path / "a.npy"), states["cell_last"][...][[5, 2]])


WRONG_LISTS = {
    b"": "rows=: names no sequence; expected one id per line",
    b"\xff\xfe": "list.txt: is not text .* expected FIRST:LAST, numbers with commas between, or a text file",
    None: "list.txt: no such file; expected FIRST:LAST",
}


@pytest.mark.parametrize("content", WRONG_LISTS)
def test_a_wrong_list_of_ids_is_refused(content, tmp_path, monkeypatch):
    if content is not None:
        (tmp_path / "list.txt").write_bytes(content)
    path = made(tmp_path / "o.h5", ids=TEXTS)
    with pytest.raises(rnnstates.RnnstatesError, match=WRONG_LISTS[content]):
        rnnstates.export(path, tmp_path / "a.csv", rows=tmp_path / "list.txt")


def test_a_list_of_ids_that_is_too_long_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("rnnstates.exporting.choosing.LARGEST_LIST", 3)
    (tmp_path / "list.txt").write_text("abcd")
    with pytest.raises(rnnstates.MissingInput, match="has more than 3 bytes; expected FIRST:LAST"):
        rnnstates.export(made(tmp_path / "o.h5"), tmp_path / "a.csv", rows=tmp_path / "list.txt")


def test_a_variable_that_matlab_cannot_hold_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("rnnstates.exporting.mat.MOST", 500)
    path = made(tmp_path / "o.h5", ids=TEXTS)
    with pytest.raises(rnnstates.OptionError, match=r"'cell' has 1440 bytes, .* at most 500; export fewer"):
        rnnstates.export(path, tmp_path / "a.mat")
    with pytest.raises(rnnstates.OptionError, match=r"the ids take \d+ bytes, .* at most 500"):
        rnnstates.export(path, tmp_path / "a.mat", datasets="cell_mean")
    assert [path.name for path in tmp_path.iterdir()] == ["o.h5"]


def test_a_name_that_matlab_cannot_tell_from_another_is_refused(tmp_path):
    states = made_of({"a_b/hidden": np.ones((1, 2, 3)), "a/b/hidden": np.ones((1, 2, 3))}, ["a_b", "a/b"])
    with pytest.raises(rnnstates.OptionError, match="'a/b/hidden' gets no name of its own in MATLAB"):
        rnnstates.export(states, tmp_path / "a.mat")


def made_of(datasets, layers=("/",)):
    attributes = {"layout": "padded", "padding": "post", "layers": list(layers), "provenance": {}}
    return rnnstates.States({"lengths": np.array([2]), **datasets}, attributes)


def test_a_type_that_pytorch_lacks_is_refused(tmp_path):
    states = made_of({"hidden": np.ones((1, 2, 3)), "labels": np.ones(1, np.uint32)})
    with pytest.raises(rnnstates.OptionError, match=r"'labels' has type uint32, which PyTorch lacks; export it"):
        rnnstates.export(states, tmp_path / "a.pt", datasets="labels")


def test_a_dataset_without_columns_is_refused_in_a_table(tmp_path):
    states = made_of({"hidden": np.ones((1, 2, 3)), "pictures": np.ones((1, 4, 3))})
    with pytest.raises(rnnstates.OptionError, match=r"an element of 'pictures' has shape \(4, 3\); a table"):
        rnnstates.export(states, tmp_path / "a.csv", datasets="pictures")


def test_states_without_states_are_refused(tmp_path):
    with pytest.raises(rnnstates.OptionError, match=r"states has no states; name what to export, e\.g\. datasets="):
        rnnstates.export(made_of({}), tmp_path / "a.csv")


def test_ids_that_do_not_fit_the_header_of_safetensors_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("rnnstates.exporting.safetensors.MOST_CHARACTERS", 30)
    with pytest.raises(rnnstates.OptionError, match=r"9 ids of up to .* characters do not fit the header"):
        rnnstates.export(made(tmp_path / "o.h5", ids=TEXTS), tmp_path / "a.safetensors")
