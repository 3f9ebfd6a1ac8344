"""Data sets of PyTorch and TensorFlow: each sequence once in an epoch, whichever way workers start."""

import pickle
import sys

import numpy as np
import pytest

import rnnstates

from ..builders import bidirectional_stack
from .forms import FORMS, IDS, LENGTHS, N, extracted, of_sequence

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.framework


@pytest.fixture(params=FORMS)
def states(request, tmp_path):
    with extracted(request.param, tmp_path) as made:
        yield made


def check_item(item, states, row, names):
    assert list(item) == [*names, "length", "id"]
    assert (item["length"], item["id"]) == (LENGTHS[row], states[row].id)
    for name in names:
        np.testing.assert_array_equal(item[name], of_sequence(states, name, row))


@pytest.mark.parametrize("names", ["hidden", ["cell", "hidden_mean"]])
def test_an_item_is_a_sequence(states, names):
    dataset = states.torch_dataset(names)
    assert isinstance(dataset, torch.utils.data.Dataset)
    assert len(dataset) == N
    for row in range(N):
        check_item(dataset[row], states, row, [names] if isinstance(names, str) else names)
    assert dataset[-1]["length"] == LENGTHS[-1]
    for index in (N, -N - 1):
        with pytest.raises(IndexError, match=rf"item {index} of 9; expected 0 to 8"):
            dataset[index]


def test_items_of_some_sequences_and_one_layer(tmp_path):
    with extracted("file, packed", tmp_path, weights=bidirectional_stack(), units=None) as states:
        dataset = pickle.loads(pickle.dumps(states[[4, 0]].layer("layer1/backward").torch_dataset(["cell"])))
        np.testing.assert_array_equal(dataset[0]["cell"], states[4]["layer1/backward/cell"])
        assert [dataset[place]["id"] for place in range(2)] == [IDS[4], IDS[0]]


def test_a_data_set_of_memory_brings_its_arrays_along(tmp_path):
    states = extracted("memory, packed", tmp_path)[[3, 1]]
    dataset = pickle.loads(pickle.dumps(states.torch_dataset()))
    np.testing.assert_array_equal(dataset[0]["hidden"], states[0].hidden)


def test_a_tensor_shares_nothing_with_the_states(tmp_path):
    states = extracted("memory", tmp_path)
    before = states["hidden"].copy()
    states.torch_dataset()[0]["hidden"] += 1
    np.testing.assert_array_equal(states["hidden"], before)


def test_a_data_set_of_a_file_is_its_path_alone_and_outlives_the_states(tmp_path):
    with extracted("file", tmp_path) as states:
        dataset = states.torch_dataset()
        states.torch_dataset()[0]
    assert len(pickle.dumps(dataset)) < 500
    assert dataset[0]["hidden"].shape == (7, 4)
    assert len(pickle.dumps(dataset)) < 500


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize(("form", "workers"), [
    ("file", "none"), ("memory", "none"), ("file, packed", "fork"), ("memory, packed", "fork"),
    pytest.param("file, packed", "spawn", marks=pytest.mark.slow),
])  # fmt: skip
def test_a_loader_gives_each_sequence_once_in_each_epoch(form, workers, tmp_path):
    with extracted(form, tmp_path) as states:
        dataset = states.torch_dataset(["hidden", "cell_mean"])
        # Open in this process too, so that a worker that is forked finds a file that its parent has opened.
        dataset[0]
        loader = torch.utils.data.DataLoader(
            dataset, batch_size=2, shuffle=True, collate_fn=dataset.collate(), num_workers=2 * (workers != "none"),
            multiprocessing_context=None if workers == "none" else workers, persistent_workers=workers != "none",
        )  # fmt: skip
        rows = {states[row].id: row for row in range(N)}
        for _ in range(2):
            seen = []
            for batch in loader:
                for place, name in enumerate(batch["id"]):
                    length = LENGTHS[rows[name]]
                    seen.append(rows[name])
                    assert batch["length"][place] == length
                    np.testing.assert_array_equal(batch["hidden"][place, :length], states[rows[name]].hidden)
                    np.testing.assert_array_equal(batch["cell_mean"][place], states[rows[name]].cell_mean)
            assert sorted(seen) == list(range(N))


