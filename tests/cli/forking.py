"""Many runs of the command, each in a process of its own, for what importing everything once costs."""

from ..forking import CLOSED_PIPE, Run
from ..forking import run_each as run_scripts

__all__ = ["CLOSED_PIPE", "run_each"]

IMPORTS = """
import numpy, h5py, rnnstates.extraction.extract, rnnstates_cli.extract, rnnstates_cli.info, rnnstates_cli.main
"""
COMMAND = """
import sys
from rnnstates_cli.main import main
sys.argv = {}
{}
main()
"""


def run_each(runs):
    """Run the command once per (place, words, lines of Python before it, streams), in that order.

    Streams are what standard output and standard error are, by name: a path or ``CLOSED_PIPE``.
    """
    scripts = [
        Run(COMMAND.format(["rnnstates", *words], script), str(place), **streams)
        for place, words, script, streams in runs
    ]
    return run_scripts(IMPORTS, scripts)[1]
