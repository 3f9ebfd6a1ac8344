"""PyTorch's files that are refused, and why: variants, indirect weights, tensors without plain values."""

import warnings

import numpy as np
import pytest
import torch

import rnnstates

REFUSED = {
    "a layer normalisation beside the cell": {"rnn.ln.weight": (20,), "rnn.ln.bias": (20,)},
    "a zoneout mask": {"rnn.mask": (5,)},
}


@pytest.mark.parametrize("case", REFUSED)
def test_arrays_of_a_variant_are_listed_and_the_module_refused(case, tmp_path):
    torch.manual_seed(0)
    state = {f"rnn.{name}": value for name, value in torch.nn.LSTM(3, 5).state_dict().items()}
    state |= {name: torch.ones(shape) for name, shape in REFUSED[case].items()}
    torch.save(state, tmp_path / "m.pt")
    with pytest.raises(rnnstates.BadWeights, match="which PyTorch's own LSTM, GRU and RNN do not have") as refused:
        rnnstates.load_weights(tmp_path / "m.pt")
    assert all(name in str(refused.value) for name in REFUSED[case])
    assert "problem" in rnnstates.describe(tmp_path / "m.pt")["stacks"][0]


def test_a_quantised_module_is_refused(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = torch.ao.quantization.quantize_dynamic(torch.nn.ModuleDict({"rnn": torch.nn.LSTM(3, 5)}))
        torch.save(model.state_dict(), tmp_path / "m.pt")
        with pytest.raises(rnnstates.BadWeights, match=r"PyTorch refuses to read it as weights alone|quantis"):
            rnnstates.load_weights(tmp_path / "m.pt")


def test_missing_arrays_are_reported(tmp_path):
    state = torch.nn.LSTM(3, 5, num_layers=3).state_dict()
    for missing, message in (
        ("weight_ih_l0", "layer 0 has only bias, recurrent_bias, recurrent_kernel;"),
        ("bias_hh_l1", "layer 1 has only bias, kernel, recurrent_kernel;"),
    ):
        torch.save({name: value for name, value in state.items() if name != missing}, tmp_path / "m.pt")
        with pytest.raises(rnnstates.BadWeights, match=message):
            rnnstates.load_weights(tmp_path / "m.pt")
    torch.save({name: value for name, value in state.items() if "_l1" not in name}, tmp_path / "m.pt")
    with pytest.raises(rnnstates.BadWeights, match=r"has layers \[0, 2\]; expected 0 to 1"):
        rnnstates.load_weights(tmp_path / "m.pt")


def test_what_stands_beside_a_module_at_the_root_is_noted(tmp_path):
    state = torch.nn.LSTM(3, 5).state_dict() | {"proj.weight": torch.ones(3, 2)}
    torch.save(state, tmp_path / "m.pt")
    (note,) = rnnstates.load_weights(tmp_path / "m.pt").notes
    assert "also in the file, and not run: 'proj' (weight 3 x 2); if they stand before 'rnn'" in note


def test_other_tensors_beside_an_lstm_may_be_of_any_kind(tmp_path):
    state = {f"rnn.{name}": value for name, value in torch.nn.LSTM(3, 5).state_dict().items()}
    beside = {
        "adjacency": torch.eye(3).to_sparse(),
        "position_ids": torch.arange(5).expand(100, 5),
        "late": torch.empty(3, device="meta"),
    }
    torch.save(state | beside, tmp_path / "m.pt")
    assert rnnstates.load_weights(tmp_path / "m.pt").layers[0].forward.units == 5


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (torch.empty(20, 5, device="meta"), "has no values"),
        (torch.eye(20)[:, :5].to_sparse(), "is quantised, nested or sparse"),
        (torch.ones(20, 5, dtype=torch.int32), "has dtype torch.int32"),
    ],
    ids=["meta", "sparse", "whole numbers"],
)
def test_weights_without_plain_values_are_refused(value, message, tmp_path):
    torch.save(torch.nn.LSTM(3, 5).state_dict() | {"weight_hh_l0": value}, tmp_path / "m.pt")
    with pytest.raises(rnnstates.BadWeights, match=message):
        rnnstates.load_weights(tmp_path / "m.pt")


def test_a_view_with_its_sign_turned_is_read(tmp_path):
    real = torch.arange(20.0)
    state = torch.nn.LSTM(3, 5).state_dict() | {"bias_hh_l0": torch.complex(real, real).conj().imag}
    torch.save(state, tmp_path / "m.pt")
    np.testing.assert_array_equal(rnnstates.load_weights(tmp_path / "m.pt").layers[0].forward.recurrent_bias, -real)


def test_numbers_that_programs_keep_of_each_weight_are_no_module(tmp_path):
    module = torch.nn.LSTM(3, 5)
    state = {f"rnn.{name}": value for name, value in module.state_dict().items()}
    kept = {f"rnn__{name}_{what}": value for name, value in module.state_dict().items() for what in ("fisher", "mean")}
    torch.save(state | kept, tmp_path / "m.pt")
    assert rnnstates.load_weights(tmp_path / "m.pt").layers[0].name == "rnn"
