"""Layers whose steps are written out in an ONNX graph, as PyTorch's dynamo does with nn.RNN; held to ONNX Runtime."""

import re

import numpy as np
import pytest
from onnx import helper

import rnnstates
from rnnstates import BadWeights
from rnnstates.weights.load import describe_weights

from ..builders import engines_for
from .census import parity
from .test_onnx import H, I, N, model_of, runtime, save
from .torch_exports import export_quietly

make = helper.make_node
T = 5


def arrays_of(ways=("forward",), *, bias=True, start=False):
    random = np.random.RandomState(6)
    arrays = {f"i{number}": np.array([number]) for number in range(T + 1)} | {"end": np.array([-(2**63)])}
    for way in ways:
        shapes = {"W": (I, H), "R": (H, H), "b": (H,), "c": (H,), "h": (1, N, H)}
        own = {key: (random.randn(*shape) / 2).astype("f4") for key, shape in shapes.items()}
        own["first"] = np.broadcast_to(own["c"] if bias else np.zeros(H, "f4"), (1, N, H))
        unused = [] if bias else ["b", "c"]
        unused += ["first"] if start else ["h"]
        arrays |= {f"{way} {key}": array for key, array in own.items() if key not in unused}
    return arrays | {"minus": np.array([-1])}


def product(left, matrix, bias, name):
    if not bias:
        return [make("MatMul", [left, matrix], [name])]
    return [make("MatMul", [left, matrix], [f"{name} 0"]), make("Add", [f"{name} 0", bias], [name])]


def steps(way, *, bias=True, start=False, function="Tanh", reads="X"):
    """One direction, T steps of it."""
    has = f"{way} c" if bias else ""
    nodes = product(reads, f"{way} W", f"{way} b" if bias else "", f"{way} x")
    source = f"{way} x"
    if way == "reverse":
        nodes.append(make("Slice", [source, "minus", "end", "i0", "minus"], [f"{way} turned"]))
        source = f"{way} turned"
    before = f"{way} first"
    for number in range(T):
        if start or number:
            left = f"{way} h{number - 1}" if number else f"{way} h"
            before = f"{way} r{number}"
            nodes += product(left, f"{way} R", has, before)
        nodes.append(make("Slice", [source, f"i{number}", f"i{number + 1}", "i0"], [f"{way} s{number}"]))
        nodes.append(make("Squeeze", [f"{way} s{number}", "i0"], [f"{way} x{number}"]))
        nodes.append(make("Add", [before, f"{way} x{number}"], [f"{way} a{number}"]))
        nodes.append(make(function, [f"{way} a{number}"], [f"{way} h{number}"]))
    order = range(T)[:: -1 if way == "reverse" else 1]
    return [*nodes, make("Concat", [f"{way} h{number}" for number in order], [f"{way} Y"], way, axis=0)]


def saved(path, nodes, arrays, output, producer="pytorch"):
    inputs = [helper.make_tensor_value_info("X", 1, [T, N, I])]
    model = model_of(nodes, arrays, [output], inputs=inputs)
    model.producer_name = producer
    return save(model, path)


def compare(path, groups=("",)):
    inputs = np.random.RandomState(1).randn(N, T, I).astype("f4")
    [expected] = runtime(path, X=inputs.swapaxes(0, 1)).values()
    network = rnnstates.load_weights(path)
    for engine in engines_for(network):
        found = rnnstates.extract(inputs, "full", weights=network, engine=engine)
        states = np.concatenate([found[f"{group}hidden"] for group in groups], axis=-1)
        np.testing.assert_allclose(states, expected.swapaxes(0, 1), rtol=0, atol=1e-6)
    assert network.notes == ()
    return found


@parity("onnx", "simple_rnn")
@pytest.mark.parametrize("way", ["forward", "reverse"])
@pytest.mark.parametrize(
    "options", [{}, {"bias": False}, {"start": True}, {"function": "Relu"}], ids=["bias", "no bias", "start", "relu"]
)
def test_steps_that_are_written_out_are_a_layer(tmp_path, way, options):
    arrays = arrays_of((way,), **{key: value for key, value in options.items() if key != "function"})
    if options.get("start"):
        arrays[f"{way} h"] = np.repeat(arrays[f"{way} h"][:, :1], N, axis=1)
    compare(saved(tmp_path / "m.onnx", steps(way, **options), arrays, f"{way} Y"))


@pytest.mark.parametrize("way", ["forward", "reverse"])
def test_a_matrix_that_each_step_transposes_anew_is_one_matrix(tmp_path, way):
    """As dynamo writes it without optimising."""
    arrays, nodes = arrays_of((way,)), []
    for number, node in enumerate(steps(way)):
        if node.op_type == "MatMul":
            matrix = node.input[1]
            arrays[f"{matrix} T"] = np.ascontiguousarray(arrays[matrix].T)
            nodes.append(
                make("Transpose", [f"{matrix} T"], [f"turned {number}"], **{"perm": [1, 0]} if number % 2 else {})
            )
            node.input[1] = f"turned {number}"
        nodes.append(node)
    compare(saved(tmp_path / "m.onnx", nodes, arrays, f"{way} Y"))


