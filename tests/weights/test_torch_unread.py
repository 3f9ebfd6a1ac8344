"""PyTorch files without weights that can be read: each is named, with the way out."""

import warnings

import numpy as np
import pytest
import torch

import rnnstates

from .test_torch_checkpoints import saved, state


class Whole(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = torch.nn.GRU(3, 5)


def quantised(content):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.ao.quantization.quantize_dynamic(torch.nn.ModuleDict(content), {torch.nn.LSTM, torch.nn.GRUCell})


class Mine:
    pass


STOPPED = {
    "a whole model": (Whole, "it is a whole model with its classes", "Whole"),
    "a whole model in a checkpoint": (lambda: {"model": Whole()}, "it is a whole model with its classes", "Whole"),
    "a whole layer": (lambda: torch.nn.LSTM(3, 5), "it is a whole model", "torch.nn.modules.rnn.LSTM"),
    "a quantised layer": (
        lambda: quantised({"tagger": torch.nn.LSTM(3, 5)}).state_dict(),
        "the weights of 'tagger' are quantised; save the model from before it was quantised",
        "torch.ScriptObject",
    ),
    "a quantised cell": (
        lambda: {"net": quantised({"cell": torch.nn.GRUCell(3, 5)}).state_dict()},
        "the weights of 'cell' are quantised",
        "torch.ScriptObject",
    ),
    "a whole quantised model": (
        lambda: quantised({"rnn": torch.nn.LSTM(3, 5)}),
        "it is a whole quantised model with its classes",
        "torch.nn.modules.container.ModuleDict",
    ),
    "a module beside a state_dict": (
        lambda: {"state_dict": state("rnn."), "loss": torch.nn.CrossEntropyLoss()},
        "its weights are a state_dict ('rnn.weight_hh_l0' is in it), but it holds objects of other classes too",
        "torch.nn.modules.loss.CrossEntropyLoss",
    ),
    "an object of one's own": (
        lambda: {"state_dict": state(), "config": Mine()},
        "expected numbers, text and arrays",
        "Mine",
    ),
}


@pytest.mark.parametrize("old_form", [False, True])
@pytest.mark.parametrize("case", STOPPED)
def test_what_is_not_read_is_named_with_the_way_out(case, old_form, tmp_path):
    make, advice, name = STOPPED[case]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that quantised storages are of an old kind
        path = saved(tmp_path, make(), _use_new_zipfile_serialization=not old_form)
    with pytest.raises(rnnstates.BadWeights) as refused:
        rnnstates.load_weights(path)
    for part in ("PyTorch refuses to read it as weights alone", advice, name, "torch.save("):
        assert part in str(refused.value)


@pytest.mark.parametrize("protocol", [4, 5])
def test_a_protocol_that_weights_alone_are_not_read_by_is_named(protocol, tmp_path):
    path = saved(tmp_path, state("rnn."), pickle_protocol=protocol)
    with pytest.raises(rnnstates.BadWeights, match=f"pickle protocol {protocol},.*save it again without pickle_pro"):
        rnnstates.load_weights(path)


@pytest.mark.parametrize("content", [{"epoch": 3, "loss": [1.0]}, [1, 2], 7, {"a": {}}, {}, np.float64(1)])
def test_without_weights_what_is_held_is_said(content, tmp_path):
    with pytest.raises(rnnstates.BadWeights, match=r"holds .* and no weights; expected a state_dict.*torch.save"):
        rnnstates.load_weights(saved(tmp_path, content))
