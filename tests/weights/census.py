"""Which (framework, cell) pairs have been held against the framework itself; ``test_census.py`` counts them.

A parity test is a function decorated with ``@parity("torch", "lstm")``, once for each pair that it covers.
"""

from rnnstates.weights.conventions import CONVENTIONS

__all__ = ["COVERED", "parity"]

# From (framework, cell) to the names of the tests.
COVERED: dict[tuple[str, str], list[str]] = {}


def parity(framework, cell):
    """Say that a test compares this pair with the framework's own layer."""
    assert cell in CONVENTIONS[framework]

    def mark(test):
        COVERED.setdefault((framework, cell), []).append(f"{test.__module__}.{test.__name__}")
        return test

    return mark
