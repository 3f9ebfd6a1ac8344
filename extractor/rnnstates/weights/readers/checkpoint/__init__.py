"""Reads TensorFlow checkpoints: their files, table of contents, and the graph or objects stored with the values."""
