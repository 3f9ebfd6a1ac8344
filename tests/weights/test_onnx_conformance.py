"""Files that others made: ONNX's own cases for runtimes, PyTorch's exports, and graphs of several nodes."""

import importlib
import re

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from onnx.backend.test.case import node as onnx_cases

import rnnstates
from rnnstates.weights.load import describe_weights

from ..builders import engines_for
from .census import parity
from .test_onnx import LENGTHS, H, I, N, T, arrays_of, model_of, node_of, runtime, save, sequences
from .torch_exports import export_quietly

for _module in ("lstm", "gru", "rnn"):
    importlib.import_module(f"{onnx_cases.__name__}.{_module}")
CASES = {
    case.name: case for case in onnx_cases._NodeTestCases if case.model.graph.node[0].op_type in ("LSTM", "GRU", "RNN")
}


def filled(case):
    """Make constants of all inputs of a case but the sequences; give those and what is expected, by name."""
    [(given, expected)] = case.data_sets
    model = onnx.ModelProto.FromString(case.model.SerializeToString())
    given = dict(zip([entry.name for entry in model.graph.input], given, strict=True))
    expected = dict(zip([entry.name for entry in model.graph.output], expected, strict=True))
    for entry in list(model.graph.input):
        if entry.name != "X":
            model.graph.initializer.append(numpy_helper.from_array(given[entry.name], entry.name))
            model.graph.input.remove(entry)
    return model, given, expected


@parity("onnx", "lstm")
@parity("onnx", "gru")
@parity("onnx", "simple_rnn")
@pytest.mark.parametrize("name", CASES)
def test_a_case_of_onnx_itself_comes_out_as_expected(tmp_path, name):
    model, given, expected = filled(CASES[name])
    path = save(model, tmp_path / "case.onnx")
    attributes = {entry.name: helper.get_attribute_value(entry) for entry in model.graph.node[0].attribute}
    directions = {b"reverse": 1, b"bidirectional": 2}.get(attributes.get("direction"), 1)
    batch_first = bool(attributes.get("layout"))
    inputs = given["X"] if batch_first else given["X"].swapaxes(0, 1)
    lengths = given.get("sequence_lens", "full")
    network = rnnstates.load_weights(path)
    for engine in engines_for(network):
        found = rnnstates.extract(inputs, lengths, weights=network, engine=engine, pool=("final",))
        groups = ("layer0/forward/", "layer0/backward/")[:directions] if directions == 2 else ("",)
        shown = {
            "Y": np.stack([found[f"{group}hidden"] for group in groups], axis=2),
            "Y_h": np.stack([found[f"{group}hidden_final"] for group in groups], axis=1),
        }
        if "Y_c" in expected:
            shown["Y_c"] = np.stack([found[f"{group}cell_final"] for group in groups], axis=1)
        for output, values in expected.items():
            ours = shown[output] if batch_first else np.moveaxis(shown[output], 0, -2)
            np.testing.assert_allclose(ours, values, rtol=0, atol=1e-6, err_msg=f"{engine} {output}")


def test_all_cases_of_onnx_are_among_those():
    """Of its LSTM, GRU and RNN there are 18 in version 1.23."""
    assert len(CASES) >= 18
    assert set(CASES) == {case.name for case in onnx_cases._NodeTestCases if re.search("lstm|gru|rnn", case.name)}


def export(module, inputs, path, **options):
    """Write a file with PyTorch's exporter of TorchScript, which needs nothing else."""
    import torch

    given = {"dynamo": False, "input_names": ["x"], "dynamic_axes": {"x": [0, 1]}} | options
    return export_quietly(module, (torch.as_tensor(inputs),), path, **given)


def torch_module(kind, *, embedding=False, learned=False, **options):
    import torch

    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = torch.nn.Embedding(11, I) if embedding else torch.nn.Identity()
            self.rnn = getattr(torch.nn, kind)(I, H, **options)
            directions = options.get("num_layers", 1) * (1 + options.get("bidirectional", False))
            self.start, self.cell = (torch.nn.Parameter(torch.randn(directions, 1, H)) for _ in range(2))

        def forward(self, x):
            x = self.embedding(x)
            batch = x.shape[0 if options.get("batch_first") else 1]
            start = self.start.expand(-1, batch, -1).contiguous() if learned else None
            return self.rnn(x, (start, self.cell.repeat(1, batch, 1)) if learned and kind == "LSTM" else start)[0]

    torch.manual_seed(5)
    return Model()


@parity("onnx", "lstm")
@parity("onnx", "gru")
@parity("onnx", "simple_rnn")
@pytest.mark.parametrize("folded", [True, False])
@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_what_pytorch_exports_is_one_stack(tmp_path, kind, folded):
    options = {"num_layers": 2, "bidirectional": True} | ({"nonlinearity": "relu"} if kind == "RNN" else {})
    inputs = np.random.RandomState(3).randn(T, N, I).astype("f4")
    path = export(torch_module(kind, **options), inputs, tmp_path / "m.onnx", do_constant_folding=folded)
    expected = next(iter(runtime(path, x=inputs).values()))
    network = rnnstates.load_weights(path)
    for engine in engines_for(network):
        found = rnnstates.extract(inputs.swapaxes(0, 1), "full", weights=network, engine=engine)
        top = np.concatenate([found["layer1/forward/hidden"], found["layer1/backward/hidden"]], axis=-1)
        np.testing.assert_allclose(top.swapaxes(0, 1), expected, rtol=0, atol=1e-6)
    assert network.notes == ()


