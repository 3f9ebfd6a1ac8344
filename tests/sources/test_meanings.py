"""Numbers that stand for something else: as xarray decodes them, or refused by name."""

import h5py
import numpy as np
import pytest
import xarray

import rnnstates
from rnnstates.errors import BadInput
from rnnstates.sources import open_source

from .conformance import make_inputs

SHAPE = (4, 3, 2)
NAMES = {"fill": "_FillValue", "unsigned": "_Unsigned", "rhdf5": "rhdf5-NA.OK"}


def write(path, array, **attributes):
    with h5py.File(path, "w") as file:
        dataset = file.create_dataset("inputs", data=array)
        for axis, name in enumerate("abc"[: array.ndim]):
            file[name] = np.arange(array.shape[axis])
            file[name].make_scale(name)
            dataset.dims[axis].attach_scale(file[name])
        for name, value in attributes.items():
            dataset.attrs[NAMES.get(name, name)] = value
    return path


def read(path):
    source = open_source(path, dataset="inputs")
    values = source.read(slice(0, SHAPE[0]), slice(0, SHAPE[1]))
    source.close()
    return values


@pytest.mark.parametrize(
    "dtype, attributes",
    [
        ("i1", {"unsigned": "true"}),
        (">i2", {"unsigned": "true"}),
        ("i2", {"unsigned": "true", "fill": np.int16(-1)}),
        ("u1", {"unsigned": np.bytes_("false")}),
        (">u2", {"unsigned": "false", "fill": np.uint16(2**16 - 1)}),
        ("i1", {"unsigned": "true", "scale_factor": 0.5, "add_offset": 3.0}),
        (">i2", {"scale_factor": 0.01, "missing_value": np.int16(-7)}),
    ],
    ids=str,
)
def test_signs_bytes_and_fill_values_are_those_of_xarray(tmp_path, dtype, attributes):
    array = np.arange(-12, 12).astype(np.dtype(dtype).newbyteorder("=")).astype(dtype).reshape(SHAPE)
    path = write(tmp_path / "x.nc", array, **attributes)
    with xarray.open_dataset(path, engine="h5netcdf") as right:
        np.testing.assert_allclose(read(path), right["inputs"].values, rtol=1e-6)


@pytest.mark.parametrize("value", [2.5, -0.5, 1e300])
def test_what_no_integer_equals_is_never_missing(tmp_path, value):
    array = make_inputs(SHAPE, "i2")
    np.testing.assert_array_equal(read(write(tmp_path / "x.nc", array, missing_value=value)), array)


def test_bounds_between_whole_numbers_are_not_rounded(tmp_path):
    array = make_inputs(SHAPE, "i2")
    found = read(write(tmp_path / "x.nc", array, valid_min=2.5, valid_max=20.5))
    np.testing.assert_array_equal(np.isnan(found), (array < 3) | (array > 20))


@pytest.mark.parametrize("dtype", ["i1", "i2", "i4", "i8"])
def test_the_missing_integer_of_rhdf5_is_the_smallest_of_its_width(tmp_path, dtype):
    array = make_inputs(SHAPE, dtype)
    array[1, 2, 0] = np.iinfo(dtype).min
    found = read(write(tmp_path / "r.h5", array, rhdf5=np.int32([1])))
    assert np.argwhere(np.isnan(found)).tolist() == [[1, 2, 0]]


@pytest.mark.parametrize("dtype", ["i4", ">i4", "i8"])
def test_without_a_mark_the_smallest_integer_is_refused_in_a_valid_step_alone(dtype):
    array = make_inputs(SHAPE, dtype)
    array[2, 1, 1] = np.iinfo(dtype).min
    with pytest.raises(BadInput, match=r"sequence 2, step 1, feature 1 is -.*which R writes for NA.*allow_nonfinite="):
        rnnstates.extract(array, "full", units=2, engine="numpy")
    rnnstates.extract(array, [3, 3, 1, 3], units=2, engine="numpy")
    rnnstates.extract(array, "full", units=2, engine="numpy", allow_nonfinite=True)


@pytest.mark.parametrize(
    "attributes, message",
    [
        ({"unsigned": "perhaps"}, "'_Unsigned' is 'perhaps'; expected 'true' or 'false'"),
        ({"MATLAB_class": np.bytes_("char")}, "'MATLAB_class' is char; expected numbers"),
        ({"MATLAB_class": np.bytes_("uint64"), "MATLAB_empty": np.uint8(1)}, "'MATLAB_empty' says"),
    ],
    ids=str,
)
def test_what_are_no_numbers_is_refused_by_its_attribute(tmp_path, attributes, message):
    with pytest.raises(BadInput, match=message):
        open_source(write(tmp_path / "x.h5", make_inputs(SHAPE, "i2"), **attributes), dataset="inputs")


@pytest.mark.parametrize("names", [{"FALSE": 0, "TRUE": 1, "NA": 2}, {"cat": 3, "dog": 5}])
@pytest.mark.parametrize("place", ["inputs", "lengths", "ids"])
def test_an_enumeration_is_refused_wherever_it_is_read(tmp_path, names, place):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        shapes = {"inputs": SHAPE, "lengths": SHAPE[:1], "ids": SHAPE[:1]}
        for name, shape in shapes.items():
            file.create_dataset(name, shape, h5py.enum_dtype(names, "u1") if name == place else "i4")
    with pytest.raises(rnnstates.BadData, match=f"'{place}': an enumeration, whose numbers stand for '"):
        rnnstates.preview(tmp_path / "x.h5", engine="numpy")


def test_describe_shows_the_attributes_that_are_heeded_and_no_other(tmp_path):
    path = write(tmp_path / "x.nc", make_inputs(SHAPE, "i2"), scale_factor=0.5, fill=np.int16(7), units="mV")
    found = {one["name"]: one.get("attributes") for one in rnnstates.describe(path)["datasets"]}
    assert found == {"inputs": {"_FillValue": "7", "scale_factor": "0.5"}, "a": None, "b": None, "c": None}
