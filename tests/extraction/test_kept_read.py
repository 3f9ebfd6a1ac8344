"""What is kept has its numbers wherever it is read: xarray, tables, repacked files, layers of states."""

import h5py
import numpy as np
import pytest

import rnnstates
from rnnstates import OptionError

from ..interrupting import interrupted, many_windows  # noqa: F401
from .keeping import CHOICES, EQUAL_STACK, INPUTS, LENGTHS, extract, numbers


def test_xarray_shows_which_units_are_kept(tmp_path):
    xarray = pytest.importorskip("xarray")
    extract("one layer", keep_units="1,3:5", every=2, output=tmp_path / "out.h5").close()
    with xarray.open_dataset(tmp_path / "out.h5", engine="h5netcdf") as opened:
        assert opened["hidden"].dims == ("sequence", "time", "unit")
        assert opened["unit"].values.tolist() == [1, 3, 4]
        assert opened["hidden_final"].dims == ("sequence", "all_unit")
        whole = extract("one layer")
        np.testing.assert_array_equal(opened["hidden_mean"].sel(unit=3), whole["hidden_mean"][:, 3])
        np.testing.assert_array_equal(opened["input_lengths"], LENGTHS)


@pytest.mark.parametrize("compression", ["none", "gzip"])
@pytest.mark.parametrize("options", CHOICES, ids=str)
def test_a_repacked_file_keeps_what_was_kept(options, compression, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("in.npy", INPUTS)
    with extract("equal stack", "in.npy", output="out.h5", **options) as kept:
        layout = "padded" if kept.attributes["layout"] == "packed" else "packed"
        rnnstates.repack("out.h5", "new.h5", layout=layout, compression=compression)
        assert rnnstates.verify("new.h5", weights=EQUAL_STACK, sample=100)["reason"] is None
        with rnnstates.open("new.h5") as new:
            least = 2 if compression == "gzip" else 1
            assert new.attributes["format_version"] == max(least, kept.attributes["format_version"])
            assert new.layers == kept.layers
            for old_sequence, sequence in zip(kept, new, strict=True):
                for name in old_sequence:
                    np.testing.assert_array_equal(old_sequence[name], sequence[name], name)
    if "keep_units" in options:
        with h5py.File("out.h5") as old, h5py.File("new.h5", "r+") as file:
            name = f"{kept.layers[-1]}/unit"
            assert file[name][()].tolist() == old[name][()].tolist()
            file[name][0] += 1
        with pytest.raises(rnnstates.BadStates, match=r"something outside the states was changed"):
            rnnstates.verify("new.h5", weights=EQUAL_STACK)


@pytest.mark.parametrize(
    "choice", [{"every": 3}, {"last_steps": 4, "layout": "packed"}, {"every": 2, "padding": "pre"}]
)
def test_steps_and_units_keep_their_numbers_wherever_states_are_read(choice, tmp_path):
    pandas = pytest.importorskip("pandas")
    steps = {name: value for name, value in choice.items() if name in ("every", "last_steps")}
    options = {**choice, "keep_units": "3,1", "states": "hidden,state", "pool": "max,final"}
    in_memory = extract("one layer", **options)
    with extract("one layer", **options, output=tmp_path / "out.h5") as stored:
        for states in (in_memory, stored):
            assert states.units("hidden").tolist() == states.units("hidden_max").tolist() == [3, 1]
            assert states.units("state").tolist() == [3, 1, 3, 1]
            assert states.units("cell_final").tolist() == [0, 1, 2, 3, 4]
            expected = [numbers(int(length), **steps) for length in LENGTHS]
            everything = [step for of_sequence in expected for step in of_sequence]
            assert [sequence.steps.tolist() for sequence in states] == expected
            part = states[[4, 1]]
            found = part.tokens("hidden")
            assert found.step.tolist() == expected[4] + expected[1]
            frame = part.frame("hidden")
            assert list(frame.columns) == ["sequence", "step", "hidden_3", "hidden_1"]
            labelled = states.to_xarray()
            assert labelled["unit"].values.tolist() == [3, 1]
            assert labelled["cell_final"].dims == ("sequence", "all_unit")
            np.testing.assert_array_equal(labelled["hidden_max"].sel(unit=3), states["hidden_max"][:, 0])
            np.testing.assert_array_equal(labelled["input_lengths"], LENGTHS)
            if "step" in labelled.dims:
                assert labelled["step_time"].values.tolist() == everything
    rnnstates.export(tmp_path / "out.h5", tmp_path / "steps.csv", datasets="hidden", units="1")
    table = pandas.read_csv(tmp_path / "steps.csv")
    assert list(table.columns) == ["id", "sequence", "step", "hidden_1"]
    assert table["step"].tolist() == everything
    with pytest.raises(OptionError, match=r"units=: the file kept no unit 2 of 'hidden'; expected some of 3, 1\."):
        rnnstates.export(tmp_path / "out.h5", tmp_path / "other.csv", datasets="hidden", units="1:3")


def test_an_average_keeps_the_numbers_of_its_units():
    states = extract("equal stack", layer_average="all", keep_layers="none", keep_units="1:", states="hidden")
    assert states.units("average/backward/hidden").tolist() == [1, 2, 3]
    assert states.layer("average/backward").to_xarray()["unit"].values.tolist() == [1, 2, 3]


def test_final_states_of_other_layers_are_not_those_of_a_kept_one():
    pytest.importorskip("xarray")
    states = extract(keep_layers="layer1/forward", pool="final", states="hidden")
    assert set(states.layer("layer1/forward").datasets) == {"hidden", "hidden_final", "cell_final", "lengths"}
    assert set(states.to_xarray()["layer1/forward"].data_vars) == {"hidden", "hidden_final", "cell_final"}
    assert "layer0/backward/cell_final" in states.datasets


def test_a_table_of_both_states_has_a_column_for_each_kept_unit():
    states = extract("one layer", keep_units="3,1", states="state")
    table, values = states.frame("state"), states.tokens("state").X
    names = ["state_cell_3", "state_cell_1", "state_hidden_3", "state_hidden_1"]
    np.testing.assert_array_equal(table[names].to_numpy(), values)
    assert list(table.columns)[-4:] == names
