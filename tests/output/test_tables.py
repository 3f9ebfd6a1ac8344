"""States as tables and labelled arrays: each read by its library, held against the sequences one by one."""

import sys

import h5py
import numpy as np
import pandas as pd
import pytest
import xarray

import rnnstates

from ..builders import bidirectional_stack
from .forms import FORMS, IDS, LENGTHS, N, T, extracted, of_sequence

pa = pytest.importorskip("pyarrow")
CHOSEN = {"all": (slice(None), range(N)), "some": ([7, 2, 0, 1, 0], (7, 2, 0, 1, 0)), "none": ([], ())}
STEPS = sum(LENGTHS)


@pytest.fixture(params=FORMS)
def states(request, tmp_path):
    with extracted(request.param, tmp_path) as made:
        yield made


def expected_tokens(states, name, rows):
    """Give what each step is of, and its state, from the sequences one by one."""
    for place, row in enumerate(rows):
        for step, values in enumerate(of_sequence(states, name, row)):
            yield place, states[row].id, step, values


def check_tokens(found, expected):
    expected = list(expected)
    assert list(zip(found.sequence, found.id, found.step, strict=True)) == [one[:3] for one in expected]
    for one, (*_, values) in zip(found.X, expected, strict=True):
        np.testing.assert_array_equal(one, values)


@pytest.mark.parametrize("chosen", CHOSEN)
def test_tokens_are_the_steps_of_all_sequences(states, chosen):
    key, rows = CHOSEN[chosen]
    found = states[key].tokens("cell")
    check_tokens(found, expected_tokens(states, "cell", rows))
    assert found.X.dtype == np.float32
    assert found.sequence.dtype == found.step.dtype == np.int64
    assert found.X.shape[1] == 4


