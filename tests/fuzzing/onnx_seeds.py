"""Small sound ONNX models: one file each, and one with its values beside it."""

import numpy as np

from .forms import pack
from .seeds import FEATURES, UNITS, values

__all__ = ["onnx", "onnx_in_files"]


def onnx():
    """A node of each kind, whose weights come out of other operators; stacks, a branch and a function."""
    models = [_onnx_of_one(op, gates) for op, gates in (("LSTM", 4), ("GRU", 3), ("RNN", 1))]
    return [model.SerializeToString() for model in (*models, _onnx_stack(), _onnx_branch(), _onnx_function())]


def _onnx_model(nodes, arrays, output="Y", functions=()):
    from onnx import helper, numpy_helper

    stored = [numpy_helper.from_array(np.asarray(array), name) for name, array in arrays.items()]
    given = [helper.make_tensor_value_info("X", 1, ["steps", 2, FEATURES])]
    graph = helper.make_graph(nodes, "g", given, [helper.make_tensor_value_info(output, 1, None)], stored)
    versions = [helper.make_opsetid("", 14), helper.make_opsetid("own", 1)]
    return helper.make_model(graph, opset_imports=versions, ir_version=9, functions=functions)


def _onnx_arrays(gates, features=FEATURES):
    return {"W": values(1, gates * UNITS, features), "R": values(1, gates * UNITS, UNITS)}


def _onnx_of_one(op, gates):
    from onnx import helper, numpy_helper

    nodes = [
        helper.make_node("Constant", [], ["b"], value=numpy_helper.from_array(values(2 * gates * UNITS))),
        helper.make_node("Constant", [], ["axes"], value=numpy_helper.from_array(np.array([0]))),
        helper.make_node("Unsqueeze", ["b", "axes"], ["B"]),
        helper.make_node(op, ["X", "W", "R", "B"], ["Y"], "cell", hidden_size=UNITS, direction="forward", clip=3.0),
    ]
    return _onnx_model(nodes, _onnx_arrays(gates))


def _onnx_stack():
    """Two layers, between which the graph reckons out a shape; a start that it fills."""
    from onnx import helper

    make = helper.make_node
    nodes = [
        make("Shape", ["X"], ["x shape"]),
        make("Gather", ["x shape", "one"], ["batch"]),
        make("Concat", ["one", "batch", "units"], ["start shape"], axis=0),
        make("ConstantOfShape", ["start shape"], ["h"]),
        make("GRU", ["X", "W", "R", "", "", "h"], ["Y"], "lower", hidden_size=UNITS),
        make("Transpose", ["Y"], ["turned"], perm=[0, 2, 1, 3]),
        make("Shape", ["turned"], ["shape"]),
        make("Split", ["shape", "parts"], ["outer", "inner"], axis=0),
        make("ReduceProd", ["inner"], ["width"], keepdims=1),
        make("Concat", ["outer", "width"], ["new"], axis=0),
        make("Reshape", ["turned", "new"], ["Z"]),
        make("GRU", ["Z", "W2", "R2"], ["Y2"], "upper", hidden_size=UNITS),
    ]
    numbers = {"one": np.array([1]), "units": np.array([UNITS]), "parts": np.array([2, 2])}
    above = {f"{name}2": array for name, array in _onnx_arrays(3, UNITS).items()}
    return _onnx_model(nodes, {**_onnx_arrays(3), **above, **numbers}, "Y2")


def _onnx_branch():
    from onnx import helper, numpy_helper

    def branch(name):
        stored = [numpy_helper.from_array(array, key) for key, array in _onnx_arrays(1).items()]
        node = helper.make_node("RNN", ["X", "W", "R"], [f"{name} Y"], name, hidden_size=UNITS)
        return helper.make_graph([node], name, [], [helper.make_tensor_value_info(f"{name} Y", 1, None)], stored)

    return _onnx_model(
        [helper.make_node("If", ["flag"], ["Y"], then_branch=branch("a"), else_branch=branch("b"))],
        {"flag": np.array(True)},
    )


def _onnx_function():
    from onnx import helper

    node = helper.make_node("RNN", ["x", "w", "r"], ["y"], "inner", hidden_size=UNITS)
    function = helper.make_function("own", "Wrapped", ["x", "w", "r"], ["y"], [node], [helper.make_opsetid("", 14)])
    called = helper.make_node("Wrapped", ["X", "W", "R"], ["Y"], "call", domain="own")
    return _onnx_model([called], _onnx_arrays(1), functions=[function])


def onnx_in_files():
    """A model whose values are in another file."""
    model, data = _onnx_of_one("GRU", 3), b""
    for tensor in model.graph.initializer:
        for key, value in {"location": "m.data", "offset": len(data), "length": len(tensor.raw_data)}.items():
            tensor.external_data.add(key=key, value=str(value))
        data += tensor.raw_data
        tensor.ClearField("raw_data")
        tensor.data_location = 1
    return [pack({"m.onnx": model.SerializeToString(), "m.data": data})]
