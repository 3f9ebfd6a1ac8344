"""Names of axes and marks of programs, wherever they stand in a file: what they say of the order is heard."""

import h5py
import numpy as np
import pytest

import rnnstates
from rnnstates.errors import BadInput
from rnnstates.inputs import open_source
from rnnstates.inputs.axis_names import CONFLICT, order_from_names
from rnnstates.inputs.form import Form
from rnnstates.network.initialise import random_network

from .conformance import make_inputs

SHAPE = (4, 3, 2)


@pytest.mark.parametrize(
    "names, order",
    [
        ("time lat lon", "TNI"),
        ("channel x y", "INT"),
        ("x batch y", "TNI"),
        ("sequence batch feature", "TNI"),
        ("batch sequence feature", "NTI"),
        ("sequence time unit", "NTI"),
        ("seq_len batch input_size", "TNI"),
        ("Sequence-Length x y", "TNI"),
        ("seq x y", "NTI"),
        ("n_steps n_samples n_features", "TNI"),
        ("num_samples num_steps num_features", "NTI"),
        ("Time-Steps Batches Channels", "TNI"),
        ("time_index sample_id variable", "TNI"),
        ("nt series i", "TNI"),
        ("feature feature batch", CONFLICT),
        ("time time time", CONFLICT),
        ("x y z", ""),
        ("dim_0 dim_1 dim_2", ""),
        ("phony_dim_0 phony_dim_1 phony_dim_2", ""),
        ("a b c", ""),
        ("time batch", ""),
    ],
)
def test_names_say_an_order(names, order):
    assert order_from_names(names.split(), "NTI") == order


@pytest.mark.parametrize(
    "names, usual, order",
    [
        ("time batch", "NT", "TN"),
        ("sequence batch", "NT", "TN"),
        ("batch feature", "NT", ""),
        ("feature sequence", "TI", "IT"),
        ("sequence unit", "NI", "NI"),
        ("unit sequence", "NI", "IN"),
    ],
)
def test_names_of_two_axes_say_one_too(names, usual, order):
    assert order_from_names(names.split(), usual) == order


def labels(dataset, names):
    for axis, name in enumerate(names):
        dataset.dims[axis].label = name


def scales(dataset, names):
    for axis, name in enumerate(names):
        dataset.file[name] = np.arange(dataset.shape[axis])
        dataset.file[name].make_scale(name)
        dataset.dims[axis].attach_scale(dataset.file[name])


def both(dataset, names):
    scales(dataset, names)
    dataset.dims[1].label = names[1]


def axes(dataset, names):
    dataset.attrs["axes"] = np.bytes_(" ".join(names))


def listed_axes(dataset, names):
    dataset.attrs["axes"] = list(names)


def bracketed_axes(dataset, names):
    dataset.attrs["axes"] = f"[{','.join(names)}]"


def zarr(dataset, names):
    dataset.attrs["_ARRAY_DIMENSIONS"] = np.array(names, "S")


def nexus(dataset, names):
    dataset.parent.attrs.update({"signal": "inputs", "axes": list(names)})


def old_nexus(dataset, names):
    dataset.attrs.update({"signal": 1, "axes": ":".join(names)})


def letters(dataset, names):
    dataset.attrs["axes"] = "".join(name[0] for name in names).upper()


PLACES = [labels, scales, both, axes, listed_axes, bracketed_axes, zarr, nexus, old_nexus]


def made(path, place, names, **storage):
    with h5py.File(path, "w") as file:
        place(file.create_group("data").create_dataset("inputs", data=make_inputs(SHAPE), **storage), names)
    return path


def doubt(path):
    source = open_source(path)
    source.close()
    return source.doubt


@pytest.mark.parametrize("place", PLACES)
def test_names_are_found_wherever_they_stand(tmp_path, place):
    found = doubt(made(tmp_path / "x.h5", place, ("time", "batch", "feature")))
    assert found.other == "TNI"
    assert "its axes are called 'time', 'batch', 'feature', which is not the usual order" in str(found)
    assert doubt(made(tmp_path / "y.h5", place, ("batch", "time", "feature"))) is None


def test_character_arrays_are_names():
    assert order_from_names(list("TYX"), "NTI") == "TNI"


def test_letters_in_one_word_are_names(tmp_path):
    assert doubt(made(tmp_path / "x.h5", letters, ("time", "n", "i"))).other == "TNI"


@pytest.mark.parametrize(
    "attributes",
    [{"axes": 3}, {"axes": "xyz"}, {"axes": ""}, {"axes": h5py.Empty("S3")}, {"axes": ["time"] * 40}, {"axes": "time"}],
    ids=str,
)
def test_attributes_of_that_name_that_name_no_axes_pass(tmp_path, attributes):
    path = made(tmp_path / "x.h5", lambda dataset, _: dataset.attrs.update(attributes), ())
    assert doubt(path) is None


