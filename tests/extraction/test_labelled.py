"""Arrays of a live program that carry attributes and names of axes: held to what their files are held to."""

import io

import h5netcdf
import h5py
import numpy as np
import pytest
import xarray

import rnnstates
from rnnstates.errors import BadInput

VALUES = np.random.RandomState(0).standard_normal((3, 5, 6)).astype("f4")
WHOLE = (VALUES * 100).round().astype("i2")


OPEN = []


@pytest.fixture(autouse=True)
def _closed():
    yield
    while OPEN:
        OPEN.pop().close()


def in_h5py(values, names=(), **attributes):
    dataset = h5py.File(io.BytesIO(), "w").create_dataset("inputs", data=values)
    dataset.attrs.update(attributes)
    for axis, name in enumerate(names):
        dataset.dims[axis].label = name
    return dataset


def in_h5netcdf(values, names=("x", "y", "z"), **attributes):
    file = h5netcdf.File(io.BytesIO(), "w")
    # A variable alone does not keep its file open.
    OPEN.append(file)
    file.dimensions = dict(zip(names, np.shape(values), strict=False))
    variable = file.create_variable("inputs", names[: np.ndim(values)], values.dtype, data=values)
    for name, value in attributes.items():
        variable.attrs[name] = value
    return variable


def in_xarray(values, names=None, **attributes):
    return xarray.DataArray(values, dims=names, attrs=attributes)


LIVE = [in_h5py, in_h5netcdf, in_xarray]


def hidden(inputs, lengths="full", **options):
    return rnnstates.extract(inputs, lengths, units=4, engine="numpy", **options)["hidden"]


def collected(inputs):
    from rnnstates.keras import keras

    model = keras.Sequential([keras.Input((None, 6)), keras.layers.LSTM(4)])
    return rnnstates.collect(model, inputs, "full")


def vectors(inputs, lengths=None):
    return rnnstates.StateExtractor(units=2).fit_transform(inputs, lengths=lengths)


PACKED = [
    {"scale_factor": 0.01},
    {"add_offset": np.float32(3)},
    {"_Unsigned": "true"},
    {"_FillValue": WHOLE[1, 2, 3]},
    {"missing_value": WHOLE[1, 2, 3]},
    {"valid_max": np.int16(100)},
]
TAKERS = {
    "extract": lambda make: hidden(make(WHOLE)),
    "extract of a list": lambda make: hidden([make(row) for row in WHOLE]),
    "extract of lists in a list": lambda make: hidden([[make(step) for step in row] for row in WHOLE]),
    "collect": lambda make: collected(make(WHOLE)),
    "the estimator": lambda make: vectors(make(WHOLE), "full"),
    "the estimator of a list": lambda make: vectors([make(row) for row in WHOLE]),
    "initial states": lambda make: hidden(VALUES, initial_state={"hidden": make(WHOLE[:, 2, :4])}),
    "lengths": lambda make: hidden(np.zeros((6, 30000, 1), "i1"), make(abs(WHOLE[1, 2]))),
    "ids": lambda make: hidden(np.zeros((6, 2, 1), "i1"), ids=make(WHOLE[1, 2])),
}


@pytest.mark.parametrize("live", LIVE)
@pytest.mark.parametrize("attributes", PACKED, ids=str)
def test_attributes_that_change_the_values_are_not_passed_over(live, attributes):
    with pytest.raises(BadInput, match=f"^inputs: .*'{next(iter(attributes))}'.*Give the path of its file"):
        hidden(live(WHOLE, **attributes))


@pytest.mark.parametrize("taker", TAKERS)
def test_they_are_looked_at_wherever_an_array_is_taken(taker):
    with pytest.raises(rnnstates.BadData, match=r"'scale_factor'.*numbers are packed"):
        TAKERS[taker](lambda values: in_xarray(values, scale_factor=0.5))


@pytest.mark.parametrize("live", LIVE)
@pytest.mark.parametrize(
    "attributes",
    [{"units": "mV"}, {"scale_factor": 1.0}, {"_FillValue": np.int16(-32000)}, {"valid_max": np.int16(32000)}],
    ids=str,
)
def test_attributes_that_change_nothing_pass(live, attributes):
    np.testing.assert_array_equal(hidden(live(WHOLE, **attributes)), hidden(WHOLE))


def test_what_xarray_has_decoded_is_taken_as_it_is(tmp_path):
    with h5py.File(tmp_path / "x.nc", "w") as file:
        file["inputs"] = WHOLE
        file["inputs"].attrs.update({"scale_factor": 0.01, "valid_max": np.int16(32000), "valid_min": np.int16(-32000)})
    with xarray.open_dataset(tmp_path / "x.nc", engine="h5netcdf", phony_dims="sort") as decoded:
        np.testing.assert_array_equal(hidden(decoded["inputs"]), hidden(tmp_path / "x.nc"))
    with (
        xarray.open_dataset(tmp_path / "x.nc", engine="h5netcdf", phony_dims="sort", mask_and_scale=False) as stored,
        pytest.raises(BadInput, match="'scale_factor'"),
    ):
        hidden(stored["inputs"])


