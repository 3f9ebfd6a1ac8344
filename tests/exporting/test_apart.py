"""One file per sequence: all of them, in their own folder, whatever the ids are."""

import csv
import json

import numpy as np
import pytest

import rnnstates
from rnnstates.exporting.formats import EXPORTERS
from rnnstates.exporting.safe_names import SafeNames

from .reading import ARRAYS, TABLES, made

HOSTILE = ["../../up", "/abs", "a/b", "A_B", "a_b", ".hidden", "\x1b[2J", "x" * 200, "x" * 200 + "y"]
FILES = [suffix.strip(".") for suffix, form in EXPORTERS.items() if not form.is_folder]


def listed(folder):
    with open(folder / "manifest.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.framework
@pytest.mark.parametrize("layout", ["padded", "packed"])
@pytest.mark.parametrize("kind", FILES)
def test_each_file_holds_the_valid_steps_of_its_sequence(kind, layout, tmp_path):
    path = made(tmp_path / "o.h5", ids=HOSTILE, layout=layout, padding="pre")
    rnnstates.export(path, tmp_path / "all", per_sequence=kind, datasets="cell", units="1:4")
    manifest = listed(tmp_path / "all")
    with rnnstates.open(path) as states:
        assert [line["id"] for line in manifest] == HOSTILE
        for line, sequence in zip(manifest, states, strict=True):
            file = tmp_path / "all" / line["file"]
            if kind == "npy":
                read = np.load(file)
            elif f".{kind}" in ARRAYS:
                read = ARRAYS[f".{kind}"](file)["cell"]
            else:
                read = TABLES[f".{kind}"](file)[["cell_1", "cell_2", "cell_3"]].to_numpy(np.float32)
            assert np.array_equal(read, sequence.cell[:, 1:4])
            assert int(line["length"]) == sequence.length
        assert json.loads((tmp_path / "all" / "provenance.json").read_text()) == states.provenance
    assert len(list((tmp_path / "all").iterdir())) == 9 + 2
    assert {path.name for path in tmp_path.iterdir()} == {"o.h5", "all"}


def test_vectors_of_a_sequence_have_no_axis_of_sequences(tmp_path):
    path = made(tmp_path / "o.h5")
    rnnstates.export(path, tmp_path / "all", per_sequence="npz", rows=[4, 2])
    assert [(line["file"], line["sequence"]) for line in listed(tmp_path / "all")] == [("4.npz", "4"), ("2.npz", "2")]
    read = np.load(tmp_path / "all" / "2.npz")
    with rnnstates.open(path) as states:
        assert set(read.files) == {name for name in states.datasets if name != "lengths"}
        for name in read.files:
            assert np.array_equal(read[name], states[2][name])


def test_a_sequence_chosen_twice_is_refused(tmp_path):
    with pytest.raises(rnnstates.OptionError, match="names sequence 4 twice; expected each once"):
        rnnstates.export(made(tmp_path / "o.h5"), tmp_path / "all", per_sequence="npy", datasets="cell", rows=[4, 2, 4])


def test_a_format_that_is_a_folder_is_refused(tmp_path):
    with pytest.raises(rnnstates.OptionError, match="per_sequence='zarr': unknown; expected one of npy, npz, csv"):
        rnnstates.export(made(tmp_path / "o.h5"), tmp_path / "all", per_sequence="zarr")


def test_only_a_folder_that_export_made_is_replaced(tmp_path):
    path = made(tmp_path / "o.h5")
    options = {"per_sequence": "npy", "datasets": "cell"}
    rnnstates.export(path, tmp_path / "all", **options)
    rnnstates.export(path, tmp_path / "all", **options, rows="2:4", force=True)
    assert len(listed(tmp_path / "all")) == 2
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "precious").write_text("kept")
    with pytest.raises(rnnstates.CannotCreate, match="is not a folder that export made, so force=True does not"):
        rnnstates.export(path, tmp_path / "mine", **options, force=True)
    assert (tmp_path / "mine" / "precious").read_text() == "kept"
    assert {path.name for path in tmp_path.iterdir()} == {"o.h5", "all", "mine"}


def test_names_of_files_stay_apart_where_case_and_accents_do_not_count():
    names = SafeNames(".npy", taken=("manifest.csv",))
    ids = ["\u00e9", "e\u0301", "E\u0301", "e_", "E/", "con", "", "..", "...", "m\u200banifest", "a\x00b", "\ud800"]
    made = [names.of(text, row) for row, text in enumerate(ids)]
    assert len({name.casefold() for name in made}) == len(ids)
    assert not [name for name in made if "/" in name or "\x00" in name or name.startswith(".") or len(name) > 255]
    assert SafeNames(".csv", taken=("manifest.csv",)).of("Manifest", 7) == "Manifest~7.csv"
