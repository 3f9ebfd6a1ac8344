"""Tied weights, which a file keeps under each of their names, are one table, and no head of their own."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import rnnstates

TABLE = torch.from_numpy(np.random.default_rng(0).normal(size=(9, 3)).astype("f4"))
IDS = np.array([[1, 8, 3, 0]])


def layers(**modules):
    return {f"{name}.{leaf}": array for name, module in modules.items() for leaf, array in module.state_dict().items()}


def write(arrays, path):
    if path.suffix == ".pt":
        torch.save(arrays, path)
    elif path.suffix == ".npz":
        np.savez(path, **{name: array.numpy() for name, array in arrays.items()})
    else:
        save_file({name: array.clone() for name, array in arrays.items()}, path)
    return path


@pytest.fixture(params=["m.pt", "m.safetensors", "m.npz"])
def path(request, tmp_path):
    return tmp_path / request.param


def expected(module):
    with torch.no_grad():
        return module(TABLE[torch.from_numpy(IDS)])[0].numpy()


def test_copies_of_one_table_are_one_and_a_tied_head_is_not_named(path):
    reader = torch.nn.LSTM(3, 5, batch_first=True)
    names = ("shared.weight", "encoder.embed_tokens.weight", "decoder.embed_tokens.weight", "lm_head.weight")
    write({**dict.fromkeys(names, TABLE), **layers(reader=reader)}, path)
    notes = rnnstates.load_weights(path).notes
    assert len(notes) == 1
    assert "embed_tokens.weight' is assumed to feed 'reader'" in notes[0]
    hidden = rnnstates.extract(IDS, "full", weights=path)["hidden"]
    np.testing.assert_allclose(hidden, expected(reader), rtol=0, atol=1e-6)


def test_a_copy_near_to_another_stack_does_not_keep_the_table_from_this_one(path):
    modules = {"encoder.rnn": torch.nn.GRU(3, 4), "decoder.rnn": torch.nn.RNN(3, 6, batch_first=True)}
    write({"shared_embedding.weight": TABLE, "encoder.embed.weight": TABLE, **layers(**modules)}, path)
    hidden = rnnstates.extract(IDS, "full", weights=path, layer="decoder.rnn")["hidden"]
    np.testing.assert_allclose(hidden, expected(modules["decoder.rnn"]), rtol=0, atol=1e-6)


def test_tables_that_differ_in_one_value_are_several(path):
    other = TABLE.clone()
    other[8, 2] += 1e-3
    write({"embed.weight": TABLE, "output_embedding.weight": other, **layers(rnn=torch.nn.RNN(3, 4))}, path)
    network = rnnstates.load_weights(path)
    assert network.embedding is None
    assert "found 'embed.weight' (9 x 3), 'output_embedding.weight' (9 x 3), each fitting" in network.no_embedding


def test_of_three_tables_two_copies_are_named_once(path):
    arrays = {"a_embed.weight": TABLE, "b_embed.weight": TABLE + 1, "c_embed.weight": TABLE}
    write({**arrays, **layers(rnn=torch.nn.RNN(3, 4))}, path)
    assert "found 'a_embed.weight' (9 x 3), 'b_embed.weight' (9 x 3), each" in rnnstates.load_weights(path).no_embedding
