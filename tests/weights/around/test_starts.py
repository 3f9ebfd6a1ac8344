"""Trained initial states that lie beside a layer are used where one layer fits them, and else named."""

import numpy as np
import pytest
import torch

import rnnstates

from ...cli.running import rnnstates as command
from ..running import LENGTHS, ragged_inputs
from ..tensorflow1_models import asked, write

RNNS = {"LSTM": torch.nn.LSTM, "GRU": torch.nn.GRU, "RNN": torch.nn.RNN}
NAMES = {"LSTM": ("h0", "c0"), "GRU": ("h0",), "RNN": ("h0",)}


class Model(torch.nn.Module):
    """A recurrent network that starts from parameters of its own."""

    def __init__(self, cell="LSTM", names=None, layers=1, both=False, shape=None):
        super().__init__()
        torch.manual_seed(5)
        self.rnn = RNNS[cell](3, 5, layers, bidirectional=both, batch_first=True)
        self.names = names or NAMES[cell]
        for name in self.names:
            self.register_parameter(name, torch.nn.Parameter(torch.randn(shape or (layers * (1 + both), 1, 5))))

    def forward(self, sequence):
        starts = tuple(getattr(self, name).reshape(-1, 5) for name in self.names)
        return self.rnn(sequence, starts if len(starts) > 1 else starts[0])[0]


def save(model, path):
    torch.save(model.state_dict(), path)
    return path


def assert_as_torch(model, path, dataset, **options):
    inputs = ragged_inputs()
    states = rnnstates.extract(inputs, LENGTHS, weights=path, **options)
    for row, length in enumerate(LENGTHS):
        if length:
            with torch.no_grad():
                expected = model(torch.from_numpy(inputs[row, :length])).numpy()
            found = np.concatenate([states[name][row, :length] for name in dataset], axis=-1)
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("cell", RNNS)
def test_a_start_that_fits_one_layer_is_used(cell, tmp_path):
    model = Model(cell)
    path = save(model, tmp_path / "m.pt")
    assert_as_torch(model, path, ["hidden"])
    listed = "'h0' and 'c0'" if cell == "LSTM" else "'h0'"
    notes = rnnstates.load_weights(path).notes
    assert f"{path}: 'rnn' starts from {listed}, which fit it (initial_state=\"zero\" overrides)." in notes


def test_starts_of_all_layers_and_directions_lie_in_one_array(tmp_path):
    model = Model("LSTM", layers=2, both=True)
    path = save(model, tmp_path / "m.pt")
    assert_as_torch(model, path, ["layer1/forward/hidden", "layer1/backward/hidden"])


def test_the_lower_layers_alone_start_from_their_part(tmp_path):
    model = Model("GRU", layers=2)
    path = save(model, tmp_path / "m.pt")
    lower = rnnstates.load_weights(path, layer="rnn.l0").layers[0].forward
    np.testing.assert_array_equal(lower.initial["hidden"], model.h0[0, 0].detach())


@pytest.mark.parametrize("shape", [(5,), (1, 5), (1, 1, 5)])
@pytest.mark.parametrize(
    "names", [("init_h", "init_c"), ("rnn_h0", "rnn_c0"), ("learned_hidden", "learned_cell"), ("h_0", "c_0")]
)
def test_names_and_shapes_that_people_use(names, shape, tmp_path):
    model = Model("LSTM", names, shape=shape)
    assert_as_torch(model, save(model, tmp_path / "m.pt"), ["hidden"])


def test_zero_overrides(tmp_path):
    path = save(Model(), tmp_path / "m.pt")
    network = rnnstates.load_weights(path, initial_state="zero")
    assert network.notes == ()
    assert not network.layers[0].forward.initial
    inputs = ragged_inputs()
    states = rnnstates.extract(inputs, LENGTHS, weights=path, initial_state="zero")
    np.testing.assert_array_equal(states["hidden"], rnnstates.extract(inputs, LENGTHS, weights=network)["hidden"])
    loaded = rnnstates.load_weights(path)
    again = rnnstates.extract(inputs, LENGTHS, weights=loaded, initial_state="zero")
    np.testing.assert_array_equal(states["hidden"], again["hidden"])


def test_zero_is_recorded_and_verified(tmp_path):
    path = save(Model(), tmp_path / "m.pt")
    np.save(tmp_path / "x.npy", np.ones((2, 4, 3), "f4"))
    rnnstates.extract(tmp_path / "x.npy", "full", weights=path, initial_state="zero", output=tmp_path / "o.h5").close()
    assert rnnstates.verify(tmp_path / "o.h5")["recomputed"]


def test_a_file_of_states_overrides_too(tmp_path):
    path = save(Model("GRU"), tmp_path / "m.pt")
    inputs = ragged_inputs()
    states = rnnstates.extract(inputs, LENGTHS, weights=path, initial_state={"hidden": np.zeros(5)})
    expected = rnnstates.extract(inputs, LENGTHS, weights=path, initial_state="zero")
    np.testing.assert_array_equal(states["hidden"], expected["hidden"])
    assert not any("starts from" in note for note in states.provenance["notes"])


