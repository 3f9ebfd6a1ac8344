"""Some sequences, found by id or place, and one layer: states like those of the whole, of which nothing is read yet."""

import copy
import pickle

import h5py
import numpy as np
import pytest

import rnnstates

from ..builders import bidirectional_stack
from .forms import FORMS, IDS, LENGTHS, N, extracted, of_sequence

CHOICES = {
    "slice": slice(2, 7),
    "backwards": slice(None, None, -2),
    "beyond": slice(7, 99),
    "none": slice(0, 0),
    "list": [3, 1, 1, -1],
    "empty list": [],
    "array": np.array([8, 0, 4], np.uint8),
    "mask": np.array(LENGTHS) > 2,
    "mask as a list": [length == 0 for length in LENGTHS],
}


@pytest.fixture(params=FORMS)
def states(request, tmp_path):
    with extracted(request.param, tmp_path) as made:
        yield made


def rows_of(key):
    return np.arange(N)[np.asarray(key, int) if isinstance(key, list) and not key else key].tolist()


def check(part, states, rows):
    """Hold states of some sequences against the whole."""
    assert len(part) == part.sequences == len(rows)
    assert part.lengths.tolist() == [LENGTHS[row] for row in rows]
    assert set(part.datasets) == set(states.datasets)
    for name, dataset in part.datasets.items():
        values = np.asarray(dataset)
        assert dataset.shape == values.shape == dataset[()].shape
        assert dataset.dtype == values.dtype == states[name].dtype
        if name not in ("offsets", "lengths", "ids"):
            for place, row in enumerate(rows):
                np.testing.assert_array_equal(of_sequence_of(part, name, place), of_sequence(states, name, row))
                np.testing.assert_array_equal(part[place][name], of_sequence(states, name, row))
    assert [sequence.id for sequence in part] == part.ids.tolist() == [states[row].id for row in rows]


def of_sequence_of(part, name, place):
    values = np.asarray(part[name])
    if values.shape[0] == len(part) and (values.ndim == 2 and part.attributes["layout"] == "padded"):
        return values[place]
    if "_" in name.rpartition("/")[2]:
        return values[place]
    length = int(part.lengths[place])
    if part.attributes["layout"] == "packed":
        return values[part["offsets"][place] : part["offsets"][place + 1]]
    return values[place, values.shape[1] - length :] if part.attributes["padding"] == "pre" else values[place, :length]


@pytest.mark.parametrize("key", CHOICES.values(), ids=CHOICES)
def test_slices_numbers_and_masks_give_states_of_those_sequences(states, key):
    check(states[key], states, rows_of(key))


def test_a_choice_is_made_of_a_choice(states):
    rows = np.arange(N)[1:8][[5, 0, 2]][::-1].tolist()
    check(states[1:8][[5, 0, 2]][::-1], states, rows)


@pytest.mark.parametrize("again", [lambda part: pickle.loads(pickle.dumps(part)), copy.copy], ids=["pickle", "copy"])
def test_a_pickled_choice_is_the_same_choice(states, again):
    with again(states[[4, 0]].layer("/")) as other:
        check(other, states, [4, 0])


def test_nothing_is_read_before_it_is_asked_for(tmp_path, monkeypatch):
    with extracted("file, packed", tmp_path) as states:
        read = []
        original = h5py.Dataset.__getitem__
        monkeypatch.setattr(h5py.Dataset, "__getitem__", lambda self, key: read.append(key) or original(self, key))
        part = states[2:8][[1, 3]].layer(0)
        assert len(part) == 2
        assert "hidden" in part.datasets
        assert "2 sequences" in repr(part)
        assert not read
        np.testing.assert_array_equal(part["hidden"][:2], part["hidden"][()][:2])