def test_a_padded_batch_is_zero_past_the_lengths(states):
    dataset = states[[1, 2, 3]].torch_dataset(["hidden", "hidden_last"])
    batch = dataset.collate("padded")([dataset[place] for place in range(3)])
    assert batch["length"].dtype == torch.int64
    assert batch["length"].tolist() == [2, 0, 3]
    assert batch["id"] == [states[row].id for row in (1, 2, 3)]
    assert batch["hidden"].shape == (3, 3, 4)
    for place, row in enumerate((1, 2, 3)):
        np.testing.assert_array_equal(batch["hidden"][place, : LENGTHS[row]], states[row].hidden)
        assert not batch["hidden"][place, LENGTHS[row] :].any()
    np.testing.assert_array_equal(batch["hidden_last"], states[[1, 2, 3]]["hidden_last"])


def test_a_packed_batch_is_what_a_layer_of_pytorch_takes(states):
    part = states[states.lengths > 0]
    dataset = part.torch_dataset()
    packed = dataset.collate("packed")([dataset[place] for place in range(len(dataset))])["hidden"]
    assert isinstance(packed, torch.nn.utils.rnn.PackedSequence)
    padded, lengths = torch.nn.utils.rnn.pad_packed_sequence(packed, batch_first=True)
    assert lengths.tolist() == part.lengths.tolist()
    for place, sequence in enumerate(part):
        np.testing.assert_array_equal(padded[place, : sequence.length], sequence.hidden)
    torch.nn.LSTM(4, 2)(packed)


def test_an_empty_sequence_cannot_be_packed(tmp_path):
    dataset = extracted("memory", tmp_path).torch_dataset()
    with pytest.raises(rnnstates.OptionError, match=r"sequence 2: has no steps, .*collate\(.padded"):
        dataset.collate("packed")([dataset[1], dataset[2]])
    with pytest.raises(rnnstates.OptionError, match="form='flat': unknown; expected padded, packed"):
        dataset.collate("flat")


@pytest.mark.parametrize(("names", "error", "says"), [
    (3, rnnstates.OptionError, "names=: is an int; expected names of datasets"),
    (["hidden", None], rnnstates.OptionError, "names=: is a list; expected names of datasets"),
    ("ids", rnnstates.OptionError, "names='ids': is no state; expected names such as 'hidden'"),
    (["offsets"], rnnstates.OptionError, "names='offsets': is no state"),
    ("nothing", KeyError, "nothing: not in these states"),
])  # fmt: skip
def test_names_of_no_states_are_refused(names, error, says, tmp_path):
    with extracted("file, packed", tmp_path) as states:
        for make in (states.torch_dataset, states.tf_dataset):
            with pytest.raises(error, match=says):
                make(names)


def test_a_data_set_without_pytorch_names_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "rnnstates.output.states.torch_dataset", raising=False)
    with pytest.raises(rnnstates.EngineUnavailable, match=r"PyTorch cannot be imported .*'rnnstates\[torch\]'"):
        extracted("memory", tmp_path).torch_dataset()


def test_a_data_set_of_tensorflow_gives_each_sequence_once_in_each_epoch(states):
    tf = pytest.importorskip("tensorflow")
    dataset = states.tf_dataset(["hidden", "cell_last"])
    id_type = tf.string if "ids" in states.datasets else tf.int64
    assert dataset.element_spec == {
        "hidden": tf.TensorSpec((None, 4), tf.float32), "cell_last": tf.TensorSpec((4,), tf.float32),
        "length": tf.TensorSpec((), tf.int64), "id": tf.TensorSpec((), id_type),
    }  # fmt: skip
    assert dataset.cardinality() == N
    for _ in range(2):
        elements = list(dataset.as_numpy_iterator())
        assert len(elements) == N
        for row, element in enumerate(elements):
            name = element["id"].decode() if isinstance(element["id"], bytes) else element["id"]
            ordered = {**{name: element[name] for name in ("hidden", "cell_last", "length")}, "id": name}
            check_item(ordered, states, row, ["hidden", "cell_last"])


def test_elements_of_tensorflow_make_padded_and_ragged_batches(tmp_path):
    pytest.importorskip("tensorflow")
    with extracted("file", tmp_path) as states:
        dataset = states[[3, 2, 0]].tf_dataset()
        padded = next(iter(dataset.padded_batch(3)))
        assert padded["hidden"].shape == (3, 7, 4)
        np.testing.assert_array_equal(padded["hidden"][0, :3], states[3].hidden)
        ragged = next(iter(dataset.ragged_batch(3)))
        assert ragged["hidden"].row_lengths().numpy().tolist() == [3, 0, 7]
        assert ragged["id"].numpy().tolist() == [IDS[3].encode(), IDS[2].encode(), IDS[0].encode()]
