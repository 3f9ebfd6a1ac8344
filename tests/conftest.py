"""Fixtures that any test may use."""

import pytest

import rnnstates

from . import parity_table
from .weights import census


@pytest.fixture(params=sorted(rnnstates.ENGINES))
def engine(request):
    """Each engine by name."""
    return request.param


def pytest_addoption(parser):
    parser.addoption("--parity-table", action="store_true", help="Print the largest difference of every parity test.")


def pytest_configure(config):
    if config.getoption("--parity-table"):
        parity_table.measure()


def pytest_terminal_summary(terminalreporter, config):
    if not config.getoption("--parity-table"):
        return
    terminalreporter.section("largest difference from the framework")
    for framework, cell, test, precision, difference in parity_table.rows(census.COVERED):
        terminalreporter.write_line(f"{framework:12} {cell:10} {precision:8} {difference:8.1e}  {test}")
