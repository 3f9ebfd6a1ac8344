"""Inputs whose axes are stored in another order: read as given, and never guessed where there is reason to doubt."""

import io
import itertools

import h5py
import numpy as np
import pytest

import rnnstates
from rnnstates import BadInput, BadLengths, OptionError
from rnnstates.inputs import open_source
from rnnstates.inputs.form import Form
from rnnstates.network.initialise import random_network

from .conformance import make_inputs

ORDERS = ["".join(letters) for letters in itertools.permutations("NTI")]
SHAPE = (7, 5, 3)


def stored_as(array, axes):
    """Turn [N, T, I] or [N, T] into another order."""
    usual = "NTI"[: array.ndim]
    return np.ascontiguousarray(array.transpose([usual.index(letter) for letter in axes]))


def npy(array, folder):
    np.save(folder / "x.npy", array)
    return folder / "x.npy"


def fortran(array, folder):
    return npy(np.asfortranarray(array), folder)


def hdf5(array, folder, **storage):
    with h5py.File(folder / "x.h5", "w") as file:
        file.create_dataset("inputs", data=array, **storage)
    return folder / "x.h5"


def chunked(array, folder):
    return hdf5(array, folder, chunks=(2,) * array.ndim, compression="gzip", shuffle=True)


def filtered(array, folder):
    return hdf5(array, folder, chunks=(3,) * array.ndim, compression="lzf", fletcher32=True)


KINDS = [npy, fortran, hdf5, chunked, filtered, lambda array, _: array]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("axes", ORDERS)
def test_every_order_of_every_kind_reads_the_same_values(tmp_path, kind, axes):
    truth = make_inputs(SHAPE, ">f4")
    source = open_source(kind(stored_as(truth, axes), tmp_path), form=Form(axes=axes))
    assert source.shape == SHAPE
    for rows, steps in [((0, 7), (0, 5)), ((2, 4), (0, 5)), ((6, 7), (1, 4)), ((3, 5), (4, 5)), ((2, 2), (0, 5))]:
        block = source.read(slice(*rows), slice(*steps))
        np.testing.assert_array_equal(block, truth[slice(*rows), slice(*steps)])
        assert block.dtype.isnative
    assert 1 <= source.rows_together <= 7
    assert 1 <= source.steps_together <= 5
    source.close()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("axes", ["NT", "tn"])
def test_token_ids_have_orders_too(tmp_path, kind, axes):
    truth = make_inputs((6, 4), np.int16)
    source = open_source(kind(stored_as(truth, axes.upper()), tmp_path), form=Form(tokens=True, axes=axes))
    np.testing.assert_array_equal(source.read(slice(1, 5), slice(0, 3)), truth[1:5, :3])
    source.close()


@pytest.mark.parametrize("axes", ORDERS)
def test_states_and_verification_are_those_of_the_usual_order(tmp_path, axes):
    truth, lengths = make_inputs(SHAPE) / 100, [5, 1, 0, 3, 4, 2, 5]
    path = npy(stored_as(truth, axes), tmp_path)
    made = rnnstates.extract(path, lengths, output=tmp_path / "out.h5", units=4, axes=axes)
    np.testing.assert_array_equal(made["cell"][:], rnnstates.extract(truth, lengths, units=4)["cell"])
    made.close()
    assert len(rnnstates.verify(tmp_path / "out.h5")["recomputed"]) == 6
    assert rnnstates.preview(path, lengths, axes=axes, units=4)["sequences"] == 7


@pytest.mark.parametrize(
    ("axes", "shape"),
    [("NTX", SHAPE), ("NTT", SHAPE), ("NT", SHAPE), ("NTI", (6, 4)), ("", SHAPE), (3, SHAPE), ("NITN", SHAPE)],
)
def test_a_wrong_order_is_refused_with_what_is_right(axes, shape):
    with pytest.raises(OptionError, match=r"axes=.*letters N, T and I"):
        open_source(np.ones(shape, int), form=Form(tokens=len(shape) == 2, axes=axes))


def test_a_stream_takes_only_what_can_be_read_from_front_to_back():
    stream = io.BytesIO()
    np.save(stream, np.ones(SHAPE))
    stream.seek(0)
    with pytest.raises(OptionError, match=r'axes="TNI" cannot be read from a stream'):
        open_source(stream, form=Form(axes="TNI"))


@pytest.mark.parametrize(("axes", "asked"), [("NIT", "NIT"), ("ITN", "ITN"), ("INT", None)])
def test_a_width_that_another_axis_has_asks_whether_the_array_is_transposed(axes, asked):
    network = random_network(3, units=4, seed=0)
    with pytest.raises(BadInput) as caught:
        rnnstates.extract(stored_as(make_inputs(SHAPE), axes), "full", weights=network)
    assert "transposed?" in str(caught.value)
    assert asked is None or f'axes="{asked}"' in str(caught.value)


