"""What holds for every test of a parser."""

import gc

import pytest


@pytest.fixture(autouse=True, scope="module")
def nothing_of_other_tests():
    """Close the files that other modules left to be collected: a parser answers for its own.

    Once per module, because it takes most of a second in a process that has run thousands of tests.
    """
    gc.collect()
