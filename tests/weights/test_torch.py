"""PyTorch's LSTM, GRU, RNN and cells, from .pt and safetensors: every state is the one PyTorch computes."""

import warnings

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import rnnstates

from .census import parity
from .running import ATOL, LENGTHS, assert_same_states, ragged_inputs

TYPES = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU, "rnn": torch.nn.RNN}
CASES = {
    "lstm": ("lstm", {}),
    "lstm projected": ("lstm", {"proj_size": 2}),
    "lstm both ways": ("lstm", {"bidirectional": True}),
    "lstm 2 layers both ways projected": ("lstm", {"num_layers": 2, "bidirectional": True, "proj_size": 2}),
    "lstm 3 layers without bias": ("lstm", {"num_layers": 3, "bias": False}),
    "gru": ("gru", {}),
    "gru 2 layers both ways": ("gru", {"num_layers": 2, "bidirectional": True}),
    "rnn": ("rnn", {}),
    "rnn 2 layers both ways": ("rnn", {"num_layers": 2, "bidirectional": True}),
}


class Tagger(torch.nn.Module):
    """An encoder inside a model, other layers beside it."""

    def __init__(self, kind, options):
        super().__init__()
        self.encoder = torch.nn.ModuleDict({"rnn": TYPES[kind](3, 5, **options)})
        self.head = torch.nn.Linear(5, 2)


def made(kind, options, precision="float32"):
    torch.manual_seed(5)
    model = Tagger(kind, options).to(getattr(torch, precision))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.4)
    return model


def final_states(rnn, sequence):
    """Run PyTorch over one sequence: (outputs, {state: [layers * directions, W]})."""
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a projection is computed without oneDNN
        outputs, final = rnn(torch.from_numpy(sequence.copy())[:, np.newaxis])
    names = ("hidden", "cell") if isinstance(final, tuple) else ("hidden",)
    finals = final if isinstance(final, tuple) else (final,)
    return outputs.numpy()[:, 0], {name: state.numpy()[:, 0] for name, state in zip(names, finals, strict=True)}


def single(rnn, layer, suffix):
    """Make a lone layer of one direction of a module: what PyTorch runs inside."""
    features = getattr(rnn, f"weight_ih_l{layer}").shape[1]
    options = {"proj_size": rnn.proj_size} if rnn.proj_size else {}
    if isinstance(rnn, torch.nn.RNN):
        options["nonlinearity"] = rnn.nonlinearity
    alone = type(rnn)(features, rnn.hidden_size, bias=rnn.bias, **options).to(rnn.weight_ih_l0.dtype)
    with torch.no_grad():
        for name, parameter in alone.named_parameters():
            parameter.copy_(getattr(rnn, name.replace("_l0", f"_l{layer}{suffix}")))
    return alone


def oracle(rnn):
    """Every state of every layer: each final state of a run over a prefix, layer by layer as PyTorch stacks them."""
    both, many = rnn.bidirectional, rnn.num_layers > 1 or rnn.bidirectional

    def states(sequence):
        found, inputs = {}, sequence
        for layer in range(rnn.num_layers):
            outputs = []
            for direction, suffix in (("forward", ""), ("backward", "_reverse"))[: 1 + both]:
                step = -1 if suffix else 1
                alone, read = single(rnn, layer, suffix), inputs[::step]
                prefixes = [final_states(alone, read[: stop + 1])[1] for stop in range(len(read))]
                path = (f"layer{layer}/" if many else "") + (f"{direction}/" if both else "")
                for name in prefixes[0]:
                    found[path + name] = np.array([state[name][0] for state in prefixes])[::step]
                    found[f"{path}{name}_final"] = prefixes[-1][name][0]
                outputs.append(found[f"{path}hidden"])
            inputs = np.concatenate(outputs, axis=1)
        # The states of the lone layers are those of the whole: its outputs are theirs.
        np.testing.assert_allclose(inputs, final_states(rnn, sequence)[0], atol=2e-7)
        return found

    return states


def save_as(model, path, container):
    if container == "safetensors":
        save_file(model.state_dict(), path)
    elif container == "checkpoint":
        state = {f"module.{name}": value for name, value in model.state_dict().items()}
        torch.save({"epoch": 3, "state_dict": state, "hyper_parameters": {"rate": 0.1}, "optimizer": {}}, path)
    elif container == "before 1.6":
        torch.save(model.state_dict(), path, _use_new_zipfile_serialization=False)
    else:
        torch.save(model.state_dict(), path)
    return path


@parity("torch", "lstm")
@parity("torch", "gru")
@parity("torch", "simple_rnn")
@pytest.mark.parametrize("precision", sorted(ATOL))
@pytest.mark.parametrize("container", ["pt", "safetensors"])
@pytest.mark.parametrize("case", CASES)
def test_every_state_is_the_one_pytorch_computes(case, container, precision, tmp_path):
    model = made(*CASES[case], precision)
    path = save_as(model, tmp_path / "file", container)
    assert_same_states(path, oracle(model.encoder["rnn"]), precision=precision)


@pytest.mark.parametrize("container", ["checkpoint", "before 1.6"])
def test_checkpoints_around_a_state_dict_and_the_old_form_are_read(container, tmp_path):
    model = made("lstm", {})
    path = save_as(model, tmp_path / "file.ckpt", container)
    assert_same_states(path, oracle(model.encoder["rnn"]))
    assert rnnstates.load_weights(path).layers[0].name.endswith("encoder.rnn")


