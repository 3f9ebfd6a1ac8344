"""Single arrays beside a nested state_dict belong to the model where they may; no weight hides another of its name."""

import numpy as np
import pytest
import torch

import rnnstates

from .running import LENGTHS, ragged_inputs

IDS = np.random.default_rng(3).integers(0, 9, (2, 6))


def layer(kind=torch.nn.GRU, features=4, units=5, seed=0):
    torch.manual_seed(seed)
    return kind(features, units, batch_first=True)


def saved(folder, content):
    torch.save(content, folder / "w.pt")
    return folder / "w.pt"


def state(prefix="", **options):
    return {f"{prefix}{name}": values for name, values in layer(**options).state_dict().items()}


def start(*shape):
    return torch.linspace(-1, 1, 5).reshape(shape)


STARTS = {
    "next to the layer": lambda h, c: {"reader": state(kind=torch.nn.LSTM), "h0": h, "c0": c},
    "next to a state_dict": lambda h, c: {"state_dict": state("reader.", kind=torch.nn.LSTM), "h0": h, "c0": c},
    "next to the state_dict of a layer": lambda h, c: {"c_0": c, "model": state(kind=torch.nn.LSTM), "h_0": h},
    "in a mapping of their own": lambda h, c: {
        "reader": state(kind=torch.nn.LSTM),
        "start": {"init_h": h, "init_c": c},
    },
}


@pytest.mark.parametrize("shape", [(5,), (1, 1, 5)])
@pytest.mark.parametrize("case", STARTS)
def test_trained_starts_beside_the_weights_are_used(case, shape, tmp_path):
    hidden, cell = start(*shape), start(*shape).flip(-1) * 2
    path = saved(tmp_path, STARTS[case](hidden, cell))
    inputs = ragged_inputs(features=4)
    found = rnnstates.extract(inputs, LENGTHS, weights=path)["hidden"]
    for row, length in enumerate(LENGTHS):
        if length:
            first = (hidden.reshape(1, 1, 5), cell.reshape(1, 1, 5))
            with torch.no_grad():
                expected = layer(torch.nn.LSTM)(torch.from_numpy(inputs[row : row + 1, :length]), first)[0]
            np.testing.assert_allclose(found[row, :length], expected[0], rtol=0, atol=1e-6)


def test_a_start_that_lies_in_the_file_once_and_is_named_twice_is_one(tmp_path):
    beside = {"h0": start(5)}
    path = saved(tmp_path, {"gru": state(), "start": beside, "initial": beside})
    (note,) = rnnstates.load_weights(path).notes
    assert "'gru' starts from 'start.h0', which fit it" in note


NAMED = {
    "a layer norm": ({"scaler": torch.nn.LayerNorm(4).state_dict(), "gru": state()}, ["'scaler' (weight 4, bias 4)"]),
    "a batch norm below a key": (
        {"net": {"front": {"bn": torch.nn.BatchNorm1d(4).state_dict(), "gru": state()}}},
        ["'net.front.bn' (weight 4, bias 4, running_mean 4, running_var 4)"],
    ),
    "a matrix and its bias": (
        {"M": torch.ones(4, 4), "v": torch.ones(4), "gru": state()},
        ["'M' (4 x 4)", "'v' (4)"],
    ),
    "what inputs are scaled by": (
        {"state_dict": state("gru."), "mean": torch.ones(4), "std": np.ones(4, "f4")},
        ["'mean' (4)", "'std' (4)"],
    ),
    "the same beside a lone layer": ({"state_dict": state(), "mean": torch.ones(4)}, ["'mean' (4)"]),
}


@pytest.mark.parametrize("case", NAMED)
def test_what_may_stand_before_the_layer_is_named(case, tmp_path):
    content, listed = NAMED[case]
    (note,) = rnnstates.load_weights(saved(tmp_path, content)).notes
    assert "also in the file, and not run: " + ", ".join(listed) in note


