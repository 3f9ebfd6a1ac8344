"""Graphs of several nodes: what joins, cuts and merges states between layers, and weights that are in pieces."""

import numpy as np
import pytest
from onnx import helper, numpy_helper

import rnnstates

from .test_onnx import LENGTHS, I, N, T, arrays_of, node_of, runtime, save, sequences

make = helper.make_node
U = 4


def two_layers(between, *, first="LSTM", ways=("bidirectional",), units=U, width=None, opset=14, constants=None):
    """A model of a layer, of one node or of two, what stands between, and a GRU that reads Z."""
    nodes, arrays = [], {}
    for number, way in enumerate(ways):
        own = arrays_of(first, 2 if way == "bidirectional" else 1, seed=3 + number, units=units)
        nodes.append(node_of(first, own | {"lengths": 0}, f"lower{number}", prefix=f"{number}_", direction=way))
        arrays |= {f"{number}_{name}": array for name, array in own.items()}
    above = arrays_of("GRU", 1, seed=9, features=2 * units if width is None else width)
    nodes += [*between, node_of("GRU", above | {"lengths": 0}, "upper", "Z", "upper_", linear_before_reset=1)]
    arrays |= {f"upper_{name}": array for name, array in above.items()} | (constants or {})
    for node in nodes:
        for place, name in enumerate(node.input):
            node.input[place] = "lengths" if name.endswith("_lengths") else name
    return model(nodes, arrays, ["upper_Y"], opset=opset)


def model(nodes, arrays, outputs, *, opset=14, shape=(None, None, I), functions=(), inputs=()):
    value = helper.make_tensor_value_info
    constants = [numpy_helper.from_array(np.asarray(array), name) for name, array in arrays.items()]
    given = [value("X", 1, shape), value("lengths", 6, [None]), *inputs]
    graph = helper.make_graph(nodes, "graph", given, [value(name, 1, None) for name in outputs], constants)
    versions = [helper.make_opsetid("", opset), helper.make_opsetid("own", 1)]
    return helper.make_model(graph, opset_imports=versions, ir_version=9, functions=functions)


INDICES = {f"i{number}": np.array([number]) for number in range(5)} | {"flat": np.array([0, 0, -1])}


def cut_by_slices(opset):
    """As tf2onnx takes both directions apart and joins them again."""
    nodes = []
    for number, way in enumerate(("f", "b")):
        if opset < 10:
            nodes.append(make("Slice", ["0_Y"], [f"{way}0"], starts=[number], ends=[number + 1], axes=[1]))
            nodes.append(make("Squeeze", [f"{way}0"], [way], axes=[1]))
        else:
            nodes.append(make("Slice", ["0_Y", f"i{number}", f"i{number + 1}", "i1"], [f"{way}0"]))
            nodes.append(make("Squeeze", [f"{way}0", *(["i1"] if opset >= 13 else [])], [way]))
            nodes[-1].attribute.extend([helper.make_attribute("axes", [1])] if opset < 13 else [])
    return [*nodes, make("Concat", ["f", "b"], ["Z"], axis=2)]


def split(*attributes, opset=14, **given):
    parts = [make("Split", ["0_Y", *attributes], ["f0", "b0"], axis=1, **given)]
    axes = {"axes": [1]} if opset < 13 else {}
    parts += [make("Squeeze", [f"{way}0", *([] if axes else ["i1"])], [way], **axes) for way in "fb"]
    return [*parts, make("Concat", ["f", "b"], ["Z"], axis=-1)]


