"""Normalisation inside a cell, whose arrays lie under one prefix with the cell's, is refused by every format."""

import equinox
import flax.linen as nn
import haiku as hk
import jax
import numpy as np
import pytest
import torch
from flax import serialization

import rnnstates

from ..jax_models import KEY, randomised
from ..tensorflow1_models import write


class NormalisedCell(torch.nn.LSTMCell):
    """An LSTMCell with the normalisations of Ba et al. 2016."""

    def __init__(self):
        super().__init__(3, 5)
        self.norm_ih, self.norm_hh, self.norm_c = (torch.nn.LayerNorm(width) for width in (20, 20, 5))


def torch_cell(folder, prefix=""):
    arrays = {prefix + name: values for name, values in NormalisedCell().state_dict().items()}
    torch.save(arrays, folder / "m.pt")
    return folder / "m.pt"


def torch_state_norm(folder):
    arrays = torch.nn.GRUCell(3, 5).state_dict() | {"norm.weight": torch.ones(5), "norm.bias": torch.ones(5)}
    torch.save(arrays, folder / "m.pt")
    return folder / "m.pt"


def torch_in_a_model(folder):
    return torch_cell(folder, "encoder.cell.")


def flax_cell(folder):
    def made():
        cell, inputs = nn.LSTMCell(5), np.ones((1, 3), "f4")
        norms = {f"norm_{part}": nn.LayerNorm().init(KEY, np.ones((1, 5)))["params"] for part in ("i", "h")}
        return cell.init(KEY, cell.initialize_carry(KEY, inputs.shape), inputs)["params"] | norms

    params = randomised(jax.eval_shape(made))
    (folder / "m.msgpack").write_bytes(serialization.to_bytes({"params": {"LSTMCell_0": params}}))
    return folder / "m.msgpack"


def haiku_cell(folder):
    def run(inputs):
        core = hk.LSTM(5)
        return core(inputs, core.initial_state(1))

    params = randomised(jax.eval_shape(hk.transform(run).init, KEY, np.ones((1, 3), "f4")))
    arrays = {f"{module}/{name}": values for module, own in params.items() for name, values in own.items()}
    np.savez(folder / "m.npz", **arrays, **{"lstm/layer_norm/scale": np.ones(5), "lstm/layer_norm/offset": np.ones(5)})
    return folder / "m.npz"


def equinox_cell(folder):
    cell = randomised(equinox.filter_eval_shape(equinox.nn.GRUCell, 3, 5, key=KEY))
    leaves = jax.tree_util.tree_flatten_with_path(cell)[0]
    arrays = {f"cell{jax.tree_util.keystr(path)}": leaf for path, leaf in leaves}
    np.savez(folder / "m.npz", **arrays, **{"cell.norm.weight": np.ones(5), "cell.norm.bias": np.ones(5)})
    return folder / "m.npz"


def tensorflow1_cell(folder):
    arrays = {"rnn/lstm_cell/kernel": np.ones((8, 20), "f4"), "rnn/lstm_cell/bias": np.ones(20, "f4")}
    norms = {
        f"rnn/lstm_cell/{part}/{leaf}": np.ones(5, "f4") for part in ("input", "state") for leaf in ("gamma", "beta")
    }
    return write(folder / "m", arrays | norms)


def torch_siblings(folder):
    modules = {"cell": torch.nn.GRUCell(3, 5), "norm_x": torch.nn.LayerNorm(15), "norm_h": torch.nn.LayerNorm(15)}
    torch.save(torch.nn.ModuleDict({"rnn": torch.nn.ModuleDict(modules)}).state_dict(), folder / "m.pt")
    return folder / "m.pt"


@pytest.mark.parametrize(
    "save",
    [
        torch_siblings,
        torch_cell,
        torch_state_norm,
        torch_in_a_model,
        flax_cell,
        haiku_cell,
        equinox_cell,
        tensorflow1_cell,
    ],
)
def test_a_normalisation_inside_a_cell_is_refused_by_name(save, tmp_path):
    path = save(tmp_path)
    with pytest.raises(rnnstates.BadWeights, match=r"norm|gamma") as error:
        rnnstates.load_weights(path)
    assert "This kind of cell is not supported" in str(error.value)


def test_a_normalisation_behind_an_lstm_at_the_root_is_none_of_it(tmp_path):
    torch.save(torch.nn.LSTM(3, 5).state_dict() | {"norm.weight": torch.ones(5)}, tmp_path / "m.pt")
    assert rnnstates.load_weights(tmp_path / "m.pt").notes == ()
