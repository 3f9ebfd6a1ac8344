"""States to start from belong to the sequences: axes that may be exchanged, ids and weights of another run."""

import h5py
import numpy as np
import pytest

import rnnstates

from ..builders import ragged
from ..network.test_cells import LENGTHS, extract, network

STATES = ("hidden", "cell")
SQUARE = np.random.default_rng(2).normal(size=(5, 5))


def start(path, mark=None, *, turned=True, userblock=b""):
    """Write states of five sequences and five units as a program does that stores axes in reverse order."""
    with h5py.File(path, "w", userblock_size=512 if userblock else 0) as file:
        for name in STATES:
            dataset = file.create_dataset(name, data=SQUARE.T if turned else SQUARE)
            if mark:
                mark(dataset)
    if userblock:
        with path.open("r+b") as file:
            file.write(userblock)
    return path


def matlab(dataset):
    dataset.attrs["MATLAB_class"] = np.bytes_("double")


def labels(*names):
    def mark(dataset):
        for axis, name in zip(dataset.dims, names, strict=True):
            axis.label = name

    return mark


def from_five(initial):
    return extract(network("lstm"), np.nan_to_num(ragged(5, 7)[0]), np.full(5, 7), initial_state=initial)


DOUBTFUL = {
    "MATLAB's attributes": (
        {"mark": matlab},
        r"was written by MATLAB \(attribute 'MATLAB_class'\), .*reverse order",
    ),
    "MATLAB's first line": ({"userblock": b"MATLAB 7.3 MAT-file, Platform"}, r"written by MATLAB \(the file begins"),
    "names": (
        {"mark": labels("unit", "sequence")},
        r"axes are called 'unit', 'sequence', which is not the usual order",
    ),
    "one name": ({"mark": labels("", "Batch")}, "its axes are called '', 'Batch'"),
    "the other name": ({"mark": labels("hidden", "")}, "its axes are called 'hidden', ''"),
}


@pytest.mark.parametrize("case", DOUBTFUL)
def test_states_of_as_many_sequences_as_units_are_never_transposed_silently(case, tmp_path):
    options, message = DOUBTFUL[case]
    path = start(tmp_path / "x.h5", **options)
    with pytest.raises(rnnstates.BadInput, match=message):
        from_five(path)
    with h5py.File(path) as file, pytest.raises(rnnstates.BadInput, match=message):
        from_five({name: file[name] for name in STATES})


