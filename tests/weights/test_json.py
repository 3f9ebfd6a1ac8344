"""Weights in JSON, as audio models ship: equal to the layers of PyTorch and Keras that they come from."""

import json

import numpy as np
import pytest
import torch

import rnnstates

from .keras_models import keras_of, randomise

FEATURES, UNITS = 2, 5
ATOL = 2e-6
MODULES = {"LSTM": torch.nn.LSTM, "GRU": torch.nn.GRU, "RNN": torch.nn.RNN}


class Audio(torch.nn.Module):
    """The network of CoreAudioML: a recurrent layer, a linear one, and perhaps the input added."""

    def __init__(self, unit_type, layers):
        super().__init__()
        self.rec = MODULES[unit_type](FEATURES, UNITS, layers, batch_first=True)
        self.lin = torch.nn.Linear(UNITS, 1)


def given(features=FEATURES):
    return np.random.default_rng(3).normal(size=(3, 7, features)).astype("f4")


def write(path, content):
    path.write_text(json.dumps(content, default=lambda array: array.tolist()))
    return path


def described(unit_type="LSTM", layers=1, **more):
    said = {"model": "SimpleRNN", "input_size": FEATURES, "skip": 1, "output_size": 1, "unit_type": unit_type}
    return said | {"num_layers": layers, "hidden_size": UNITS, "bias_fl": True} | more


def audio(unit_type="LSTM", layers=1):
    torch.manual_seed(5)
    model = Audio(unit_type, layers).eval()
    return model, {name: value.numpy() for name, value in model.state_dict().items()}


@pytest.mark.parametrize("around", ["model_data", "state_dict", "nothing", "model"])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("unit_type", MODULES)
def test_a_state_dict_of_lists_gives_what_pytorch_computes(unit_type, layers, around, tmp_path):
    model, state = audio(unit_type, layers)
    content = {
        "model_data": {"model_data": described(unit_type, layers), "state_dict": state},
        "state_dict": {"epoch": 3, "loss": [0.5, 0.25], "state_dict": state},
        "nothing": state,
        "model": {"amp": state},
    }[around]
    states = rnnstates.extract(given(), "full", weights=write(tmp_path / "m.json", content), engine="numpy")
    with torch.no_grad():
        wanted = model.rec(torch.from_numpy(given()))[0].numpy()
    np.testing.assert_allclose(states["hidden" if layers == 1 else "layer1/hidden"], wanted, atol=ATOL)


def rtneural(model, types):
    """What RTNeural's script writes of a Keras model: each layer's type, activation, shape and arrays."""
    layers = [
        {"type": kind, "activation": activation, "shape": [None, None, layer.get_weights()[0].shape[0]], "weights": [
            part.tolist() for part in layer.get_weights()]}
        for layer, (kind, activation) in zip(model.layers, types, strict=True)
    ]  # fmt: skip
    for layer, made in zip(layers, model.layers, strict=True):
        layer["shape"][-1] = made.units
    return {"in_shape": [None, None, FEATURES], "layers": layers}


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("features", [FEATURES, UNITS])
@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_rtneurals_layers_give_what_keras_computes(kind, features, bias, tmp_path):
    """Without a bias, kernels of one shape are one list of rank three."""
    keras = keras_of(3)
    layer = getattr(keras.layers, kind)(UNITS, return_sequences=True, use_bias=bias)
    model = randomise(keras.Sequential([keras.Input((None, features)), layer, keras.layers.Dense(1)]))
    path = write(tmp_path / "m.json", rtneural(model, [(kind.lower(), "tanh"), ("time-distributed-dense", "")]))
    states = rnnstates.extract(given(features), "full", weights=path, engine="numpy")
    np.testing.assert_allclose(states["hidden"], np.array(layer(given(features))), atol=ATOL)


