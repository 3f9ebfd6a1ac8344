"""TensorFlow's checkpoints: where one lies, its table, and what graph or objects stand beside the values."""
