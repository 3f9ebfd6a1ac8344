"""Every command and snippet of README.md and of docs/ runs and prints what the page says, read from the top."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from contextlib import nullcontext

import click
import numpy as np
import pytest

import rnnstates
from rnnstates import errors
from rnnstates.network.cells import CELLS
from rnnstates_cli.main import BUG, cli

from . import graphs
from .house import floors, house
from .pages import PAGES, ROOT, blocks, commands, normal, run, run_shell, run_snippet

# Not run: pictures, and what tests/clients/test_snippets.py runs.
LEFT_OUT = {"text", "r", "octave"}
# Options of pytest and of the modules of tests/ that pages name.
OPTIONS_OF_OTHERS = {"--fault-table", "--runs"}

RUNNABLE = {
    page: [block for block in blocks(page) if block.language not in LEFT_OUT and not block.language.startswith("{")]
    for page in PAGES
}
WITH_BLOCKS = [page for page, found in RUNNABLE.items() if found and page != "docs/examples.md"]


def without_comments(text):
    return [line for line in text.splitlines() if line and not line.startswith("#")]


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A checkout as far as pages use it, and the big input of a job."""
    shutil.copytree(ROOT / "sample_data", tmp_path / "sample_data")
    np.save(tmp_path / "big.npy", np.ones((20, 5, 3), np.float32))
    np.save(tmp_path / "lengths.npy", np.arange(20) % 6)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("page", WITH_BLOCKS)
def test_a_page_is_right(page, place):
    with graphs.as_they_are() if "keras" in PAGES[page] else nullcontext():
        check_page(page, place)


def check_page(page, place):
    names = {}
    for block in RUNNABLE[page]:
        if block.language == "python":
            run_snippet(block.text, names, page)
        elif block.language == "console":
            for command, printed in commands(block.text):
                assert normal(run(command, place)) == normal(printed), command
        elif block.printed is not None:
            assert normal(run_shell(block.text, place)) == normal(block.printed)
        else:
            for line in without_comments(block.text):
                check_line(line, place)


def check_line(line, place):
    """Check a shell command whose output is not shown."""
    program, *words = shlex.split(line, comments=True)
    if program == "eval":
        run(words[0].removeprefix("$(").removesuffix(")"), place)
    elif program == "rnnstates":
        run(line.partition(" | ")[0], place)
    elif program == "make":
        assert set(words) <= targets()
    else:
        assert [program, *words[:3]] == ["python3", "-m", "pip", "install"]
        extras = re.findall(r"\[([\w,]+)\]", words[-1])
        known = re.findall(r"^(\w+) = \[", (ROOT / "pyproject.toml").read_text(), re.M)
        assert set(",".join(extras).split(",")) - {""} <= set(known)


def targets():
    return set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.M))


def test_there_is_no_other_kind_of_block():
    assert len(WITH_BLOCKS) >= 11
    assert {block.language for found in RUNNABLE.values() for block in found} <= {"python", "console", "sh"}


def test_a_wrong_line_would_be_seen(place):
    assert normal(run("rnnstates info sample_data/parens.h5", place)) != normal("file: sample_data/parens.h5\n")
    with pytest.raises(AssertionError):
        run_snippet(">>> 1 + 1\n3\n", {}, "a page")
    with pytest.raises(AssertionError):
        run_shell("rnnstates info nothing.h5", place)


def test_every_option_that_is_named_exists():
    context = click.Context(cli)
    options = [option for name in cli.list_commands(context) for option in cli.get_command(context, name).params]
    options += cli.get_params(context)
    known = {name for option in options for name in (*option.opts, *option.secondary_opts)}
    for page, text in PAGES.items():
        # What other programs are given stands in blocks.
        named = re.findall(r"(?<![\w-])--[a-z][a-z-]+", re.sub(r"^```sh.*?^```$", "", text, flags=re.S | re.M))
        assert set(named) <= known | OPTIONS_OF_OTHERS, page


def test_every_make_target_that_is_named_exists():
    named = {target for text in PAGES.values() for target in re.findall(r"`make ([\w-]+)`", text)}
    assert {"demo", "test", "bench", "docs"} <= named
    assert named <= targets()


@pytest.mark.parametrize("page", PAGES)
def test_every_link_to_a_file_leads_there(page):
    for link in re.findall(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)", PAGES[page]):
        assert ((ROOT / page).parent / link).exists(), link


def test_readme_is_short():
    assert len(PAGES["README.md"].splitlines()) <= 150


def test_the_demo_runs_twice(place):
    environment = {**os.environ, "PYTHON": sys.executable}
    for _ in range(2):
        done = subprocess.run(
            ["sh", "sample_data/demo.sh"], cwd=place, env=environment, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
        assert "cell: 400 x 64 x 24 float32" in done.stdout


def test_the_format_names_all_that_a_file_may_hold():
    page = PAGES["docs/reference/format.md"]
    assert [name for name in (*rnnstates.STATES, *rnnstates.POOLINGS, *CELLS) if f"`{name}`" not in page] == []


def test_the_citation_is_of_this_version():
    assert f"\nversion: {rnnstates.__version__}\n" in (ROOT / "CITATION.cff").read_text()


def test_the_picture_of_the_house_is_right():
    drawn = re.findall(r"^ +(\d) +(.+)$", PAGES["docs/internals.md"], re.M)
    levels = floors(house())
    assert {(room, int(level)) for level, rooms in drawn for room in rooms.split(", ")} == set(levels.items())
    for room in levels:
        assert f"| `{room}` |" in PAGES["docs/internals.md"] or room == "version"


def test_the_exit_codes_are_those_in_the_table():
    table = re.findall(r"^\| (\d+) \|", PAGES["docs/reliability.md"], re.M)
    codes = {getattr(getattr(errors, name), "exit_code", 0) for name in errors.__all__}
    assert {int(code) for code in table} == {0, BUG, *codes}