def test_layers_without_arrays_in_front_are_named(tmp_path):
    keras = keras_of(3)
    model = randomise(keras.Sequential([keras.Input((None, FEATURES)), keras.layers.LSTM(UNITS)]))
    content = rtneural(model, [("lstm", "tanh")])
    (layer,) = content["layers"]
    front = [{"type": "activation", "activation": "relu"}, {"type": "Rescale", "weights": []}, {"type": "dropout"}]
    behind = {"type": "activation", "activation": "tanh"}
    content["layers"] = [*front, layer, behind, layer]
    path = write(tmp_path / "m.json", content)
    (note,) = rnnstates.load_weights(path, layer="layers.3").notes
    assert note == (
        f"{path}: has 'layers.0' (activation relu) and 'layers.1' (rescale) before 'layers.3', which is not run; "
        "inputs must be its output."
    )
    assert "'layers.4' (activation tanh) before 'layers.5'" in rnnstates.load_weights(path, layer="layers.5").notes[0]
    content["layers"] = [layer, behind]
    assert rnnstates.load_weights(write(path, content)).notes == ()


def test_recurrent_layers_behind_each_other_are_a_stack_and_others_part_them(tmp_path):
    keras = keras_of(3)
    layers = [keras.layers.LSTM(UNITS, return_sequences=True), keras.layers.GRU(4, return_sequences=True)]
    more = [keras.layers.Dense(3), keras.layers.GRU(6, return_sequences=True)]
    model = randomise(keras.Sequential([keras.Input((None, FEATURES)), *layers, *more]))
    types = [("lstm", "tanh"), ("gru", ""), ("dense", ""), ("gru", "tanh")]
    path = write(tmp_path / "m.json", rtneural(model, types))
    assert [stack["layer"] for stack in rnnstates.describe(path)["stacks"]] == ["layers.1", "layers.3"]
    states = rnnstates.extract(given(), "full", weights=path, layer="layers.1", engine="numpy")
    np.testing.assert_allclose(states["layer1/hidden"], np.array(layers[1](layers[0](given()))), atol=ATOL)


@pytest.mark.parametrize("layers", [1, 3])
def test_nams_list_gives_what_pytorch_computes_from_the_stored_start(layers, tmp_path):
    torch.manual_seed(5)
    module, head = torch.nn.LSTM(FEATURES, UNITS, layers, batch_first=True).eval(), torch.nn.Linear(UNITS, 1)
    start = torch.randn(2, layers, UNITS)
    flat = []
    for n in range(layers):
        named = {name: getattr(module, f"{name}_l{n}").detach() for name in ("weight_ih", "weight_hh")}
        bias = (getattr(module, f"bias_ih_l{n}") + getattr(module, f"bias_hh_l{n}")).detach()
        flat += [torch.cat(list(named.values()), dim=1), bias, start[0, n], start[1, n]]
    flat += [head.weight.detach(), head.bias.detach()]
    config = {"input_size": FEATURES, "hidden_size": UNITS, "num_layers": layers}
    content = {"version": "0.5.2", "architecture": "LSTM", "config": config, "sample_rate": 48000}
    path = write(tmp_path / "m.nam", content | {"weights": np.concatenate([part.numpy().ravel() for part in flat])})
    network = rnnstates.load_weights(path)
    states = rnnstates.extract(given(), "full", weights=network, engine="numpy")
    with torch.no_grad():
        wanted = module(torch.from_numpy(given()), tuple(start.unsqueeze(2).repeat(1, 1, 3, 1)))[0].numpy()
    last = "hidden" if layers == 1 else f"layer{layers - 1}/hidden"
    np.testing.assert_allclose(states[last], wanted, atol=ATOL)
    assert any("start from the states stored with them" in note for note in network.notes)