@pytest.mark.parametrize("steps", [1, 4, 7, STEPS, 1000])
@pytest.mark.parametrize("chosen", CHOSEN)
def test_batches_of_tokens_are_all_tokens(states, chosen, steps):
    part = states[CHOSEN[chosen][0]]
    whole, batches = part.tokens(), list(part.token_batches(steps=steps))
    assert all(len(batch.X) == steps for batch in batches[:-1])
    assert len(batches) == -(-len(whole.X) // steps)
    for name in whole._fields if batches else ():
        np.testing.assert_array_equal(np.concatenate([getattr(batch, name) for batch in batches]), getattr(whole, name))


@pytest.mark.parametrize("form", ["file", "file, in front"])
def test_padded_states_are_read_in_small_blocks(form, tmp_path, monkeypatch):
    block, read, get = 2 * T * 4 * 4, [], h5py.Dataset.__getitem__
    monkeypatch.setattr("rnnstates.output.states.tokens.BLOCK_BYTES", block)
    with extracted(form, tmp_path) as states:
        expected = list(expected_tokens(states, "hidden", range(N)))
        monkeypatch.setattr(h5py.Dataset, "__getitem__", lambda self, key: read.append(get(self, key)) or read[-1])
        check_tokens(states.tokens(), expected)
    assert 0 < max(values.nbytes for values in read if np.ndim(values) == 3) <= block


def test_tokens_of_a_layer_have_its_units(tmp_path):
    states = extracted("memory, packed", tmp_path, weights=bidirectional_stack(), units=None)
    np.testing.assert_array_equal(states.tokens("layer0/backward/hidden").X, states["layer0/backward/hidden"])
    np.testing.assert_array_equal(states.layer("layer0/backward").tokens().X, states["layer0/backward/hidden"])


@pytest.mark.parametrize("name", ["hidden_mean", "lengths", "ids"])
def test_tokens_of_what_has_no_steps_are_refused(name, tmp_path):
    with extracted("file", tmp_path) as states:
        for tokens in (states.tokens, states.token_batches):
            with pytest.raises(
                rnnstates.OptionError, match=rf"{name}: has one row for each sequence, no steps; .*frame"
            ):
                tokens(name)
        with pytest.raises(KeyError, match="nothing: not in these states"):
            states.tokens("nothing")


@pytest.mark.parametrize("steps", [0, -1, 2.5, True, None])
def test_a_batch_of_no_steps_is_refused(steps, tmp_path):
    with pytest.raises(rnnstates.OptionError, match=r"steps=.*; expected a whole number from 1"):
        extracted("memory", tmp_path).token_batches(steps=steps)


def test_states_shorter_than_the_lengths_are_reported(tmp_path):
    extracted("file, packed", tmp_path).close()
    with h5py.File(tmp_path / "o.h5", "r+") as file:
        values = file["hidden"][:-3]
        del file["hidden"]
        file["hidden"] = values
    with rnnstates.open(tmp_path / "o.h5") as states:
        for read in (states.tokens, lambda: list(states.token_batches()), states.frame):
            with pytest.raises(rnnstates.BadStates, match=r"o\.h5: 'hidden' has shape \(26, 4\), which does not fit"):
                read()


@pytest.mark.parametrize("kind", ["pandas", "arrow"])
@pytest.mark.parametrize("chosen", CHOSEN)
def test_a_table_has_a_row_for_each_step_or_sequence(states, chosen, kind):
    key, rows = CHOSEN[chosen]
    part = states[key]
    has_ids = ["id"] if "ids" in states.datasets else []
    for name, of_step in (("hidden", ["step"]), ("cell_mean", [])):
        table = part.frame(name, kind)
        assert isinstance(table, pd.DataFrame if kind == "pandas" else pa.Table)
        frame = table if kind == "pandas" else table.to_pandas()
        units = [f"{name}_{unit}" for unit in range(4)]
        assert list(frame.columns) == ["sequence", *has_ids, *of_step, *units]
        assert len(frame) == (sum(LENGTHS[row] for row in rows) if of_step else len(rows))
        for place, row in enumerate(rows):
            of_row, expected = frame[frame["sequence"] == place], np.atleast_2d(of_sequence(states, name, row))
            np.testing.assert_array_equal(of_row[units].to_numpy(), expected)
            assert not has_ids or set(of_row["id"]) <= {states[row].id}
            assert not of_step or of_row["step"].tolist() == list(range(LENGTHS[row]))
        assert frame.dtypes[units[0]] == np.float32


def test_lengths_and_ids_are_tables_too(tmp_path):
    with extracted("file, packed", tmp_path) as states:
        assert states.frame("lengths")["lengths"].tolist() == LENGTHS
        assert states.frame("ids")["id"].tolist() == IDS
        with pytest.raises(rnnstates.OptionError, match="offsets: has no row for each sequence or step"):
            states.frame("offsets")
        with pytest.raises(rnnstates.OptionError, match="kind='polars': unknown; expected pandas, arrow"):
            states.frame("hidden", "polars")


@pytest.mark.parametrize(("library", "ask", "says"), [
    ("pandas", lambda states: states.frame(), "pandas cannot be imported .* pip install pandas"),
    ("pyarrow", lambda states: states.frame(kind="arrow"), r"pip install 'rnnstates\[arrow\]', or use kind=\"pandas\""),
    ("xarray", lambda states: states.to_xarray(), "xarray cannot be imported .* pip install xarray h5netcdf"),
])  # fmt: skip
def test_a_library_that_is_missing_is_named(library, ask, says, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, library, None)
    monkeypatch.delitem(sys.modules, "rnnstates.output.states.labelled", raising=False)
    with pytest.raises(rnnstates.EngineUnavailable, match=says):
        ask(extracted("memory", tmp_path))


@pytest.mark.parametrize("chosen", CHOSEN)
def test_xarray_has_the_values_with_their_coordinates(states, chosen):
    key, rows = CHOSEN[chosen]
    part = states[key]
    dataset = part.to_xarray()
    assert dataset["sequence"].to_numpy().tolist() == [states[row].id for row in rows]
    assert dataset["lengths"].dims == ("sequence",)
    assert dataset["lengths"].to_numpy().tolist() == [LENGTHS[row] for row in rows]
    assert set(dataset.data_vars) == set(states.datasets) - {"ids", "lengths", "offsets"}
    for name, variable in dataset.data_vars.items():
        np.testing.assert_array_equal(variable, np.asarray(part[name]))
    if states.attributes["layout"] == "packed":
        tokens = part.tokens()
        np.testing.assert_array_equal(dataset["step_sequence"], tokens.sequence)
        np.testing.assert_array_equal(dataset["step_time"], tokens.step)
    elif rows:
        np.testing.assert_array_equal(dataset["hidden"].isel(sequence=0, time=[5, 0], unit=slice(1, 3)),
                                      part["hidden"][0, :, 1:3][[5, 0]])  # fmt: skip
        assert dataset["hidden"].sel(time=2, unit=3).dims == ("sequence",)
    assert list(dataset["unit"]) == [0, 1, 2, 3]


def projected():
    """Give an LSTM whose hidden state is narrower than its cell state."""
    random = np.random.RandomState(3)
    arrays = random.standard_normal((3, 20)), random.standard_normal((2, 20)), np.zeros(20)
    weights = rnnstates.LayerWeights(*arrays, projection=random.standard_normal((5, 2)))
    return rnnstates.Network((rnnstates.RecurrentLayer("p", weights),))


@pytest.mark.parametrize("form", ["file", "file, packed", "file, in front"])
def test_xarray_names_the_dimensions_as_the_file_does(form, tmp_path):
    options = {"units": 4} if form != "file" else {
        "units": None, "states": "hidden,cell,state,input_gate", "pool": "mean,final",
        "weights": projected(),
    }  # fmt: skip
    with extracted(form, tmp_path, **options) as states:
        with xarray.open_dataset(tmp_path / "o.h5", engine="h5netcdf") as stored:
            ours = states.to_xarray()
            for name, variable in ours.data_vars.items():
                xarray.testing.assert_equal(variable.drop_vars(list(variable.coords)), stored[name])
                assert variable.dims == stored[name].dims
            about = {name: value for name, value in ours.attrs.items() if name != "layers"}
            assert about == {name: stored.attrs[name] for name in about}


def test_xarray_reads_what_is_used_and_no_more(tmp_path, monkeypatch):
    with extracted("file", tmp_path) as states:
        read = []
        get = h5py.Dataset.__getitem__
        monkeypatch.setattr(h5py.Dataset, "__getitem__", lambda self, key: read.append(self.name) or get(self, key))
        dataset = states[[4, 2, 8]].to_xarray()
        assert set(read) <= {"/ids"}
        read.clear()
        assert dataset["hidden"].isel(sequence=1).shape == (7, 4)
        assert not read
        np.testing.assert_array_equal(dataset["hidden"].isel(sequence=2, time=slice(0, 4)), states[8].hidden)
        assert set(read) == {"/hidden"}
    with pytest.raises(rnnstates.BadStates, match="was closed"):
        dataset["cell"].load()


@pytest.mark.skipif(not hasattr(xarray, "DataTree"), reason="an older xarray")
def test_several_layers_are_a_tree(tmp_path):
    with extracted("file", tmp_path, weights=bidirectional_stack(), units=None) as states:
        tree = states[[3, 0]].to_xarray()
        assert [node.path for node in tree.leaves] == [f"/{layer}" for layer in states.layers]
        for layer in states.layers:
            for name in ("hidden", "cell_mean"):
                found = tree[f"{layer}/{name}"]
                np.testing.assert_array_equal(found, np.asarray(states[f"{layer}/{name}"])[[3, 0]])
                assert found["sequence"].to_numpy().tolist() == [IDS[3], IDS[0]]
        assert isinstance(states.layer("layer1/backward").to_xarray(), xarray.Dataset)


def test_an_older_xarray_has_no_trees(tmp_path, monkeypatch):
    monkeypatch.delattr(xarray, "DataTree", raising=False)
    states = extracted("memory", tmp_path, weights=bidirectional_stack(), units=None)
    with pytest.raises(rnnstates.EngineUnavailable, match=r"has no trees of datasets; pip install 'xarray>=2024\.10'"):
        states.to_xarray()
