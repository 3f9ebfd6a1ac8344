"""Reads ONNX files as data, never run; nested graphs are flattened into one list of nodes."""