def test_the_axes_of_another_signal_are_not_those_of_this_dataset(tmp_path):
    path = made(tmp_path / "x.h5", nexus, ("time", "batch", "feature"))
    with h5py.File(path, "r+") as file:
        file["data"].attrs["signal"] = "other"
    assert doubt(path) is None


def test_names_that_contradict_each_other_are_refused(tmp_path):
    path = made(tmp_path / "x.h5", labels, ("feature", "feature", "batch"))
    with pytest.raises(BadInput, match=r"'feature', 'feature', 'batch', of which two mean the same.*Say which it is"):
        rnnstates.extract(path, "full", weights=random_network(2, units=3, seed=0))


def test_the_width_does_not_tell_sequences_from_steps(tmp_path):
    path = made(tmp_path / "x.h5", labels, ("time", "batch", "feature"))
    network = random_network(2, units=3, seed=0)
    with pytest.raises(BadInput, match=r'axes="TNI" follows the names.*Say which it is'):
        rnnstates.extract(path, "full", weights=network)
    for order in ("TNI", "NTI"):
        rnnstates.extract(path, "full", weights=network, axes=order)


def test_the_width_settles_which_axis_has_the_features_and_the_note_says_so(tmp_path):
    path = made(tmp_path / "x.h5", labels, ("feature", "time", "batch"))
    notes = rnnstates.extract(path, "full", weights=random_network(2, units=3, seed=0)).provenance["notes"]
    assert any('Read as axes="NTI", the order in which a step has 2 features.' in note for note in notes)
    with pytest.raises(BadInput, match='axes="ITN" follows the names'):
        rnnstates.extract(path, "full", weights=random_network(4, units=3, seed=0))


def test_names_in_a_file_over_a_gibibyte_are_read(tmp_path):
    path = made(tmp_path / "x.h5", both, ("time", "batch", "feature"))
    with h5py.File(path, "r+") as file:
        file.create_dataset("empty", (2**31,), "u1")[-1:] = 1
    assert path.stat().st_size > 2**31
    assert doubt(path).other == "TNI"


def test_a_mark_behind_many_attributes_counts(tmp_path):
    def many(dataset, _):
        for number in range(50):
            dataset.attrs[f"A{number:02d}"] = number
        dataset.attrs["MATLAB_class"] = np.bytes_("double")

    assert "was written by MATLAB" in str(doubt(made(tmp_path / "x.h5", many, ())))


@pytest.mark.parametrize("place", [labels, scales, listed_axes, nexus])
@pytest.mark.parametrize("damage", [b"GCOX", b"GCOL\1\0\0\0" + bytes(8), b"GCOL\1\0\0\0" + b"\xff" * 8])
def test_damaged_names_are_refused_and_do_not_end_the_process(tmp_path, place, damage):
    """HDF5's own function for labels frees what it never had; a heap without an end is walked for ever."""
    path = made(tmp_path / "x.h5", place, ("time", "batch", "feature"))
    content = path.read_bytes()
    at = content.index(b"GCOL")
    body = bytes(4096 - 16) if len(damage) > 4 else content[at + 4 : at + 4096]
    path.write_bytes(content[:at] + damage + body + content[at + 4096 :])
    with pytest.raises(BadInput, match="the names of its axes: HDF5 cannot read it"):
        doubt(path)
    source = open_source(path, form=Form(axes="TNI"))
    assert source.shape == (3, 4, 2)
    source.close()


@pytest.mark.parametrize("offset, value", [(1, b"\x07"), (9, b"\x01")])
def test_a_damaged_type_of_references_does_not_end_the_process(tmp_path, offset, value):
    """No such sequences, and references to regions in the space of others."""
    path = made(tmp_path / "x.h5", scales, ("time", "batch", "feature"))
    content = path.read_bytes()
    at = content.index(b"\x19", content.index(b"DIMENSION_LIST")) + offset
    path.write_bytes(content[:at] + value + content[at + 1 :])
    assert doubt(path) is None


def test_scales_that_were_left_behind_say_nothing(tmp_path):
    path = made(tmp_path / "x.h5", scales, ("time", "batch", "feature"))
    with h5py.File(tmp_path / "y.h5", "w") as copy, h5py.File(path) as file:
        file.copy("data/inputs", copy, "inputs")
    assert doubt(tmp_path / "y.h5") is None
    with h5py.File(path, "r+") as file:
        del file["batch"], file["feature"]
    assert doubt(path).other == "TNI"


@pytest.mark.parametrize("count", [3, 4])
def test_initial_states_of_a_square_shape_go_by_their_names(tmp_path, count):
    values = make_inputs((count, count)) / 50
    with h5py.File(tmp_path / "s.h5", "w") as file:
        for name in ("hidden", "cell"):
            axes(file.create_dataset(name, data=values), ("unit", "sequence"))
    with pytest.raises(BadInput, match=r"its axes are called 'unit', 'sequence'.*whose axes are sequences, units"):
        rnnstates.extract(np.ones((count, 2, 2)), "full", units=count, initial_state=tmp_path / "s.h5")