@pytest.mark.parametrize("opset", [9, 11, 17])
def test_older_exports_have_the_settings_of_simple_operators_elsewhere(tmp_path, opset):
    inputs = np.random.RandomState(3).randn(T, N, I).astype("f4")
    module = torch_module("LSTM", num_layers=2, learned=True)
    path = export(module, inputs, tmp_path / "m.onnx", do_constant_folding=False, opset_version=opset)
    expected = next(iter(runtime(path, x=inputs).values()))
    found = rnnstates.extract(inputs.swapaxes(0, 1), "full", weights=path, engine="numpy")
    np.testing.assert_allclose(found["layer1/hidden"].swapaxes(0, 1), expected, rtol=0, atol=1e-6)


def test_weights_that_are_rearranged_in_the_graph_are_what_the_runtime_makes_of_them(tmp_path):
    arrays = arrays_of("GRU", 1)
    make = helper.make_node
    nodes = [
        make("Unsqueeze", ["turned", "one"], ["a"]),
        make("Cast", ["a"], ["b"], to=11),
        make("Squeeze", ["b", "one"], ["c"]),
        make("Transpose", ["c"], ["d"], perm=[0, 2, 1]),
        make("Cast", ["d"], ["W"], to=1),
        make("ConstantOfShape", ["shape"], ["B"], value=helper.make_tensor("v", 1, [1], [0.25])),
        make("Transpose", ["R_turned"], ["e"]),
        make("Unsqueeze", ["e", "zero"], ["f"]),
        make("Slice", ["f", "last", "least", "one", "back"], ["g"]),
        make("Slice", ["g", "last", "least", "one", "back"], ["R"]),
        node_of("GRU", arrays),
    ]
    constants = {
        "turned": arrays["W"].swapaxes(1, 2),
        "R_turned": arrays["R"][0].T,
        "zero": np.array([0]),
        "one": np.array([1]),
        "shape": np.array([1, 6 * H]),
        "last": np.array([-1]),
        "least": np.array([-(2**63)]),
        "back": np.array([-1]),
    }
    path = save(model_of(nodes, constants, ["Y"]), tmp_path / "m.onnx")
    expected = runtime(path, X=np.nan_to_num(sequences()).swapaxes(0, 1), lengths=np.full(N, T, "i4"))["Y"]
    found = rnnstates.extract(np.nan_to_num(sequences()), "full", weights=path, engine="numpy")
    np.testing.assert_allclose(found["hidden"], expected[:, 0].swapaxes(0, 1), rtol=0, atol=1e-6)


@pytest.mark.parametrize("folded", [True, False])
@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_an_embedding_and_a_learned_start_are_read_from_an_export(tmp_path, kind, folded):
    module = torch_module(kind, embedding=True, learned=True, batch_first=True, num_layers=2)
    ids = np.random.RandomState(3).randint(0, 11, (N, T))
    path = export(module, ids, tmp_path / "m.onnx", do_constant_folding=folded)
    expected = next(iter(runtime(path, x=ids).values()))
    found = rnnstates.extract(ids, "full", weights=path, engine="numpy")
    np.testing.assert_allclose(found["layer1/hidden"], expected, rtol=0, atol=1e-6)
    network = rnnstates.load_weights(path)
    assert network.notes == ()
    assert network.embedding.shape == (11, I)
    assert all("hidden" in layer.forward.initial for layer in network.layers)


def two_layers(between, *, first="LSTM", directions=1, opset=14, lower=None, constants=None):
    """A model of two nodes and what stands between them; ``between`` leads from lower_Y to Z."""
    below = arrays_of(first, directions, seed=3)
    above = arrays_of("GRU", 1, seed=4, features=H * directions)
    way = {"direction": "bidirectional"} if directions == 2 else {}
    nodes = [
        node_of(first, {**below, "lengths": 0}, "lower", prefix="lower_", **way),
        *between,
        node_of("GRU", {**above, "lengths": 0}, "upper", reads="Z", prefix="upper_", linear_before_reset=1),
    ]
    for node in nodes:
        for place, name in enumerate(node.input):
            node.input[place] = "lengths" if name.endswith("_lengths") else name
    arrays = {f"lower_{name}": array for name, array in below.items()}
    arrays |= {f"upper_{name}": array for name, array in above.items()} | (constants or {})
    return model_of(nodes, arrays, ["lower_Y", "upper_Y"], opset=opset)


