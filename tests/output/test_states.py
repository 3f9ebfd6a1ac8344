"""States are a sequence of sequences, whose datasets are reached by name."""

import copy
import operator
import pickle
from collections.abc import Mapping

import numpy as np
import pytest

import rnnstates

INPUTS, LENGTHS = np.random.RandomState(0).standard_normal((4, 5, 3)), [5, 2, 0, 3]


@pytest.fixture(params=["memory", "file", "packed"])
def states(request, tmp_path):
    output = None if request.param == "memory" else tmp_path / "o.h5"
    layout = "packed" if request.param == "packed" else "padded"
    with rnnstates.extract(INPUTS, LENGTHS, units=2, output=output, layout=layout, engine="numpy") as made:
        yield made


def test_length_and_iteration_are_those_of_the_sequences(states):
    assert len(states) == states.sequences == 4
    assert [len(sequence.hidden) for sequence in states] == LENGTHS
    assert [sequence.length for sequence in reversed(states)] == LENGTHS[::-1]


@pytest.mark.parametrize("index", [1, -3, np.int64(1), np.uint8(1), np.array(1)])
def test_every_whole_number_is_an_index(states, index):
    assert states[index].length == 2


@pytest.mark.parametrize("index", [4, -5, 10**30])
def test_an_index_beyond_ends_as_that_of_a_list(states, index):
    with pytest.raises(IndexError, match="expected 0 to 3"):
        states[index]


@pytest.mark.parametrize(
    "key", [1.0, None, True, (0, 1), [0.5], ["a"], [[0, 1]], [[0], [0, 1]], np.ones((2, 2), int), b"hidden", {0: 1}]
)
def test_another_key_is_refused_with_what_is_expected(states, key):
    with pytest.raises(rnnstates.OptionError, match="is no index; expected the number of a sequence, a slice of them,"):
        states[key]
    with pytest.raises(rnnstates.OptionError, match="expected the name of a state"):
        states[0][key]


def test_datasets_are_reached_by_name(states):
    assert isinstance(states.datasets, Mapping)
    assert "hidden" in states.datasets
    assert "/hidden" in states.datasets
    assert "nothing" not in states.datasets
    assert 0 not in states.datasets
    assert set(dict(states.datasets)) == set(states.datasets) == {name for name, _ in states.datasets.items()}
    assert len(states.datasets.values()) == len(states.datasets)
    assert states.datasets.get("nothing") is None
    assert states.datasets.get("hidden").shape == states["hidden"].shape
    assert repr(states.datasets) == f"<datasets {', '.join(states.datasets)}>"
    for mapping in (states, states.datasets):
        with pytest.raises(KeyError, match="nothing: not in these states, which have "):
            mapping["nothing"]
    with pytest.raises(TypeError, match="item assignment"):
        states.datasets["hidden"] = 0


def test_in_is_refused_because_it_could_mean_several_things(states):
    for one in ("hidden", 0, states[0]):
        with pytest.raises(rnnstates.OptionError, match=r"expected `name in states\.datasets` or `id in states\.ids`"):
            one in states  # noqa: B015
    assert not hasattr(states, "keys")


def test_a_sequence_iterates_over_its_names(states):
    assert list(states[1]) == [name for name in states.datasets if name != "offsets"]
    assert dict(states[1])["hidden"].shape == (2, 2)


def test_states_are_compared_by_their_arrays_only(states):
    assert states == states
    assert states != 3
    assert states is not None
    assert len({states, states, states[:]}) == 2
    for compare in (operator.eq, operator.ne):
        with pytest.raises(rnnstates.OptionError, match="many arrays, which == does not compare; expected arrays, as"):
            compare(states, rnnstates.extract(INPUTS, LENGTHS, units=2, engine="numpy"))


@pytest.mark.parametrize(
    "again", [lambda made: pickle.loads(pickle.dumps(made)), copy.deepcopy], ids=["pickle", "copy"]
)
def test_pickled_states_are_the_same(states, again):
    with again(states) as other:
        assert other.layers == states.layers
        for name in states.datasets:
            np.testing.assert_array_equal(other[name][()], states[name][()])


def test_states_are_not_one_array(states):
    with pytest.raises(rnnstates.OptionError, match=r"expected one of them, by name: states\['\w+'\]"):
        np.asarray(states)


@pytest.mark.parametrize(
    ("datasets", "attributes", "message"),
    [
        (None, {}, "datasets=: is a NoneType; expected a dict"),
        ({}, {}, "datasets=: has no 'lengths'"),
        ({"lengths": [1]}, [], "attributes=: is a list; expected a dict"),
        ({"lengths": [1]}, {"layout": "padded"}, "attributes=: has no 'padding'; expected layout, padding, layers"),
    ],
)
def test_states_of_something_else_are_refused(datasets, attributes, message):
    with pytest.raises(rnnstates.OptionError, match=message):
        rnnstates.States(datasets, attributes)


def test_a_closed_file_says_so(tmp_path):
    states = rnnstates.extract(INPUTS, LENGTHS, units=2, engine="numpy", output=tmp_path / "o.h5")
    states.close()
    assert len(states) == 4
    assert "hidden" in repr(states)
    for use in (lambda: states["hidden"], lambda: states[0].hidden, states.datasets.values().__iter__().__next__):
        with pytest.raises(rnnstates.BadStates, match=r"o\.h5: was closed; open it again with rnnstates\.open"):
            use()


def test_a_loader_of_pytorch_goes_over_every_sequence(states):
    torch = pytest.importorskip("torch")
    loader = torch.utils.data.DataLoader(states, batch_size=3, collate_fn=lambda batch: [one.length for one in batch])
    assert [length for batch in loader for length in batch] == LENGTHS


def test_final_states_in_memory_are_continued():
    whole = rnnstates.extract(INPUTS, "full", units=2, engine="numpy")
    first = rnnstates.extract(INPUTS[:, :2], "full", units=2, engine="numpy", pool="final")
    second = rnnstates.extract(INPUTS[:, 2:], "full", units=2, engine="numpy", initial_state=first)
    np.testing.assert_allclose(second["hidden"], whole["hidden"][:, 2:], atol=1e-6)
