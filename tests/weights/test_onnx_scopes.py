"""ONNX layers in functions, in the branches of an If and in loops: run, run when they are named, or refused."""

import tracemalloc

import numpy as np
import pytest
from onnx import helper, numpy_helper

import rnnstates
from rnnstates import BadWeights
from rnnstates.weights.load import describe_weights
from rnnstates.weights.readers.onnx import scopes

from .damage import refusal
from .test_onnx import H, I, N, T, arrays_of, node_of, runtime, save, sequences
from .test_onnx_graphs import model

make = helper.make_node


def branches(nodes=(), behind=(), given=True, **more):
    """An If whose branches have a layer each, of different sizes."""

    def branch(name, units):
        own = arrays_of("LSTM", 1, units=units, seed=units)
        stored = [numpy_helper.from_array(array, f"{key}") for key, array in own.items()]
        node = node_of("LSTM", own, name)
        node.output[0] = f"{name}_Y"
        return helper.make_graph([node], name, [], [helper.make_tensor_value_info(f"{name}_Y", 1, None)], stored)

    chosen = make("If", ["flag"], ["Z"], "choice", then_branch=branch("small", 4), else_branch=branch("large", 6))
    inputs = [helper.make_tensor_value_info("flag", 9, [])] if given else []
    return model([*nodes, chosen, *behind], more, ["Y" if behind else "Z"], inputs=inputs)


@pytest.mark.parametrize("name, flag", [("small", True), ("large", False)])
def test_a_layer_in_a_branch_is_run_when_it_is_named(tmp_path, name, flag):
    path = save(branches(), tmp_path / "m.onnx")
    inputs = np.nan_to_num(sequences())
    expected = runtime(path, X=inputs.swapaxes(0, 1), flag=np.array(flag), lengths=np.full(N, T, "i4"))["Z"]
    found = rnnstates.extract(inputs, "full", weights=path, layer=name, engine="numpy")
    np.testing.assert_allclose(found["hidden"], expected[:, 0].swapaxes(0, 1), rtol=0, atol=1e-6)
    [note] = rnnstates.load_weights(path, layer=name).notes
    which = "then" if flag else "else"
    assert note == f"'{name}' is in the {which}_branch of 'choice' (If) and is run as if that branch is taken."


def test_layers_in_branches_are_offered_only_where_there_is_no_other(tmp_path):
    assert "has 2 recurrent stacks; choose one: layer='large' (LSTM), layer='small' (LSTM)" in refusal(
        save(branches(), tmp_path / "m.onnx")
    )
    own = arrays_of("GRU", 1)
    built = branches([node_of("GRU", own, "main")], **own)
    path = save(built, tmp_path / "n.onnx")
    assert rnnstates.load_weights(path).layers[0].name == "main"
    assert rnnstates.load_weights(path, layer="large").layers[0].forward.units == 6


def stored(flag, how):
    """What stores a condition: operators before the If, and constants beside it."""
    if how == "initializer":
        return [], {"flag": np.array(flag)}
    held = make(
        "Constant", [], ["flag"], value=numpy_helper.from_array(np.array([flag] if how == "one of one" else flag))
    )
    return [held], {}


def run(path, name="Z"):
    """What ONNX Runtime gives for sequences that are whole."""
    inputs = np.nan_to_num(sequences())
    return inputs, runtime(path, X=inputs.swapaxes(0, 1), lengths=np.full(N, T, "i4"))[name][:, 0].swapaxes(0, 1)


@pytest.mark.parametrize("how", ["initializer", "constant", "one of one"])
@pytest.mark.parametrize("name, flag", [("small", True), ("large", False)])
def test_a_stored_condition_decides_which_layer_there_is(tmp_path, name, flag, how):
    nodes, arrays = stored(flag, how)
    path = save(branches(nodes, given=False, **arrays), tmp_path / "m.onnx")
    inputs, expected = run(path)
    found = rnnstates.extract(inputs, "full", weights=path, engine="numpy")
    np.testing.assert_allclose(found["hidden"], expected, rtol=0, atol=1e-6)
    assert rnnstates.load_weights(path).notes == ()
    assert [[layer["name"] for layer in stack["layers"]] for stack in describe_weights(path)["stacks"]] == [[name]]


def test_a_layer_reads_what_the_branch_that_is_taken_gives(tmp_path):
    nodes, arrays = stored(True, "initializer")
    own = arrays_of("GRU", 1, features=4)
    arrays |= {f"u_{key}": array for key, array in own.items()} | {"axis": np.array([1])}
    above = [make("Squeeze", ["Z", "axis"], ["flat"]), node_of("GRU", own, "upper", "flat", prefix="u_")]
    above[1].output[0] = "Y"
    path = save(branches(nodes, above, given=False, **arrays), tmp_path / "m.onnx")
    inputs, expected = run(path, "Y")
    found = rnnstates.extract(inputs, "full", weights=path, engine="numpy")
    np.testing.assert_allclose(found["layer1/hidden"], expected, rtol=0, atol=1e-6)
    network = rnnstates.load_weights(path)
    assert ([layer.name for layer in network.layers], network.notes) == (["small", "upper"], ())


