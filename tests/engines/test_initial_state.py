"""States to start from and to go on from: a sequence in parts, files of states, what does not fit."""

import numpy as np
import pytest

import rnnstates
from rnnstates.network.cells import CELLS
from rnnstates.network.model import CARRIED

from ..builders import ragged
from ..network.test_cells import ENGINES, LENGTHS, extract, network, plain, tolerance


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("cell", CELLS)
def test_a_sequence_in_two_parts_gives_what_it_gives_in_one(cell, engine, tmp_path):
    made = network(cell)
    inputs, _ = ragged(4, 7)
    inputs = np.nan_to_num(inputs)
    whole = extract(made, inputs, LENGTHS, engine=engine, pool="final")
    first, second = np.minimum(LENGTHS, 3), LENGTHS - np.minimum(LENGTHS, 3)
    extract(made, inputs, first, engine=engine, pool="final", output=tmp_path / "a.h5").close()
    rest = extract(made, inputs[:, 3:], second, engine=engine, pool="final", initial_state=tmp_path / "a.h5")
    for name in CARRIED[cell]:
        for row, length in enumerate(second):
            np.testing.assert_array_equal(rest[name][row, :length], whole[name][row, 3 : 3 + length])
        # Also of those that ended, or never began, before the second part.
        np.testing.assert_array_equal(rest[f"{name}_final"], whole[f"{name}_final"])


def test_final_states_keep_the_precision_that_they_were_computed_in(tmp_path):
    inputs, lengths = ragged()
    states = extract(network("lstm"), inputs, lengths, dtype="float16", states="hidden", pool="last,final")
    assert {name: str(states[name].dtype) for name in states.datasets if name != "lengths"} == {
        "hidden": "float16", "hidden_last": "float16", "hidden_final": "float64", "cell_final": "float64",
    }  # fmt: skip


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("container", ["npz", "hdf5", "arrays"])
def test_an_initial_state_is_one_for_all_or_one_a_sequence(container, engine, tmp_path):
    made = network("lstm")
    weights = made.layers[0].forward
    inputs, _ = ragged(4, 7)
    inputs = np.nan_to_num(inputs)
    random = np.random.default_rng(9)
    given = {"hidden": random.normal(size=5), "cell": random.normal(size=(4, 5))}
    states = extract(
        made, inputs, LENGTHS, engine=engine, pool="final", initial_state=stored(given, container, tmp_path)
    )
    for row, length in enumerate(LENGTHS):
        start = {"hidden": given["hidden"], "cell": given["cell"][row]}
        expected = plain(weights, inputs[row, :length], start) if length else {}
        for name, values in expected.items():
            if name in ("hidden", "cell"):
                np.testing.assert_allclose(states[name][row, :length], values, rtol=0, atol=tolerance(engine))
        if not length:
            np.testing.assert_array_equal(states["cell_final"][row], start["cell"].astype(states["cell"].dtype))


def stored(given, container, folder):
    if container == "arrays":
        return given
    if container == "npz":
        np.savez(folder / "start.npz", **given)
        return folder / "start.npz"
    import h5py

    with h5py.File(folder / "start.h5", "w") as file:
        for name, values in given.items():
            file[name] = values
    return folder / "start.h5"


def test_a_state_that_is_not_given_starts_at_zero_and_is_named():
    inputs, lengths = ragged()
    states = extract(network("lstm"), inputs, lengths, initial_state={"hidden": np.ones(5)})
    assert "no initial state is given for cell; zero is used." in states.provenance["notes"]


WRONG = {
    "another name": ({"h": np.ones(5)}, "holds 'h', which is not a state of this network; expected cell, hidden"),
    "another width": (
        {"hidden": np.ones(4)},
        r"'hidden' has shape \(4,\); expected \(5,\) for all sequences or \(9, 5\)",
    ),
    "another count": ({"hidden": np.ones((2, 5))}, r"has shape \(2, 5\); expected"),
    "not a number": ({"hidden": np.full(5, np.nan)}, "'hidden' of sequence 0 is NaN or infinite"),
    "text": ({"hidden": np.array(["a"] * 5)}, "has dtype <U1; expected numbers"),
    "nothing": ({}, "holds no states"),
    "one state twice": (
        {"hidden": np.ones(5), "hidden_final": np.ones(5)},
        "holds 'hidden' and 'hidden_final'; give one",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_an_initial_state_that_does_not_fit_is_refused(case):
    inputs, lengths = ragged()
    given, message = WRONG[case]
    with pytest.raises(rnnstates.BadInput, match=message):
        extract(network("lstm"), inputs, lengths, initial_state=given)


def test_an_output_without_final_states_cannot_be_continued(tmp_path):
    inputs, lengths = ragged()
    extract(network("lstm"), inputs, lengths, output=tmp_path / "a.h5").close()
    with pytest.raises(rnnstates.MissingInput, match='without final states; make it again with pool="final"'):
        extract(network("lstm"), inputs, lengths, initial_state=tmp_path / "a.h5")


def test_a_file_of_another_kind_is_no_initial_state(tmp_path):
    inputs, lengths = ragged()
    (tmp_path / "x.txt").write_text("none")
    with pytest.raises(
        rnnstates.BadInput,
        match=r"text that starts with 'none'; expected a \.npz or HDF5 file of states by name\. Save the states",
    ):
        extract(network("lstm"), inputs, lengths, initial_state=tmp_path / "x.txt")
    with pytest.raises(rnnstates.MissingInput, match="no such file"):
        extract(network("lstm"), inputs, lengths, initial_state=tmp_path / "absent.npz")
    with pytest.raises(rnnstates.CannotCreate, match="is also read by this run"):
        np.savez(tmp_path / "s.npz", hidden=np.ones(5))
        extract(
            network("lstm"), inputs, lengths, initial_state=tmp_path / "s.npz", output=tmp_path / "s.npz", force=True
        )


def test_the_final_states_of_another_network_are_refused(tmp_path):
    inputs, lengths = ragged()
    extract(network("gru"), inputs, lengths, pool="final", output=tmp_path / "a.h5").close()
    with pytest.raises(rnnstates.BadInput, match="no final state 'cell', which this network carries; it is"):
        extract(network("lstm"), inputs, lengths, initial_state=tmp_path / "a.h5")


def test_provenance_says_where_the_states_came_from(tmp_path):
    inputs, lengths = ragged()
    np.savez(tmp_path / "s.npz", hidden=np.ones(5))
    states = extract(network("gru"), inputs, lengths, initial_state=tmp_path / "s.npz")
    assert states.provenance["initial_state"] == {"from": str(tmp_path / "s.npz"), "states": ["hidden"]}
    assert extract(network("gru"), inputs, lengths).provenance["initial_state"] is None


def test_an_initial_state_beyond_float32_is_refused_not_made_infinite():
    inputs, lengths = np.zeros((2, 3, 3)), [3, 1]
    given = {"hidden": np.full(5, 1e300)}
    with pytest.raises(rnnstates.BadInput, match="initial state 'hidden': is too large for float32; use precision="):
        rnnstates.extract(inputs, lengths, weights=network("gru"), initial_state=given)
    assert extract(network("gru"), inputs, lengths, initial_state=given)
