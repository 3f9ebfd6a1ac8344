"""Every command and snippet of README.md runs and prints what README.md says."""

import doctest
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from rnnstates_cli.main import BUG, EXIT_CODES

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.S | re.M)

# What differs from machine to machine and day to day.
VARYING = [
    (r"\d+\.\d\d s\)", "… s)"),
    (r"free there: \d+(\.\d+)? [kMGT]B", "free there: …"),
    # Without a C compiler the sample is computed by NumPy.
    (r"\((compiled|numpy), ", "(…, "),
    (r"engine (compiled|numpy), ", "engine …, "),
    (r"\d\.\de-\d\d", "…"),
    (r"\d+ threads?, about \d+(\.\d+)? [kMGT]B", "… threads"),
]


def normal(text):
    for pattern, word in VARYING:
        text = re.sub(pattern, word, text)
    return text


def of_kind(kind):
    return [text for language, text in BLOCKS if language == kind]


def sessions():
    """Yield (command, what it prints) from every console block."""
    for block in of_kind("console"):
        for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
            command, _, printed = part.partition("\n")
            yield command, printed


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A directory with sample_data/ in it, and the files that the session made."""
    folder = tmp_path_factory.mktemp("readme")
    shutil.copytree(ROOT / "sample_data", folder / "sample_data")
    return folder


def run(command, folder):
    """Run a command as a shell would, both streams in one."""
    program, *arguments = shlex.split(command)
    assert program == "rnnstates"
    done = subprocess.run(
        [sys.executable, "-m", "rnnstates_cli.main", *arguments],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_every_session_prints_what_readme_says(place):
    # Those of examples/ are run by tests/test_examples.py.
    commands = [session for session in sessions() if not session[0].startswith("python examples/")]
    assert len(commands) == 11
    for command, printed in commands:
        assert normal(run(command, place)) == normal(printed), command


def test_every_snippet_gives_what_readme_says(place, monkeypatch):
    run("rnnstates extract sample_data/parens.h5 states.h5 --weights sample_data/parens.keras --force", place)
    monkeypatch.chdir(place)
    snippets = of_kind("python")
    assert len(snippets) == 7
    check_snippets(snippets, "README.md")


def check_snippets(snippets, where):
    for number, snippet in enumerate(snippets):
        example = doctest.DocTestParser().get_doctest(snippet, {}, f"snippet {number}", where, 0)
        assert example.examples
        told = []
        doctest.DocTestRunner().run(example, out=told.append)
        assert not told, "".join(told)


def test_every_snippet_of_docs_gives_what_is_said(place, monkeypatch):
    monkeypatch.chdir(place)
    snippets = re.findall(r"^```python\n(.*?)^```$", (ROOT / "docs" / "models.md").read_text(), re.S | re.M)
    assert len(snippets) == 6
    # One page, read from the top.
    check_snippets(["".join(snippets)], "docs/models.md")


def test_a_wrong_line_of_readme_would_be_seen(place):
    assert normal(run("rnnstates info sample_data/parens.h5", place)) != normal("file: sample_data/parens.h5\n")


def test_the_commands_of_the_first_lines_exist(place):
    for line in re.findall(r"^    (rnnstates .*?) +# ", README, re.M):
        run(f"rnnstates {shlex.split(line)[1]} --help", place)


def test_every_make_target_that_is_named_exists():
    targets = re.findall(r"^make (\w+)", "\n".join(of_kind("sh")), re.M) + re.findall(r"`make (\w+)`", README)
    assert {"demo", "test", "bench"} <= set(targets)
    rules = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.M)
    assert set(targets) <= set(rules)


def test_the_demo_runs_twice(place):
    environment = {**os.environ, "PYTHON": sys.executable}
    for _ in range(2):
        done = subprocess.run(
            ["sh", "sample_data/demo.sh"], cwd=place, env=environment, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
        assert "cell: 400 x 64 x 24 float32" in done.stdout


def test_the_commands_that_go_on_do(place):
    np.save(place / "big.npy", np.ones((20, 5, 3), np.float32))
    np.save(place / "lengths.npy", np.arange(20) % 6)
    lines = [line for line in "\n".join(of_kind("sh")).splitlines() if line.startswith("rnnstates")]
    assert len(lines) == 2
    # Done before its time is over, so there is nothing to go on with.
    for line, code in zip(lines, (0, 73), strict=True):
        words = shlex.split(line, comments=True)[1:]
        done = subprocess.run([sys.executable, "-m", "rnnstates_cli.main", *words], cwd=place, capture_output=True)
        assert done.returncode == code, done.stderr


def test_the_exit_codes_are_those_that_are_told():
    told = re.findall(r"^\| (\d+) \|", (ROOT / "docs" / "reliability.md").read_text(), re.M)
    assert {int(code) for code in told} == {0, BUG, *EXIT_CODES.values()}


def test_every_file_that_readme_links_to_exists():
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", README)
    assert links
    for link in links:
        assert (ROOT / link).exists(), link
