"""Arrays that stand for PyTorch's weights in a way that is not known, or of a module that is not clear: refused."""

import pytest
import torch
from torch.nn.utils import parametrizations, parametrize

import rnnstates

from .test_torch_parametrised import save_as


def lstm_state(prefix="", features=3, units=5):
    torch.manual_seed(8)
    return {prefix + name: value for name, value in torch.nn.LSTM(features, units).state_dict().items()}


RAW = lstm_state()["weight_hh_l0"]
REFUSED = {
    "a raw weight without a module": (
        {"drop.weight_hh_l0_raw": RAW},
        "",
        "of a module that is not at or below this place",
    ),
    "a raw weight beside the module": (
        {"drop.weight_hh_l0_raw": RAW, **lstm_state("lstm.")},
        "lstm",
        "'drop.weight_hh_l0_raw' may stand for the weight_hh_l0 of 'lstm'; expected one module below it",
    ),
    "a raw weight above two modules": (
        {"weight_hh_l0_raw": RAW, **lstm_state("a."), **lstm_state("b.")},
        "b",
        "'weight_hh_l0_raw' may stand for the weight_hh_l0 of 'a', 'b'; expected one module below it",
    ),
    "two wrappers around one module": (
        {"weight_hh_l0_raw": RAW, "rnn.weight_hh_l0_raw": RAW, **lstm_state("rnn.")},
        "",
        "both stand for its weight_hh_l0; expected one of them",
    ),
    "a raw weight of another shape": (
        {"rnn.weight_hh_l0_raw": RAW[:, :4], **lstm_state("rnn.module.")},
        "",
        "makes a weight_hh_l0 of shape (20, 4), but 'rnn.module.weight_hh_l0' has (20, 5)",
    ),
    "a mask of another shape": (
        {"rnn.weight_hh_l0_orig": RAW, "rnn.weight_hh_l0_mask": RAW[:4], **lstm_state("rnn.")},
        "",
        "'rnn.weight_hh_l0_orig' (20, 5) and 'rnn.weight_hh_l0_mask' (4, 5) have different shapes",
    ),
    "norms of another shape": (
        {"rnn.weight_hh_l0_g": RAW[:, :2], "rnn.weight_hh_l0_v": RAW, **lstm_state("rnn.")},
        "",
        "are not the norms of 'rnn.weight_hh_l0_v' (20, 5) along whole axes",
    ),
    "singular vectors of another shape": (
        {
            "rnn.weight_hh_l0_orig": RAW,
            "rnn.weight_hh_l0_u": RAW[0],
            "rnn.weight_hh_l0_v": RAW[0],
            **lstm_state("rnn."),
        },
        "",
        "are not the singular vectors of 'rnn.weight_hh_l0_orig' (20, 5)",
    ),
    "a norm without its direction": (
        {"rnn.weight_hh_l0_g": RAW[:, :1], **lstm_state("rnn.")},
        "",
        "its weight_hh_l0 is computed from 'rnn.weight_hh_l0_g' in an unknown way",
    ),
    "spectral norm as it was saved before 1.0": (
        {"rnn.weight_hh_l0_orig": RAW, "rnn.weight_hh_l0_u": RAW[:, 0], **lstm_state("rnn.")},
        "",
        "remove_weight_norm or remove_spectral_norm of torch.nn.utils",
    ),
    "an unknown suffix above the module": (
        {"rnn.weight_hh_l0_lowrank": RAW, **lstm_state("rnn.module.")},
        "",
        "its weight_hh_l0 is computed from 'rnn.weight_hh_l0_lowrank' in an unknown way",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_clear_is_refused_with_its_names(case, tmp_path):
    state, layer, message = REFUSED[case]
    torch.save({name: value.clone() for name, value in state.items()}, tmp_path / "w.pt")
    with pytest.raises(rnnstates.BadWeights) as refused:
        rnnstates.load_weights(tmp_path / "w.pt", layer=layer or None)
    assert message in str(refused.value)


class Doubled(torch.nn.Module):
    def forward(self, weight):
        return weight * 2


def orthogonal(module):
    parametrizations.orthogonal(module, "weight_hh_l0")


def chained(module):
    parametrizations.weight_norm(module, "weight_hh_l0")
    parametrizations.spectral_norm(module, "weight_hh_l0")


def own(module):
    parametrize.register_parametrization(module, "weight_hh_l0", Doubled())


@pytest.mark.parametrize("wrap", [orthogonal, chained, own])
@pytest.mark.parametrize("container", ["pt", "safetensors"])
def test_other_parametrisations_are_refused_with_the_call_that_takes_them_off(container, wrap, tmp_path):
    module = torch.nn.GRU(3, 5)
    wrap(module)
    path = save_as({f"rnn.{name}": value for name, value in module.state_dict().items()}, tmp_path / "w", container)
    with pytest.raises(rnnstates.BadWeights) as refused:
        rnnstates.load_weights(path)
    assert "torch.nn.utils.parametrize.remove_parametrizations(module, 'weight_hh_l0')" in str(refused.value)
    assert "'rnn.parametrizations.weight_hh_l0.original" in str(refused.value)
    assert "problem" in rnnstates.describe(path)["stacks"][0]


def test_a_norm_of_zero_is_refused_as_what_is_no_number(tmp_path):
    state = {"rnn.weight_hh_l0_g": torch.ones(20, 1), "rnn.weight_hh_l0_v": torch.zeros(20, 5)}
    rest = {name: value for name, value in lstm_state("rnn.").items() if "weight_hh" not in name}
    torch.save(state | rest, tmp_path / "w.pt")
    with pytest.raises(rnnstates.BadWeights, match="recurrent kernel has 100 values that are NaN"):
        rnnstates.load_weights(tmp_path / "w.pt")