@pytest.mark.parametrize("key", [
    (), ..., slice(3), slice(9, 2, -3), 2, -1, [0, 5, 5], (slice(1, 6), 2), (..., 1), (3, ...), (slice(None), [0, 2]),
    (4, slice(1, 3)), np.int64(3),
])  # fmt: skip
def test_a_chosen_dataset_is_indexed_as_an_array_is(key, tmp_path):
    with extracted("file, packed", tmp_path) as states:
        chosen = states[[5, 0, 3, 4]]["hidden"]
        assert isinstance(chosen[key], np.ndarray | np.float32)
        np.testing.assert_array_equal(chosen[key], np.concatenate([states[row].hidden for row in (5, 0, 3, 4)])[key])
        assert len(chosen) == len(list(chosen)) == 18
        assert chosen.ndim == 2
        assert repr(chosen) == "<chosen rows of a dataset, shape (18, 4), type float32>"
        with pytest.raises(IndexError, match="row 18 of 18; expected 0 to 17"):
            chosen[18]


@pytest.mark.parametrize("key", [[9], [-10], [0, 10**18]])
def test_numbers_beyond_the_end_are_refused(states, key):
    with pytest.raises(IndexError, match=r"sequence -?\d+ of 9; expected 0 to 8"):
        states[key]


def test_a_mask_of_another_length_is_refused(states):
    with pytest.raises(IndexError, match="a mask of 2 for 9 sequences; expected one value each"):
        states[[True, False]]


def test_a_sequence_is_found_by_its_id(states):
    for row, name in enumerate(states.ids):
        np.testing.assert_array_equal(states.by_id(name).hidden, states[row].hidden)
        assert states.by_id(name).id == name
    part = states[[6, 2]]
    assert part.by_id(part[1].id).length == LENGTHS[2]
    with pytest.raises(KeyError, match="none of these 2 sequences has this id"):
        part.by_id(states[3].id)


def test_an_id_may_be_text_bytes_or_a_number(tmp_path):
    with extracted("file", tmp_path) as states:
        assert states.ids.tolist() == IDS
        assert states.by_id("é".encode()).id == "é"
        with pytest.raises(rnnstates.OptionError, match="id=5: is an int; expected text, as these ids are"):
            states.by_id(5)
    numbered = extracted("memory", tmp_path, ids=np.arange(100, 109))
    assert numbered.by_id(104).length == numbered.by_id(np.int32(104)).length == LENGTHS[4]
    assert extracted("memory", tmp_path)[5:].by_id(7).length == LENGTHS[7]
    for wrong in ("104", None, True, b"1"):
        with pytest.raises(rnnstates.OptionError, match="expected a number, as these ids are"):
            numbered.by_id(wrong)
    with pytest.raises(KeyError, match="4: none of these 9 sequences has this id"):
        numbered.by_id(4)


def test_an_id_of_several_sequences_is_refused_where_it_is_asked_for(tmp_path):
    states = rnnstates.States(
        {"lengths": np.arange(9), "ids": np.array([b"a", b"b"] + [b"c"] * 7)},
        {"layout": "padded", "padding": "post", "layers": ["/"], "provenance": {}},
    )
    with pytest.raises(
        rnnstates.BadStates, match=r"states: id 'c' belongs to sequences 2, 3, 4, 5, 6, …; expected one"
    ):
        states.by_id("c")
    assert states[:3].by_id("c").length == 2
    assert states.by_id("b").length == 1
    with pytest.raises(
        rnnstates.BadStates, match=r"id 'b' belongs to sequences 0, 2; expected one\. Choose it by numb"
    ):
        states[[1, 2, 1]].by_id("b")


def test_an_id_in_brackets_is_refused_with_the_way_to_it(tmp_path):
    with extracted("file", tmp_path) as states:
        with pytest.raises(
            KeyError, match=r"seven: not in these states, .*hidden_mean.*\. It is .*states\.by_id\('seven'"
        ):
            states["seven"]
        with pytest.raises(KeyError, match=r"which have [\w, ]*\.'$"):
            states["eight"]
        assert states["hidden"].shape == (9, 7, 4)
        assert states.by_id("hidden").length == LENGTHS[2]


