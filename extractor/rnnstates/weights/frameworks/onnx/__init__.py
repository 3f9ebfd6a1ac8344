"""Reads ONNX graphs: each LSTM, GRU or RNN operator is a layer, and the graph shows which layer reads which."""

from .stacks import interpret, recognises

__all__ = ["interpret", "recognises"]
