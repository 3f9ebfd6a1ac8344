"""ONNX graphs: each of the operators LSTM, GRU and RNN is a layer, and the graph tells which of them reads which."""

from .stacks import interpret, recognises

__all__ = ["interpret", "recognises"]