ONE = {"one": np.array([1])}
BETWEEN = {
    "squeeze": ([helper.make_node("Squeeze", ["lower_Y", "one"], ["Z"])], {"constants": ONE}),
    "old squeeze": ([helper.make_node("Squeeze", ["lower_Y"], ["Z"], axes=[1])], {"opset": 11}),
    "reshape": (
        [helper.make_node("Reshape", ["lower_Y", "shape"], ["Z"])],
        {"constants": {"shape": np.array([0, -1, H])}},
    ),
    "identity, cast and dropout": (
        [
            helper.make_node("Identity", ["lower_Y"], ["a"]),
            helper.make_node("Squeeze", ["a", "one"], ["b"]),
            helper.make_node("Cast", ["b"], ["c"], to=1),
            helper.make_node("Dropout", ["c"], ["Z"]),
        ],
        {"constants": ONE},
    ),
    "both directions": (
        [
            helper.make_node("Transpose", ["lower_Y"], ["a"], perm=[0, 2, 1, 3]),
            helper.make_node("Reshape", ["a", "shape"], ["Z"]),
        ],
        {"constants": {"shape": np.array([0, 0, -1])}, "directions": 2},
    ),
    "there and back": (
        [
            helper.make_node("Squeeze", ["lower_Y", "one"], ["a"]),
            helper.make_node("Transpose", ["a"], ["b"], perm=[1, 0, 2]),
            helper.make_node("Reshape", ["b", "shape"], ["c"]),
            helper.make_node("Transpose", ["c"], ["Z"], perm=[1, 0, 2]),
        ],
        {"constants": {**ONE, "shape": np.array([0, -1, H])}},
    ),
}


@parity("onnx", "gru")
@pytest.mark.parametrize("between", BETWEEN)
def test_layers_that_read_each_other_are_one_stack(tmp_path, between):
    nodes, options = BETWEEN[between]
    path = save(two_layers(nodes, **options), tmp_path / "m.onnx")
    expected = runtime(path, X=np.nan_to_num(sequences()).swapaxes(0, 1), lengths=LENGTHS.astype("i4"))
    found = rnnstates.extract(sequences(), LENGTHS, weights=path, engine="numpy")
    np.testing.assert_allclose(found["layer1/hidden"], expected["upper_Y"][:, 0].swapaxes(0, 1), rtol=0, atol=1e-6)
    assert rnnstates.load_weights(path).notes == ()
    assert describe_weights(path)["present"][:2] == ["lower (LSTM)", "upper (GRU)"]


def test_a_forward_and_a_backward_node_that_are_joined_are_one_layer(tmp_path):
    ways, nodes, arrays = ("forward", "reverse"), [], {}
    for seed, way in enumerate(ways):
        own = arrays_of("LSTM", 1, seed=seed)
        nodes.append(node_of("LSTM", {**own, "lengths": 0}, way, prefix=f"{way}_", direction=way))
        nodes.append(helper.make_node("Squeeze", [f"{way}_Y", "one"], [f"{way}_flat"]))
        arrays |= {f"{way}_{name}": array for name, array in own.items()}
    above = arrays_of("RNN", 1, seed=4, features=2 * H)
    nodes += [
        helper.make_node("Concat", [f"{way}_flat" for way in ways], ["Z"], axis=-1),
        node_of("RNN", {**above, "lengths": 0}, "upper", reads="Z", prefix="upper_"),
    ]
    for node in nodes:
        for place, name in enumerate(node.input):
            node.input[place] = "lengths" if name.endswith("_lengths") else name
    arrays |= {f"upper_{name}": array for name, array in above.items()} | ONE
    path = save(model_of(nodes, arrays, ["upper_Y"]), tmp_path / "m.onnx")
    expected = runtime(path, X=np.nan_to_num(sequences()).swapaxes(0, 1), lengths=LENGTHS.astype("i4"))
    found = rnnstates.extract(sequences(), LENGTHS, weights=path, engine="numpy")
    np.testing.assert_allclose(found["layer1/hidden"], expected["upper_Y"][:, 0].swapaxes(0, 1), rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    "between, what",
    [
        ([helper.make_node("Squeeze", ["lower_Y", "one"], ["a"]), helper.make_node("Relu", ["a"], ["Z"])], "(Relu)"),
        ([helper.make_node("Reshape", ["lower_Y", "shape"], ["Z"])], "(Reshape)"),
        (
            [helper.make_node("Transpose", ["lower_Y"], ["a"]), helper.make_node("Squeeze", ["a", "two"], ["Z"])],
            "(Squeeze)",
        ),
        ([helper.make_node("Identity", ["lower_Y_h"], ["Z"])], "'lower' (LSTM)"),
    ],
    ids=["an activation", "steps halved", "axes exchanged", "the final state"],
)
def test_what_is_computed_between_two_layers_parts_them(tmp_path, between, what):
    constants = {**ONE, "two": np.array([2]), "shape": np.array([-1, N, H])}
    path = save(two_layers(between, constants=constants), tmp_path / "m.onnx")
    assert [len(rnnstates.load_weights(path, layer=layer).layers) for layer in ("lower", "upper")] == [1, 1]
    [note] = rnnstates.load_weights(path, layer="upper").notes
    assert what in note
    assert "before 'upper', which is not run" in note
    assert rnnstates.load_weights(path, layer="lower").notes == ()
