"""What tests of the layers share."""

import contextlib

import pytest


@contextlib.contextmanager
def _graphs_as_they_are():
    import tensorflow as tf

    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    yield
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": False})


@pytest.fixture
def graphs_as_they_are():
    """TensorFlow runs each graph as it was traced: to make one faster takes longer than the few runs of a test."""
    with _graphs_as_they_are():
        yield


@pytest.fixture(scope="module")
def all_graphs_as_they_are():
    """The same for all tests and fixtures of a module."""
    with _graphs_as_they_are():
        yield
