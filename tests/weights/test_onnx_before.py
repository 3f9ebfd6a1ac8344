"""What stands before the first layer of an ONNX graph: read where it only rearranges, noted where it does more."""

import numpy as np
import pytest
from onnx import helper

import rnnstates

from .test_onnx import H, N, T, arrays_of, model_of, node_of, runtime, save

make = helper.make_node
I, ROWS = 3, 9


def layer_behind(nodes, constants, given, *, op="GRU", features=I, opset=14):
    """A model of a layer that reads Z, which ``nodes`` make."""
    arrays = arrays_of(op, 1, features=features)
    last = node_of(op, arrays, reads="Z")
    del last.input[4:]
    return model_of([*nodes, last], arrays | constants, ["Y"], inputs=[given], opset=opset)


def states(path, given, name="X"):
    return runtime(path, **{name: given})["Y"][:, 0].swapaxes(0, 1)


def values(*shape):
    return helper.make_tensor_value_info("X", 1, shape)


RANDOM = np.random.RandomState(2)
# Operators, what they read, the shape that the model takes, and the shape that rnnstates is given.
REARRANGED = {
    "turned": ([make("Transpose", ["X"], ["Z"], perm=[1, 0, 2])], {}, (N, T, I)),
    "cut into steps": (
        [make("Reshape", ["X", "steps"], ["a"]), make("Transpose", ["a"], ["Z"], perm=[1, 0, 2])],
        {"steps": np.array([-1, T, I])},
        (N, T * I),
    ),
    "rows of all sequences": (
        [make("Reshape", ["X", "steps"], ["a"]), make("Transpose", ["a"], ["Z"], perm=[1, 0, 2])],
        {"steps": np.array([N, T, I])},
        (N * T, I),
    ),
    "features in two axes": (
        [make("Reshape", ["X", "steps"], ["a"]), make("Transpose", ["a"], ["Z"], perm=[1, 0, 2])],
        {"steps": np.array([0, 0, -1])},
        (N, T, I, 1),
    ),
}


@pytest.mark.parametrize("name", REARRANGED)
@pytest.mark.parametrize("op", ["LSTM", "RNN"])
def test_inputs_that_are_only_rearranged_are_read_without_a_word(tmp_path, name, op):
    nodes, constants, shape = REARRANGED[name]
    path = save(layer_behind(nodes, constants, values(*shape), op=op), tmp_path / "m.onnx")
    inputs = RANDOM.randn(N, T, I).astype("f4")
    found = rnnstates.extract(inputs, "full", weights=path, engine="numpy")["hidden"]
    np.testing.assert_allclose(found, states(path, inputs.reshape(shape)), rtol=0, atol=1e-6)
    assert rnnstates.load_weights(path).notes == ()


MIXED = {
    "steps of one sequence become others'": ([make("Reshape", ["X", "steps"], ["Z"])], {"steps": [T, N, I]}, "Reshape"),
    "with a size that is left": ([make("Reshape", ["X", "steps"], ["Z"])], {"steps": [T, -1, I]}, "Reshape"),
    "turned afterwards": (
        [make("Reshape", ["X", "steps"], ["a"]), make("Transpose", ["a"], ["Z"], perm=[1, 0, 2])],
        {"steps": [T, N, I]},
        "Reshape",
    ),
    "features are steps": ([make("Transpose", ["X"], ["Z"], perm=[2, 0, 1])], {}, "Transpose"),
    "rounded": ([make("Cast", ["X"], ["a"], to=7), make("Cast", ["a"], ["Z"], to=1)], {}, "Cast"),
}


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("name", MIXED)
def test_inputs_that_are_mixed_before_a_layer_are_noted(tmp_path, name, known):
    nodes, constants, op = MIXED[name]
    constants = {key: np.array(value) for key, value in constants.items()}
    features = T if op == "Transpose" else I
    given = values(N, T, I) if known else values("rows", "steps", "features")
    path = save(layer_behind(nodes, constants, given, features=features), tmp_path / "m.onnx")
    [note] = rnnstates.load_weights(path).notes
    assert f"({op}) before 'cell', which is not run; inputs must be its output" in note


def wrapped(*, select):
    """Ids below zero are counted from the end of the table: by Where, or as tf2onnx writes it in older versions."""
    if select:
        chosen = [make("Where", ["less", "added", "ids"], ["taken"])]
    else:
        chosen = [
            make("Not", ["less"], ["other"]),
            make("Cast", ["other"], ["kept"], to=6),
            make("Cast", ["less"], ["counted"], to=6),
            make("Mul", ["ids", "kept"], ["first"]),
            make("Mul", ["added", "counted"], ["second"]),
            make("Add", ["first", "second"], ["taken"]),
        ]
    return [
        make("Add", ["ids", "rows"], ["added"]),
        make("Cast", ["ids"], ["numbers"], to=1),
        make("Less", ["numbers", "zero"], ["less"]),
        *chosen,
    ]


RECKONED = {
    "counted from the end": wrapped(select=True),
    "counted from the end, by products": wrapped(select=False),
    "clipped": [make("Clip", ["ids", "least", "most"], ["taken"])],
    "of another type": [make("Cast", ["ids"], ["a"], to=7), make("Identity", ["a"], ["taken"])],
}