def test_a_condition_that_is_stored_for_want_of_another_decides_nothing(tmp_path):
    """It is also an input of the model, which whoever runs it may give."""
    path = save(branches(flag=np.array(True)), tmp_path / "m.onnx")
    assert "choose one: layer='large' (LSTM), layer='small' (LSTM)" in refusal(path)


@pytest.mark.parametrize("condition", [np.array([True, False]), np.array(1, "f4"), np.zeros(0, bool)], ids=str)
def test_a_condition_that_makes_no_sense_decides_nothing(tmp_path, condition):
    path = save(branches(given=False, flag=condition), tmp_path / "m.onnx")
    assert "choose one: layer='large' (LSTM), layer='small' (LSTM)" in refusal(path)


def test_a_condition_is_stored_within_a_branch_too(tmp_path):
    """The outer branches are decided when the model is run; of the inner ones there is one."""
    nodes, arrays = stored(False, "constant")
    inner = branches(nodes, given=False, **arrays).graph
    constants = [*inner.initializer]
    outer = helper.make_graph([*inner.node], "outer", [], [helper.make_tensor_value_info("Z", 1, None)], constants)
    empty = helper.make_graph([make("Identity", ["X"], ["W"])], "n", [], [helper.make_tensor_value_info("W", 1, None)])
    chosen = make("If", ["wanted"], ["V"], "first", then_branch=outer, else_branch=empty)
    built = model([chosen], {}, ["V"], inputs=[helper.make_tensor_value_info("wanted", 9, [])])
    network = rnnstates.load_weights(save(built, tmp_path / "m.onnx"))
    assert network.layers[0].name == "large"
    assert network.notes == ("'large' is in the then_branch of 'first' (If) and is run as if that branch is taken.",)


def test_a_branch_that_reads_weights_of_the_main_graph_is_run(tmp_path):
    own = arrays_of("RNN", 1)
    node = node_of("RNN", own, "inner")
    inner = helper.make_graph([node], "inner", [], [helper.make_tensor_value_info("Y", 1, None)])
    chosen = make("If", ["flag"], ["Z"], then_branch=inner, else_branch=inner)
    built = model([chosen], own, ["Z"], inputs=[helper.make_tensor_value_info("flag", 9, [])])
    path = save(built, tmp_path / "m.onnx")
    network = rnnstates.load_weights(path, layer="inner #0")
    np.testing.assert_array_equal(network.layers[0].forward.kernel, own["W"][0].T)


@pytest.mark.parametrize("op", ["Loop", "Scan"])
def test_a_layer_in_a_loop_is_refused_before_it_is_offered(tmp_path, op):
    own = arrays_of("LSTM", 1)
    value = helper.make_tensor_value_info
    inner = helper.make_graph([node_of("LSTM", own, "inner")], "body", [], [value("Y", 1, None)])
    loop = make(op, ["X"], ["Z"], "turns", body=inner)
    path = save(model([loop], own, ["Z"]), tmp_path / "m.onnx")
    said = f"'inner' is an LSTM in the body of 'turns' ({op}), which runs it again and again; expected it in the main"
    assert said in refusal(path)
    assert said in describe_weights(path)["stacks"][0]["problem"]
    main = arrays_of("GRU", 1)
    built = model(
        [node_of("GRU", main, "main", prefix="m_"), loop], own | {f"m_{k}": v for k, v in main.items()}, ["Z"]
    )
    network = rnnstates.load_weights(save(built, path))
    assert network.layers[0].name == "main"
    [note] = network.notes
    assert note.startswith(f"{path}: the graph also has 'turns' ({op}), by which exporters write a layer out")


def wrapped(**attributes):
    """A function around a GRU, whose weights are its inputs."""
    node = make("GRU", ["x", "w", "r", "b"], ["y"], "inner", hidden_size=H, linear_before_reset=1)
    reference = node.attribute.add(name="direction", type=3)
    reference.ref_attr_name = "way"
    flat = make("Squeeze", ["y", "axis"], ["z"])
    axis = make("Constant", [], ["axis"], value_ints=[1])
    versions = [helper.make_opsetid("", 14)]
    return helper.make_function("own", "Wrapped", ["x", "w", "r", "b"], ["z"], [node, axis, flat], versions, ["way"])


def test_functions_are_put_in_the_place_of_their_calls(tmp_path):
    nodes, arrays, reads = [], {}, "X"
    for number, way in enumerate(("forward", "reverse")):
        own = arrays_of("GRU", 1, seed=number, features=H if number else I)
        given = [f"{number}_{name}" for name in own]
        arrays |= dict(zip(given, own.values(), strict=True))
        nodes.append(make("Wrapped", [reads, *given], [f"Y{number}"], f"call{number}", domain="own", way=way))
        reads = f"Y{number}"
    path = save(model(nodes, arrays, ["Y1"], functions=[wrapped()]), tmp_path / "m.onnx")
    inputs = np.nan_to_num(sequences())
    expected = runtime(path, X=inputs.swapaxes(0, 1), lengths=np.full(N, T, "i4"))["Y1"].swapaxes(0, 1)
    found = rnnstates.extract(inputs, "full", weights=path, engine="numpy")
    np.testing.assert_allclose(found["layer1/hidden"], expected, rtol=0, atol=1e-6)
    network = rnnstates.load_weights(path)
    assert [layer.name for layer in network.layers] == ["inner #0", "inner #1"]
    assert network.notes == ()


