"""Messages of the library in the words of each command."""

import click
import numpy as np
import pytest

import rnnstates
from rnnstates_cli.main import cli
from rnnstates_cli.wording import NAMES, as_options, spellings

from .running import rnnstates as run
from .running import text

EXTRACT = cli.commands["extract"]
CASES = {
    'layout="packed"': "--layout packed",
    "layout='packed'": "--layout packed",
    "forget_bias=1.5": "--forget-bias 1.5",
    "forget_bias=-1": "--forget-bias -1",
    "pass weights=.": "pass --weights.",
    "states=None, pool=None: nothing": "--states none, --pool none: nothing",
    'states=("hidden", "cell")': "--states hidden,cell",
    "restart=True": "--restart",
    "allow_nonfinite=True lets it pass": "--allow-nonfinite lets it pass",
    'dataset="x y"': "--inputs 'x y'",
    'layer="rnns.*"': "--layer 'rnns.*'",
    'layers="lstm"': "--layer lstm",
    "(max_runtime=NAME)": "(--max-runtime NAME)",
    'output="o.h5"': "OUTPUT o.h5",
    # Not of this command, or no parameter at all.
    "batch_size=0": "batch_size=0",
    "lengths=3.npy: absent": "lengths=3.npy: absent",
    "a/dtype=3: absent": "a/dtype=3: absent",
    "mydtype=3": "mydtype=3",
    "dtype == 3": "dtype == 3",
}


@pytest.mark.parametrize("message", CASES)
def test_a_parameter_becomes_an_option(message):
    assert as_options(message, EXTRACT) == CASES[message]


def test_what_the_user_typed_is_never_rewritten():
    typed = {"inputs": "dtype=1"}
    assert as_options("dtype=1: absent; pass dtype=.", EXTRACT, typed) == "dtype=1: absent; pass --dtype."


@pytest.mark.parametrize("name", sorted(cli.commands))
def test_each_translated_name_is_an_option_of_the_command(name):
    command = cli.commands[name]
    options = {option for parameter in command.params for option in parameter.opts if option.startswith("--")}
    for parameter, spelled in spellings(command).items():
        words = as_options(f"{parameter}=", command).split()
        assert words[0] in options or isinstance(spelled, click.Argument)


def test_the_names_that_differ_are_options_of_some_command():
    known = {parameter.name for command in cli.commands.values() for parameter in command.params}
    assert set(NAMES.values()) <= known


def test_an_error_speaks_python_in_python_and_options_in_the_command(tmp_path):
    np.save(tmp_path / "x.npy", np.ones((2, 3, 4)))
    with pytest.raises(rnnstates.OptionError, match=r"^states='hiden': unknown"):
        rnnstates.extract(np.ones((2, 3, 4)), "full", states="hiden")
    done = run("extract", "x.npy", "o.h5", "--lengths", "full", "--states", "hiden", cwd=tmp_path)
    assert text(done.stderr).startswith("rnnstates: --states hiden: unknown")


def test_a_note_speaks_options_in_the_command(tmp_path):
    np.save(tmp_path / "x.npy", np.ones((2, 3, 4)))
    done = run("extract", "x.npy", "o.h5", "--lengths", "full", cwd=tmp_path)
    assert "--weights" in text(done.stderr)
    assert "weights=" not in text(done.stderr)
