"""``pytest tests/weights --parity-table``: how far our states are from each framework's, test by test.

Every ``numpy.testing.assert_allclose`` of a parity test (``tests/weights/census.py``) is measured while it is made.
"""

import functools
import os
import re

import numpy as np

__all__ = ["DIFFERENCES", "measure", "record", "rows"]

# From the running test to the largest difference it has seen.
DIFFERENCES: dict[str, float] = {}


def record(difference):
    """Note a difference of the running test; the largest is kept."""
    test = os.environ.get("PYTEST_CURRENT_TEST", "").split(" (")[0]
    DIFFERENCES[test] = max(DIFFERENCES.get(test, 0.0), float(difference))
    return difference


def measure():
    """Make ``assert_allclose`` record what it compares."""
    compare = np.testing.assert_allclose

    @functools.wraps(compare)
    def measured(actual, desired, *arguments, **options):
        ours, theirs = np.asarray(actual), np.asarray(desired)
        if ours.size and ours.shape == theirs.shape and ours.dtype.kind == "f":
            record(np.abs(ours - theirs).max())
        compare(actual, desired, *arguments, **options)

    np.testing.assert_allclose = measured


def rows(covered):
    """Yield (framework, cell, test, precision, largest difference) of the parity tests that ran.

    Parameters
    ----------
    covered : mapping
        From (framework, cell) to the names of tests, as ``census.COVERED``.
    """
    found = {}
    for test, difference in DIFFERENCES.items():
        name = test.split("::")[-1].split("[")[0]
        # As the test's parameters name it; a test may also choose for itself.
        precision = next((word for word in ("float32", "float64") if word in test), "-")
        cells = [pair for pair, tests in covered.items() if any(t.endswith(f".{name}") for t in tests)]
        for pair in [pair for pair in cells if re.search(rf"\b{words(pair[1])}", test) or len(cells) == 1] or cells:
            key = (*pair, name, precision)
            found[key] = max(found.get(key, 0.0), difference)
    yield from ((*key, difference) for key, difference in sorted(found.items()))


def words(cell):
    """What a test's parameters may call a cell."""
    return {"simple_rnn": "(simple_rnn|rnn|RNN|SimpleRNN|BasicRNN|SimpleCell)", "lstm": "(lstm|LSTM|Basic)"}.get(
        cell, f"({cell}|{cell.upper()})"
    )
