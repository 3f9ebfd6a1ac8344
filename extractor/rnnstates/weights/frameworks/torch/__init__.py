"""PyTorch: layers by the names of their parameters, and weights that a parametrization makes when the model runs."""

from .stacks import interpret, recognises

__all__ = ["interpret", "recognises"]