def looked_up(nodes):
    constants = {"table": RANDOM.randn(ROWS, I).astype("f4"), "rows": np.int32(ROWS), "zero": np.float32(0)}
    constants |= {"least": np.int32(0), "most": np.int32(ROWS - 1), "one": np.array([1], "i4")}
    nodes = [*nodes, make("Gather", ["table", "taken"], ["found"]), make("Transpose", ["found"], ["Z"], perm=[1, 0, 2])]
    return layer_behind(nodes, constants, helper.make_tensor_value_info("ids", 6, [None, T]))


@pytest.mark.parametrize("name", RECKONED)
def test_ids_that_stay_the_same_are_looked_up_in_their_table(tmp_path, name):
    path = save(looked_up(RECKONED[name]), tmp_path / "m.onnx")
    ids = RANDOM.randint(0, ROWS, (N, T)).astype("i4")
    found = rnnstates.extract(ids, "full", weights=path, engine="numpy")["hidden"]
    np.testing.assert_allclose(found, states(path, ids, "ids"), rtol=0, atol=1e-6)
    assert rnnstates.load_weights(path).notes == ()


OTHERS = {
    "from the next row on": [make("Add", ["ids", "one"], ["taken"])],
    "clipped too far": [make("Clip", ["ids", "one clipped", "most"], ["taken"])],
    "of few bits": [make("Cast", ["ids"], ["a"], to=9), make("Cast", ["a"], ["taken"], to=6)],
    "of two inputs": [make("Add", ["ids", "ids also"], ["taken"])],
}


@pytest.mark.parametrize("name", OTHERS)
def test_ids_that_change_are_refused_and_the_table_is_named(tmp_path, name):
    built = looked_up(OTHERS[name])
    built.graph.input.append(helper.make_tensor_value_info("ids also", 6, [None, T]))
    built.graph.initializer.append(helper.make_tensor("one clipped", 6, [], [1]))
    path = save(built, tmp_path / "m.onnx")
    with pytest.raises(rnnstates.BadInput, match=r"found 'table' \(embedding=NAME decides\)"):
        rnnstates.extract(np.zeros((N, T), "i4"), "full", weights=path)


def test_a_table_of_whole_numbers_is_not_offered(tmp_path):
    """As a quantised one is stored; its rows are made floating behind the look-up."""
    built = looked_up([make("Identity", ["ids"], ["taken"])])
    found = next(node for node in built.graph.node if node.op_type == "Gather")
    found.input[0], found.output[0] = "quantised", "rows found"
    built.graph.initializer.append(helper.make_tensor("quantised", 2, [ROWS, I], list(range(ROWS * I))))
    built.graph.initializer.append(helper.make_tensor("scale", 1, [], [0.1]))
    built.graph.node.insert(2, make("DequantizeLinear", ["rows found", "scale"], ["found"]))
    path = save(built, tmp_path / "m.onnx")
    with pytest.raises(rnnstates.BadInput, match="Token ids need weights with an embedding"):
        rnnstates.extract(np.zeros((N, T), "i4"), "full", weights=path)


def of_two_layers(change, domain=""):
    """Two layers that each have the same problem, and no other."""
    arrays = {f"{name}_{key}": array for name in "ab" for key, array in arrays_of("LSTM", 1, features=H).items()}
    nodes = [node_of("LSTM", arrays_of("LSTM", 1, features=H), name, "X", f"{name}_") for name in "ab"]
    for node in nodes:
        del node.input[4:]
        change(node)
    opset = [helper.make_opsetid(domain, 1)] if domain else []
    built = model_of(nodes, arrays, ["b_Y"], inputs=[values(None, None, H)])
    built.opset_import.extend(opset)
    return built


def quantised(node):
    node.op_type, node.domain = "DynamicQuantizeLSTM", "com.microsoft"


def narrow(node):
    next(attribute for attribute in node.attribute if attribute.name == "hidden_size").i = H - 1


@pytest.mark.parametrize(
    "change, said",
    [(quantised, "is a DynamicQuantizeLSTM .* Give the model from before quantisation"), (narrow, "has the shapes")],
)
def test_where_no_layer_can_be_computed_the_reason_is_said_at_once(tmp_path, change, said):
    path = save(of_two_layers(change, "com.microsoft"), tmp_path / "m.onnx")
    with pytest.raises(rnnstates.BadWeights, match=f"'a'.* {said}"):
        rnnstates.load_weights(path)


@pytest.mark.parametrize("lengths, shown", [([T] * N, None), ([3] * N, "3"), ([3, T, 2, 2, 4, T], f"2 to {T}")])
@pytest.mark.parametrize("known", [True, False])
def test_lengths_that_a_model_stores_are_noted_where_they_are_not_all_steps(tmp_path, lengths, shown, known):
    built = layer_behind([make("Identity", ["X"], ["Z"])], {}, values(T if known else None, N, I), op="LSTM")
    built.graph.node[-1].input.append("lengths")
    built.graph.initializer.append(helper.make_tensor("lengths", 6, [N], lengths))
    notes = rnnstates.load_weights(save(built, tmp_path / "m.onnx")).notes
    shown = shown or (None if known else str(T))
    assert len(notes) == (shown is not None)
    assert all(
        f"the model itself always runs 'cell' over {shown} steps; here only the given lengths count" in note
        for note in notes
    )
