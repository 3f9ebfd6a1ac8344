"""PyTorch's exporters to ONNX, kept quiet and without what they do anew for every model."""

import contextlib
import functools
import logging
import warnings
from unittest import mock

__all__ = ["export_quietly"]


@contextlib.contextmanager
def quiet():
    """Keep what the exporters say of themselves out of the tests."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)


@functools.cache
def table_once():
    """Give what makes the newer exporter's table of operators, from the source of each, once for each opset."""
    from torch.onnx._internal.exporter._registration import ONNXRegistry

    return ONNXRegistry, staticmethod(functools.cache(ONNXRegistry.from_torchlib))


def export_quietly(module, given, path, **options):
    """Write a file with the exporter that ``options`` choose, and give its path."""
    import torch

    registry, from_torchlib = table_once()
    with quiet(), mock.patch.object(registry, "from_torchlib", from_torchlib):
        torch.onnx.export(module.eval(), given, str(path), **options)
    return path
