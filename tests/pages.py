"""README.md and the pages of docs/: their fenced blocks, and how each is run."""

import doctest
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from .cli.running import rnnstates

ROOT = Path(__file__).resolve().parent.parent
PAGES = {
    str(path.relative_to(ROOT)): path.read_text()
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    if "_build" not in path.parts
}

# What differs from machine to machine and day to day.
VARYING = [
    (r"\d+\.\d\d s\)", "… s)"),
    (r"free there: \d+(\.\d+)? [kMGT]B", "free there: …"),
    # Without a C compiler the sample is computed by NumPy.
    (r"\((compiled|numpy), ", "(…, "),
    (r"engine (compiled|numpy), ", "engine …, "),
    (r"\d\.\de-\d\d", "…"),
    # A digit more or less in text, or the version of a package.
    (r"datasets? \(\d+\.\d [kM]B\)", "datasets (…)"),
    (r"\d+(\.\d+)? [kM]B on disk, was \d+(\.\d+)? [kM]B", "… on disk"),
    (r"\d+ threads?, about \d+(\.\d+)? [kMGT]B", "… threads"),
]


class Block(NamedTuple):
    """A fenced block: its language, its text, and the ``text`` block that follows it, which says what it prints."""

    language: str
    text: str
    printed: str | None


def blocks(page):
    """List the blocks of a page in order; a ``text`` block belongs to the one before it."""
    found = re.findall(r"^```(\S+)\n(.*?)^```$(?:\n+^```text\n(.*?)^```$)?", PAGES[page], re.S | re.M)
    return [Block(language, text, printed or None) for language, text, printed in found]


def sessions(page):
    """Yield (command, what it prints) from every console block of a page."""
    for block in blocks(page):
        if block.language == "console":
            yield from commands(block.text)


def commands(console):
    """Yield (command, what it prints) from a console block."""
    for part in re.split(r"^\$ ", console, flags=re.M)[1:]:
        command, _, printed = part.partition("\n")
        yield command, printed


def normal(text):
    """Leave out what varies."""
    for pattern, word in VARYING:
        text = re.sub(pattern, word, text)
    return text


def run(command, folder):
    """Run a command of ours as a shell would, both streams in one."""
    program, *arguments = shlex.split(command, comments=True)
    assert program == "rnnstates"
    done = rnnstates(*arguments, cwd=folder, together=True)
    printed = done.stdout.decode()
    assert not done.returncode, printed
    return printed


def run_shell(text, folder):
    """Run a block of shell commands, in which ``rnnstates`` and ``python`` are those of the tests."""
    program = shlex.quote(sys.executable)
    ours = f'rnnstates() {{ {program} -m rnnstates_cli.main "$@"; }}; python() {{ {program} "$@"; }}; set -e\n'
    done = subprocess.run(
        ["sh", "-c", ours + text], cwd=folder, env=os.environ | {"PYTHONUTF8": "1"},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    return done.stdout


def run_snippet(text, names, where):
    """Run a Python session; ``names`` are those of the sessions before it, and get its own."""
    example = doctest.DocTestParser().get_doctest(text, names, where, where, 0)
    assert example.examples
    wrong = []
    doctest.DocTestRunner().run(example, out=wrong.append, clear_globs=False)
    names.update(example.globs)
    assert not wrong, "".join(wrong)
