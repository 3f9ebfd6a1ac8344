"""Modules beside a layer whose weights are stored as something else: quantised, or computed from several arrays."""

import warnings

import pytest
import torch
from torch.nn.utils import parametrizations, prune

import rnnstates
from rnnstates.errors import BadWeights

from .running import assert_same_states
from .test_torch import oracle

# PyTorch warns about its own storages of quantised arrays.
pytestmark = pytest.mark.filterwarnings("ignore:TypedStorage:UserWarning")


def network(**linear):
    torch.manual_seed(4)
    return torch.nn.ModuleDict({"reader": torch.nn.GRU(3, 5)} | {k: torch.nn.Linear(*v) for k, v in linear.items()})


def quantised(module):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.ao.quantization.quantize_dynamic(module, {torch.nn.Linear})


def saved(folder, state):
    torch.save(state, folder / "w.pt")
    return folder / "w.pt"


@pytest.mark.parametrize("wrap", [dict, lambda state: {"net": dict(state), "epoch": 2}])
def test_a_quantised_head_is_no_stack(wrap, tmp_path):
    model = network(scores=(5, 2))
    path = saved(tmp_path, wrap(quantised(model).state_dict()))
    assert_same_states(path, oracle(model["reader"]))
    assert rnnstates.load_weights(path).notes == ()
    assert [stack["layer"] for stack in rnnstates.describe(path)["stacks"]] == ["reader"]


def test_a_quantised_module_before_the_layer_is_named_as_one(tmp_path):
    path = saved(tmp_path, quantised(network(front=(4, 3))).state_dict())
    (note,) = rnnstates.load_weights(path).notes
    assert "also in the file, and not run: 'front' (3 x 4, 3); if" in note


def test_quantised_modules_alone_are_no_recurrent_layer(tmp_path):
    path = saved(tmp_path, quantised(torch.nn.Sequential(torch.nn.Linear(4, 3))).state_dict())
    with pytest.raises(BadWeights, match="no recurrent layer found"):
        rnnstates.load_weights(path)


@pytest.mark.parametrize(
    "name",
    [
        "gru._all_weight_values.0.param._packed_params",
        "gru._packed_params",
        "gru.layers.0.layer_fw.cell.igates._packed_params._packed_params",
    ],
)
def test_quantised_weights_of_a_layer_are_refused(name, tmp_path):
    path = saved(tmp_path, {name: torch.ones(15, 3), "scores.weight": torch.ones(2, 5)})
    with pytest.raises(BadWeights, match="which hold quantised weights; save the model from before that"):
        rnnstates.load_weights(path)


def old(function):
    def wrapped(module):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            function(module)

    return wrapped


WAYS = {
    "spectral norm": parametrizations.spectral_norm,
    "weight norm": parametrizations.weight_norm,
    "orthogonal": parametrizations.orthogonal,
    "old spectral norm": old(torch.nn.utils.spectral_norm),
    "old weight norm": old(torch.nn.utils.weight_norm),
    "pruning": lambda module: prune.l1_unstructured(module, "weight", 0.5),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_head_whose_weight_is_computed_is_no_module_before_the_layer(way, tmp_path):
    model = network(last=(5, 7))
    WAYS[way](model["last"])
    state = model.state_dict()
    # In the order of names it comes first.
    for order in (state, dict(sorted(state.items()))):
        assert rnnstates.load_weights(saved(tmp_path, order)).notes == ()


@pytest.mark.parametrize("way", WAYS)
def test_a_module_whose_weight_is_computed_is_named_once(way, tmp_path):
    model = network(front=(4, 3))
    WAYS[way](model["front"])
    (note,) = rnnstates.load_weights(saved(tmp_path, model.state_dict())).notes
    assert "not run: 'front' (bias 3, " in note
    assert note.count("'front") == 1
    assert "parametrizations" not in note
