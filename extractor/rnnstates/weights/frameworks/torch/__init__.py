"""PyTorch: finds layers by the names of their parameters, and computes weights that are stored in parametrised form."""

from .stacks import interpret, recognises

__all__ = ["interpret", "recognises"]
