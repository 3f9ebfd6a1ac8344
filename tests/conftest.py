"""Fixtures that any test may use."""

import pytest

import rnnstates


@pytest.fixture(params=sorted(rnnstates.ENGINES))
def engine(request):
    """Each engine by name."""
    return request.param