def test_a_width_that_no_axis_has_asks_nothing():
    with pytest.raises(BadInput) as caught:
        rnnstates.extract(make_inputs(SHAPE), "full", weights=random_network(4, units=4, seed=0))
    assert "transposed?" not in str(caught.value)


def test_lengths_that_fit_another_axis_ask_too():
    with pytest.raises(BadLengths, match=r'5 lengths, .*transposed\? axes="TNI"'):
        rnnstates.extract(make_inputs(SHAPE), [1, 2, 3, 2, 1], units=4)
    with pytest.raises(BadLengths, match=r'has length 7, .*transposed\? axes="TNI"'):
        rnnstates.extract(make_inputs(SHAPE), [7, 2, 3, 2, 1, 1, 1], units=4)


def mark_matlab(file, dataset):
    dataset.attrs["MATLAB_class"] = np.bytes_("double")


def mark_octave(file, dataset):
    dataset.parent.attrs["OCTAVE_NEW_FORMAT"] = np.uint8(1)


def mark_rhdf5(file, dataset):
    dataset.attrs["rhdf5-NA.OK"] = np.int32(1)


def mark_names(file, dataset):
    for axis, name in zip(dataset.dims, ("feature", "time", "batch"), strict=True):
        axis.label = name


def mark_scales(file, dataset):
    for number, name in enumerate(("channel", "Time", "sample")):
        file[name] = np.arange(dataset.shape[number])
        file[name].make_scale(name)
        dataset.dims[number].attach_scale(file[name])


MARKS = [mark_matlab, mark_octave, mark_rhdf5, mark_names, mark_scales]


def marked(path, array, mark, userblock=b""):
    with h5py.File(path, "w", userblock_size=512 if userblock else 0) as file:
        dataset = file.create_group("variable").create_dataset("inputs", data=array)
        if mark:
            mark(file, dataset)
    if userblock:
        with path.open("r+b") as file:
            file.write(userblock)
    return path


@pytest.mark.parametrize("userblock", [b"MATLAB 7.3 MAT-file, Platform: GLNXA64", b"HDF5-based Julia Data Format, v"])
def test_the_text_before_the_hdf5_counts_as_a_mark(tmp_path, userblock):
    path = marked(tmp_path / "x.h5", make_inputs((3, 5, 7)), None, userblock)
    with pytest.raises(BadInput, match=r"reverse order.*\(3, 5, 7\).*\(7, 5, 3\).*axes=\"ITN\""):
        rnnstates.extract(path, "full", units=4, dataset="variable/inputs")


@pytest.mark.parametrize("mark", MARKS)
def test_a_marked_file_is_read_as_given_and_never_guessed(tmp_path, mark):
    truth = make_inputs((6, 5, 6)) / 50
    path = marked(tmp_path / "x.h5", stored_as(truth, "ITN"), mark)
    network = random_network(6, units=4, seed=0)
    options = {"lengths": "full", "weights": network, "dataset": "variable/inputs"}
    with pytest.raises(BadInput, match=r'axes="ITN"'):
        rnnstates.extract(path, **options)
    for axes, array in (("ITN", truth), ("NTI", stored_as(truth, "ITN"))):
        found = rnnstates.extract(path, **options, axes=axes)
        np.testing.assert_array_equal(found["hidden"], rnnstates.extract(array, "full", weights=network)["hidden"])
        assert not any("reverse order" in note for note in found.provenance["notes"])


@pytest.mark.parametrize("mark", MARKS)
def test_a_width_that_fits_one_order_alone_decides_and_is_noted(tmp_path, mark):
    path = marked(tmp_path / "x.h5", make_inputs(SHAPE), mark)
    found = rnnstates.extract(path, "full", weights=random_network(3, units=4, seed=0), dataset="variable/inputs")
    assert any('axes="' in note for note in found.provenance["notes"])


def test_marked_token_ids_are_never_guessed(tmp_path):
    path = marked(tmp_path / "x.h5", make_inputs((6, 4), np.int32), mark_matlab)
    network = random_network(3, units=4, seed=0)
    network = type(network)(network.layers, embedding=np.ones((30, 3), "f4"))
    with pytest.raises(BadInput, match=r'axes="TN"'):
        rnnstates.extract(path, "full", weights=network, dataset="variable/inputs")


def test_lengths_may_lie_in_a_row_as_matlab_writes_a_column(tmp_path):
    np.save(tmp_path / "l.npy", np.array([[5, 1, 2, 3, 4, 0, 5]]))
    states = rnnstates.extract(make_inputs(SHAPE), tmp_path / "l.npy", units=4)
    assert states["lengths"].tolist() == [5, 1, 2, 3, 4, 0, 5]