def test_a_mark_does_not_matter_where_the_shape_tells_the_axes(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        for name in STATES:
            file[name] = SQUARE[:4]
            matlab(file[name])
    inputs, given = np.nan_to_num(ragged(4, 7)[0]), dict.fromkeys(STATES, SQUARE[:4])
    found, right = (
        extract(network("lstm"), inputs, LENGTHS, initial_state=initial) for initial in (tmp_path / "x.h5", given)
    )
    np.testing.assert_array_equal(found["cell"], right["cell"])


def test_names_in_the_usual_order_settle_what_a_mark_leaves_open(tmp_path):
    def both(dataset):
        matlab(dataset)
        labels("sequence", "unit")(dataset)

    right = from_five(dict.fromkeys(STATES, SQUARE))["cell"]
    for mark in (both, None, labels("x", "y")):
        found = from_five(start(tmp_path / "x.h5", mark, turned=False))["cell"]
        np.testing.assert_array_equal(found, right)


def test_an_output_of_as_many_sequences_as_units_is_resumed(tmp_path):
    inputs = np.nan_to_num(ragged(5, 7)[0])
    with extract(network("lstm"), inputs, np.full(5, 3), pool="final", output=tmp_path / "a.h5") as states:
        rest = extract(network("lstm"), inputs[:, 3:], np.full(5, 4), initial_state=states)
    whole = extract(network("lstm"), inputs, np.full(5, 7))
    np.testing.assert_array_equal(rest["cell"], whole["cell"][:, 3:])
    again = extract(network("lstm"), inputs[:, 3:], np.full(5, 4), initial_state=tmp_path / "a.h5")
    np.testing.assert_array_equal(again["cell"], rest["cell"])


def test_named_axes_of_xarray_are_heeded_in_files_and_in_memory(tmp_path):
    xarray = pytest.importorskip("xarray")
    turned = xarray.Dataset(dict.fromkeys(STATES, (("unit", "sequence"), SQUARE.T)))
    turned.to_netcdf(tmp_path / "x.nc", engine="h5netcdf")
    for given in (tmp_path / "x.nc", turned, {"hidden": turned["hidden"]}):
        with pytest.raises(rnnstates.BadInput, match=r"its axes are called 'unit', 'sequence'.*Give a plain array"):
            from_five(given)
    right = from_five(dict.fromkeys(STATES, SQUARE))["cell"]
    np.testing.assert_array_equal(from_five(turned.transpose("sequence", "unit"))["cell"], right)


def test_a_shape_that_is_that_of_the_transpose_asks():
    with pytest.raises(rnnstates.BadInput, match=r"\(5, 4\); expected .* Is it transposed\? Give sequences first"):
        extract(network("lstm"), ragged(4, 7)[0], [1, 2, 1, 1], initial_state={"hidden": np.ones((5, 4))})


def with_ids(ids, **options):
    inputs = np.nan_to_num(ragged(4, 7)[0])
    return extract(network("gru"), inputs, [7, 3, 1, 2], ids=ids, **options)


@pytest.mark.parametrize("kind", ["file", "states", "opened", "arrays", "npz"])
def test_states_of_other_sequences_are_refused_at_the_first_row(kind, tmp_path):
    with_ids(list("abcd"), pool="final", output=tmp_path / "a.h5").close()
    held = with_ids(list("abcd"), pool="final")
    given = {"hidden": held["hidden_final"], "ids": list("abcd")}
    np.savez(tmp_path / "a.npz", **given)
    initial = {"file": tmp_path / "a.h5", "npz": tmp_path / "a.npz", "states": held, "arrays": given}.get(kind)
    initial = rnnstates.open(tmp_path / "a.h5") if initial is None else initial
    message = r"row 2 has the id 'c' there, and 'd' in this run\. .* without ids, or the same ids with ids="
    with pytest.raises(rnnstates.BadInput, match=message):
        with_ids(list("abdc"), initial_state=initial)
    for ids in (list("abcd"), None):
        right = with_ids(None, initial_state={"hidden": held["hidden_final"]})
        np.testing.assert_array_equal(with_ids(ids, initial_state=initial)["hidden"], right["hidden"])


def test_ids_do_not_matter_for_one_state_of_all_and_numbers_are_as_their_texts():
    with_ids(list("xyzw"), initial_state={"hidden": np.ones(5), "ids": list("abcd")})
    numbered = {"hidden": np.ones((4, 5)), "ids": np.array(["1", "2", "3", "10"])}
    with_ids([1, 2, 3, 10], initial_state=numbered)
    with pytest.raises(rnnstates.BadInput, match="row 3 has the id '10' there, and '4' in this run"):
        with_ids([1, 2, 3, 4], initial_state=numbered)


def test_texts_beside_states_are_read_as_ids_alone(tmp_path):
    np.savez(tmp_path / "a.npz", hidden=np.ones((4, 5)), lengths=np.array(["a"] * 4))
    with pytest.raises(rnnstates.BadInput, match=r"member lengths\.npy: has dtype <U1; expected numbers"):
        with_ids(list("abcd"), initial_state=tmp_path / "a.npz")
    np.savez(tmp_path / "a.npz", hidden=np.ones((4, 5)), ids=np.array([*"abcd"], object))
    with pytest.raises(rnnstates.BadInput, match=r"member ids\.npy: .*never loaded"):
        with_ids(list("abcd"), initial_state=tmp_path / "a.npz")


def noted(**options):
    states = rnnstates.extract(np.zeros((2, 3, 3), "f4"), [3, 1], pool="final", engine="numpy", **options)
    return states, [note for note in states.provenance["notes"] if "other weights" in note]


def test_states_of_other_weights_are_noted(tmp_path):
    saved, _ = noted(units=4, seed=1, save_weights=tmp_path / "w.weights.h5")
    noted(weights=tmp_path / "w.weights.h5", output=tmp_path / "a.h5")[0].close()
    (tmp_path / "again.weights.h5").write_bytes((tmp_path / "w.weights.h5").read_bytes())
    _, (note,) = noted(units=4, seed=2, initial_state=saved)
    assert note == (
        "initial_state: has states of other weights (random features 3, forget_bias 1.0, seed 1, units 4) than "
        "those of this run (random features 3, forget_bias 1.0, seed 2, units 4); this is right only if both are the "
        "same network."
    )
    assert "w.weights.h5, SHA-256 " in noted(units=4, seed=2, initial_state=tmp_path / "a.h5")[1][0]
    assert not noted(units=4, seed=1, initial_state=saved)[1]
    # The same network: the same bytes under another name, or the numbers that the file has.
    for same in (tmp_path / "again.weights.h5", rnnstates.load_weights(tmp_path / "w.weights.h5")):
        assert not noted(initial_state=tmp_path / "a.h5", weights=same)[1]