GATHERED = [
    make("Gather", ["0_Y", "first"], ["f"], axis=1),
    make("Gather", ["0_Y", "last"], ["b"], axis=1),
    make("Concat", ["f", "b"], ["Z"], axis=2),
]
RECKONED = [
    make("Transpose", ["0_Y"], ["a"], perm=[0, 2, 1, 3]),
    make("Shape", ["a"], ["shape"]),
    make("Gather", ["shape", "i2"], ["ways"]),
    make("Slice", ["shape", "i3", "i4"], ["units"]),
    make("Slice", ["shape", "i0", "i2"], ["outer"]),
    make("Mul", ["ways", "units"], ["width"]),
    make("Cast", ["width"], ["width32"], to=6),
    make("Cast", ["width32"], ["width64"], to=7),
    make("Concat", ["outer", "width64"], ["new"], axis=0),
    make("Reshape", ["a", "new"], ["Z"]),
]
JOINED = {
    "slices": (cut_by_slices(14), {}),
    "slices of opset 11": (cut_by_slices(11), {"opset": 11}),
    "slices of opset 9": (cut_by_slices(9), {"opset": 9}),
    "split": (split("ones"), {}),
    "split of opset 11": (split(opset=11, split=[1, 1]), {"opset": 11}),
    "split of opset 18": (split(num_outputs=2), {"opset": 18}),
    "gather": (GATHERED, {}),
    "a reckoned shape": (RECKONED, {}),
    "flattened twice": (
        [make("Transpose", ["0_Y"], ["a"], perm=[0, 2, 1, 3]), make("Reshape", ["a", "flat"], ["b"])]
        + [make("Unsqueeze", ["b", "i0"], ["c"]), make("Squeeze", ["c", "i0"], ["Z"])],
        {},
    ),
    "two nodes": (
        [make("Squeeze", [f"{number}_Y", "i1"], [way]) for number, way in enumerate("fb")]
        + [make("Concat", ["f", "b"], ["Z"], axis=2)],
        {"ways": ("forward", "reverse")},
    ),
    "two nodes, joined before they are flattened": (
        [make("Concat", ["0_Y", "1_Y"], ["a"], axis=1), make("Transpose", ["a"], ["b"], perm=[0, 2, 1, 3])]
        + [make("Reshape", ["b", "flat"], ["Z"])],
        {"ways": ("forward", "reverse")},
    ),
}
MORE = {"first": np.array(0), "last": np.array(-1), "ones": np.array([1, 1]), "half": np.array(0.5, "f4")} | INDICES


def compare(path, top="layer1/hidden", output="upper_Y"):
    expected = runtime(path, X=np.nan_to_num(sequences()).swapaxes(0, 1), lengths=LENGTHS.astype("i4"))[output]
    found = rnnstates.extract(sequences(), LENGTHS, weights=path, engine="numpy")
    np.testing.assert_allclose(found[top], expected[:, 0].swapaxes(0, 1), rtol=0, atol=1e-6)
    return found


@pytest.mark.parametrize("name", JOINED)
@pytest.mark.parametrize("first", ["LSTM", "GRU", "RNN"])
def test_directions_that_are_cut_and_joined_again_feed_the_next_layer(tmp_path, name, first):
    between, options = JOINED[name]
    path = save(two_layers(between, first=first, constants=MORE, **options), tmp_path / "m.onnx")
    assert "layer0/backward/hidden" in compare(path).datasets
    assert rnnstates.load_weights(path).notes == ()


MERGED = {
    "sum": [make("Add", ["f", "b"], ["Z"])],
    "sum, backward first": [make("Add", ["b", "f"], ["Z"])],
    "mul": [make("Mul", ["f", "b"], ["Z"])],
    "ave": [make("Add", ["f", "b"], ["s"]), make("Mul", ["s", "half"], ["Z"])],
    "ave of ONNX": [make("Mean", ["f", "b"], ["Z"])],
}


@pytest.mark.parametrize("merge", MERGED)
def test_directions_that_are_merged_feed_the_next_layer(tmp_path, merge):
    between = [*cut_by_slices(14)[:-1], *MERGED[merge]]
    path = save(two_layers(between, width=U, constants=MORE), tmp_path / "m.onnx")
    compare(path)
    assert rnnstates.load_weights(path).layers[0].merge == merge[:3]
    assert rnnstates.load_weights(path).notes == ()


