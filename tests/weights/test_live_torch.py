"""What a live torch module does beyond its state_dict is computed, named or refused."""

import functools

import numpy as np
import pytest

import rnnstates

torch = pytest.importorskip("torch")
IDS = np.array([[1, 2, 3, 4, 5], [6, 0, 2, 2, 1], [3, 3, 6, 0, 5]])


class Reader(torch.nn.Module):
    """An embedding and an LSTM that reads it."""

    def __init__(self, embedding=None, lstm=None):
        super().__init__()
        self.embedding = embedding or torch.nn.Embedding(7, 4)
        self.lstm = lstm or torch.nn.LSTM(4, 3, batch_first=True)

    def forward(self, ids):
        return self.lstm(self.embedding(ids))[0]


def notes_of(module):
    """Its notes but for the one that every embedding has."""
    notes = rnnstates.load_weights(module).notes
    assert notes[0].startswith("weights: embedding 'embedding.weight' is assumed to feed 'lstm'")
    return [note.removesuffix(" is not run; check that it leaves the states as they are.") for note in notes[1:]]


@pytest.mark.parametrize("options", [{"max_norm": 0.5}, {"max_norm": 1.5, "norm_type": 1.0}, {"max_norm": 100.0}, {}])
def test_rows_of_an_embedding_are_shortened_as_pytorch_does_when_it_looks_them_up(options):
    module = Reader(torch.nn.Embedding(7, 4, **options))
    made = rnnstates.extract(IDS, "full", weights=module)
    assert not notes_of(module)
    truth = module(torch.from_numpy(IDS)).detach().numpy()
    np.testing.assert_allclose(made["hidden"], truth, atol=1e-6)
    again = rnnstates.extract(IDS, "full", weights=module)
    np.testing.assert_allclose(again["hidden"], truth, atol=1e-6)


class Scaled(torch.nn.Embedding):
    def forward(self, ids):
        return super().forward(ids) * 3


class Table(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.randn(7, 4))

    def forward(self, ids):
        return self.weight[ids] * 3


class Called(torch.nn.LSTM):
    def __call__(self, inputs):
        return super().__call__(inputs * 2)


def tripled(module, inputs, outputs=None):
    return outputs


def hooked():
    embedding = torch.nn.Embedding(7, 4)
    embedding.register_forward_hook(tripled)
    return embedding


def replaced(wrap=lambda forward: lambda inputs: forward(inputs)):
    lstm = torch.nn.LSTM(4, 3, batch_first=True)
    lstm.forward = wrap(lstm.forward)
    return lstm


def wrapped(forward):
    @functools.wraps(forward)
    def doubled(inputs):
        return forward(inputs * 2)

    return doubled


NAMED = {
    "a class of embeddings": (lambda: Reader(Scaled(7, 4)), "the forward of the class Scaled of 'embedding'"),
    "a table of one's own": (lambda: Reader(Table()), "the forward of the class Table of 'embedding'"),
    "a hook on the embedding": (lambda: Reader(hooked()), "the hook tripled of 'embedding'"),
    "a __call__": (lambda: Reader(lstm=Called(4, 3)), "the __call__ of the class Called of 'lstm'"),
    "a replaced forward": (lambda: Reader(lstm=replaced()), "the forward <lambda> of 'lstm'"),
    "a wrapped forward": (lambda: Reader(lstm=replaced(wrapped)), "the forward forward of 'lstm'"),
}


@pytest.mark.parametrize("name", NAMED)
def test_code_of_ones_own_around_what_is_used_is_named(name):
    make, note = NAMED[name]
    assert notes_of(make()) == [f"weights: {note}"]


@pytest.mark.parametrize("register", ["register_module_forward_hook", "register_module_forward_pre_hook"])
def test_a_hook_on_every_module_is_named_once(register):
    with getattr(torch.nn.modules.module, register)(tripled):
        assert notes_of(Reader()) == ["weights: the global hook tripled"]
    assert not notes_of(Reader())


@pytest.mark.parametrize("register", ["register_forward_hook", "register_forward_pre_hook"])
@pytest.mark.parametrize("place", ["", "inner"])
def test_a_hook_on_a_module_around_is_named(register, place):
    whole = torch.nn.ModuleDict({"inner": torch.nn.Sequential(torch.nn.LSTM(4, 3)), "head": torch.nn.Linear(3, 2)})
    getattr(whole["head"], register)(tripled)
    assert not rnnstates.load_weights(whole).notes
    getattr(whole.get_submodule(place), register)(tripled)
    (note,) = rnnstates.load_weights(whole).notes
    assert note.startswith(f"weights: the hook tripled of '{place or 'ModuleDict'}' is not run; check")


