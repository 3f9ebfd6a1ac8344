"""What a command imports: ``--help`` no NumPy, a small job only what it uses."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import rnnstates

from .import_lists import COMMAND, HELP, LIBRARIES, NEVER, WEIGHED

SAMPLE = Path(__file__).parent.parent / "sample_data"
CASES = {
    "help": ("--help",),
    "extract help": ("extract", "--help"),
    "info of states": ("info", "made.h5"),
    "info of an array": ("info", "waves.npy"),
    "info of an input": ("info", "parens.h5"),
    "extract": ("extract", "waves.npy", "out.h5", "--lengths", "waves_lengths.npy", "--engine", "numpy"),
    "extract with weights of Keras": ("extract", "parens.h5", "out.h5", "--weights", "parens.keras"),
}
# The command runs to its end, and says what is imported then beside a bare Python and its site.
SCRIPT = """
import sys
before = set(sys.modules)
from rnnstates_cli.main import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
print(*sorted(set(sys.modules) - before), file=open("imported", "w"))
"""
# Modules that compiled ones make up, and threads of BLAS.
NO_LIBRARIES = ("_cython_", "cython_runtime", "threadpoolctl")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("imports")
    for path in SAMPLE.iterdir():
        shutil.copy(path, folder)
    rnnstates.extract(np.ones((2, 3, 4), np.float32), "full", output=folder / "made.h5")
    return folder


@pytest.fixture(scope="module")
def imported(place):
    """Give what a case imports; each runs once."""
    known = {}

    def names(case):
        if case not in known:
            command = [sys.executable, "-c", SCRIPT, *CASES[case]]
            subprocess.run(command, cwd=place, check=True, capture_output=True, timeout=120)
            known[case] = set((place / "imported").read_text().split())
            (place / "out.h5").unlink(missing_ok=True)
        return known[case]

    return names


def of_package(names, package):
    return {name.removeprefix(f"{package}.") for name in names if name.startswith(f"{package}.")}


@pytest.mark.parametrize("case", CASES)
def test_a_command_imports_these_libraries_and_no_others(case, imported):
    roots = {name.partition(".")[0] for name in imported(case)}
    found = roots - set(sys.stdlib_module_names) - {"rnnstates", "rnnstates_cli", "__main__"}
    assert {name for name in found if not name.startswith(NO_LIBRARIES)} == LIBRARIES[case]


def test_the_help_of_extract_imports_the_words_and_nothing_else(imported):
    names = imported("extract help")
    assert of_package(names, "rnnstates") == HELP
    assert of_package(names, "rnnstates_cli") == COMMAND | {"extract", "extract_options"}


@pytest.mark.parametrize("case", NEVER)
def test_a_small_job_imports_only_what_it_uses(case, imported):
    found = of_package(imported(case), "rnnstates")
    assert not [name for name in found if f"{name}.".startswith(tuple(f"{one}." for one in NEVER[case]))]


@pytest.mark.parametrize("case", [case for case in CASES if case != "help"])
def test_a_command_imports_no_other(case, imported):
    others = {
        "extract",
        "info",
        "convert",
        "verify",
        "export",
        "repack",
        "status",
        "clean",
        "completion",
        "versions",
    } - {CASES[case][0]}
    # Notes in a file of states are put into the words of the command that made it.
    expected = {"extract"} if case == "info of states" else set()
    assert others & of_package(imported(case), "rnnstates_cli") == expected


@pytest.mark.parametrize("case", CASES)
def test_no_command_imports_more_modules_than_it_did(case, imported):
    found = [name for name in imported(case) if name.partition(".")[0] in ("rnnstates", "rnnstates_cli")]
    assert len(found) <= WEIGHED[case], f"{len(found)} modules; is each needed? {sorted(found)}"
