"""ONNX files that are refused: made to attack, damaged, or of cells not run; and what is reported about the others."""

import importlib
import os

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

import rnnstates
from rnnstates import BadWeights, EngineUnavailable
from rnnstates.weights.load import describe_weights
from rnnstates.weights.readers.onnx.start import recognise_onnx

from .damage import refusal
from .test_onnx import H, I, N, arrays_of, constant, lstm, save


@pytest.fixture
def path(tmp_path):
    return tmp_path / "m.onnx"


@pytest.mark.parametrize(
    "dims, reported",
    [
        ([1, 2**17, 2**17], "stores 240 bytes; expected 68719476736, because its shape is (1, 131072, 131072)"),
        ([1, 4 * H, I + 1], "stores 240 bytes; expected 320"),
        ([-1, 4 * H, I], "declares the shape (-1, 20, 3)"),
        ([1, 2**62, 2**62], "declares the shape"),
        ([1] * 40, "declares the shape"),
    ],
)
def test_a_tensor_that_declares_what_it_does_not_store_is_refused(path, dims, reported):
    model = lstm()
    model.graph.initializer[0].ClearField("dims")
    model.graph.initializer[0].dims.extend(dims)
    assert reported in refusal(save(model, path))


def test_a_constant_far_larger_than_the_file_is_not_made(path):
    shape = constant("shape", np.array([1, 4 * 2**15, 2**15]))
    huge = helper.make_node("ConstantOfShape", ["shape"], ["W"], "huge")
    reported = refusal(save(lstm(before=[shape, huge]), path))
    assert (
        "a weight comes from 'huge' (ConstantOfShape), which cannot be computed: its result is far larger than the file"
        in reported
    )
    doubled = [constant("a0", np.ones((1, 4 * H, I), "f4"))]
    doubled += [helper.make_node("Concat", [f"a{n}", f"a{n}"], [f"a{n + 1}"], axis=2) for n in range(50)]
    doubled.append(helper.make_node("Identity", ["a50"], ["W"]))
    assert "(Concat), which cannot be computed: its result is far larger than the file" in refusal(
        save(lstm(before=doubled), path)
    )


def test_a_long_chain_is_followed(path):
    chain = [constant("a0", arrays_of("LSTM", 1)["W"])]
    chain += [helper.make_node("Identity", [f"a{n}"], [f"a{n + 1}"]) for n in range(5000)]
    chain.append(helper.make_node("Identity", ["a5000"], ["W"]))
    np.testing.assert_array_equal(
        rnnstates.load_weights(save(lstm(before=chain), path)).layers[0].forward.kernel[:, :H],
        arrays_of("LSTM", 1)["W"][0, :H].T,
    )