def test_a_closed_file_says_so_to_its_parts(tmp_path):
    states = extracted("file, packed", tmp_path)
    part = states[[1, 4]]
    states.close()
    for use in (lambda: part["hidden"], lambda: part[0].hidden, lambda: part.by_id("four"), lambda: part.ids):
        with pytest.raises(rnnstates.BadStates, match=r"o\.h5: was closed; open it again with rnnstates\.open"):
            use()
    with pytest.raises(KeyError, match="not in these states"):
        states["seven"]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("layer", "inside"),
    [("layer1", ["forward", "backward"]), (0, ["forward", "backward"]), (-1, ["forward", "backward"]),
     ("layer0/forward", ["/"]), ("/layer1/backward/", ["/"])],
)  # fmt: skip
def test_a_layer_has_datasets_without_its_name(form, layer, inside, tmp_path):
    with extracted(form, tmp_path, weights=bidirectional_stack(), units=None) as states:
        part = states.layer(layer)[[4, 0]]
        assert part.layers == part.attributes["layers"] == inside
        group = {0: "layer0", -1: "layer1"}.get(layer, str(layer).strip("/"))
        for name in ("hidden", "cell", "hidden_mean"):
            for inner in inside:
                whole = f"{group}/{inner}/{name}".replace("///", "/").replace("//", "/")
                values = part[f"{inner}/{name}".strip("/")]
                np.testing.assert_array_equal(values, states[[4, 0]][whole])
        assert {name for name in part.datasets if name in ("lengths", "ids", "offsets")} <= set(states.datasets)
        assert "lengths" in part.datasets
        assert f"{group}/hidden" not in part.datasets
        if inside == ["/"]:
            np.testing.assert_array_equal(part[0].cell, states[4][f"{group}/cell"])
            assert part.layer("/").layer(0).layer(-1).layers == ["/"]
        else:
            assert part.layer("backward")[1].hidden.shape == (7, 5 if group == "layer0" else 6)


@pytest.mark.parametrize("layer", ["/", "layer", "layer2", "layer0/up", "hidden", "", 2, -3, True, None, 0.0])
def test_a_layer_that_is_not_there_is_refused_with_those_that_are(layer, tmp_path):
    states = extracted("memory", tmp_path, weights=bidirectional_stack(), units=None)
    with pytest.raises(rnnstates.OptionError, match=r"not in these states, which have layer0/forward, .* 0 to 1"):
        states.layer(layer)


def test_the_final_states_of_some_sequences_continue_those(tmp_path):
    inputs = np.random.RandomState(2).standard_normal((5, 6, 3)).astype(np.float32)
    whole = rnnstates.extract(inputs, "full", units=2, engine="numpy")
    output = tmp_path / "first.h5"
    with rnnstates.extract(inputs[:, :2], "full", units=2, engine="numpy", pool="final", output=output) as first:
        rest = rnnstates.extract(inputs[[3, 1], 2:], "full", units=2, engine="numpy", initial_state=first[[3, 1]])
    np.testing.assert_allclose(rest["hidden"], whole["hidden"][[3, 1], 2:], atol=1e-6)


def test_some_sequences_are_exported(states, tmp_path):
    part = states[[4, 1, 2, 0]]
    rnnstates.export(part, tmp_path / "part.npz", datasets=["hidden", "cell_mean"])
    with np.load(tmp_path / "part.npz") as arrays:
        for name in ("hidden", "cell_mean", "lengths"):
            np.testing.assert_array_equal(arrays[name], np.asarray(part[name]))


def test_offsets_that_do_not_fit_the_lengths_are_refused(tmp_path):
    extracted("file, packed", tmp_path).close()
    with h5py.File(tmp_path / "o.h5", "r+") as file:
        file["offsets"][3] += 1
    with rnnstates.open(tmp_path / "o.h5") as states:
        with pytest.raises(rnnstates.BadStates, match=r"o\.h5: 'offsets' do not fit the lengths; it is damaged"):
            states[0]["hidden"]
