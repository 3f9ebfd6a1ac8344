"""Sequences as files store them, and how runs and blocks of them are compared."""

import contextlib

import numpy as np

from rnnstates.inputs import open_source

__all__ = ["LENGTHS", "open_", "same", "values_of"]

LENGTHS = np.array([3, 0, 7, 1, 5])


def values_of(lengths=LENGTHS, features=4, seed=0):
    """Random sequences with NaN as padding: [N, T, I]."""
    values = np.random.RandomState(seed).standard_normal((len(lengths), max(lengths), features)).astype("f4")
    for row, length in enumerate(lengths):
        values[row, length:] = np.nan
    return values


def same(found, expected):
    """Every array of a run is that of another, bit for bit."""
    assert set(found.datasets) == set(expected.datasets)
    for name in expected.datasets:
        np.testing.assert_array_equal(found[name], expected[name], err_msg=name)


def open_(path, **options):
    return contextlib.closing(open_source(path, **options))