def test_both_directions_are_one_layer_and_may_be_named_each(tmp_path):
    ways = ("forward", "reverse")
    nodes = [*steps("forward"), *steps("reverse"), make("Concat", ["forward Y", "reverse Y"], ["Y"], axis=2)]
    path = saved(tmp_path / "m.onnx", nodes, arrays_of(ways), "Y")
    found = compare(path, ("layer0/forward/", "layer0/backward/"))
    assert rnnstates.load_weights(path).layers[0].name == "forward+reverse"
    alone = rnnstates.extract(np.zeros((1, 2, I), "f4"), "full", weights=path, layer="reverse")
    assert alone["hidden"].shape == (1, 2, H)
    assert found["layer0/backward/hidden"].shape == (N, T, H)
    # What the layers are made of is not listed beside them.
    assert all(name.endswith("(RNN)") for name in describe_weights(path)["present"])


def change(number, place, name):
    def changed(nodes):
        wanted = [node for node in nodes if node.op_type == "MatMul" and node.input[1] == "forward R"]
        wanted[number].input[place] = name

    return changed


@pytest.mark.parametrize(
    "changed",
    [
        change(1, 1, "other"),
        change(1, 0, "forward h0"),
        lambda nodes: nodes[-1].input.__setitem__(slice(0, 2), ["forward h1", "forward h0"]),
        lambda nodes: nodes[-2].__setattr__("op_type", "Relu"),
        lambda nodes: nodes[-5].input.__setitem__(slice(1, 3), ["i2", "i3"]),
    ],
    ids=["another matrix", "another state", "another order", "another function", "another step"],
)
def test_steps_that_differ_are_no_layer(tmp_path, changed):
    nodes = steps("forward")
    changed(nodes)
    arrays = arrays_of() | {"other": np.ones((H, H), "f4")}
    with pytest.raises(BadWeights, match="as a layer with unrolled steps does") as said:
        rnnstates.load_weights(saved(tmp_path / "m.onnx", nodes, arrays, "forward Y"))
    assert re.search(r"multiplies by 'forward R' [34] times", str(said.value))
    assert "or export it with torch.onnx.export(..., dynamo=False)" in str(said.value)


def test_a_start_that_the_exporter_multiplied_is_no_layer(tmp_path):
    """What the first step adds is a product with the matrix, from which the state itself is not known."""
    arrays = arrays_of()
    arrays["forward first"] = arrays["forward first"] + np.float32(1)
    with pytest.raises(BadWeights, match="as a layer with unrolled steps does"):
        rnnstates.load_weights(saved(tmp_path / "m.onnx", steps("forward"), arrays, "forward Y"))


def test_steps_that_others_wrote_out_are_not_sent_to_pytorch(tmp_path):
    nodes = steps("forward")
    change(1, 0, "forward h0")(nodes)
    with pytest.raises(BadWeights, match=r"4 times, .*Give the file that the model was exported from") as said:
        rnnstates.load_weights(saved(tmp_path / "m.onnx", nodes, arrays_of(), "forward Y", "tf2onnx"))
    assert "dynamo" not in str(said.value)


def test_what_the_older_exporter_wrote_is_not_sent_back_to_it(tmp_path):
    nodes = [make("MatMul", ["X" if n == 0 else f"h{n}", "onnx::MatMul_7"], [f"h{n + 1}"]) for n in range(T)]
    path = saved(tmp_path / "m.onnx", nodes, {"onnx::MatMul_7": np.ones((I, I), "f4")}, f"h{T}")
    with pytest.raises(
        BadWeights, match="multiplies by 'onnx::MatMul_7' 5 times, as a layer with unrolled steps"
    ) as said:
        rnnstates.load_weights(path)
    assert "Give the file that the model was exported from instead" in str(said.value)
    assert "dynamo" not in str(said.value)


OLDER, NEWER = {"dynamo": False}, {"verbose": False}


@pytest.mark.parametrize(
    "kind, steps, options",
    [
        ("LSTMCell", 1, OLDER),
        ("LSTMCell", 4, OLDER),
        ("GRUCell", 4, OLDER),
        ("LSTMCell", 1, NEWER),
        ("RNNCell", 4, NEWER),
    ],
)
def test_for_a_loop_over_cells_only_the_state_dict_is_asked_for_and_that_is_read(tmp_path, kind, steps, options):
    import torch

    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = getattr(torch.nn, kind)(I, H)

        def forward(self, x):
            state, states = None, []
            for step in range(steps):
                state = self.inner(x[:, step], state)
                states.append(state[0] if kind == "LSTMCell" else state)
            return torch.stack(states, 1)

    model, path = Model().eval(), tmp_path / "m.onnx"
    export_quietly(model, (torch.randn(N, T, I),), path, **options)
    with pytest.raises(BadWeights, match=r"'inner\.weight_[ih]h' belongs to a PyTorch cell") as said:
        rnnstates.load_weights(path)
    assert "whose steps are unrolled. Give the state_dict of the model instead. Its arrays: '" in str(said.value)
    assert not re.search(r"dynamo|\.keras", str(said.value))
    torch.save(model.state_dict(), tmp_path / "m.pt")
    assert rnnstates.load_weights(tmp_path / "m.pt").layers[0].forward.units == H