def test_of_states_that_are_given_in_part_the_others_stay_trained(tmp_path):
    model = Model("LSTM")
    path = save(model, tmp_path / "m.pt")
    inputs = ragged_inputs()
    states = rnnstates.extract(inputs, LENGTHS, weights=path, initial_state={"hidden": np.zeros(5)})
    assert "no initial state is given for cell; the trained one is used." in states.provenance["notes"]
    with torch.no_grad():
        model.h0.zero_()
        expected = model(torch.from_numpy(inputs[0, : LENGTHS[0]]))
    np.testing.assert_allclose(states["hidden"][0, : LENGTHS[0]], expected, rtol=0, atol=1e-6)


def test_a_network_with_trained_starts_is_converted_without_them_if_asked(tmp_path):
    path = save(Model("GRU"), tmp_path / "m.pt")
    with pytest.raises(rnnstates.OptionError, match='initial_state="zero" ignores them'):
        rnnstates.save_weights(rnnstates.load_weights(path), tmp_path / "o.safetensors")
    convert = ["convert", path, tmp_path / "o.safetensors"]
    assert b"(--initial-state zero ignores them)" in command(*convert).stderr
    assert command(*convert, "--initial-state", "zero").returncode == 0
    again = rnnstates.load_weights(tmp_path / "o.safetensors").layers[0].forward
    np.testing.assert_array_equal(again.kernel, rnnstates.load_weights(path).layers[0].forward.kernel)


def assert_named(path, *names, **options):
    network = rnnstates.load_weights(path, **options)
    (note,) = [note for note in network.notes if "may be trained initial states" in note]
    assert all(f"'{name}' (" in note for name in names)
    assert "zero is used (initial_state=FILE gives others)" in note
    assert not any(weights.initial for _, _, _, weights in network.parts())


def test_a_start_that_fits_no_layer_is_named(tmp_path):
    assert_named(save(Model("GRU", shape=(1, 1, 5), names=("h0",), layers=2), tmp_path / "m.pt"), "h0")


def test_half_a_start_is_named(tmp_path):
    arrays = Model().state_dict()
    del arrays["c0"]
    torch.save(arrays, tmp_path / "m.pt")
    assert_named(tmp_path / "m.pt", "h0")


@pytest.mark.parametrize("names", [("h", "c"), ("hidden", "cell"), ("lstm_hidden", "lstm_cell")])
def test_what_is_called_a_state_and_has_its_shape_is_named(names, tmp_path):
    assert_named(save(Model(shape=(1, 1, 5), names=names), tmp_path / "m.pt"), *names)


@pytest.mark.parametrize("names", [("s0", "m0"), ("x_0",)])
def test_what_ends_in_0_and_has_the_shape_of_a_state_is_named(names, tmp_path):
    arrays = {name: torch.ones(1, 1, 5) for name in names} | {"pos0": torch.ones(1, 1, 7), "w0": torch.ones(3, 5)}
    rest = {name: array for name, array in Model().state_dict().items() if name.startswith("rnn.")}
    torch.save(arrays | rest, tmp_path / "m.pt")
    assert_named(tmp_path / "m.pt", *names)
    assert "'pos0' (1 x 1 x 7) may" not in str(rnnstates.load_weights(tmp_path / "m.pt").notes)


def test_a_start_that_fits_two_layers_is_named(tmp_path):
    arrays = Model("GRU").state_dict()
    other = {f"other.{name}": values for name, values in torch.nn.GRU(2, 5).state_dict().items()}
    torch.save({**arrays, **other}, tmp_path / "m.pt")
    assert_named(tmp_path / "m.pt", "h0", layer="other")


def test_each_side_has_its_own_start(tmp_path):
    model = torch.nn.ModuleDict({"encoder": Model("GRU"), "decoder": Model("GRU")})
    path = save(model, tmp_path / "m.pt")
    for side in model:
        network = rnnstates.load_weights(path, layer=f"{side}.rnn")
        np.testing.assert_array_equal(network.layers[0].forward.initial["hidden"], model[side].h0[0, 0].detach())


def test_starts_in_other_formats(tmp_path):
    arrays = {name: values.numpy() for name, values in Model().state_dict().items()}
    np.savez(tmp_path / "m.npz", **arrays)
    assert_as_torch(Model(), tmp_path / "m.npz", ["hidden"])
    _, variables, _ = asked("gru", "float32")
    units = next(values for name, values in variables.items() if name.endswith("candidate/bias")).shape
    start = np.random.default_rng(2).normal(size=(1, *units)).astype("f4")
    write(tmp_path / "c", {**variables, "init_state_h": start, "init_state_h/Adam": start})
    network = rnnstates.load_weights(tmp_path / "c")
    np.testing.assert_array_equal(network.layers[0].forward.initial["hidden"], start[0])


def test_a_start_inside_the_module_of_the_layer_is_no_foreign_array(tmp_path):
    arrays = {f"rnn.{name}": values for name, values in torch.nn.GRU(3, 5).state_dict().items()}
    torch.save({**arrays, "rnn.h0": torch.full((1, 1, 5), 0.5)}, tmp_path / "m.pt")
    np.testing.assert_array_equal(rnnstates.load_weights(tmp_path / "m.pt").layers[0].forward.initial["hidden"], 0.5)