def test_an_enumeration_and_letters_of_matlab_are_refused_in_a_live_file():
    with pytest.raises(BadInput, match="inputs: an enumeration"):
        hidden(in_h5py(WHOLE.astype(h5py.enum_dtype({"cat": 3}, "i2"))))
    with pytest.raises(BadInput, match="'MATLAB_class' is char"):
        hidden(in_h5py(WHOLE, MATLAB_class=np.bytes_("char")))


def masked(values):
    return np.ma.masked_array(values, values > 100)


@pytest.mark.parametrize("taker", TAKERS)
def test_masks_are_not_lost_in_lists(taker):
    with pytest.raises(rnnstates.BadData, match="a masked array, whose mask would be lost"):
        TAKERS[taker](masked)


TIME_FIRST = ("time", "batch", "feature")
TURNED = VALUES.transpose(1, 0, 2)


@pytest.mark.parametrize("live", LIVE)
def test_names_of_axes_are_heard_and_axes_decides(live):
    with pytest.raises(BadInput, match=r"inputs: its axes are called 'time', 'batch', 'feature'.*axes=\"TNI\""):
        hidden(live(TURNED, TIME_FIRST))
    np.testing.assert_array_equal(hidden(live(TURNED, TIME_FIRST), axes="TNI"), hidden(VALUES))
    np.testing.assert_array_equal(hidden(live(TURNED, TIME_FIRST), axes="NTI"), hidden(TURNED))
    np.testing.assert_array_equal(hidden(live(VALUES, ("batch", "time", "feature"))), hidden(VALUES))
    np.testing.assert_array_equal(hidden(live(VALUES, ("x", "y", "z"))), hidden(VALUES))


class LikeZarr:
    """Attributes, and no names of axes but in them, as zarr's second format has."""

    def __init__(self, values, **attributes):
        self.values, self.shape, self.ndim, self.attrs = values, values.shape, values.ndim, attributes

    def __array__(self, dtype=None, copy=None):
        return self.values


def test_names_in_an_attribute_are_heard_too():
    with pytest.raises(BadInput, match="'time', 'batch', 'feature'"):
        hidden(in_h5py(TURNED, axes="time batch feature"))
    with pytest.raises(BadInput, match="'time', 'batch', 'feature'"):
        hidden(LikeZarr(TURNED, _ARRAY_DIMENSIONS=list(TIME_FIRST)))


@pytest.mark.parametrize("live", LIVE)
def test_arrays_of_matlab_are_reversed_in_a_live_file_too(live):
    with pytest.raises(BadInput, match=r'was written by MATLAB.*axes="ITN"'):
        hidden(live(VALUES, MATLAB_class=np.bytes_("single")))


def test_lists_of_labelled_arrays_are_looked_at_one_by_one():
    rows = [in_xarray(row, ("time", "feature")) for row in VALUES]
    np.testing.assert_array_equal(hidden(rows), hidden(VALUES))
    turned = [*rows[:2], in_xarray(VALUES[2, :, :5].T, ("feature", "time"))]
    with pytest.raises(BadInput, match=r"X: row 2: .* called 'feature', 'time'.*whose axes are steps, features"):
        vectors(turned)
    with pytest.raises(BadInput, match=r"'', 'feature', 'time'.*axes=\"NIT\""):
        hidden([in_xarray(row.T, ("feature", "time")) for row in VALUES])


def test_the_estimator_and_collect_hear_them():
    turned = in_xarray(TURNED, TIME_FIRST)
    with pytest.raises(BadInput, match=r"X: its axes are called .*Give a plain array whose axes are sequences, steps"):
        vectors(turned, "full")
    with pytest.raises(BadInput, match=r"inputs: its axes are called .*Say which it is"):
        collected(turned)
    with pytest.raises(BadInput, match="inputs: its axes are called 'time', 'batch'"):
        collected(in_xarray(np.ones((5, 3), int), TIME_FIRST[:2]))


def test_square_initial_states_in_memory_go_by_their_names():
    values = VALUES[0, :3, :3]
    states = {"hidden": in_xarray(values.T, ("unit", "sequence"))}
    with pytest.raises(BadInput, match=r"'hidden': its axes are called 'unit', 'sequence'"):
        rnnstates.extract(VALUES, "full", units=3, engine="numpy", initial_state=states)
    rnnstates.extract(VALUES, "full", units=3, engine="numpy", initial_state={"hidden": states["hidden"].T})
