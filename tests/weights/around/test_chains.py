"""Numbered stacks run as one chain where that is asked for."""

import itertools

import numpy as np
import pytest
import torch

import rnnstates

from ..keras_models import keras_of

INPUTS = np.random.default_rng(1).normal(size=(3, 6, 3)).astype("f4")


def saved(modules, folder):
    torch.save(modules.state_dict(), folder / "m.pt")
    return folder / "m.pt"


def test_numbered_layers_run_as_one_chain(tmp_path):
    rnns = torch.nn.ModuleList(
        [
            torch.nn.LSTM(3, 5, 2, batch_first=True),
            torch.nn.LSTM(5, 4, bidirectional=True, batch_first=True),
            torch.nn.LSTM(8, 6, batch_first=True),
        ]
    )
    path = saved(torch.nn.ModuleDict({"rnns": rnns}), tmp_path)
    states = rnnstates.extract(INPUTS, "full", weights=path, layer="rnns.*")
    values = torch.from_numpy(INPUTS)
    with torch.no_grad():
        for rnn in rnns:
            values = rnn(values)[0]
    np.testing.assert_allclose(states["layer3/hidden"], values, rtol=0, atol=1e-6)
    assert f"{path}: 'rnns.0.l1' -> 'rnns.1' -> 'rnns.2' run as one chain, as given." in states.provenance["notes"]


def test_lists_of_cells_do_too_in_the_order_of_numbers(tmp_path):
    widths = [3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]
    cells = torch.nn.ModuleList([torch.nn.GRUCell(*pair) for pair in itertools.pairwise(widths)])
    path = saved(torch.nn.ModuleDict({"cells": cells}), tmp_path)
    network = rnnstates.load_weights(path, layer="cells.*")
    assert [layer.name for layer in network.layers] == [f"cells.{number}" for number in range(11)]
    states = rnnstates.extract(INPUTS, "full", weights=network)
    hidden = [torch.zeros(3, width) for width in widths[1:]]
    with torch.no_grad():
        for step in range(6):
            values = torch.from_numpy(INPUTS[:, step])
            for number, cell in enumerate(cells):
                hidden[number] = values = cell(values, hidden[number])
    np.testing.assert_allclose(states["layer10/hidden"][:, 5], values, rtol=0, atol=1e-6)


def test_a_chain_takes_the_embedding_of_its_lowest_layer(tmp_path):
    modules = torch.nn.ModuleDict(
        {
            "embedding": torch.nn.Embedding(7, 3),
            "lstm1": torch.nn.LSTM(3, 3, batch_first=True),
            "lstm2": torch.nn.LSTM(3, 3, batch_first=True),
        }
    )
    path = saved(modules, tmp_path)
    network = rnnstates.load_weights(path, layer="lstm*")
    ids = np.array([[1, 6, 0, 2]])
    states = rnnstates.extract(ids, "full", weights=network)
    with torch.no_grad():
        expected = modules["lstm2"](modules["lstm1"](modules["embedding"](torch.from_numpy(ids)))[0])[0]
    np.testing.assert_allclose(states["layer1/hidden"], expected, rtol=0, atol=1e-6)
    assert f"{path}: embedding 'embedding.weight' is assumed to feed 'lstm1'." in network.notes


def test_what_may_stand_between_the_layers_is_named(tmp_path):
    modules = torch.nn.ModuleDict(
        {"rnn0": torch.nn.GRU(3, 4), "norm": torch.nn.LayerNorm(4), "rnn1": torch.nn.GRU(4, 5)}
    )
    (_, note) = rnnstates.load_weights(saved(modules, tmp_path), layer="rnn*").notes
    assert "not run: 'norm' (weight 4, bias 4); if they stand before or between 'rnn0', 'rnn1', its inputs" in note


def test_widths_that_do_not_fit_are_refused(tmp_path):
    modules = torch.nn.ModuleDict({"rnn0": torch.nn.GRU(3, 4), "rnn1": torch.nn.GRU(5, 6)})
    with pytest.raises(rnnstates.BadWeights, match="'rnn1' reads inputs of width 5, but 'rnn0' outputs 4; they cannot"):
        rnnstates.load_weights(saved(modules, tmp_path), layer="rnn*")


