"""Reads PyTorch files: their pickles are inspected before PyTorch loads them with ``weights_only``."""
