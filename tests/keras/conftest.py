"""What tests of the layers share."""

import pytest

from .. import graphs


@pytest.fixture
def graphs_as_they_are():
    """TensorFlow runs each graph as it was traced: to make one faster takes longer than the few runs of a test."""
    with graphs.as_they_are():
        yield


@pytest.fixture(scope="module")
def all_graphs_as_they_are():
    """The same for all tests and fixtures of a module."""
    with graphs.as_they_are():
        yield
