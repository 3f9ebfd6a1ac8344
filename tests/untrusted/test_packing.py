"""Attributes that change what values mean, held against xarray and the rules of netCDF."""

import h5py
import numpy as np
import pytest

import rnnstates
from rnnstates import BadInput, BadLengths, BadWeights
from rnnstates.inputs import open_source
from rnnstates.inputs.form import Form

SHAPE = (4, 5, 3)


def write(path, values, name="inputs", *, netcdf=False, **attributes):
    with h5py.File(path, "a") as file:
        if netcdf:
            file.attrs["_NCProperties"] = "version=2"
        dataset = file.create_dataset(name, data=values)
        for key, value in attributes.items():
            dataset.attrs[key] = value
    return path


def read(path, **options):
    source = open_source(path, **options)
    values = source.read(slice(0, source.shape[0]), slice(0, source.shape[1]))
    assert values.dtype == source.dtype.newbyteorder("=")
    source.close()
    return values, source


def stored(dtype, seed=0):
    random = np.random.default_rng(seed)
    return random.integers(-100 if np.dtype(dtype).kind != "u" else 0, 100, SHAPE).astype(dtype)


@pytest.mark.parametrize("dtype", ["i1", ">i2", "u2", "i4", "f4", "f8"])
@pytest.mark.parametrize(
    "attributes", [{"scale_factor": 0.25}, {"add_offset": -3}, {"scale_factor": 2, "add_offset": 7.5}]
)
def test_scaled_values_are_decoded(tmp_path, dtype, attributes):
    values = stored(dtype)
    found, source = read(write(tmp_path / "x.nc", values, **attributes))
    right = values.astype(float) * attributes.get("scale_factor", 1) + attributes.get("add_offset", 0)
    np.testing.assert_array_equal(found, right)
    assert any(name in note for note in source.notes for name in attributes)


def test_they_are_what_xarray_decodes(tmp_path):
    xarray = pytest.importorskip("xarray")
    pytest.importorskip("h5netcdf")
    values = stored("i2")
    packed = xarray.Dataset({"inputs": (("n", "t", "i"), values.astype(float) / 8)})
    packed["inputs"][1, 2, 0] = np.nan
    encoding = {"dtype": "i2", "scale_factor": 0.125, "add_offset": 3.0, "_FillValue": np.int16(-999)}
    packed.to_netcdf(tmp_path / "x.nc", engine="h5netcdf", encoding={"inputs": encoding})
    right = xarray.open_dataset(tmp_path / "x.nc", engine="h5netcdf")["inputs"].values
    found, _ = read(tmp_path / "x.nc", dataset="inputs")
    np.testing.assert_allclose(found, right)
    assert np.isnan(found[1, 2, 0])


@pytest.mark.parametrize(
    ("dtype", "attributes", "missing"),
    [
        ("i2", {"_FillValue": np.int16(7)}, lambda x: x == 7),
        ("f4", {"missing_value": np.array([7.0, -3.0])}, lambda x: (x == 7) | (x == -3)),
        ("i4", {"valid_range": [-50, 40]}, lambda x: (x < -50) | (x > 40)),
        ("f8", {"valid_max": 40.0}, lambda x: x > 40),
        ("i1", {"_Unsigned": "true", "valid_min": np.int8(-100)}, lambda x: x.view("u1") < 156),
        ("i4", {"rhdf5-NA.OK": 1}, lambda x: x == -(2**31)),
    ],
)
def test_missing_values_are_nan_and_refused_in_a_step_that_counts(tmp_path, dtype, attributes, missing):
    values = stored(dtype)
    values[1, 2, 0], values[3, 4, 1] = (7, -3) if "rhdf5-NA.OK" not in attributes else (-(2**31),) * 2
    path = write(tmp_path / "x.h5", values, **attributes)
    found, _ = read(path, form=Form(axes="NTI"))
    gone = missing(values)
    assert gone.any()
    np.testing.assert_array_equal(np.isnan(found), gone)
    meant = values.view("u1") if "_Unsigned" in attributes else values
    np.testing.assert_array_equal(found[~gone], meant[~gone].astype(float))
    with pytest.raises(BadInput, match="is nan"):
        rnnstates.extract(path, "full", units=2, axes="NTI")


