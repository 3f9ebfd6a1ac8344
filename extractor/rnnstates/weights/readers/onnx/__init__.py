"""ONNX files: read as data, never run; graphs inside of graphs become one list of nodes."""
