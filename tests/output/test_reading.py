"""The file as others read it: rnnstates.open, h5py, xarray, h5dump."""

import importlib.metadata
import json
import shutil
import subprocess

import h5py
import numpy as np
import pytest
import xarray

import rnnstates

from ..builders import BUILT_ENGINES, bidirectional_stack, one_layer, ragged


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Paths by name, and the states in memory they were made from."""
    place = tmp_path_factory.mktemp("files")
    inputs, lengths = ragged()
    made = {}
    for name, network, options in (
        ("plain", one_layer(), {"ids": [f"s/{row}é" for row in range(9)]}),
        ("packed", one_layer(), {"layout": "packed", "states": "hidden,cell,state"}),
        ("stack", bidirectional_stack(), {"pool": ("mean", "std")}),
        ("pooled", one_layer(), {"states": "none"}),
    ):
        path = place / f"{name}.h5"
        rnnstates.extract(inputs, lengths, weights=network, output=path, **options).close()
        made[name] = path, rnnstates.extract(inputs, lengths, weights=network, **options)
    return made


def test_per_sequence_views_hold_only_valid_steps(files):
    for path, memory in files.values():
        with rnnstates.open(path) as states:
            for row in range(9):
                for name in states.datasets:
                    if name in ("lengths", "offsets", "ids"):
                        continue
                    ours = states[row][name]
                    np.testing.assert_array_equal(ours, memory[row][name])
                    pooled = name.rpartition("_")[2] in rnnstates.POOLINGS
                    assert ours.ndim == (1 if pooled else 2)
                    assert pooled or len(ours) == states[row].length == memory["lengths"][row]


def test_views_go_by_attribute_into_layers_and_directions(files):
    path, _ = files["stack"]
    with rnnstates.open(path) as states:
        assert states.layers == ["layer0/forward", "layer0/backward", "layer1/forward", "layer1/backward"]
        sequence = states[2]
        np.testing.assert_array_equal(sequence.layer1.backward.cell, sequence["layer1/backward/cell"])
        assert sequence.layer0.forward.hidden_std.shape == (4,)
        assert {"layer0", "layer1", "length", "id"} <= set(dir(sequence))
        with pytest.raises(AttributeError, match="layer1/sideways: not in these states, which have"):
            _ = sequence.layer1.sideways


def test_numbers_outside_and_negative_numbers_behave_as_in_a_list(files):
    path, _ = files["plain"]
    with rnnstates.open(path) as states:
        assert states[-1].id == states[8].id == "s/8é"
        with pytest.raises(IndexError, match=r"sequence 9 of 9; expected 0 to 8"):
            states[9]
        assert [sequence.id for sequence in states] == [f"s/{row}é" for row in range(9)]
        assert repr(states[0]) == "<states of sequence 's/0é', 8 steps>"


def test_without_ids_a_sequence_is_called_by_its_number(files):
    with rnnstates.open(files["packed"][0]) as states:
        assert states[3].id == 3


@pytest.mark.parametrize("name", ["plain", "packed", "pooled"])
def test_xarray_opens_it_with_named_dimensions(files, name):
    path, memory = files[name]
    with xarray.open_dataset(path, engine="h5netcdf") as dataset:
        assert set(dataset.data_vars) == set(memory.datasets)
        for variable in memory.datasets:
            assert not [dimension for dimension in dataset[variable].dims if "phony" in dimension]
        assert dataset["hidden_mean"].dims == ("sequence", "unit")
        if name == "plain":
            assert dataset["cell"].dims == ("sequence", "time", "unit")
        if name == "packed":
            assert dataset["cell"].dims == ("step", "unit")
            assert dataset["state"].dims == ("step", "state_unit")
            assert dataset["offsets"].dims == ("boundary",)
        if name != "pooled":
            np.testing.assert_array_equal(dataset["cell"].values, memory["cell"])


def test_xarray_opens_a_group_of_a_stack_with_named_dimensions(files):
    path, memory = files["stack"]
    with xarray.open_dataset(path, engine="h5netcdf", group="layer1/backward") as dataset:
        assert dataset["cell"].dims == ("sequence", "time", "unit")
        np.testing.assert_array_equal(dataset["cell"].values, memory["layer1/backward/cell"])


def test_one_loop_over_the_attribute_layers_reads_every_file(files):
    for path, memory in files.values():
        with h5py.File(path) as file:
            for group in file.attrs["layers"]:
                prefix = "" if group == b"/" else group.decode() + "/"
                np.testing.assert_array_equal(file[group]["cell_mean"][()], memory[prefix + "cell_mean"])
                assert file[group].attrs["units"] == memory[prefix + "cell_mean"].shape[1]
                assert file[group].attrs["direction"] in (b"forward", b"backward")


def test_no_type_that_some_readers_lack(files):
    def check(name, thing):
        for value in [
            thing.attrs.get_id(key) for key in thing.attrs if key not in ("DIMENSION_LIST", "REFERENCE_LIST")
        ]:
            assert not isinstance(value.get_type(), h5py.h5t.TypeEnumID), name  # booleans
            assert not (isinstance(value.get_type(), h5py.h5t.TypeStringID) and value.get_type().is_variable_str())
        if isinstance(thing, h5py.Dataset):
            assert thing.dtype.kind in "ifS" or (thing.dtype.kind == "u" and name.startswith("integrity/"))
            assert thing.dtype.byteorder in "<=|>"
            assert thing.chunks is None

    for path, _ in files.values():
        with h5py.File(path) as file:
            check("/", file)
            file.visititems(check)


@pytest.mark.skipif(shutil.which("h5dump") is None, reason="h5dump (hdf5-tools) is not installed on this machine")
def test_h5dump_and_h5ls_read_it(files):
    path, memory = files["plain"]
    dumped = subprocess.run(
        ["h5dump", "-d", "/hidden_mean", "-m", "%.9g", path], capture_output=True, text=True, check=True
    )
    assert "DATASPACE  SIMPLE { ( 9, 5 ) / ( 9, 5 ) }" in dumped.stdout
    assert f"{memory['hidden_mean'][0, 0]:.9g}" in dumped.stdout
    listed = subprocess.run(["h5ls", files["stack"][0]], capture_output=True, text=True, check=True)
    assert "layer1                   Group" in listed.stdout


def test_provenance_says_how_the_states_were_made(files):
    with rnnstates.open(files["plain"][0]) as states:
        made = states.provenance
    assert made["engine"] in rnnstates.ENGINES
    assert made["precision"] == "float32"
    assert made["rnnstates"] == rnnstates.__version__
    assert made["input"]["kind"] == "memory"
    assert made["started"].endswith("Z")
    assert set(made["plan"]) == {"window_rows", "window_steps", "tile_rows", "tile_steps", "cut"}
    assert set(made["executors"]) == {""}
    assert json.loads(json.dumps(made)) == made


@pytest.mark.parametrize("engine", BUILT_ENGINES)
def test_provenance_has_the_versions_of_the_libraries_that_took_part(engine):
    with rnnstates.extract(np.zeros((2, 4, 3), "f4"), [4, 2], units=2, engine=engine) as states:
        libraries = states.provenance["libraries"]
    known = {name: importlib.metadata.version(name) for name in ("numpy", "h5py", "tensorflow")}
    assert libraries == known | ({} if engine == "tensorflow" else {"tensorflow": None})


def damaged(path, place, change):
    shutil.copy(path, place)
    with h5py.File(place, "r+") as file:
        change(file)
    return place


def test_files_that_are_not_whole_states_files_are_refused(files, tmp_path):
    path = files["plain"][0]
    cases = {
        r"no attribute format": lambda file: file.attrs.pop("format"),
        r"format version 99; this rnnstates reads version 1": lambda file: file.attrs.modify("format_version", 99),
        r"lacks lengths; it is damaged": lambda file: file.pop("lengths"),
        r"lacks layers; it is damaged": lambda file: file.attrs.pop("layers"),
    }
    for number, (message, change) in enumerate(cases.items()):
        with pytest.raises(rnnstates.BadStates, match=message):
            rnnstates.open(damaged(path, tmp_path / f"{number}.h5", change))
    with pytest.raises(rnnstates.BadStates, match="text that starts with 'hello'; expected an HDF5 file of states"):
        (tmp_path / "text.h5").write_text("hello")
        rnnstates.open(tmp_path / "text.h5")
    with pytest.raises(rnnstates.MissingInput, match="no such file"):
        rnnstates.open(tmp_path / "absent.h5")


def test_no_sequences_make_a_valid_empty_file(tmp_path, caplog):
    path = tmp_path / "out.h5"
    rnnstates.extract(np.zeros((0, 4, 3)), "full", weights=bidirectional_stack(), output=path).close()
    assert "has no sequences; the output is valid and empty" in caplog.text
    with rnnstates.open(path) as states:
        assert states.sequences == 0
        assert states["layer1/forward/cell"].shape == (0, 4, 2)
    with xarray.open_dataset(path, engine="h5netcdf", group="layer0/forward") as dataset:
        assert dataset["cell"].dims == ("sequence", "time", "unit")
