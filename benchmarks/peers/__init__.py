"""The others, one module each, and the table of them. A peer's library is imported when the peer is prepared."""

from . import jax_scan, keras_layers, onnx_runtime, openvino_runtime, torch_cell, torch_packed
from .base import Peer

PEERS: dict[str, Peer] = {
    "Keras state cell": keras_layers.STATE_CELL,
    "Keras LSTM": keras_layers.LSTM,
    "torch LSTMCell loop": torch_cell.PEER,
    "torch nn.LSTM": torch_packed.PEER,
    "ONNX Runtime": onnx_runtime.PEER,
    "OpenVINO float32": openvino_runtime.FLOAT32,
    "OpenVINO as it comes": openvino_runtime.AS_IT_COMES,
    "JAX scan": jax_scan.PEER,
}
