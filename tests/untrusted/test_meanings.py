"""Numbers that stand for something else: as xarray decodes them, or refused by name."""

import h5py
import numpy as np
import pytest
import xarray

import rnnstates
from rnnstates.errors import BadInput
from rnnstates.inputs import open_source
from rnnstates.inputs.form import Form

from ..inputs.conformance import make_inputs

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


TRUTHS = {
    "xarray": {"dtype": "bool"},
    "MATLAB": {"MATLAB_class": np.bytes_("logical")},
    "R": {"storage.mode": "logical"},
    "a bit field": {},
}


def with_part(path, part, values, kind=None, **attributes):
    """Write a file of sound inputs, lengths and ids, one of which is made anew with attributes."""
    with h5py.File(path, "w") as file:
        sound = {"inputs": make_inputs(SHAPE), "lengths": np.array([3, 1, 1, 0]), "ids": np.arange(4)}
        for name, array in {**sound, part: values}.items():
            if name == part and kind is not None:
                space = h5py.h5s.create_simple(values.shape)
                h5py.h5d.create(file.id, name.encode(), kind, space).write(h5py.h5s.ALL, h5py.h5s.ALL, values, kind)
            else:
                file[name] = array
        for name, value in attributes.items():
            file[part].attrs[name] = value
    return path


def extract(path, **options):
    return rnnstates.extract(path, units=2, engine="numpy", axes="NTI", **options)


@pytest.mark.parametrize("attributes", TRUTHS.values(), ids=TRUTHS)
@pytest.mark.parametrize("part", ["lengths", "ids"])
def test_truth_values_are_no_lengths_and_no_ids(tmp_path, part, attributes):
    kind = h5py.h5t.STD_B8LE if not attributes else None
    path = with_part(tmp_path / "x.h5", part, np.array([1, 1, 1, 0], "u1"), kind, **attributes)
    with pytest.raises(rnnstates.BadData, match=f"'{part}': truth values .*A mask has one value per"):
        extract(path)


@pytest.mark.parametrize("attributes", TRUTHS.values(), ids=TRUTHS)
def test_truth_values_are_features_of_zero_and_one(tmp_path, attributes):
    kind, values = h5py.h5t.STD_B8LE if not attributes else None, (make_inputs(SHAPE) > 0).astype("u1")
    found = extract(with_part(tmp_path / "x.h5", "inputs", values, kind, **attributes))
    right = rnnstates.extract(values, [3, 1, 1, 0], units=2, engine="numpy")
    np.testing.assert_array_equal(found["hidden"], right["hidden"])


TIMES = {
    "units of dates": ({"units": "days since 2000-01-01"}, "dates"),
    "fixed units of dates": ({"units": np.bytes_("hours since 1-1-1 00:00:0.0")}, "dates"),
    "units of a date without lines": ({"units": "seconds since 19700101 00:00"}, "dates"),
    "units of a year": ({"units": "Days Since 1970"}, "dates"),
    "xarray's dates": ({"dtype": "datetime64[ns]"}, "dates"),
    "xarray's time spans": ({"dtype": "timedelta64[s]", "units": "seconds"}, "time spans"),
}


@pytest.mark.parametrize("attributes, found", TIMES.values(), ids=TIMES)
@pytest.mark.parametrize("part", ["inputs", "lengths", "ids"])
def test_dates_and_time_spans_are_refused_as_those_of_numpy(tmp_path, part, attributes, found):
    values = make_inputs(SHAPE, "i8") if part == "inputs" else np.array([3, 1, 1, 0])
    with pytest.raises(rnnstates.BadData, match=f"'{part}': {found} .*expected numbers"):
        extract(with_part(tmp_path / "x.nc", part, values, **attributes))