def test_a_file_that_is_cut_short_or_garbage_is_refused(path):
    whole = lstm().SerializeToString()
    path.write_bytes(b"")
    assert "empty, not one byte; expected weights" in refusal(path)
    for size in (1, 2, 10, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        assert "is not an ONNX model, or a damaged one" in refusal(path) or "no graph" in refusal(path)
    path.write_bytes(np.random.RandomState(0).bytes(1000))
    refusal(path)


def test_a_file_larger_than_protobuf_can_hold_is_refused_unread(path):
    path.write_bytes(lstm().SerializeToString()[:100])
    os.truncate(path, 3 * 2**30)
    assert "an ONNX file has less than 2 GiB" in refusal(path)


def test_bytes_changed_at_random_give_weights_or_a_refusal(path):
    random = np.random.RandomState(7)
    models = lstm(), lstm(before=[constant("W", arrays_of("LSTM", 1)["W"])], clip=0.5, activations=["Elu"] * 3)
    outcomes = set()
    for number in range(600):
        content = bytearray(models[number % 2].SerializeToString())
        for place in random.randint(len(content), size=random.randint(1, 4)):
            content[place] = random.randint(256)
        path.write_bytes(content)
        try:
            describe_weights(path)
            rnnstates.load_weights(path)
            outcomes.add("weights")
        except BadWeights:
            outcomes.add("refused")
    assert outcomes == {"weights", "refused"}


@pytest.mark.parametrize(
    "change, reported",
    [
        (lambda node: node.input.__setitem__(1, "nowhere"), "reads 'nowhere', which nothing before it produces"),
        (lambda node: node.input.__setitem__(1, "Y"), "reads 'Y', which nothing before it produces"),
        (lambda node: node.output.__setitem__(0, "W"), "'W' is produced twice"),
        (lambda node: node.input.__setitem__(2, "W"), "expected W (directions, 4 * units, features)"),
        (lambda node: node.input.__setitem__(2, ""), "expected W (directions, 4 * units, features)"),
        (
            lambda node: node.input.__setitem__(1, "X"),
            "a weight comes from the model's input 'X'; expected it to be stored",
        ),
    ],
)
def test_a_graph_that_makes_no_sense_is_refused(path, change, reported):
    assert reported in refusal(save(lstm(change=change), path))


@pytest.mark.parametrize(
    "attributes, reported",
    [
        ({"direction": "sideways"}, "0 directions; expected W (directions"),
        ({"direction": "bidirectional"}, "2 directions; expected W (directions"),
        ({"activations": ["Sigmoid", "Mish", "Tanh"]}, "has the activation 'Mish'; expected affine, elu"),
        ({"activations": ["Sigmoid", "Tanh"]}, "has 2 activations; expected 3 per direction"),
        ({"activations": ["Sigmoid", "Affine", "Tanh"]}, "has the activation 'Affine'"),
        ({"activations": ["Sigmoid", "ThresholdedRelu", "Tanh"]}, "has the activation 'ThresholdedRelu'"),
        ({"activations": ["HardSigmoid", "Tanh", "Tanh"], "activation_alpha": [0.2, 0.3]}, "has more alpha or beta"),
        ({"activations": ["Elu"] * 3, "activation_alpha": [np.nan] * 3}, "has the activation 'Elu'"),
        ({"clip": 0.0}, "preactivation_clip is 0.0; expected a positive number"),
        ({"clip": float("inf")}, "preactivation_clip is inf"),
    ],
)
def test_what_cannot_be_computed_is_refused(path, attributes, reported):
    assert reported in refusal(save(lstm(**attributes), path))


def test_a_hidden_size_that_contradicts_the_weights_is_refused(path):
    model = lstm()
    next(entry for entry in model.graph.node[0].attribute if entry.name == "hidden_size").i = H + 1
    assert f"hidden_size {H + 1}" in refusal(save(model, path))


def test_a_quantised_or_custom_operator_is_refused_by_its_name(path):
    def quantised(node):
        node.op_type, node.domain = "DynamicQuantizeLSTM", "com.microsoft"

    reported = refusal(save(lstm(change=quantised), path))
    assert "'cell' is a DynamicQuantizeLSTM of the domain 'com.microsoft', which is not ONNX's own" in reported
    message = refusal(save(lstm(change=lambda node: setattr(node, "domain", "my.own")), path))
    assert "'cell' is an LSTM of the domain 'my.own'" in message


def test_a_weight_that_is_dequantised_is_refused_by_the_operator(path):
    small = np.random.RandomState(0).randint(-9, 9, (1, 4 * H, I)).astype("i1")
    nodes = [constant("small", small), constant("scale", np.float32(0.1))]
    nodes.append(helper.make_node("DequantizeLinear", ["small", "scale"], ["W"], "back"))
    assert "a weight comes from 'back' (DequantizeLinear); expected it to be stored" in refusal(
        save(lstm(before=nodes), path)
    )
    assert "kernel has dtype int64; expected a floating-point type" in refusal(
        save(lstm(arrays=arrays_of("LSTM", 1) | {"W": np.ones((1, 4 * H, I), "i8")}), path)
    )


def test_a_sparse_weight_is_refused(path):
    model = lstm()
    name = model.graph.initializer[0].name
    values = numpy_helper.from_array(np.ones(1, "f4"), name)
    del model.graph.initializer[0]
    indices = numpy_helper.from_array(np.array([0]), "indices")
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [1, 4 * H, I]))
    assert "a weight comes from the sparse initializer 'W'" in refusal(save(model, path))


def test_an_operator_that_the_model_defines_itself_is_not_taken_for_that_of_onnx(path):
    model = lstm()
    same = helper.make_node("Identity", ["X"], ["Y"])
    model.functions.append(helper.make_function("", "LSTM", ["X"], ["Y"], [same], [helper.make_opsetid("", 14)]))
    assert "'cell' is an LSTM of the domain '', which is not ONNX's own" in refusal(save(model, path))