def test_the_error_for_several_stacks_offers_the_chain(tmp_path):
    modules = torch.nn.ModuleDict({"rnn0": torch.nn.GRU(3, 4), "rnn1": torch.nn.GRU(4, 6)})
    path = saved(modules, tmp_path)
    with pytest.raises(rnnstates.BadWeights, match=r"feed each other in the order of their numbers: layer='rnn\*'\."):
        rnnstates.load_weights(path)
    with pytest.raises(rnnstates.BadWeights, match=r"layer='lstm\.\*': no stack has such a name; found: rnn0, rnn1\."):
        rnnstates.load_weights(path, layer="lstm.*")
    with pytest.raises(rnnstates.OptionError, match=r"layer='\*\*': has several \*; expected one"):
        rnnstates.load_weights(path, layer="**")


@pytest.mark.parametrize("name", ["0.rnns.{}", "rnns.{}.net1", "2.enc.{}.lstm0"])
def test_any_number_of_a_name_may_be_that_of_the_chain(name, tmp_path):
    state = {}
    for number, (features, units) in enumerate([(3, 4), (4, 6), (6, 2)]):
        arrays = torch.nn.LSTM(features, units).state_dict()
        state |= {f"{name.format(number)}.{leaf}": array for leaf, array in arrays.items()}
    torch.save(state, tmp_path / "m.pt")
    with pytest.raises(rnnstates.BadWeights) as refused:
        rnnstates.load_weights(tmp_path / "m.pt")
    assert f"in the order of their numbers: layer='{name.format('*')}'." in str(refused.value)
    assert len(rnnstates.load_weights(tmp_path / "m.pt", layer=name.format("*")).layers) == 3


def test_a_chain_is_recorded_and_verified(tmp_path):
    modules = torch.nn.ModuleDict({"rnn0": torch.nn.GRU(3, 4), "rnn1": torch.nn.GRU(4, 6)})
    path = saved(modules, tmp_path)
    np.save(tmp_path / "x.npy", INPUTS)
    rnnstates.extract(tmp_path / "x.npy", "full", weights=path, layer="rnn*", output=tmp_path / "o.h5").close()
    assert rnnstates.verify(tmp_path / "o.h5")["recomputed"]


def test_the_name_without_a_number_is_the_first(tmp_path):
    modules = torch.nn.ModuleDict({"lstm": torch.nn.LSTM(3, 4), "lstm_1": torch.nn.LSTM(4, 6)})
    network = rnnstates.load_weights(saved(modules, tmp_path), layer="lstm_*")
    assert [layer.name for layer in network.layers] == ["lstm", "lstm_1"]


def test_a_chain_that_does_not_fit_is_not_offered(tmp_path):
    modules = torch.nn.ModuleDict({"rnn0": torch.nn.GRU(3, 4), "rnn1": torch.nn.GRU(5, 6)})
    with pytest.raises(rnnstates.BadWeights, match=r"choose one: layer='rnn0' \(GRU\), layer='rnn1' \(GRU\)\.$"):
        rnnstates.load_weights(saved(modules, tmp_path))


def test_a_model_that_says_what_feeds_what_is_no_chain(tmp_path):
    keras = keras_of(3)
    layers = [keras.layers.LSTM(4, return_sequences=True, name="lstm_1"), keras.layers.Dense(4)]
    keras.Sequential([keras.Input((None, 3)), *layers, keras.layers.LSTM(5, name="lstm_2")]).save(tmp_path / "m.keras")
    with pytest.raises(rnnstates.BadWeights, match=r"choose one: .*lstm_2' \(LSTM\)\.$"):
        rnnstates.load_weights(tmp_path / "m.keras")
    with pytest.raises(rnnstates.BadWeights, match="its own connections do not make 'lstm_1', 'lstm_2' a chain"):
        rnnstates.load_weights(tmp_path / "m.keras", layer="lstm_*")
