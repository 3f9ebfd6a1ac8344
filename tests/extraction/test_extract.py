"""What ``extract`` gives is the same whichever way it runs: threads, memory, file or not."""

import concurrent.futures
import inspect
import multiprocessing
import pickle

import h5py
import numpy as np
import pytest

import rnnstates
from rnnstates import LayerWeights, Network, RecurrentLayer

from ..builders import bidirectional_stack, layer_weights, one_layer, ragged


def test_no_thread_count_and_no_memory_bound_changes_a_bit(engine, tmp_path):
    inputs, lengths = ragged(sequences=150, steps=20)
    made = []
    for number, options in enumerate(({"threads": 1}, {"threads": 2}, {"threads": 8}, {"memory": "64M"})):
        path = tmp_path / f"{number}.h5"
        about = {"started": None, "command": ""}
        rnnstates.extract(
            inputs, lengths, weights=bidirectional_stack(), engine=engine, output=path, provenance=about, **options
        ).close()
        made.append(path.read_bytes())
    assert made.count(made[0]) == len(made)


def test_the_file_holds_what_memory_holds(engine, tmp_path):
    inputs, lengths = ragged()
    for layout in ("padded", "packed"):
        options = {
            "weights": bidirectional_stack(),
            "engine": engine,
            "layout": layout,
            "ids": [f"s/{i}" for i in range(9)],
        }
        memory = rnnstates.extract(inputs, lengths, **options)
        with rnnstates.extract(inputs, lengths, output=tmp_path / f"{layout}.h5", **options) as file:
            assert set(file.datasets) == set(memory.datasets)
            for name in memory.datasets:
                np.testing.assert_array_equal(file[name][()], memory[name])
                assert file[name].dtype == memory[name].dtype
            assert file[1].id == memory[1].id == "s/1"
            assert file.layers == memory.layers
        with h5py.File(tmp_path / f"{layout}.h5") as raw:
            assert "s" not in raw  # an id is data and never becomes a group, whatever it contains


def test_float16_overflow_is_counted_and_reported(caplog):
    inputs, lengths = ragged()
    weights = layer_weights(3, 5)
    large = LayerWeights(weights.kernel, weights.recurrent_kernel, weights.bias, activation="linear", forget_bias=50.0)
    inputs = np.abs(np.nan_to_num(inputs)) * 1e5
    network = Network((RecurrentLayer("lstm", forward=large),))
    states = rnnstates.extract(inputs, lengths, weights=network, dtype="float16", states="cell", pool="none")
    overflowed = int(np.isinf(states["cell"]).sum())
    assert overflowed > 0
    assert f"{overflowed} values are too large for float16" in caplog.text


def test_pooling_only_keeps_no_step(engine):
    inputs, lengths = ragged()
    states = rnnstates.extract(inputs, lengths, weights=one_layer(), engine=engine, states="none", pool="mean")
    assert set(states.datasets) == {"hidden_mean", "cell_mean", "lengths"}


def test_the_result_in_memory_is_read_only():
    inputs, lengths = ragged()
    states = rnnstates.extract(inputs, lengths, weights=one_layer())
    with pytest.raises(ValueError, match="read-only"):
        states["hidden"][0] = 1


@pytest.mark.parametrize("name", [name for name in rnnstates.__all__ if inspect.isfunction(getattr(rnnstates, name))])
def test_every_public_function_is_pickled_by_its_public_name(name):
    function = getattr(rnnstates, name)
    assert pickle.loads(pickle.dumps(function)) is function
    if function.__module__ == "rnnstates":
        assert function.__qualname__ == name


def test_another_process_extracts():
    inputs, lengths = ragged(sequences=5, steps=4)
    truth = rnnstates.extract(inputs, lengths, weights=one_layer(), engine="numpy")
    with concurrent.futures.ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        made = pool.submit(rnnstates.extract, inputs, lengths, weights=one_layer(), engine="numpy").result()
    np.testing.assert_array_equal(made["hidden"], truth["hidden"])