def test_a_value_that_netcdf_never_wrote_is_missing(tmp_path):
    values = np.full(SHAPE, 9.9692099683868690e36, "f4")
    values[:3] = 1
    path = write(tmp_path / "x.nc", values, netcdf=True)
    with pytest.raises(BadInput, match="sequence 3, step 0, feature 0 is nan"):
        rnnstates.extract(path, "full", units=2)
    assert rnnstates.extract(path, [5, 5, 5, 0], units=2).provenance["notes"]


def test_what_xarray_writes_of_itself_changes_nothing(tmp_path):
    values = stored("f4")
    found, source = read(write(tmp_path / "x.nc", values, netcdf=True, _FillValue=np.float32("nan"), units="m"))
    np.testing.assert_array_equal(found, values)
    assert source.dtype == np.float32
    assert not source.notes


@pytest.mark.parametrize(
    "attributes",
    [
        {"scale_factor": "a"},
        {"scale_factor": 0.0},
        {"add_offset": np.inf},
        {"scale_factor": [1.0, 2.0]},
        {"valid_range": [1]},
        {"missing_value": np.zeros(1000)},
        {"add_offset": np.zeros(0)},
    ],
)
def test_damaged_attributes_are_refused_by_name(tmp_path, attributes):
    path = write(tmp_path / "x.h5", stored("i2"), **attributes)
    with pytest.raises(BadInput, match=next(iter(attributes))):
        open_source(path)


def test_token_ids_and_lengths_are_never_scaled(tmp_path):
    path = write(tmp_path / "x.h5", stored("u2")[..., 0], scale_factor=2.0)
    with pytest.raises(BadInput, match="scale_factor"):
        open_source(path, form=Form(tokens=True))
    path = write(tmp_path / "y.h5", stored("f4"))
    write(path, np.array([5, 1, 2, 3]), "lengths", add_offset=1)
    with pytest.raises(BadLengths, match="add_offset"):
        rnnstates.extract(path, units=2)
    write(path, np.array([5, 1, 0, 3]), "counts", _FillValue=0)
    with pytest.raises(BadLengths, match=r"row 2 holds 0, .*_FillValue"):
        rnnstates.extract(path, "counts", units=2)
    write(path, np.array([5, 1, -(2**31), 3], "i4"), "names", **{"rhdf5-NA.OK": 1})
    with pytest.raises(BadInput, match=r"row 2 holds -2147483648"):
        rnnstates.extract(path, "full", ids="names", units=2)


def test_a_missing_token_id_is_refused_in_a_step_that_counts(tmp_path):
    found, _ = read(write(tmp_path / "x.h5", np.array([[1, 2, 0], [0, 3, 0]]), _FillValue=0), form=Form(tokens=True))
    assert found.tolist() == [[1, 2, -1], [-1, 3, -1]]


def test_states_to_start_from_and_weights_are_never_packed(tmp_path):
    path = write(tmp_path / "start.h5", np.ones(2), "hidden", scale_factor=2.0)
    write(path, np.ones(2), "cell")
    with pytest.raises(BadInput, match="scale_factor"):
        rnnstates.extract(np.ones(SHAPE), "full", units=2, initial_state=path)
    network = rnnstates.extract(np.ones(SHAPE), "full", units=2, save_weights=tmp_path / "w.weights.h5")
    del network
    with h5py.File(tmp_path / "w.weights.h5", "a") as file:
        names = []
        file.visititems(lambda name, node: names.append(name) if isinstance(node, h5py.Dataset) and node.ndim else None)
        file[names[0]].attrs["scale_factor"] = 2.0
    with pytest.raises(BadWeights, match="scale_factor"):
        rnnstates.load_weights(tmp_path / "w.weights.h5")
