"""Bad input, what the weights are: which layer, what it computes, its arrays; weights made to attack."""

import json
import warnings
from pathlib import Path

import h5py
import numpy as np
import pytest

from ..weights.attacks import ATTACKS, bait
from ..weights.damage import both_ways, called_on, functional, zipped
from .catalogue import DATA, WITH_WEIGHTS, Mistake, check_refused

PLAIN = {"kernel": (3, 20), "recurrent_kernel": (5, 20), "bias": (20,)}


def weights(edit):
    """Damage the weights inside w.weights.h5."""

    def make():
        with h5py.File("w.weights.h5", "r+") as file:
            edit(file["layers/lstm/cell/vars"])

    return make


def replaced(name, value):
    def edit(group):
        del group[name]
        group[name] = value

    return weights(edit)


def npz(**arrays):
    return lambda: np.savez("m.npz", **{name: np.ones(shape, np.float32) for name, shape in arrays.items()})


def plain(*layers):
    return {f"{layer}/{name}": shape for layer in layers for name, shape in PLAIN.items()}


def keras(layer):
    """Make m.keras of one layer's configuration and an LSTM's arrays."""

    def make():
        members = {
            "config.json": json.dumps(functional(layer)),
            "metadata.json": json.dumps({"keras_version": "3.11.0"}),
            "model.weights.h5": Path("w.weights.h5").read_bytes(),
        }
        zipped(Path("m.keras"), members)

    return make


def torch_module(make_state):
    """Make m.pt of what ``make_state(torch)`` gives."""

    def make():
        import torch

        with warnings.catch_warnings():
            # PyTorch's own quantisation warns that it is old.
            warnings.simplefilter("ignore")
            torch.save(make_state(torch), "m.pt")

    return make


def with_norm(torch):
    state = {f"rnn.{name}": value for name, value in torch.nn.LSTM(3, 5).state_dict().items()}
    return state | {"rnn.ln.weight": torch.ones(20)}


def quantised(torch):
    return torch.ao.quantization.quantize_dynamic(torch.nn.ModuleDict({"rnn": torch.nn.LSTM(3, 5)})).state_dict()


def own(**config):
    return {"class_name": "Mine", "module": "mine", "registered_name": "mine>Mine", "name": "a", "config": config}


NPZ = ["in.h5", "--weights", "m.npz"]
KERAS = ["in.h5", "--weights", "m.keras"]
TORCH = ["in.h5", "--weights", "m.pt"]
LSTM = "w.weights.h5: layer 'lstm': "

# No recurrent layer, several, of a wrong class.
LAYERS = {
    "no recurrent layer": Mistake(
        npz(dense=(3, 20)), NPZ, DATA, ("m.npz: no recurrent layer found; the npz holds 'dense'. Expected the names",)
    ),
    "weights that are an input": Mistake(
        None,
        ["in.h5", "--weights", "in.h5"],
        DATA,
        ("in.h5: no recurrent layer found; the HDF5 holds 'inputs', 'lengths'.",),
    ),
    "several recurrent stacks": Mistake(
        npz(**plain("a", "b")),
        [*NPZ, "--convention", "keras"],
        DATA,
        ("m.npz: has 2 recurrent stacks; choose one: --layer a (lstm), --layer b (lstm).",),
    ),
    "plain names without an order": Mistake(
        npz(**plain("a")),
        NPZ,
        DATA,
        ("m.npz: holds plain kernel, recurrent_kernel and bias", "pass --convention NAME, one of keras"),
    ),
    "an unknown layer": Mistake(
        None,
        [*WITH_WEIGHTS, "--layer", "lstn"],
        DATA,
        ("w.weights.h5: no recurrent layer 'lstn'; found: lstm. Did you mean 'lstm'?",),
    ),
    "a wrong class": Mistake(
        keras(called_on("a", class_name="ConvLSTM2D")), KERAS, DATA, ("m.keras: layer 'a': is a ConvLSTM2D; LSTM, GRU",)
    ),
    "a dense layer alone": Mistake(
        keras(called_on("a", class_name="Dense")),
        KERAS,
        DATA,
        ("m.keras: no recurrent layer found; expected LSTM, GRU or RNN. Present: a (Dense)",),
    ),
}

