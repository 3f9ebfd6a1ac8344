"""Every command of the page "I have …, I need …" runs on data like that."""

import re

import h5py
import numpy as np
import pytest

import rnnstates as library

from .pages import PAGES, run

PAGE = "docs/howto/have-need.md"
# One code span in the last column of a row.
ROW = re.compile(r"^\| (.+?) \| `([^`]+)` \|$", re.M)
ROWS = ROW.findall(PAGES[PAGE])
LENGTHS = np.array([4, 9, 1, 7, 6])
NAMES = ["a", "b", "c", "d", "e"]
FRAMEWORKS = ("torch", "tf_dataset")


def table(rows):
    import pyarrow as pa

    words = [(["a", "bc", "d"] * 3)[:length] for length in LENGTHS]
    return pa.table({"name": NAMES, "steps": [row.tolist() for row in rows], "words": words})


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Make every file that the page names, in one folder."""
    import pyarrow.feather
    import pyarrow.parquet
    import zarr

    folder = tmp_path_factory.mktemp("data")
    random = np.random.RandomState(0)
    x = random.standard_normal((5, 9, 3)).astype("f4")
    x[np.arange(9) >= LENGTHS[:, np.newaxis]] = 0
    rows = [row[:length] for row, length in zip(x, LENGTHS, strict=True)]
    mask = np.arange(9) < LENGTHS[:, np.newaxis]
    arrays = {"x": x, "lengths": LENGTHS, "mask": mask, "front": x[:, ::-1], "time_first": x.transpose(1, 0, 2)}
    for name, values in {**arrays, "one": x[1], "series": x[:, :, 0]}.items():
        np.save(folder / f"{name}.npy", values)
    (folder / "chosen.txt").write_text("c\na\n")
    whole = {"inputs": x, "lengths": LENGTHS, "ids": np.array(NAMES), "label": np.arange(5)}
    np.savez(folder / "in.npz", **whole)
    store = zarr.open_group(folder / "in.zarr", mode="w")
    for name in ("inputs", "lengths"):
        store.create_array(name, data=whole[name])
    pyarrow.parquet.write_table(table(rows), folder / "table.parquet")
    pyarrow.feather.write_feather(table(rows), folder / "table.feather")
    for name in ("in", "more"):
        with h5py.File(folder / f"{name}.h5", "w") as file:
            for key, values in whole.items():
                file[key] = values.astype("S") if values.dtype.kind == "U" else values
    with h5py.File(folder / "series.h5", "w") as file:
        for name, row in zip(NAMES, rows, strict=True):
            file[f"recordings/{name}"] = row
    with h5py.File(folder / "packed.h5", "w") as file:
        file["inputs"], file["offsets"] = np.concatenate(rows), np.concatenate([[0], np.cumsum(LENGTHS)])
    library.extract(x, LENGTHS, ids=NAMES, units=8, output=folder / "states.h5").close()
    return folder, {"rows": rows, "names": NAMES, "labels": list(range(5))}


def test_the_page_has_its_rows():
    assert len(ROWS) == PAGES[PAGE].count("\n| ") - 2
    assert len(ROWS) > 35


@pytest.mark.parametrize(
    "what, command",
    [
        pytest.param(*row, id=row[0], marks=[pytest.mark.framework] if any(f in row[1] for f in FRAMEWORKS) else [])
        for row in ROWS
    ],
)
def test_every_command_of_the_page_runs(data, monkeypatch, what, command):
    folder, names = data
    monkeypatch.chdir(folder)
    made = folder / "out.h5"
    made.unlink(missing_ok=True)
    (folder / "new.h5").unlink(missing_ok=True)
    if command.startswith("rnnstates "):
        run(command, folder)
    else:
        with library.open("states.h5") as states:
            found = eval(command, {"rnnstates": library, "states": states, **names})
            assert len(found) if hasattr(found, "__len__") else found
            if isinstance(found, library.States):
                found.close()
