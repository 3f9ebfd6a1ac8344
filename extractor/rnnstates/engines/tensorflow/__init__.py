"""The engine that computes with TensorFlow."""