@pytest.mark.parametrize("kind", ["LSTMCell", "GRUCell", "RNNCell"])
def test_a_cell_is_read_without_numbers_in_its_names(kind, tmp_path):
    torch.manual_seed(3)
    cell = getattr(torch.nn, kind)(3, 5)
    torch.save({f"decoder.{name}": value for name, value in cell.state_dict().items()}, tmp_path / "c.pt")

    def stepped(sequence):
        state, collected = None, []
        with torch.no_grad():
            for step in torch.from_numpy(sequence.copy()):
                state = cell(step[np.newaxis], state)
                collected.append(state if isinstance(state, tuple) else (state,))
        names = ("hidden", "cell")[: len(collected[0])]
        return {name: np.array([states[n].numpy()[0] for states in collected]) for n, name in enumerate(names)}

    assert_same_states(tmp_path / "c.pt", stepped)
    assert rnnstates.load_weights(tmp_path / "c.pt").layers[0].name == "decoder"


def test_packed_sequences_of_pytorch_give_the_same_states_and_zeros(tmp_path):
    model = made("lstm", {"bidirectional": True})
    rnn, inputs = model.encoder["rnn"], np.nan_to_num(ragged_inputs())
    path = save_as(model, tmp_path / "file", "pt")
    some = LENGTHS > 0  # PyTorch takes no empty sequence
    lengths = torch.from_numpy(LENGTHS[some])
    packed = torch.nn.utils.rnn.pack_padded_sequence(
        torch.from_numpy(inputs[some]), lengths, batch_first=True, enforce_sorted=False
    )
    with torch.no_grad():
        outputs, (hidden, cell) = rnn(packed)
    padded = torch.nn.utils.rnn.pad_packed_sequence(outputs, batch_first=True)[0].numpy()
    states = rnnstates.extract(ragged_inputs(), LENGTHS, weights=path)
    ours = np.concatenate([states["layer0/forward/hidden"], states["layer0/backward/hidden"]], axis=-1)
    np.testing.assert_allclose(ours[some], padded, atol=1e-6)
    for number, direction in enumerate(("forward", "backward")):
        np.testing.assert_allclose(states[f"layer0/{direction}/hidden_last"][some], hidden[number].numpy(), atol=1e-6)
        np.testing.assert_allclose(states[f"layer0/{direction}/cell_last"][some], cell[number].numpy(), atol=1e-6)


def test_the_nonlinearity_of_an_rnn_is_not_in_the_file_and_said_so(tmp_path):
    model = made("rnn", {"nonlinearity": "relu"})
    path = save_as(model, tmp_path / "file", "pt")
    assert any("does not store the nonlinearity" in note for note in rnnstates.load_weights(path).notes)
    assert_same_states(path, oracle(model.encoder["rnn"]), activation="relu", atol=1e-5)


def test_a_module_stands_for_its_highest_layer_and_a_layer_for_itself(tmp_path):
    path = save_as(made("lstm", {"num_layers": 2}), tmp_path / "file", "safetensors")
    assert len(rnnstates.load_weights(path, layer="encoder.rnn").layers) == 2
    assert len(rnnstates.load_weights(path, layer="encoder.rnn.l0").layers) == 1
    described = rnnstates.describe(path)
    assert described["selected"] == "encoder.rnn.l1"
    assert "head.weight" in described["present"]


def test_of_two_modules_one_must_be_chosen(tmp_path):
    torch.manual_seed(0)
    modules = torch.nn.ModuleDict({"low": torch.nn.LSTM(3, 5), "high": torch.nn.GRU(5, 4)})
    torch.save(modules.state_dict(), tmp_path / "m.pt")
    with pytest.raises(
        rnnstates.BadWeights, match=r"2 recurrent stacks; choose one: layer='low' \(LSTM\), layer='high'"
    ):
        rnnstates.load_weights(tmp_path / "m.pt")
    assert rnnstates.load_weights(tmp_path / "m.pt", layer="high").layers[0].forward.cell == "gru"


@pytest.mark.parametrize("name", ["lstm_bw", "backward_lm.rnn", "encoder.reverse_lstm"])
def test_a_module_that_is_called_backward_is_said_to_read_forward(name, tmp_path):
    torch.save({f"{name}.{leaf}": array for leaf, array in torch.nn.LSTM(3, 5).state_dict().items()}, tmp_path / "m.pt")
    (note,) = rnnstates.load_weights(tmp_path / "m.pt").notes
    assert f"'{name}': is called backward, but reads inputs in the order given" in note


def test_one_table_that_fits_is_taken_as_the_embedding_and_said_so(tmp_path):
    torch.manual_seed(0)
    modules = torch.nn.ModuleDict({"embedding": torch.nn.Embedding(7, 3), "rnn": torch.nn.LSTM(3, 5, batch_first=True)})
    torch.save(modules.state_dict(), tmp_path / "m.pt")
    tokens = np.random.default_rng(1).integers(0, 7, size=(2, 4))
    states = rnnstates.extract(tokens, "full", weights=tmp_path / "m.pt")
    with torch.no_grad():
        theirs = modules["rnn"](modules["embedding"](torch.from_numpy(tokens)))[0]
    np.testing.assert_allclose(states["hidden"], theirs.numpy(), atol=1e-6)
    assert any("embedding 'embedding.weight' is assumed to feed" in note for note in states.provenance["notes"])


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("container", ["pt", "safetensors"])
def test_half_precision_weights_are_widened_without_a_change(dtype, container, tmp_path):
    model = made("lstm", {}).to(getattr(torch, dtype))
    path = save_as(model, tmp_path / "file", container)
    kernel = rnnstates.load_weights(path).layers[0].forward.kernel
    np.testing.assert_array_equal(
        kernel.astype(np.float32), model.encoder["rnn"].weight_ih_l0.detach().float().numpy().T
    )
