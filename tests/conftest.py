"""Fixtures that any test may use."""

import pytest

from . import parity_table
from .builders import BUILT_ENGINES
from .weights import census


@pytest.fixture(params=BUILT_ENGINES)
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