def test_constants_of_all_kinds_are_read(path):
    arrays = arrays_of("LSTM", 1)
    listed = helper.make_tensor("W", 1, (1, 4 * H, I), arrays["W"].reshape(-1))
    halves = helper.make_tensor("R", TensorProto.FLOAT16, (1, 4 * H, H), arrays["R"].astype("f2").reshape(-1))
    model = lstm()
    for place, tensor in enumerate((listed, halves)):
        model.graph.initializer[place].CopyFrom(tensor)
    flat = helper.make_node("Constant", [], ["flat"], value_floats=arrays["B"].reshape(-1).tolist())
    nodes = [flat, constant("shape", [1, -1]), helper.make_node("Reshape", ["flat", "shape"], ["B2"])]
    node = model.graph.node.pop()
    node.input[3] = "B2"
    model.graph.node.extend([*nodes, node])
    cell = rnnstates.load_weights(save(model, path)).layers[0].forward
    order = [0, 2, 3, 1]
    np.testing.assert_array_equal(cell.kernel.T.reshape(4, H, I), arrays["W"][0].reshape(4, H, I)[order])
    np.testing.assert_array_equal(
        cell.recurrent_kernel.T.reshape(4, H, H), arrays["R"][0].astype("f2").reshape(4, H, H)[order]
    )
    np.testing.assert_array_equal(cell.bias.reshape(4, H), arrays["B"][0, : 4 * H].reshape(4, H)[order])


def started(rows, **attributes):
    return lstm(arrays=arrays_of("LSTM", 1) | {"initial_h": rows}, **attributes)


def test_where_sequences_start_is_read_or_reported(path):
    rows = np.random.RandomState(2).randn(1, N, H).astype("f4")
    assert "varies between sequences or does not fit; expected one row of 5" in refusal(save(started(rows), path))
    equal = np.repeat(rows[:, :1], N, axis=1)
    read = rnnstates.load_weights(save(started(equal), path))
    np.testing.assert_array_equal(read.layers[0].forward.initial["hidden"], rows[0, 0])
    read = rnnstates.load_weights(save(started(equal.swapaxes(0, 1), layout=1), path))
    np.testing.assert_array_equal(read.layers[0].forward.initial["hidden"], rows[0, 0])
    read = rnnstates.load_weights(save(started(np.zeros((1, N, H), "f4")), path))
    assert not read.layers[0].forward.initial
    assert read.notes == ()


def test_a_start_that_is_given_or_computed_is_reported(path):
    model = started(np.zeros((1, N, H), "f4"))
    del model.graph.initializer[-1]
    model.graph.input.append(helper.make_tensor_value_info("initial_h", 1, [1, N, H]))
    [note] = rnnstates.load_weights(save(model, path)).notes
    assert note.endswith(
        "starts its hidden state from the model's input 'initial_h'; zero is used (initial_state=FILE gives another)."
    )
    wave = helper.make_node("Sin", ["R"], ["initial_h"], "wave")
    [note] = rnnstates.load_weights(save(started(np.zeros(1), before=[wave]), path)).notes
    assert "from 'wave' (Sin); zero is used" in note


def test_a_start_filled_with_one_value_is_read_whatever_the_batch(path):
    shape = helper.make_node("Shape", ["X"], ["shape"])
    for value in (0.0, 0.5):
        ones = helper.make_node(
            "ConstantOfShape", ["shape"], ["initial_h"], value=numpy_helper.from_array(np.array([value], "f4"))
        )
        initial = (
            rnnstates.load_weights(save(started(np.zeros(1), before=[shape, ones]), path)).layers[0].forward.initial
        )
        assert [rows.tolist() for rows in initial.values()] == ([[0.5] * H] if value else [])


def test_without_the_package_onnx_its_files_are_not_read(path, monkeypatch):
    real = importlib.import_module

    def missing(name, *rest):
        if name == "onnx":
            raise ImportError("no onnx here")
        return real(name, *rest)

    save(lstm(), path)
    monkeypatch.setattr("rnnstates.weights.readers.onnx.file.importlib.import_module", missing)
    with pytest.raises(EngineUnavailable, match=r"ONNX files need the package onnx \(no onnx here\); pip install 'rnn"):
        rnnstates.load_weights(path)


def test_a_file_is_recognised_by_its_first_bytes_whatever_its_name(tmp_path):
    (tmp_path / "saved_model.pb").write_bytes(b"\x08\x01\x12\x02")
    assert not recognise_onnx(str(tmp_path / "saved_model.pb"))
    model = lstm()
    assert rnnstates.load_weights(save(model, tmp_path / "weights")).features == I
    described = describe_weights(tmp_path / "weights")
    assert (described["format"], described["selected"]) == ("ONNX model", "cell")
    assert described["version"] == "opset 14"