TABLES = {
    "next to the layer": (lambda table: {"word_embedding": table, "gru": state()}, "word_embedding"),
    "next to a state_dict": (lambda table: {"state_dict": state("gru."), "embeddings": table}, "embeddings"),
    "next to a lone layer": (lambda table: {"state_dict": state(), "embeddings": table}, "./embeddings"),
}


@pytest.mark.parametrize("case", TABLES)
def test_a_table_beside_the_weights_is_used(case, tmp_path):
    make, name = TABLES[case]
    table = torch.nn.Embedding(9, 4)
    path = saved(tmp_path, make(table.weight.detach()))
    with torch.no_grad():
        expected = layer()(table(torch.from_numpy(IDS)))[0].numpy()
    for options in ({}, {"embedding": name}):
        found = rnnstates.extract(IDS, "full", weights=path, **options)["hidden"]
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


def test_what_is_noted_of_a_run_stays_no_part_of_the_model(tmp_path):
    noted = {
        "losses": torch.ones(4),
        "val_acc": torch.ones(5),
        "confusion": torch.ones(4, 4),
        "step": torch.ones(1),
        "order": torch.arange(4),
        "rate": torch.tensor(0.1),
        "none": torch.ones(0, 4),
        "ema": {"scale": torch.ones(4)},
        "metrics": {"each": torch.ones(4)},
        "exp_avg": torch.ones(4),
        "scaler": {"scale": torch.tensor(65536.0), "_growth_tracker": 3},
        "optimizer": {"mean": torch.ones(4)},
    }
    for content in ({"gru": state()}, {"state_dict": state("gru.")}, {"model": state()}):
        found = rnnstates.describe(saved(tmp_path, content | noted))
        assert [name for name in found["present"] if "(GRU)" not in name] == []
        assert rnnstates.load_weights(tmp_path / "w.pt").notes == ()


@pytest.mark.parametrize("wrap", [lambda norm: {"norm": norm}, lambda norm: {f"norm.{k}": v for k, v in norm.items()}])
def test_a_norm_beside_a_cell_is_named_and_not_taken_for_its_own(wrap, tmp_path):
    torch.manual_seed(0)
    cell = torch.nn.LSTMCell(5, 5)
    path = saved(tmp_path, {"model": cell.state_dict(), **wrap(torch.nn.LayerNorm(5).state_dict())})
    (note,) = rnnstates.load_weights(path).notes
    assert "not run: 'norm' (weight 5, bias 5); if" in note


def test_starts_in_a_mapping_beside_a_cell_are_used(tmp_path):
    torch.manual_seed(0)
    path = saved(tmp_path, {"model": torch.nn.GRUCell(4, 5).state_dict(), "start": {"h0": start(5)}})
    np.testing.assert_array_equal(rnnstates.load_weights(path).layers[0].forward.initial["hidden"], start(5))


TWICE = {
    "a key with a dot": ({"a.b": state(seed=1), "a": {"b": state(seed=2)}}, "['a.b']['", "['a']['b']['"),
    "a number and its text": ({3: state(seed=1), "3": state(seed=2)}, "[3]['", "['3']['"),
    "a number and its text as names": ({"gru": state(), "x": {7: start(5), "7": start(5)}}, "['x'][7]", "['x']['7']"),
    "a truth and its text": ({"gru": state(), "x": {True: start(5), "True": start(5)}}, "['x'][True]", "['x']['True']"),
}


@pytest.mark.parametrize("case", TWICE)
def test_two_arrays_of_one_name_are_refused_with_the_keys_of_both(case, tmp_path):
    content, first, second = TWICE[case]
    with pytest.raises(rnnstates.BadWeights, match="are different arrays, and both are called '") as refused:
        rnnstates.load_weights(saved(tmp_path, content))
    assert first in str(refused.value)
    assert second in str(refused.value)


def test_one_array_that_gets_its_name_twice_is_no_contradiction(tmp_path):
    once = state()
    views = {name: values.view(values.shape) for name, values in once.items()}
    for content in ({"a.b": once, "a": {"b": once}}, {3: once, "3": views}):
        network = rnnstates.load_weights(saved(tmp_path, content))
        assert network.layers[0].forward.kernel.shape == (4, 15)
