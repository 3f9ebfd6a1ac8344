"""Where the sequences of an ONNX layer start: read, or described by what it is computed from, in one order."""

import os
import subprocess
import sys

import numpy as np
import pytest
from onnx import helper, numpy_helper

import rnnstates

from .test_onnx import H, I, N, T, arrays_of, constant, model_of, node_of, runtime, save

make = helper.make_node


@pytest.fixture
def path(tmp_path):
    return tmp_path / "m.onnx"


def given(*shapes):
    value = helper.make_tensor_value_info
    return [value("X", 1, [None, None, I]), *(value(name, 1, shape) for name, shape in shapes)]


def layer_of(op, arrays, name="cell", reads="X", prefix=""):
    """A node that starts from ``initial_h``, without lengths."""
    node = node_of(op, arrays | {"initial_h": 0}, name, reads, prefix)
    node.input[4] = ""
    return node


def cached():
    """Two layers that start from a cache, which the first one changes before the second one reads it."""
    lower, upper = arrays_of("GRU", 1), arrays_of("GRU", 1, seed=2, features=H)
    nodes = [
        make("Gather", ["cache", "zero"], ["h0"], "first", axis=0),
        layer_of("GRU", lower, "lower", prefix="l_"),
        make("Squeeze", ["l_Y", "axis"], ["Z"]),
        make("Mul", ["l_Y_h", "scale"], ["scaled"]),
        make("Concat", ["scaled", "other"], ["cache2"], axis=0),
        make("Gather", ["cache2", "zero"], ["h1"], "second", axis=0),
        layer_of("GRU", upper, "upper", "Z", "u_"),
    ]
    for node in nodes:
        for place, name in enumerate(node.input):
            node.input[place] = {"l_initial_h": "h0", "u_initial_h": "h1"}.get(name, name)
    arrays = {f"l_{name}": array for name, array in lower.items()}
    arrays |= {f"u_{name}": array for name, array in upper.items()} | {"zero": np.array([0]), "axis": np.array([1])}
    inputs = given(("cache", [2, None, H]), ("other", [1, None, H]), ("scale", [1]))
    return model_of(nodes, arrays, ["u_Y"], inputs=inputs)


TOLD = (
    (
        "'lower': the model starts its hidden state from 'first' (Gather), which is computed from the model's input "
        "'cache'; zero is used (initial_state=FILE gives another)."
    ),
    (
        "'upper': the model starts its hidden state from 'second' (Gather), which is computed from the model's input "
        "'other', 'lower' (GRU) and the model's input 'scale'; zero is used (initial_state=FILE gives another)."
    ),
)


def test_a_start_is_identified_by_all_that_it_is_computed_from(path):
    save(cached(), path)
    assert rnnstates.load_weights(path).notes == tuple(f"{path}: {note}" for note in TOLD)


def test_nothing_is_said_of_zero_where_a_start_is_given(path):
    save(cached(), path)
    start = {f"layer{number}/hidden": np.zeros(H) for number in range(2)}
    for initial, count in ((None, 2), (start, 0)):
        states = rnnstates.extract(np.ones((2, 3, I)), "full", weights=path, initial_state=initial)
        assert len([note for note in states.provenance["notes"] if "zero is used" in note]) == count


@pytest.mark.parametrize("seed", ["0", "1", "2", "77"])
def test_notes_are_the_same_whatever_the_order_of_sets(path, seed):
    script = "import sys, rnnstates; print(*rnnstates.load_weights(sys.argv[1]).notes, sep='\\n')"
    done = subprocess.run(
        [sys.executable, "-c", script, save(cached(), path)],
        capture_output=True, text=True, timeout=120, env=os.environ | {"PYTHONHASHSEED": seed},
    )  # fmt: skip
    assert done.stdout.splitlines() == [f"{path}: {note}" for note in TOLD], done.stderr


def test_shapes_that_a_start_is_filled_by_are_no_part_of_what_it_is(path):
    """The rows are repeated as often as the batch asks for: they are what is stored."""
    arrays = arrays_of("RNN", 1)
    nodes = [make("Shape", ["X"], ["s"]), make("Slice", ["s", "one", "two"], ["b"])]
    nodes.append(make("Sin", ["row"], ["wave"]))
    nodes += [
        make("Concat", ["one", "b", "units"], ["whole"], axis=0),
        make("Expand", ["wave", "whole"], ["initial_h"]),
    ]
    nodes.append(layer_of("RNN", arrays))
    numbers = {"one": np.array([1]), "two": np.array([2]), "units": np.array([H]), "row": np.ones((1, 1, H), "f4")}
    [note] = rnnstates.load_weights(save(model_of(nodes, arrays | numbers, ["Y"], inputs=given()), path)).notes
    assert "from 'initial_h' (Expand); zero is used" in note


