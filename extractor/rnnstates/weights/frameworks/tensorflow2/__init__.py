"""TensorFlow 2 and Keras: finds layers by the objects of a checkpoint."""

from .stacks import interpret, recognises

__all__ = ["interpret", "recognises"]
