"""Which values stand for none: HDF5's fill value, the bounds of netCDF, R's integer; and where none may be missing."""

import contextlib
import io
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

import rnnstates
from rnnstates import BadInput, BadLengths, BadWeights
from rnnstates.inputs import open_source
from rnnstates.inputs.form import Form

from ..untrusted.test_packing import SHAPE, read, stored, write

PARENS = Path(__file__).parents[2] / "sample_data" / "parens.keras"
NETCDF_FILL = np.float32(9.9692099683868690e36)


def partly_written(path, dtype, fill, name="inputs", *, rows=3, shape=SHAPE, chunks=True, **attributes):
    with h5py.File(path, "a") as file:
        dataset = file.create_dataset(name, shape, dtype, fillvalue=fill, chunks=(1, *shape[1:]) if chunks else None)
        if rows:
            dataset[:rows] = 1
        for key, value in attributes.items():
            dataset.attrs[key] = value
    return path


def extract(path, lengths="full", **options):
    return rnnstates.extract(path, lengths, units=2, engine="numpy", **options)


@pytest.mark.parametrize("chunks", [True, False])
@pytest.mark.parametrize("dtype", ["f2", ">f4", "f8", "i2", ">i4", "u2"])
def test_the_fill_value_that_a_writer_set_is_missing(tmp_path, dtype, chunks):
    fill = 999 if dtype == "u2" else -999
    path = partly_written(tmp_path / "x.h5", dtype, fill, chunks=chunks)
    found, source = read(path)
    assert np.isnan(found[3]).all()
    assert (found[:3] == 1).all()
    assert [note for note in source.notes if f"the dataset's fill value {fill}" in note]
    with pytest.raises(BadInput, match="sequence 3, step 0, feature 0 is nan"):
        extract(path)
    assert extract(path, [5, 5, 5, 0])["hidden"].shape == (4, 5, 2)


@pytest.mark.parametrize("fill", [0, -0.0, np.nan, None])
def test_a_fill_value_of_zero_or_nan_changes_nothing(tmp_path, fill):
    found, source = read(partly_written(tmp_path / "x.h5", "f4", fill))
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found[3], np.full(SHAPE[1:], 0.0 if fill is None else fill))
    assert not source.notes


def test_fill_values_of_netcdf_are_missing_without_its_mark_and_without_a_note(tmp_path):
    found, source = read(partly_written(tmp_path / "x.nc", "f4", NETCDF_FILL))
    assert np.isnan(found[3]).all()
    assert not source.notes
    values = stored("f4")
    values[2, 1, 0] = NETCDF_FILL
    found, _ = read(write(tmp_path / "y.nc", values, _Netcdf4Dimid=np.int32(0)))
    assert np.argwhere(np.isnan(found)).tolist() == [[2, 1, 0]]


def test_a_fill_value_that_an_attribute_names_is_said_once(tmp_path):
    _, source = read(partly_written(tmp_path / "x.h5", "f4", -999, _FillValue=np.float32(-999)))
    assert [note.count("-999") for note in source.notes] == [1]


@pytest.mark.parametrize("fill", [255, 7])
def test_bytes_may_all_be_values_so_that_a_part_never_written_is_noted(tmp_path, fill):
    """NetCDF has no fill value of its own for bytes: its libraries set 255, which images hold."""
    found, source = read(partly_written(tmp_path / "x.h5", "u1", fill))
    assert (found[3] == fill).all()
    assert [note for note in source.notes if f"never written; they hold the dataset's fill value {fill}" in note]
    _, source = read(partly_written(tmp_path / "y.h5", "u1", fill, rows=4))
    assert not source.notes


def test_a_fill_value_of_token_ids_may_be_padding_so_that_it_is_noted(tmp_path):
    found, source = read(partly_written(tmp_path / "x.h5", "i4", 7, shape=(4, 5)), form=Form(tokens=True))
    assert found.tolist() == [[1] * 5] * 3 + [[7] * 5]
    assert [note for note in source.notes if "never written; they hold the dataset's fill value 7" in note]
    _, source = read(partly_written(tmp_path / "y.h5", "i4", 7, shape=(4, 5), rows=4), form=Form(tokens=True))
    assert not source.notes