@pytest.mark.parametrize("units", ["seconds", "days since admission", "hours since 3rd dose", "since", "m s-1"])
@pytest.mark.parametrize("part", ["inputs", "lengths"])
def test_units_of_no_date_are_none(tmp_path, part, units):
    values = make_inputs(SHAPE, "i8") if part == "inputs" else np.array([3, 1, 1, 0])
    extract(with_part(tmp_path / "x.nc", part, values, units=units, dtype="int16"))


def test_what_xarray_writes_of_truth_values_and_times_is_refused(tmp_path):
    columns = {
        "truths": np.array([True, True, False, True]),
        "spans": np.array([1, 2, 3, 3], "m8[s]"),
        "dates": np.array(["2000-01-01"] * 4, "M8[ns]"),
    }
    data = {name: ("n", values) for name, values in columns.items()}
    xarray.Dataset({"inputs": (("n", "t", "i"), make_inputs(SHAPE)), **data}).to_netcdf(
        tmp_path / "x.nc", engine="h5netcdf"
    )
    with h5py.File(tmp_path / "x.nc") as file:
        if "dtype" not in file["spans"].attrs:
            # Older versions of xarray write time spans as numbers like any others.
            del columns["spans"]
    for name in columns:
        with pytest.raises(rnnstates.BadLengths, match=f"'{name}': (truth values|time spans|dates) "):
            extract(tmp_path / "x.nc", lengths=name)


@pytest.mark.parametrize("flags", ["flag_values", "flag_masks"])
@pytest.mark.parametrize("part", ["inputs", "lengths", "ids"])
def test_flags_of_cf_are_refused_as_an_enumeration_is(tmp_path, part, flags):
    values = make_inputs(SHAPE, "i1") if part == "inputs" else np.array([3, 1, 1, 0], "i1")
    path = with_part(
        tmp_path / "x.nc", part, values, **{flags: np.int8([1, 2, 4]), "flag_meanings": "clear cloudy missing"}
    )
    with pytest.raises(rnnstates.BadData, match=f"'{part}': flags, .* stand for 'clear', 'cloudy', 'missing'"):
        extract(path)


@pytest.mark.parametrize("attributes", [{"flag_values": [1, 2]}, {"flag_meanings": "a b"}], ids=str)
def test_half_of_a_flag_says_nothing(tmp_path, attributes):
    extract(with_part(tmp_path / "x.nc", "inputs", make_inputs(SHAPE, "i1"), **attributes))


SCALES = {
    "NWB": ({"conversion": 1e-3, "offset": 2.0}, {"conversion": 1.0, "offset": 0.0}),
    "ODIM": ({"gain": 0.5, "offset": -32.0, "nodata": 255.0, "undetect": 0.0}, {"gain": 1, "offset": 0}),
    "HDF-EOS": ({"ScaleFactor": 0.01, "Offset": 3.0, "MissingValue": -999}, {"ScaleFactor": [1.0], "Offset": 0}),
    "ocean colour": ({"Slope": 0.1, "Intercept": 2.0}, {"slope": 1.0, "intercept": 0}),
    "fill values": ({"FillValue": -999, "fill_value": -999}, {"fill_value": np.nan}),
    "a text": ({"Scale_Factor": np.bytes_("0.01")}, {"gain": np.bytes_("1.0")}),
}


@pytest.mark.parametrize("changing, idle", SCALES.values(), ids=SCALES)
def test_scales_of_other_conventions_are_noted_unless_they_change_nothing(tmp_path, changing, idle):
    values = make_inputs(SHAPE)
    source = open_source(with_part(tmp_path / "x.h5", "inputs", values, **changing))
    source.close()
    (note,) = source.notes
    assert all(name in note for name in changing)
    assert "values are read as they are stored" in note
    np.testing.assert_array_equal(read(tmp_path / "x.h5"), values)
    source = open_source(with_part(tmp_path / "y.h5", "inputs", values, **idle, gain_control="on", offsets=7))
    source.close()
    assert not source.notes
    shown = next(one for one in rnnstates.describe(tmp_path / "x.h5")["datasets"] if one["name"] == "inputs")
    assert set(shown["attributes"]) == set(changing)


