"""Parametrised weights of live torch modules are those that the module itself computes with."""

import numpy as np
import pytest

import rnnstates

torch = pytest.importorskip("torch")
parametrize, parametrizations = torch.nn.utils.parametrize, torch.nn.utils.parametrizations
INPUTS = np.random.default_rng(0).standard_normal((3, 5, 4)).astype("float32")


class Halved(torch.nn.Module):
    def forward(self, weight):
        return weight * 0.5 + 0.1


class LowRank(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.left, self.right = torch.nn.Parameter(torch.randn(12, 1)), torch.nn.Parameter(torch.randn(1, 3))

    def forward(self, weight):
        return weight + self.left @ self.right


class Failing(torch.nn.Module):
    def forward(self, weight):
        raise RuntimeError("not now")


class Noisy(torch.nn.Module):
    def forward(self, weight):
        return torch.nn.functional.dropout(weight, 0.5, self.training)


class Doubling(torch.nn.LSTM):
    def forward(self, inputs):
        return super().forward(inputs * 2)


def by(*makers):
    def wrap(module):
        for maker in makers:
            if isinstance(maker, type):
                parametrize.register_parametrization(module, "weight_hh_l0", maker(), unsafe=True)
            else:
                maker(module, "weight_hh_l0")
        return module

    return wrap


CHAINS = {
    "of one's own": by(Halved),
    "with arrays": by(LowRank),
    "in training": by(Noisy),
    "behind weight norm": by(parametrizations.weight_norm, Halved),
    "behind spectral norm": by(parametrizations.spectral_norm, Halved),
    "weight norm of columns": by(lambda module, name: parametrizations.weight_norm(module, name, dim=1)),
    "two weights": lambda module: by(Halved)(parametrizations.weight_norm(module, "weight_ih_l0")),
}


@pytest.mark.parametrize("place", ["", "0."])
@pytest.mark.parametrize("name", CHAINS)
def test_states_are_those_of_the_module(name, place):
    torch.manual_seed(len(name))
    lstm = CHAINS[name](torch.nn.LSTM(4, 3, batch_first=True))
    before = {key: value.clone() for key, value in lstm.state_dict().items()}
    made = rnnstates.extract(INPUTS, "full", weights=torch.nn.Sequential(lstm) if place else lstm, engine="numpy")
    assert all(part.training for part in lstm.modules())
    assert all(torch.equal(before[key], value) for key, value in lstm.state_dict().items())
    truth = lstm.eval()(torch.from_numpy(INPUTS))[0].detach().numpy()
    np.testing.assert_allclose(made["hidden"], truth, atol=1e-6)
    assert not made.provenance["notes"]


def test_rows_of_a_parametrised_embedding_are_those_of_the_module():
    table = torch.nn.Embedding(7, 4)
    parametrize.register_parametrization(table, "weight", Halved())
    lstm = torch.nn.LSTM(4, 3, batch_first=True)
    ids = np.array([[1, 2, 6, 0, 3]])
    made = rnnstates.extract(ids, "full", weights=torch.nn.ModuleDict({"embedding": table, "lstm": lstm}))
    truth = lstm(table(torch.from_numpy(ids)))[0].detach().numpy()
    np.testing.assert_allclose(made["hidden"], truth, atol=1e-6)


def test_a_class_of_ones_own_is_named_below_the_class_that_pytorch_makes_of_it():
    (note,) = rnnstates.load_weights(by(Halved)(Doubling(4, 3))).notes
    assert note.startswith("weights: the forward of the class Doubling of ")


def test_one_that_fails_is_refused_with_what_it_says():
    module = torch.nn.LSTM(4, 3)
    with pytest.raises(RuntimeError):
        parametrize.register_parametrization(module, "bias_hh_l0", Failing())
    parametrize.register_parametrization(module, "bias_hh_l0", Failing(), unsafe=True)
    with pytest.raises(rnnstates.BadWeights, match=r"parametrisation of 'bias_hh_l0' fails \(RuntimeError: not now\)"):
        rnnstates.load_weights(module)


def test_a_file_does_not_say_what_else_changes_a_weight_and_the_note_claims_no_more(tmp_path):
    module = CHAINS["behind weight norm"](torch.nn.LSTM(4, 3))
    torch.save(module.state_dict(), tmp_path / "m.pt")
    (note,) = rnnstates.load_weights(tmp_path / "m.pt").notes
    assert note.endswith("(weight normalisation), as PyTorch does in evaluation, if nothing else changes the result.")
