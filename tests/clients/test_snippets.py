"""The snippets of docs/clients.md run in the programs that they are for, and print what stands below them."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

import rnnstates

from .running import CLIENTS, version

ROOT = Path(__file__).resolve().parent.parent.parent
TEXT = (ROOT / "docs" / "clients.md").read_text()
SNIPPETS = re.findall(r"^```(r|octave)\n(.*?)^```\n+^```text\n(.*?)^```$", TEXT, re.S | re.M)
PROGRAMS = {"r": ("R rhdf5", ["Rscript", "--vanilla"]), "octave": ("GNU Octave", ["octave-cli", "--no-gui"])}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A directory with the output of the session in docs/getting-started.md."""
    folder = tmp_path_factory.mktemp("snippets")
    sample = ROOT / "sample_data"
    rnnstates.extract(sample / "parens.h5", weights=sample / "parens.keras", output=folder / "states.h5").close()
    return folder


def test_there_is_one_for_each_program():
    assert [language for language, *_ in SNIPPETS] == list(PROGRAMS)


@pytest.mark.parametrize(("language", "code", "printed"), SNIPPETS, ids=list(PROGRAMS))
def test_a_snippet_prints_what_stands_below_it(language, code, printed, place):
    name, command = PROGRAMS[language]
    if shutil.which(command[0]) is None or version(CLIENTS[name]) is None:
        pytest.skip(f"{name} is not installed")
    (place / f"snippet.{language}").write_text(code)
    done = subprocess.run(
        [*command, f"snippet.{language}"], cwd=place, capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout.split() == printed.split()


def test_what_python_reads_there_is_what_they_print(place):
    with rnnstates.open(place / "states.h5") as states:
        cell, length, name = states["cell"][3, 1, :3], states.lengths[3], states[3].id
    for _, _, printed in SNIPPETS:
        words = printed.replace('"', "").split()
        assert {name, str(length), *(f"{value:.4f}" for value in cell)} <= set(words)