UNSEEN = {
    "an activation": (lambda lstm: torch.nn.Sequential(torch.nn.Tanh(), lstm), "'0' (Tanh) is not"),
    "normalisations": (
        lambda lstm: torch.nn.Sequential(
            torch.nn.LayerNorm(4, elementwise_affine=False),
            torch.nn.BatchNorm1d(5, affine=False, track_running_stats=False), lstm,
        ), "'0' (LayerNorm), '1' (BatchNorm1d) are not",
    ),
    "deeper": (
        lambda lstm: torch.nn.Sequential(torch.nn.Dropout(), torch.nn.Sequential(torch.nn.ReLU(), lstm)),
        "'1.0' (ReLU) is not",
    ),
    "a list": (lambda lstm: torch.nn.Sequential(torch.nn.Sequential(torch.nn.ReLU()), lstm), "'0' (Sequential) is not"),
}  # fmt: skip


@pytest.mark.parametrize("wrap", [lambda module: module, torch.jit.script], ids=["live", "scripted"])
@pytest.mark.parametrize("name", UNSEEN)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_modules_without_arrays_in_front_of_a_layer_are_named(name, wrap):
    around, named = UNSEEN[name]
    (note,) = rnnstates.load_weights(wrap(around(torch.nn.LSTM(4, 3, batch_first=True)))).notes
    assert note.startswith(f"weights: {named} run; if ")


def test_what_stands_between_the_embedding_and_the_layer_is_named():
    parts = {"embedding": torch.nn.Embedding(7, 4), "act": torch.nn.Tanh(), "lstm": torch.nn.LSTM(4, 3)}
    module = torch.nn.ModuleDict(parts)
    assert notes_of(module) == [
        "weights: 'act' (Tanh) is not run; if it stands before 'lstm', its inputs must already have passed it."
    ]


@pytest.mark.parametrize("front", [
    torch.nn.Dropout, torch.nn.Identity, torch.nn.AlphaDropout, torch.nn.Flatten, torch.nn.MSELoss, torch.nn.Sequential,
    lambda: torch.nn.Sequential(torch.nn.Dropout(), torch.nn.Identity()),
])  # fmt: skip
def test_what_leaves_values_as_they_are_and_what_reads_states_is_not_named(front):
    lstm, head = torch.nn.LSTM(4, 3), torch.nn.Sequential(torch.nn.Tanh(), torch.nn.Linear(3, 2))
    module = torch.nn.Sequential(front(), lstm, torch.nn.ReLU(), head, torch.nn.Softmax(-1))
    assert not rnnstates.load_weights(module).notes


def trained(module):
    module.embedding.register_full_backward_hook(lambda *_: None)
    return module


@pytest.mark.parametrize("around", [
    trained, torch.nn.DataParallel, torch.compile, torch.nn.Sequential, torch.jit.script,
    lambda module: torch.jit.trace(module, torch.from_numpy(IDS)),
])  # fmt: skip
@pytest.mark.filterwarnings("ignore")
def test_what_pytorch_puts_around_a_module_is_no_code_of_ones_own(around):
    notes = rnnstates.load_weights(around(Reader())).notes
    assert not [note for note in notes if "is not run" in note]


def test_code_around_what_is_not_used_is_not_named():
    both = torch.nn.ModuleDict({"used": torch.nn.LSTM(4, 3), "other": torch.nn.LSTM(4, 3)})
    both["other"].register_forward_hook(tripled)
    assert not [note for note in rnnstates.load_weights(both, layer="used").notes if "hook" in note]
    assert [note for note in rnnstates.load_weights(both, layer="other").notes if "the hook tripled of 'other'" in note]


class Speechless(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = torch.nn.LSTM(4, 3)

    def state_dict(self, *_, **__):
        raise RuntimeError("not now")


def changed(factor):
    lstm = torch.nn.LSTM(4, 3)
    lstm.register_state_dict_post_hook(
        lambda _, state, *__: state.update({name: value.clone() * factor for name, value in list(state.items())})
    )
    return lstm


def test_a_state_dict_that_fails_or_holds_other_values_than_the_module_is_refused():
    way_out = r"Give the arrays: dict\(module.named_parameters\(\)\)"
    with pytest.raises(rnnstates.BadWeights, match=rf"state_dict\(\) of Speechless fails .*: not now\)\. {way_out}"):
        rnnstates.load_weights(Speechless())
    with pytest.raises(rnnstates.BadWeights, match=rf"of LSTM gives other values of 'weight_ih_l0' .*\. {way_out}"):
        rnnstates.load_weights(changed(2))
    assert rnnstates.load_weights(dict(Speechless().named_parameters())).layers
    assert rnnstates.load_weights(changed(1)).layers


def test_a_lazy_module_that_has_not_run_is_refused_by_name():
    module = torch.nn.Sequential(torch.nn.LazyLinear(4), torch.nn.LSTM(4, 3))
    with pytest.raises(rnnstates.BadWeights, match=r"'0\.weight': a lazy parameter, which has no values yet; run"):
        rnnstates.load_weights(module)
    module(torch.ones(2, 5))
    assert rnnstates.load_weights(module).layers