# Missing or extra tensors, wrong shapes, NaN.
TENSORS = {
    "a missing tensor": Mistake(
        weights(lambda group: group.__delitem__("0")),
        WITH_WEIGHTS,
        DATA,
        ("w.weights.h5: 'layers/lstm/cell/vars' holds the arrays 1, 2; expected 0 to 1. One is missing, save the",),
    ),
    "a missing tensor among plain names": Mistake(
        npz(**{name: shape for name, shape in plain("a").items() if "recurrent" not in name}),
        [*NPZ, "--convention", "keras"],
        DATA,
        (
            "m.npz: no recurrent layer found; the npz holds 'a/kernel', 'a/bias'.",
            "or kernel, recurrent_kernel and bias. Give another file, or rename its arrays accordingly.",
        ),
    ),
    "an extra tensor": Mistake(
        weights(lambda group: group.create_dataset("3", data=[1.0])),
        WITH_WEIGHTS,
        DATA,
        ("w.weights.h5: no recurrent layer found", "(another layer of 4 arrays)"),
    ),
    "a wrong bias": Mistake(
        replaced("2", np.ones(7, "f4")),
        WITH_WEIGHTS,
        DATA,
        (LSTM + "its bias has shape (7,); expected (20,), because the recurrent kernel implies 5 units",),
    ),
    "a wrong kernel": Mistake(
        replaced("0", np.ones((3, 24), "f4")),
        WITH_WEIGHTS,
        DATA,
        (LSTM + "kernel has shape (3, 24); expected (features, 20), because the recurrent kernel implies 5 units",),
    ),
    "a wrong recurrent kernel": Mistake(
        replaced("1", np.ones((6, 20), "f4")),
        WITH_WEIGHTS,
        DATA,
        (LSTM, "its recurrent kernel has shape (6, 20); expected (units, 4 * units) for an LSTM"),
    ),
    "whole numbers": Mistake(
        replaced("0", np.ones((3, 20), "i4")),
        WITH_WEIGHTS,
        DATA,
        ("w.weights.h5: 'layers/lstm/cell/vars/0': has dtype int32; expected a floating-point type",),
    ),
    "NaN": Mistake(
        replaced("2", np.where(np.arange(20) < 17, 0, np.nan).astype("f4")),
        WITH_WEIGHTS,
        DATA,
        (LSTM + "bias has 3 values that are NaN or infinite, the first at (17,); expected finite", "Save weights from"),
    ),
    "an infinity": Mistake(
        replaced("0", np.full((3, 20), np.inf, "f4")),
        WITH_WEIGHTS,
        DATA,
        (LSTM + "kernel has 60 values that are NaN or infinite, the first at (0, 0)",),
    ),
    "a link": Mistake(
        replaced("0", h5py.SoftLink("/x")), WITH_WEIGHTS, DATA, ("w.weights.h5: '0' is a soft link to '/x'; links are",)
    ),
    "a link into another file": Mistake(
        replaced("0", h5py.ExternalLink("taken.h5", "/x")),
        WITH_WEIGHTS,
        DATA,
        ("w.weights.h5: '0' is a link into another file (taken.h5); links are refused",),
    ),
}

# Layer normalisation, quantised weights, cells of one's own.
VARIANTS = {
    "a layer normalisation in Keras": Mistake(
        weights(lambda group: group.parent.create_dataset("norm/vars/0", data=np.ones(5, "f4"))),
        WITH_WEIGHTS,
        DATA,
        ("w.weights.h5: 'layers/lstm': has 'layers/lstm/cell/norm/vars/0', which such a layer does not have",),
    ),
    "a layer normalisation in PyTorch": Mistake(
        torch_module(with_norm),
        TORCH,
        DATA,
        ("m.pt: ", "rnn.ln.weight", "which PyTorch's own LSTM, GRU and RNN do not have"),
    ),
    "quantised weights in PyTorch": Mistake(
        torch_module(quantised),
        TORCH,
        DATA,
        ("m.pt: PyTorch refuses to read it as weights alone", "torch.save(model.state_dict(), ...) or safetensors"),
    ),
    "a class of one's own": Mistake(
        keras(own(units=5)), KERAS, DATA, ("m.keras: no recurrent layer found; expected LSTM", "Present: a (Mine)")
    ),
    "a class of one's own that is called LSTM": Mistake(
        keras(own(units=5) | {"class_name": "LSTM"}), KERAS, DATA, ("m.keras: layer 'a': its class is not Keras' own",)
    ),
    "a cell of one's own": Mistake(
        keras(called_on("a", class_name="RNN", cell=own(units=5))),
        KERAS,
        DATA,
        ("m.keras: layer 'a': is an RNN of a class 'Mine' that is not Keras' own",),
    ),
    "an activation that is code": Mistake(
        keras(called_on("a", activation=own())),
        KERAS,
        DATA,
        (
            "m.keras: layer 'a': activation is 'Mine', a custom class or function; expected one of Keras'",
            "never run",
        ),
    ),
    "an unknown activation": Mistake(
        keras(called_on("a", recurrent_activation="sparsemax")),
        KERAS,
        DATA,
        ("m.keras: layer 'a'", "recurrent activation is sparsemax; expected one of Keras'"),
    ),
    "directions merged by their maximum": Mistake(
        keras(both_ways(merge="max")),
        KERAS,
        DATA,
        ("m.keras: layer 'a'", "merges its directions by 'max'; known: concat"),
    ),
}

CASES = LAYERS | TENSORS | VARIANTS


@pytest.mark.parametrize("name", CASES)
def test_wrong_weights_are_reported_exit_as_tabled_and_leave_everything_as_it_was(place, name, monkeypatch, capsys):
    check_refused(CASES[name], monkeypatch, capsys)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_an_attack_is_reported_exits_as_tabled_and_runs_nothing(place, attack, monkeypatch, capsys):
    path = attack(place)
    arguments = ["in.h5", "--weights", path.name]
    check_refused(Mistake(None, arguments, DATA, (path.name, ATTACKS[attack])), monkeypatch, capsys)
    assert not bait(place).exists()