@pytest.mark.parametrize("name", ["MATLAB_class", "MATLAB_empty", "units", "dtype", "flag_meanings", "gain"])
def test_a_text_without_a_value_says_nothing(tmp_path, name):
    values = make_inputs(SHAPE, "i2")
    path = with_part(tmp_path / "x.h5", "inputs", values, **{name: h5py.Empty("S4"), "flag_values": [1, 2]})
    source = open_source(path, form=Form(axes="NTI"))
    np.testing.assert_array_equal(source.read(slice(0, 4), slice(0, 3)), values)
    source.close()


def netcdf(path, **variables):
    xarray.Dataset(variables).to_netcdf(path, engine="h5netcdf")
    return path


@pytest.mark.parametrize("names", [("lengths", "time", "feature"), ("ids", "t", "i"), ("n", "lengths", "inputs")])
def test_a_dimension_of_netcdf_without_values_is_no_data(tmp_path, names):
    array = make_inputs(SHAPE)
    path = netcdf(tmp_path / "x.nc", inputs=(names, array))
    with pytest.raises(rnnstates.BadLengths, match="no dataset 'lengths'"):
        rnnstates.extract(path, units=2, engine="numpy")
    states = rnnstates.extract(path, "full", units=2, engine="numpy")
    np.testing.assert_array_equal(states["hidden"], rnnstates.extract(array, "full", units=2, engine="numpy")["hidden"])
    assert "ids" not in states.datasets
    assert [one["name"] for one in rnnstates.describe(path)["datasets"]] == ["inputs"]
    with pytest.raises(BadInput, match=rf"no dataset '{names[1]}'; present: 'inputs' \(4, 3, 2\) float32\. Name"):
        rnnstates.extract(path, "full", dataset=names[1], units=2, engine="numpy")


def test_variables_that_share_a_name_with_a_dimension_of_others_are_found_by_it(tmp_path):
    array, lengths = make_inputs(SHAPE), [3, 1, 2, 3]
    path = netcdf(tmp_path / "x.nc", inputs=(("n", "lengths", "inputs"), array), lengths=(("n",), lengths))
    assert set(h5py.File(path)) >= {"lengths", "_nc4_non_coord_lengths", "_nc4_non_coord_inputs"}
    for options in ({}, {"dataset": "inputs"}):
        with rnnstates.extract(path, units=2, output=tmp_path / "o.h5", force=True, **options) as states:
            assert states["lengths"][:].tolist() == lengths
    assert rnnstates.verify(tmp_path / "o.h5")["recomputed"]


def test_axes_of_netcdf_are_no_states_to_start_from(tmp_path):
    start, array = make_inputs((4, 2)) / 10, make_inputs(SHAPE)
    dims = ("sequence", "hidden")
    variables = {"hidden": (dims, start), "cell": (dims, start), "lengths": (("sequence",), [1, 1, 1, 1])}
    bare = netcdf(tmp_path / "bare.nc", **variables)
    named = netcdf(tmp_path / "named.nc", **variables, sequence=(("sequence",), ["a", "b", "c", "d"]))
    right = rnnstates.extract(array, "full", units=2, engine="numpy", initial_state={"hidden": start, "cell": start})
    for path in (bare, named):
        states = rnnstates.extract(array, "full", units=2, engine="numpy", initial_state=path)
        np.testing.assert_array_equal(states["hidden"], right["hidden"])
    # The units are numbered: what is called as a state is an axis all the same.
    numbered = netcdf(tmp_path / "n.nc", cell=(dims, start), hidden=(("hidden",), [5.0, 6.0]))
    states = rnnstates.extract(array, "full", units=2, engine="numpy", initial_state=numbered)
    assert "no initial state is given for hidden; zero is used." in states.provenance["notes"]
