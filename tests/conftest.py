"""Fixtures that any test may use."""

import sys

import pytest
from hypothesis import HealthCheck, settings

from . import marking, parity_table
from .builders import BUILT_ENGINES
from .faults import table
from .weights import census

# On a machine that is shared, how long an example takes says nothing of it.
settings.register_profile("shared", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared")


@pytest.fixture(params=BUILT_ENGINES)
def engine(request):
    """Each engine by name."""
    return request.param


def pytest_addoption(parser):
    parser.addoption("--parity-table", action="store_true", help="Print the largest difference of every parity test.")
    parser.addoption("--fault-table", action="store_true", help="Print how many cases of each fault ran, by moment.")
    marking.add_option(parser)
    parser.addoption("--every-fault", action="store_true", help="Let every operation fail, not some of each moment.")


def pytest_configure(config):
    # Its hooks see the files of the library, and their doctests, as well.
    config.pluginmanager.register(marking, "marking")
    if config.getoption("--parity-table"):
        parity_table.measure()


def pytest_collection_finish():
    # Tests share the cores: PyTorch's threads wait for each other, up to 50 ms for an LSTM of five units.
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


def pytest_terminal_summary(terminalreporter, config):
    if config.getoption("--fault-table"):
        terminalreporter.section("cases by fault and moment")
        for line in table.lines():
            terminalreporter.write_line(line)
    if not config.getoption("--parity-table"):
        return
    terminalreporter.section("largest difference from the framework")
    for framework, cell, test, precision, difference in parity_table.rows(census.COVERED):
        terminalreporter.write_line(f"{framework:12} {cell:10} {precision:8} {difference:8.1e}  {test}")
