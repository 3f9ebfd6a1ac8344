"""HDF5 files with one dataset per sequence, or arrays of varying length."""

import h5py
import numpy as np
import pytest

import rnnstates
from rnnstates import BadInput, BadLengths, OptionError
from rnnstates.inputs import open_ids, open_source
from rnnstates.inputs.form import Form
from rnnstates.untrusted.hdf5_heaps import varying_lengths

from ..builders import embedded, one_layer
from .conformance import SourceConformance
from .test_packed import FEATURES, LENGTHS, UNITS, padded, same

NAMES = ["b/ä".replace("/", "-"), "a", "10", "9", "x.y", "z", "c d"]


def write_group(path, rows, names=NAMES, group="inputs", ordered=True, **storage):
    with h5py.File(path, "w", track_order=ordered) as file:
        made = file.create_group(group, track_order=ordered) if group else file
        for name, row in zip(names, rows, strict=False):
            made.create_dataset(name, data=row, **(storage if row.size else {}))
    return path


def write_varying(path, rows, dtype, **storage):
    with h5py.File(path, "w") as file:
        made = file.create_dataset("inputs", (len(rows),), h5py.vlen_dtype(dtype), **storage)
        for number, row in enumerate(rows):
            made[number] = row
    return path


def rows_of(values):
    return [row[:length] for row, length in zip(values, LENGTHS, strict=True)]


class TestGroup(SourceConformance):
    def open_array(self, array, tmp_path, *, tokens=False):
        if not len(array):
            return open_source(array, form=Form(tokens))
        path = write_group(tmp_path / "x.h5", array, [str(row) for row in range(len(array))])
        return open_source(path, form=Form(tokens))


@pytest.mark.parametrize(
    "storage", [{}, {"chunks": True, "compression": "gzip", "shuffle": True}, {"chunks": True, "fletcher32": True}]
)
@pytest.mark.parametrize("group", ["inputs", "some/where", ""])
def test_one_dataset_per_sequence_gives_the_states_of_the_padded_array(tmp_path, storage, group):
    values, network = padded(), one_layer(units=UNITS, features=FEATURES)
    path = write_group(tmp_path / "x.h5", rows_of(values), group=group, **storage)
    found = rnnstates.extract(path, weights=network, dataset=None if group == "inputs" else group or "/")
    expected = rnnstates.extract(values, LENGTHS, weights=network, ids=NAMES)
    same(found, expected)


def test_sequences_stand_in_the_order_of_the_file(tmp_path):
    path = write_group(tmp_path / "x.h5", rows_of(padded()), ordered=False)
    with h5py.File(path) as file:
        listed = list(file["inputs"])
    assert listed != NAMES
    states = rnnstates.extract(path, units=2)
    assert [one.id for one in states] == listed
    assert [one.length for one in states] == [LENGTHS[NAMES.index(name)] for name in listed]


@pytest.mark.parametrize("kind", ["group", "varying"])
def test_token_ids_and_single_features_are_read(tmp_path, kind):
    ids, network = np.random.RandomState(1).randint(0, 9, (7, 7)), embedded(vocabulary=9, features=4, units=UNITS)
    series, single = padded(features=1), one_layer(units=UNITS, features=1)
    for number, (values, weights) in enumerate([(ids, network), (series, single)]):
        rows = rows_of(values[:, :, 0] if values.ndim > 2 else values)
        path = tmp_path / f"{number}.h5"
        if kind == "group":
            write_group(path, rows)
        else:
            write_varying(path, rows, rows[0].dtype)
        names = NAMES if kind == "group" else None
        same(
            rnnstates.extract(path, weights=weights),
            rnnstates.extract(values, LENGTHS, weights=weights, ids=names),
        )


def test_packed_values_of_each_dataset_are_decoded(tmp_path):
    values = np.round(padded() * 100)
    values[np.isnan(values)] = 0
    path = write_group(tmp_path / "x.h5", rows_of(values.astype("i2")))
    with h5py.File(path, "a") as file:
        for dataset in file["inputs"].values():
            dataset.attrs["scale_factor"] = 0.5
    expected = rnnstates.extract(values.astype("f8") * 0.5, LENGTHS, units=2, ids=NAMES)
    same(rnnstates.extract(path, units=2), expected)


def test_sequences_stored_the_other_way_round_are_turned(tmp_path):
    values = padded()
    path = write_group(tmp_path / "x.h5", [row.T for row in rows_of(values)])
    same(rnnstates.extract(path, units=2, axes="IT"), rnnstates.extract(values, LENGTHS, units=2, ids=NAMES))
    with pytest.raises(OptionError, match=r'axes="TNI"; expected "TI" or "IT", the axes of each sequence'):
        rnnstates.extract(path, units=2, axes="TNI")
    with pytest.raises(BadInput, match=r'expected sequences of one width\. .* axes="IT" reads \(features, steps\)'):
        rnnstates.extract(path, units=2)
    path = write_group(path, [np.ones((4, 4)), np.ones((4, 4))])
    with h5py.File(path, "a") as file:
        file["inputs"].attrs["MATLAB_class"] = np.bytes_("struct")
    with pytest.raises(BadInput, match=r"was written by MATLAB .* Say which it is"):
        rnnstates.extract(path, units=2)