def test_a_function_that_calls_itself_is_not_followed(tmp_path):
    versions = [helper.make_opsetid("", 14), helper.make_opsetid("own", 1)]
    again = make("Again", ["x"], ["y"], domain="own")
    function = helper.make_function("own", "Again", ["x"], ["y"], [again], versions)
    own = arrays_of("RNN", 1)
    built = model([make("Again", ["X"], ["Z"], "first", domain="own"), node_of("RNN", own, reads="Z")], own, ["Y"])
    built.functions.append(function)
    [note] = rnnstates.load_weights(save(built, tmp_path / "m.onnx")).notes
    assert "(Again) before 'cell', which is not run" in note


@pytest.mark.parametrize("leaf", ["Identity", ""])
def test_functions_that_call_each_other_do_not_become_too_many(tmp_path, monkeypatch, leaf):
    """Each calls the next one ten times, twenty levels deep; the last one may do nothing. The limits are a tenth."""
    for limit in ("MOST_NODES", "MOST_CALLS"):
        monkeypatch.setattr(scopes, limit, getattr(scopes, limit) // 10)
    versions = [helper.make_opsetid("", 14), helper.make_opsetid("own", 1)]
    functions = []
    for level in range(20):
        inner, domain = (leaf, "") if level == 19 else (f"F{level + 1}", "own")
        chain = [make(inner, [f"v{n}"], [f"v{n + 1}"], domain=domain) for n in range(10)] if inner else []
        functions.append(helper.make_function("own", f"F{level}", ["v0"], ["v10"], chain, versions))
    own = arrays_of("RNN", 1)
    nodes = [make("F0", ["X"], ["Z"], domain="own"), node_of("RNN", own, reads="Z")]
    built = model(nodes, own, ["Y"], functions=functions)
    assert rnnstates.load_weights(save(built, tmp_path / "m.onnx")).features == I


def peak(path):
    """Read a file; the most memory that takes."""
    tracemalloc.start()
    try:
        assert rnnstates.load_weights(path).features == I
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_what_is_long_in_a_function_is_not_multiplied(tmp_path):
    versions = [helper.make_opsetid("", 14), helper.make_opsetid("own", 1)]
    listed = make("Constant", [], ["unused"], value_ints=[2**40] * 2**15)
    wide = helper.make_function("own", "Wide", ["x"], ["y"], [listed, make("Identity", ["x"], ["y"])], versions)
    nodes = [make("Wide", [f"v{n}" if n else "X"], [f"v{n + 1}"], domain="own") for n in range(1000)]
    own = arrays_of("RNN", 1)
    built = model([*nodes, node_of("RNN", own)], own, ["Y"], functions=[wide])
    # As Python's numbers, all of them would be 1.3 GB.
    assert peak(save(built, tmp_path / "m.onnx")) < 2**27


def test_the_long_name_of_a_branch_is_not_multiplied(tmp_path):
    value = helper.make_tensor_value_info
    body = helper.make_graph([make("Identity", ["X"], [f"{n}"]) for n in range(1000)], "b", [], [value("0", 1, None)])
    chosen = make("If", ["flag"], ["Z"], "long name" * 2**12, then_branch=body, else_branch=body)
    own = arrays_of("RNN", 1)
    built = model([chosen, node_of("RNN", own)], own, ["Y"], inputs=[value("flag", 9, [])])
    assert peak(save(built, tmp_path / "m.onnx")) < 2**24


def test_a_written_out_layer_is_distinguished_from_a_model_without_one(tmp_path):
    value = helper.make_tensor_value_info
    body = helper.make_graph([make("Identity", ["c"], ["d"])], "body", [value("n", 7, []), value("c", 9, [])], [])
    arrays = {"a dense/kernel": np.ones((2, 2), "f4"), "my_lstm/recurrent": np.ones((3, 3), "f4")}
    arrays |= {f"b{number}": np.ones(2, "f4") for number in range(9)}
    path = save(model([make("Loop", [], ["Y"], "while", body=body)], arrays, ["Y"]), tmp_path / "m.onnx")
    with pytest.raises(
        BadWeights, match=r"the graph has 'while' \(Loop\), by which exporters write a layer out"
    ) as said:
        rnnstates.load_weights(path)
    assert "Give the file that the model was exported from instead" in str(said.value)
    assert "Its arrays: 'my_lstm/recurrent' (3, 3), 'a dense/kernel' (2, 2)" in str(said.value)
