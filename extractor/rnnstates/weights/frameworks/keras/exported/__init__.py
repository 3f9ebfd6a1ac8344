"""Reads how the layers of a SavedModel are run from its functions, as data."""

from .model import exported_model

__all__ = ["exported_model"]