def test_lengths_and_ids_that_were_never_written_are_refused(tmp_path):
    path = write(tmp_path / "x.h5", stored("f4"))
    partly_written(path, "i4", 5, "lengths", shape=(4,))
    partly_written(path, "i4", 5, "names", shape=(4,))
    partly_written(path, "i4", 1, "all", shape=(4,), rows=4)
    with pytest.raises(BadLengths, match=r"row 3 holds 5, .*the dataset's fill value"):
        extract(path, "lengths")
    with pytest.raises(BadInput, match=r"row 3 holds 5, .*the dataset's fill value"):
        extract(path, "all", ids="names")
    assert extract(path, "all", ids="all")["lengths"][...].tolist() == [1] * 4


def test_float_features_of_two_axes_stay_floating_where_they_are_missing(tmp_path):
    values = stored("f4")[..., 0]
    values[1, 2] = -999
    found, _ = read(write(tmp_path / "x.h5", values, _FillValue=np.float32(-999)), form=Form(tokens=True))
    assert np.argwhere(np.isnan(found)).tolist() == [[1, 2]]


STARTS = {
    "the fill value of netCDF": lambda values: ({}, True, 9.9692099683868690e36),
    "an attribute": lambda values: ({"missing_value": -999.0}, False, -999.0),
    "a bound": lambda values: ({"valid_max": 50.0}, False, 51.0),
}


def start(path, hidden, *, netcdf=False, **attributes):
    write(path, hidden, "hidden", netcdf=netcdf, **attributes)
    return write(path, np.ones((4, 2)), "cell")


@pytest.mark.parametrize("made", STARTS.values(), ids=STARTS)
def test_missing_states_to_start_from_are_refused_and_others_read(tmp_path, made):
    hidden = np.ones((4, 2))
    attributes, netcdf, value = made(hidden)
    inputs = stored("f4")
    right = extract(inputs, initial_state={"hidden": hidden, "cell": np.ones((4, 2))})
    whole = start(tmp_path / "whole.h5", hidden, netcdf=netcdf, **attributes)
    np.testing.assert_array_equal(extract(inputs, initial_state=whole)["hidden"], right["hidden"])
    hidden[2, 1] = value
    path = start(tmp_path / "x.h5", hidden, netcdf=netcdf, **attributes)
    with pytest.raises(BadInput, match=r"'hidden': row 2 holds .*stands for a missing value"):
        extract(inputs, initial_state=path)


def test_states_that_were_never_written_are_refused(tmp_path):
    path = partly_written(tmp_path / "x.h5", "f8", -999, "hidden", shape=(4, 2))
    write(path, np.ones((4, 2)), "cell")
    with pytest.raises(BadInput, match=r"'hidden': row 3 holds -999\.0, .*the dataset's fill value"):
        extract(stored("f4"), initial_state=path)


@pytest.mark.parametrize("kind", ["hdf5", "npz", "memory"])
def test_the_missing_integer_of_r_among_states_is_refused(tmp_path, kind):
    hidden = np.ones((4, 2), "i4")
    hidden[2, 1] = -(2**31)
    states = {"hidden": hidden, "cell": np.ones((4, 2))}
    if kind == "npz":
        np.savez(tmp_path / "x.npz", **states)
    starts = {"memory": states, "npz": tmp_path / "x.npz", "hdf5": start(tmp_path / "x.h5", hidden)}
    with pytest.raises(BadInput, match=r"'hidden' of sequence 2 is -2147483648, which R writes for NA"):
        extract(stored("f4"), initial_state=starts[kind])


def marked(content, attributes):
    """Give the bytes of a file of weights with attributes on an array of its LSTM."""
    memory = io.BytesIO(content)
    with h5py.File(memory, "a") as file:
        found = []
        file.visititems(lambda name, node: found.append(node) if name.endswith("cell/vars/0") else None)
        for name, value in attributes.items():
            found[0].attrs[name] = found[0][()].flat[1] if value is None else value
    return memory.getvalue()


@pytest.mark.parametrize("attributes, message", [({"missing_value": None}, "missing value"), ({"dtype": "float"}, "")])
def test_missing_weights_are_refused(tmp_path, attributes, message):
    """Also in a zip, where the file has no path at which the heap of a text could be looked at."""
    extract(stored("f4"), save_weights=tmp_path / "w.weights.h5")
    (tmp_path / "x.weights.h5").write_bytes(marked((tmp_path / "w.weights.h5").read_bytes(), attributes))
    with zipfile.ZipFile(PARENS) as old, zipfile.ZipFile(tmp_path / "x.keras", "w") as new:
        for name in old.namelist():
            new.writestr(name, marked(old.read(name), attributes) if name.endswith(".h5") else old.read(name))
    for path in (tmp_path / "x.weights.h5", tmp_path / "x.keras"):
        with pytest.raises(BadWeights, match=message) if message else contextlib.nullcontext():
            rnnstates.load_weights(path)


