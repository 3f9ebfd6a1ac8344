"""TensorFlow 2 and Keras: layers found by the objects of a checkpoint."""

from .stacks import interpret, recognises

__all__ = ["interpret", "recognises"]
