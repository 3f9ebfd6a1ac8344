"""Every program in examples/ runs from any folder, is silent on stderr, and prints what docs/examples.md shows."""

import re
import runpy

import pytest

from rnnstates.runtime.tensorflow_start import CHATTER

from . import graphs
from .pages import ROOT, sessions

EXAMPLES = sorted(path.name for path in (ROOT / "examples").glob("*.py"))
COMMAND = "python examples/"
PAGE = "docs/examples.md"

# What training and regression round differently elsewhere; all other numbers are counts and shapes.
DECIMAL = re.compile(r"-?\d+\.\d+")
TOLERANCE = 0.03


def shown():
    """What the page shows, by the program's name."""
    return {command.removeprefix(COMMAND): text for command, text in sessions(PAGE)}


def alike(printed, expected):
    """Whether two texts are the same but for decimals that are close."""
    ours, theirs = ([float(number) for number in DECIMAL.findall(text)] for text in (printed, expected))
    return DECIMAL.sub("…", printed) == DECIMAL.sub("…", expected) and ours == pytest.approx(theirs, abs=TOLERANCE)


@pytest.mark.framework
@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_prints_what_the_page_shows_and_nothing_on_stderr_and_leaves_no_file(
    name, tmp_path, monkeypatch, capfd
):
    assert name in shown(), f"{PAGE} has no console block that starts with '$ {COMMAND}{name}'"
    monkeypatch.chdir(tmp_path)
    with graphs.as_they_are():
        runpy.run_path(str(ROOT / "examples" / name), run_name="__main__")
    printed = capfd.readouterr()
    assert alike(printed.out, shown()[name]), printed.out
    assert [line for line in printed.err.splitlines() if not re.match(CHATTER, line.encode())] == []
    assert not list(tmp_path.iterdir())


def test_the_page_shows_no_other_program():
    assert len(EXAMPLES) == 3
    assert set(shown()) <= set(EXAMPLES)


def test_the_readme_beside_them_names_them_all():
    text = (ROOT / "examples" / "README.md").read_text()
    assert sorted(re.findall(r"^    python examples/(\w+\.py) ", text, re.M)) == EXAMPLES


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_short(name):
    assert len((ROOT / "examples" / name).read_text().splitlines()) <= 60


@pytest.mark.parametrize("other", ["R² 0.94\n(2, 10)\n", "R² 0.98\n(2, 11)\n", "R² 0.98\n(2,10)\n", "R² 0.98\n"])
def test_a_difference_would_be_seen(other):
    assert alike("R² 0.96\n(2, 10)\n", "R² 0.98\n(2, 10)\n")
    assert not alike(other, "R² 0.98\n(2, 10)\n")
