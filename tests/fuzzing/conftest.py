"""What holds for every test of a parser."""

import gc

import pytest


@pytest.fixture(autouse=True)
def nothing_of_other_tests():
    """Close the files that other tests of the process left to be collected: a parser answers for its own."""
    gc.collect()