WRONG = {
    "backward first": (cut_by_slices(14)[:-1] + [make("Concat", ["b", "f"], ["Z"], axis=2)], {}, "(Concat)"),
    "one of two": (cut_by_slices(14)[:2] + [make("Identity", ["f"], ["Z"])], {"width": U}, "(Slice)"),
    "one of two, turned twice": (
        cut_by_slices(14)[:2] + [make("Transpose", [one], [other], perm=[1, 0, 2]) for one, other in ("fg", "gZ")],
        {"width": U},
        "(Slice)",
    ),
    "backward first, turned twice": (
        cut_by_slices(14)[:-1]
        + [make("Concat", ["b", "f"], ["c"], axis=2)]
        + [make("Transpose", [one], [other], perm=[1, 0, 2]) for one, other in ("cg", "gZ")],
        {},
        "(Concat)",
    ),
    "some units": (
        [make("Squeeze", ["0_Y", "i1"], ["f"]), make("Slice", ["f", "i0", "i3", "i2"], ["g"])]
        + [make("Transpose", [one], [other], perm=[1, 0, 2]) for one, other in ("gh", "hZ")],
        {"width": 3, "ways": ("forward",)},
        "(Slice)",
    ),
    "steps and batch exchanged, of one direction": (
        [make("Squeeze", ["0_Y", "i1"], ["f"]), make("Transpose", ["f"], ["Z"], perm=[1, 0, 2])],
        {"width": U, "ways": ("forward",)},
        "(Transpose)",
    ),
    "the same twice": (cut_by_slices(14)[:2] + [make("Concat", ["f", "f"], ["Z"], axis=2)], {}, "(Concat)"),
    "steps and batch exchanged": (
        [make("Transpose", ["0_Y"], ["a"], perm=[2, 0, 1, 3]), make("Reshape", ["a", "flat"], ["Z"])],
        {},
        "(Reshape)",
    ),
    "units before directions": (
        [make("Transpose", ["0_Y"], ["a"], perm=[0, 2, 3, 1]), make("Reshape", ["a", "flat"], ["Z"])],
        {},
        "(Reshape)",
    ),
    "without a transposition": ([make("Reshape", ["0_Y", "small"], ["Z"])], {}, "(Reshape)"),
    "half of the sum, squared": (
        [*cut_by_slices(14)[:-1], make("Add", ["f", "b"], ["s"]), make("Mul", ["s", "s"], ["Z"])],
        {"width": U},
        "(Mul)",
    ),
    "two layers of other inputs": (
        [make("Squeeze", ["0_Y", "i1"], ["f"]), make("Neg", ["X"], ["X2"])]
        + [make("Squeeze", ["1_Y", "i1"], ["b"]), make("Concat", ["f", "b"], ["Z"], axis=2)],
        {"ways": ("forward", "reverse"), "other": True},
        "(Concat)",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_puts_states_elsewhere_parts_two_layers(tmp_path, name):
    between, options, what = WRONG[name]
    options = dict(options)
    other = options.pop("other", False)
    built = two_layers(between, constants=MORE | {"small": np.array([0, -1, 2 * U])}, **options)
    if other:
        nodes = list(built.graph.node)
        nodes[1].input[0] = "X2"
        nodes.insert(0, nodes.pop(next(place for place, node in enumerate(nodes) if node.op_type == "Neg")))
        del built.graph.node[:]
        built.graph.node.extend(nodes)
    path = save(built, tmp_path / "m.onnx")
    network = rnnstates.load_weights(path, layer="upper")
    assert len(network.layers) == 1
    assert any(what in note and "before 'upper', which is not run" in note for note in network.notes)


def test_rows_of_a_table_that_are_turned_are_noted_by_what_turns_them(tmp_path):
    own = arrays_of("GRU", 1)
    nodes = [make("Gather", ["table", "ids"], ["rows"]), make("Transpose", ["rows"], ["Z"], perm=[0, 2, 1])]
    ids = helper.make_tensor_value_info("ids", 7, [None, I])
    arrays = own | {"table": np.random.RandomState(5).randn(9, 5).astype("f4")}
    built = model([*nodes, node_of("GRU", own, reads="Z")], arrays, ["Y"], inputs=[ids])
    [note] = rnnstates.load_weights(save(built, tmp_path / "m.onnx")).notes
    assert "(Transpose) before 'cell', which is not run" in note


def weights_in_pieces(opset):
    """Weights in Constant nodes, cut, exchanged and joined by operators of a version."""
    arrays = arrays_of("GRU", 1, units=U)
    held = lambda name, array: make("Constant", [], [name], value=numpy_helper.from_array(np.array(array)))  # noqa: E731
    whole = np.concatenate([arrays["W"][0], arrays["R"][0]], axis=1)
    nodes = [held("whole", whole), held("bias", arrays["B"][0].reshape(2, -1)), held("one", np.float32([1]))]
    nodes += [held("flat", [1, -1]), held("start", [0]), held("cut", [I]), held("end", [2**31 - 1]), held("axis", [1])]
    if opset < 10:
        nodes.append(make("Slice", ["whole"], ["w"], starts=[0], ends=[I], axes=[1]))
        nodes.append(make("Slice", ["whole"], ["r"], starts=[I], ends=[2**31 - 1], axes=[1]))
    else:
        nodes.append(make("Slice", ["whole", "start", "cut", "axis"], ["w"]))
        nodes.append(make("Slice", ["whole", "cut", "end", "axis"], ["r"]))
    for name, made in (("w", "W"), ("r", "R")):
        axes = {"axes": [0]} if opset < 13 else {}
        nodes.append(make("Unsqueeze", [name, *([] if axes else ["start"])], [made], **axes))
    reshaped = make("Reshape", ["bias", *(["flat"] if opset >= 5 else [])], ["b"])
    reshaped.attribute.extend([helper.make_attribute("shape", [1, -1])] if opset < 5 else [])
    old = {"broadcast": 1, "axis": 1} if opset < 7 else {}
    nodes += [reshaped, make("Add", ["b", "ones" if old else "one"], ["c"], **old), node_of("GRU", arrays | {"B": 0})]
    if old:
        nodes.insert(0, held("ones", np.ones(arrays["B"].shape[1], "f4")))
    nodes[-1].input[3] = "c"
    nodes[-1].attribute.extend([helper.make_attribute("output_sequence", 1)] if opset < 7 else [])
    return model(nodes, {}, ["Y"], opset=opset)


@pytest.mark.parametrize("opset", [1, 4, 6, 7, 9, 12, 13, 22])
def test_weights_in_pieces_are_put_together_in_every_version(tmp_path, opset):
    path = save(weights_in_pieces(opset), tmp_path / "m.onnx")
    # ONNX Runtime runs version 7 and later; an operator computes the same in all.
    newer = save(weights_in_pieces(max(opset, 7)), tmp_path / "newer.onnx")
    expected = runtime(newer, X=np.nan_to_num(sequences()).swapaxes(0, 1), lengths=np.full(N, T, "i4"))["Y"]
    found = rnnstates.extract(np.nan_to_num(sequences()), "full", weights=path, engine="numpy")
    np.testing.assert_allclose(found["hidden"], expected[:, 0].swapaxes(0, 1), rtol=0, atol=1e-6)


def test_large_weights_in_constants_are_read_and_cut(tmp_path):
    """What a graph may make of them is bounded by what the file holds, wherever it holds it."""
    arrays = arrays_of("LSTM", 1, units=130)
    nodes = [make("Constant", [], [name], value=numpy_helper.from_array(array)) for name, array in arrays.items()]
    nodes += [make("Concat", ["R"], ["R2"], axis=1), node_of("LSTM", arrays)]
    nodes[-1].input[2] = "R2"
    network = rnnstates.load_weights(save(model(nodes, {}, ["Y"]), tmp_path / "m.onnx"))
    assert network.layers[0].forward.units == 130