@pytest.mark.parametrize("storage", [{}, {"chunks": (3,)}, {"chunks": (3,), "compression": "gzip"}])
def test_lengths_of_varying_arrays_are_found_without_reading_them(tmp_path, storage):
    rows = rows_of(padded(features=1)[:, :, 0])
    with h5py.File(write_varying(tmp_path / "x.h5", rows, np.float32, **storage)) as file:
        np.testing.assert_array_equal(varying_lengths(file["inputs"], "x", BadInput), LENGTHS)


def test_names_of_the_sequences_yield_to_given_ids(tmp_path):
    path = write_group(tmp_path / "x.h5", rows_of(padded()))
    states = rnnstates.extract(path, units=2, ids=list(range(7)))
    assert [one.id for one in states] == list(range(7))
    source = open_source(path)
    assert open_ids(None, source).read(0, 2).tolist() == ["b-ä".encode(), b"a"]
    source.close()


@pytest.mark.parametrize("kind", ["group", "varying", "turned"])
def test_verify_reads_the_sequences_again(tmp_path, kind):
    path, output, axes = tmp_path / "x.h5", tmp_path / "o.h5", None
    if kind == "varying":
        write_varying(path, rows_of(padded(features=1)[:, :, 0]), np.float32)
    else:
        axes = "IT" if kind == "turned" else None
        write_group(path, [row.T if axes else row for row in rows_of(padded())])
    rnnstates.extract(path, units=2, output=output, axes=axes, univariate=kind == "varying").close()
    assert rnnstates.verify(output)["recomputed"]


def test_what_is_no_series_is_refused(tmp_path):
    def group_of(rows, **more):
        return write_group(tmp_path / "x.h5", rows, **more)

    def refused(match, **options):
        with pytest.raises(BadInput, match=match):
            rnnstates.extract(tmp_path / "x.h5", **{"units": 2, **options})

    group_of([])
    refused(r"group 'inputs': has no datasets; expected one per sequence")
    group_of([np.ones((2, 3)), np.ones((2, 4))])
    refused(r"'a': shape \(2, 4\), but 'b-ä' has shape \(2, 3\); expected sequences of one width")
    group_of([np.ones((2, 3)), np.ones((2, 3, 1))])
    refused(r"'a': shape \(2, 3, 1\); expected \(steps, features\), or \(steps,\), because a group")
    group_of([np.ones((2, 3)), np.array([[b"x"]])])
    refused(r"'a': dtype \|S1 \(strings\)")
    group_of([np.ones((2, 0))])
    refused(r"has 0 features per step; expected at least 1")
    group_of([np.ones(4)])
    refused(r"has one number per step; expected .* univariate=True reads one feature per step")
    group_of([np.ones((2, 3))])
    with h5py.File(tmp_path / "x.h5", "a") as file:
        file.create_group("inputs/deeper")["y"] = np.ones((2, 3))
    refused(r"has groups \('deeper/y'\); expected one dataset per sequence")
    with h5py.File(tmp_path / "x.h5", "a") as file:
        del file["inputs/deeper"]
        file["inputs/far"] = h5py.ExternalLink("other.h5", "/x")
    refused(r"'far' is a link into another file")


def test_a_length_beyond_the_file_is_refused(tmp_path):
    path = write_varying(tmp_path / "x.h5", [np.arange(5, dtype="f4"), np.arange(3, dtype="f4")], np.float32)
    with h5py.File(path) as file:
        place = file["inputs"].id.get_offset()
    content = bytearray(path.read_bytes())
    content[place : place + 4] = (10**6).to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(BadInput, match=r"declares 1000000 bytes|declares 4000000 bytes"):
        rnnstates.extract(path, units=2, univariate=True)


def test_lengths_beside_sequences_without_padding_must_be_theirs(tmp_path):
    rows = rows_of(padded())
    path = write_group(tmp_path / "x.h5", rows, group="inputs")
    wrong = [len(row) for row in rows]
    wrong[2] -= 1
    with h5py.File(path, "a") as file:
        file["lengths"] = wrong
    with pytest.raises(BadLengths, match=r"'lengths': row 2 is \d+, but sequence 2 .* pass lengths=\"full\""):
        rnnstates.extract(path, units=2)
    assert rnnstates.extract(path, "full", units=2).lengths.tolist() == [len(row) for row in rows]


def test_attributes_that_change_values_of_varying_length_are_refused(tmp_path):
    path = write_varying(tmp_path / "x.h5", [np.arange(3)], "i2")
    with h5py.File(path, "a") as file:
        file["inputs"].attrs["scale_factor"] = 0.5
    with pytest.raises(BadInput, match=r"its attribute scale_factor changes what the values mean"):
        rnnstates.extract(path, units=2, univariate=True)