@pytest.mark.parametrize("netcdf", [True, False])
@pytest.mark.parametrize("dtype", ["i4", ">i4", "i8"])
@pytest.mark.parametrize(
    "attributes", [{}, {"missing_value": -1}, {"scale_factor": 0.5}, {"valid_max": 10**6}], ids=str
)
def test_the_missing_integer_of_r_is_refused_beside_any_attribute(tmp_path, attributes, dtype, netcdf):
    values = np.abs(stored(dtype))
    values[2, 1, 1] = np.iinfo(dtype).min
    path = write(tmp_path / "x.h5", values, netcdf=netcdf, **attributes)
    with pytest.raises(BadInput, match="sequence 2, step 1, feature 1 is "):
        extract(path)
    extract(path, [5, 5, 1, 5])


def test_a_smallest_integer_that_is_said_to_be_valid_is_a_number(tmp_path):
    values = np.full(SHAPE, -(2**31), "i4")
    path = write(tmp_path / "x.h5", values, scale_factor=2.0**-31, valid_min=np.int32(-(2**31)))
    found, _ = read(path)
    assert (found == -1).all()


@pytest.mark.parametrize(
    "dtype, attributes, valid",
    [
        # The type of scale_factor, wider than what is stored: bounds of the numbers that are meant.
        ("i2", {"scale_factor": 10.0, "valid_max": 100.0}, lambda x: x * 10.0 <= 100),
        ("i2", {"scale_factor": 0.01, "valid_range": [-0.5, 0.5]}, lambda x: abs(x) <= 50),
        (
            "i2",
            {"scale_factor": np.float32(0.1), "valid_range": np.float32([-0.3, 0.7])},
            lambda x: (x >= -3) & (x <= 7),
        ),
        ("i2", {"scale_factor": -0.1, "valid_min": -0.3}, lambda x: x <= 3),
        ("i1", {"add_offset": 100.0, "valid_max": 103.0}, lambda x: x <= 3),
        ("i1", {"scale_factor": 2, "valid_max": 100}, lambda x: x <= 50),
        ("f4", {"scale_factor": 0.5, "valid_max": 3.0}, lambda x: x <= 6),
        # Any other: bounds of what is stored.
        ("i2", {"scale_factor": 10.0, "valid_max": np.int16(50)}, lambda x: x <= 50),
        ("i2", {"scale_factor": 10.0, "valid_range": [-20, 50]}, lambda x: (x >= -20) & (x <= 50)),
        ("f8", {"scale_factor": 10.0, "valid_max": 50.0}, lambda x: x <= 50),
        # Of another sign than any value.
        ("u1", {"valid_min": -5}, lambda x: x >= 0),
        ("u1", {"missing_value": -1}, lambda x: x >= 0),
        ("u1", {"valid_range": np.int16([-1, 50])}, lambda x: x <= 50),
        ("u1", {"valid_max": -5}, lambda x: x < 0),
        ("i1", {"valid_max": 200}, lambda x: x < 200),
    ],
    ids=lambda value: None if callable(value) else str(value),
)
def test_bounds_are_those_of_the_netcdf_users_guide(tmp_path, dtype, attributes, valid):
    values = stored(dtype)
    values[0, 0] = [3, 7, 50]
    if dtype == "u1":
        values[1, 0] = [251, 255, 0]
    found, _ = read(write(tmp_path / "x.nc", values, **attributes))
    np.testing.assert_array_equal(np.isnan(found), ~valid(values.astype("i8" if dtype != "f8" else dtype)))


@pytest.mark.parametrize("name", ["scale_factor", "_FillValue", "valid_range", "_Unsigned", "rhdf5-NA.OK"])
@pytest.mark.parametrize("kind", ["f4", "i4", "S4"])
def test_an_attribute_without_a_value_is_refused_by_its_name(tmp_path, name, kind):
    path = write(tmp_path / "x.h5", stored("i2"), **{name: h5py.Empty(kind)})
    with pytest.raises(BadInput, match=f"its attribute '{name}' has no value"):
        open_source(path, form=Form(axes="NTI"))
    rnnstates.describe(path)