def learned(cut):
    """Two layers whose starts are cut out of one array and repeated for all sequences."""
    lower, upper = arrays_of("GRU", 1), arrays_of("GRU", 1, seed=2, features=H)
    rows = np.random.RandomState(4).randn(2, 1, H).astype("f4")
    nodes = [
        make("Shape", ["X"], ["s"]),
        make("Gather", ["s", "one"], ["b"], axis=0),
        make("Concat", ["two", "b", "units"], ["whole"], axis=0),
        make("Expand", ["rows", "whole"], ["all"]),
        *cut,
        layer_of("GRU", lower, "lower", prefix="l_"),
        make("Squeeze", ["l_Y", "one"], ["Z"]),
        layer_of("GRU", upper, "upper", "Z", "u_"),
    ]
    arrays = {f"l_{name}": array for name, array in lower.items()}
    arrays |= {f"u_{name}": array for name, array in upper.items()}
    numbers = {"zero": np.array([0]), "one": np.array([1]), "two": np.array([2]), "units": np.array([H]), "rows": rows}
    numbers |= {"first": np.array(0), "last": np.array(1)}
    return model_of(nodes, arrays | numbers, ["u_Y"], inputs=given())


CUTS = {
    "slices": [make("Slice", ["all", "zero", "one", "zero"], ["l_initial_h"])]
    + [make("Slice", ["all", "one", "two", "zero"], ["u_initial_h"])],
    "split": [make("Split", ["all"], ["l_initial_h", "u_initial_h"], axis=0)],
    "gather": [make("Gather", ["all", "zero"], ["l_initial_h"]), make("Gather", ["all", "last"], ["u0"])]
    + [make("Unsqueeze", ["u0", "zero"], ["u_initial_h"])],
}


@pytest.mark.parametrize("cut", CUTS)
def test_starts_that_are_cut_out_of_one_array_are_read(path, cut):
    save(learned(CUTS[cut]), path)
    inputs = np.random.RandomState(1).randn(N, T, I).astype("f4")
    expected = runtime(path, X=inputs.swapaxes(0, 1))["u_Y"][:, 0].swapaxes(0, 1)
    found = rnnstates.extract(inputs, "full", weights=path, engine="numpy")
    np.testing.assert_allclose(found["layer1/hidden"], expected, rtol=0, atol=1e-6)
    assert rnnstates.load_weights(path).notes == ()


@pytest.mark.parametrize("repeated", [True, False])
def test_a_start_in_the_order_of_lengths_is_read_where_all_rows_are_equal(path, repeated):
    """As PyTorch sorts the states of packed sequences."""
    model, row = learned([]), np.random.RandomState(4).randn(2, 1 if repeated else N, H).astype("f4")
    order = [make("TopK", ["lengths", "count"], ["sorted", "order"], axis=0)]
    order.append(make("Gather", ["all", "order"], ["turned"], axis=1))
    nodes = [*model.graph.node][:-3] + order + CUTS["split"] + [*model.graph.node][-3:]
    next(node for node in nodes if node.op_type == "Split").input[0] = "turned"
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    held = {"rows": row, "count": np.array([N])}
    kept = [tensor for tensor in model.graph.initializer if tensor.name not in held]
    del model.graph.initializer[:]
    model.graph.initializer.extend([*kept, *(numpy_helper.from_array(array, name) for name, array in held.items())])
    model.graph.input.append(helper.make_tensor_value_info("lengths", 7, [None]))
    notes = rnnstates.load_weights(save(model, path)).notes
    if not repeated:
        assert all("which is computed from the model's input 'lengths'; zero is used" in note for note in notes)
        assert len(notes) == 2
        return
    inputs = np.random.RandomState(1).randn(N, T, I).astype("f4")
    expected = runtime(path, X=inputs.swapaxes(0, 1), lengths=np.arange(N))["u_Y"][:, 0].swapaxes(0, 1)
    found = rnnstates.extract(inputs, "full", weights=path, engine="numpy")
    np.testing.assert_allclose(found["layer1/hidden"], expected, rtol=0, atol=1e-6)
    assert notes == ()


def test_a_start_that_was_filled_before_version_9_is_read(path):
    arrays = arrays_of("RNN", 1)
    filled = make("ConstantFill", ["shape"], ["initial_h"], value=0.5, input_as_shape=1)
    nodes = [constant("shape", np.array([1, N, H])), filled, layer_of("RNN", arrays)]
    network = rnnstates.load_weights(save(model_of(nodes, arrays, ["Y"], inputs=given(), opset=7), path))
    assert network.layers[0].forward.initial["hidden"].tolist() == [0.5] * H
