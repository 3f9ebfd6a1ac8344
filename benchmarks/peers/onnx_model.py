"""One LSTM with lengths as an ONNX model, for the runtimes that read it."""

import numpy as np
import numpy.typing as npt
from cases import Data

# ONNX stores the gates as input, output, forget, cell; ours lie as input, forget, candidate, output.
ORDER = (0, 3, 1, 2)


def model_bytes(data: Data) -> bytes:
    """Make a model of ``X`` float32 [T, B, I] and ``lengths`` int32 [B] to ``Y`` float32 [T, 1, B, H]."""
    from onnx import TensorProto, helper, numpy_helper

    node = helper.make_node("LSTM", ["X", "W", "R", "B", "lengths"], ["Y"], hidden_size=data.units)
    weights = {
        "W": _rows(data.kernel.T),
        "R": _rows(data.recurrent_kernel.T),
        "B": np.concatenate([_rows(data.bias), np.zeros((1, len(data.bias)), np.float32)], axis=1),
    }
    graph = helper.make_graph(
        [node],
        "lstm",
        [
            helper.make_tensor_value_info("X", TensorProto.FLOAT, ["T", "B", data.inputs.shape[2]]),
            helper.make_tensor_value_info("lengths", TensorProto.INT32, ["B"]),
        ],
        [helper.make_tensor_value_info("Y", TensorProto.FLOAT, ["T", 1, "B", data.units])],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    return model.SerializeToString()


def _rows(array: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Put blocks [4 * H, …] in ONNX' order, with its axis of directions in front."""
    blocks = np.split(array, 4)
    return np.ascontiguousarray(np.concatenate([blocks[block] for block in ORDER])[np.newaxis])