def test_the_stored_start_of_nam_is_left_out_where_zero_is_asked_for(tmp_path):
    torch.manual_seed(6)
    module = torch.nn.LSTM(FEATURES, UNITS, batch_first=True).eval()
    named = [getattr(module, f"{name}_l0").detach() for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
    flat = [torch.cat(named[:2], dim=1), named[2] + named[3], torch.randn(2 * UNITS), torch.randn(UNITS + 1)]
    config = {"input_size": FEATURES, "hidden_size": UNITS, "num_layers": 1}
    content = {"version": "0.5.2", "architecture": "LSTM", "config": config, "sample_rate": 48000}
    path = write(tmp_path / "m.nam", content | {"weights": np.concatenate([part.numpy().ravel() for part in flat])})
    with torch.no_grad():
        wanted = module(torch.from_numpy(given()))[0].numpy()
    zero = rnnstates.load_weights(path, initial_state="zero")
    start = {"hidden": np.zeros(UNITS), "cell": np.zeros(UNITS)}
    for weights, initial in ((zero, None), (path, "zero"), (rnnstates.load_weights(path), "zero"), (path, start)):
        states = rnnstates.extract(given(), "full", weights=weights, initial_state=initial, engine="numpy")
        np.testing.assert_allclose(states["hidden"], wanted, atol=ATOL)
        assert not [note for note in states.provenance["notes"] if "start" in note]


def test_plain_and_near_names_are_read_from_json_too(tmp_path):
    model, state = audio()
    plain = {"kernel": state["rec.weight_ih_l0"], "recurrent_kernel": state["rec.weight_hh_l0"]}
    near = {"enc_w_ih": state["rec.weight_ih_l0"], "enc_w_hh": state["rec.weight_hh_l0"]}
    with torch.no_grad():
        for name in ("bias_ih_l0", "bias_hh_l0"):
            getattr(model.rec, name).zero_()
        wanted = model.rec(torch.from_numpy(given()))[0].numpy()
    for arrays in ({"layer": plain}, near):
        path = write(tmp_path / "m.json", arrays)
        states = rnnstates.extract(given(), "full", weights=path, convention="torch", engine="numpy")
        np.testing.assert_allclose(states["hidden"], wanted, atol=ATOL)


_, STATE = audio()
LAYER = {"type": "lstm", "activation": "tanh", "shape": [None, None, 5]}
ARRAYS = [np.ones((2, 20)), np.ones((5, 20)), np.ones(20)]
CONFIG = {"num_layers": 1, "input_size": 2, "hidden_size": 5}
CONTRADICTIONS = {
    "units": (
        {"model_data": described(hidden_size=40), "state_dict": STATE},
        "model_data says hidden_size 40, but .* 5;",
    ),
    "inputs": ({"model_data": described(input_size=1), "state_dict": STATE}, "model_data says input_size 1, but .* 2;"),
    "layers": ({"model_data": described(layers=2), "state_dict": STATE}, "model_data says num_layers 2, but .* 1;"),
    "cell": ({"model_data": described("GRU"), "state_dict": STATE}, r"model_data says GRU, but .* \(20, 5\);"),
    "a shape": (
        {"layers": [LAYER | {"weights": ARRAYS, "shape": [None, 6]}]},
        "declares 6 units, but .* have 5",
    ),
    "an activation": (
        {"layers": [LAYER | {"weights": ARRAYS, "activation": "relu"}]},
        r"has the activation 'relu', but RTNeural computes tanh; save the Keras model itself",
    ),
    "one array": ({"layers": [LAYER | {"weights": ARRAYS[:1]}]}, "has 1 arrays; expected a kernel, a recurrent kernel"),
    "NAM of another kind": (
        {"architecture": "WaveNet", "config": {}, "weights": [0.5]},
        "is a NAM WaveNet, which is not recurrent; expected an LSTM",
    ),
    "NAM cut short": (
        {"architecture": "LSTM", "config": CONFIG, "weights": [0.5] * 60},
        "expected 170 for 1 layers of 5",
    ),
    "NAM without sizes": (
        {"architecture": "LSTM", "config": {"num_layers": "1"}, "weights": [0.5]},
        "has no num_layers",
    ),
    "nothing recurrent": (
        {"lin.weight": [[0.5]], "note": "x"},
        "no recurrent layer found; the JSON holds 'lin.weight'",
    ),
}


@pytest.mark.parametrize("case", CONTRADICTIONS)
def test_what_is_said_and_what_is_stored_must_agree(case, tmp_path):
    content, message = CONTRADICTIONS[case]
    with pytest.raises(rnnstates.BadWeights, match=message):
        rnnstates.load_weights(write(tmp_path / "m.json", content))


def deep(inner, depth):
    for _ in range(depth):
        inner = f'{{"a": {inner}}}' if inner else "{}"
    return inner


HOSTILE = {
    "no JSON": ('{"weight_hh_l0": [1, 2', "is not JSON .* damaged or cut short"),
    "NaN": ('{"rnn.weight_hh_l0": [[NaN]]}', "has a value NaN; expected finite numbers"),
    "infinity": ('{"rnn.weight_hh_l0": [[-Infinity]]}', "has a value -Infinity"),
    "a number beyond floats": (None, "'rec.weight_hh_l0' has values that are infinite"),
    "an integer of a thousand digits": (f'{{"w": {"9" * 5000}}}', "is not JSON"),
    "a key twice": ('{"a": [1], "a": [2]}', "names something twice"),
    "two ways to one name": ('{"a.b": [1], "a": {"b": [2]}}', "names 'a.b' twice"),
    "rows of different lengths": ('{"rnn.weight_hh_l0": [[1, 2], [3]]}', "has rows of 1 to 2 numbers"),
    "a million deep": ('{"a": ' * 100_000, "nested too deeply"),
    "forty deep": (deep("[1]", 40), "nested too deeply for a model, below 'a.a"),
    "a long name": (f'{{"{"x" * 600}": [1]}}', "nested too deeply"),
    "many lists": ('{"a": [' + "[]," * 600_000 + "[]]}", "has 600003 lists .* It is refused"),
    "many arrays": ("{" + ",".join(f'"{n}": [1]' for n in range(20_001)) + "}", "has more than 20000 arrays"),
    "surrogates": (r'{"\ud800": [1]}', "invalid characters"),
    "an escape in a name": (r'{"a\u001b[31m": [1]}', "expected printable characters"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_json_is_refused(case, tmp_path):
    text, message = HOSTILE[case]
    if text is None:
        text = json.dumps({name: value.tolist() for name, value in STATE.items()})
        first = str(STATE["rec.weight_hh_l0"].tolist()[0][0])
        text = text.replace(first, "1e999")
    (tmp_path / "m.json").write_text(text)
    with pytest.raises(rnnstates.BadWeights, match=message):
        rnnstates.load_weights(tmp_path / "m.json")


def test_json_beyond_the_bound_is_refused_before_it_is_parsed(tmp_path, monkeypatch):
    from rnnstates.weights.readers import json_arrays

    monkeypatch.setattr(json_arrays, "LARGEST_JSON", 100)
    with pytest.raises(rnnstates.BadWeights, match="has more than 100 bytes of JSON; it is refused"):
        rnnstates.load_weights(write(tmp_path / "m.json", STATE))


def test_true_is_no_number(tmp_path):
    path = write(tmp_path / "m.json", {**STATE, "rec.flags": [True, False], "names": ["a", "b"], "empty": []})
    assert "rec.flags" not in rnnstates.describe(path)["present"]


def test_the_same_weights_of_json_and_safetensors_are_the_same_numbers(tmp_path):
    from safetensors.numpy import save_file

    save_file(STATE, tmp_path / "m.safetensors")
    of_json = rnnstates.load_weights(write(tmp_path / "m.json", STATE)).layers[0].forward
    of_safetensors = rnnstates.load_weights(tmp_path / "m.safetensors").layers[0].forward
    np.testing.assert_array_equal(of_json.kernel.astype("f4"), of_safetensors.kernel)
