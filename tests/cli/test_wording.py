"""Messages of the library in the words of each command."""

import json

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
    'rnnstates.collect(FILE, inputs) runs it; rnnstates.collect("m.keras", inputs)': (
        "extract --model FILE runs it; extract --model m.keras"
    ),
    "call rnnstates.collect on it": "call rnnstates.collect on it",
    r"layer='a\x1b[2Jb'": r"--layer 'a\x1b[2Jb'",
    'pad_sequences(np.split(x, n), padding="post", dtype=x.dtype)': (
        'pad_sequences(np.split(x, n), padding="post", dtype=x.dtype)'
    ),
    'np.load(FILE) (or padding="pre")': "np.load(FILE) (or --padding pre)",
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


@pytest.mark.parametrize("name", ["info", "convert", "status", "clean"])
def test_a_parameter_that_a_command_lacks_is_spelled_as_extract_does(name):
    siblings = tuple(cli.commands.values())
    message = 'states="cell", engine=NAME, force=True'
    assert as_options(message, cli.commands[name], {}, siblings) == "--states cell, --engine NAME, --force"


def test_a_command_goes_before_its_siblings():
    siblings = tuple(cli.commands.values())
    assert as_options("inputs=FILE", cli.commands["verify"], {}, siblings) == "--inputs FILE"
    assert as_options("weights=FILE", cli.commands["convert"], {}, siblings) == "WEIGHTS FILE"


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


def plain(path):
    """Write weights that say neither whose order of gates they have nor, with one, which of two layers is meant."""
    arrays = {"kernel": np.ones((3, 20)), "recurrent_kernel": np.ones((5, 20)), "bias": np.ones(20)}
    np.savez(path, **{f"{layer}/{name}": array for layer in ("low", "high") for name, array in arrays.items()})


COMMANDS = {
    "info": ("info", "w.npz"),
    "convert": ("convert", "w.npz", "o.safetensors"),
    "extract": ("extract", "x.npy", "o.h5", "--lengths", "full", "--weights", "w.npz"),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_weights_are_refused_in_options_by_every_command_that_reads_them(tmp_path, name):
    plain(tmp_path / "w.npz")
    np.save(tmp_path / "x.npy", np.ones((2, 4, 3)))
    done = run(*COMMANDS[name], cwd=tmp_path)
    assert done.returncode == 65
    assert "pass --convention NAME, one of keras" in text(done.stderr)
    assert "convention=" not in text(done.stderr)
    done = run(*COMMANDS[name], "--convention", "keras", cwd=tmp_path)
    if name == "info":
        assert "selected: none of 2 without --layer\n" in text(done.stdout)
    else:
        assert "choose one: --layer low (lstm), --layer high (lstm)." in text(done.stderr)


def test_notes_and_reasons_are_in_options_in_json_too(tmp_path):
    np.save(tmp_path / "x.npy", np.ones((2, 3, 4)))
    made = run("extract", "x.npy", "o.h5", "--lengths", "full", "--json", cwd=tmp_path)
    assert any("--weights FILE" in note for note in json.loads(made.stdout)["notes"])
    assert "- no weights given: a random LSTM of 64 units, seed 0; --weights FILE" in text(
        run("info", "o.h5", cwd=tmp_path).stdout
    )
    with rnnstates.open(tmp_path / "o.h5") as states:
        assert any("weights=FILE" in note for note in states.provenance["notes"])
    (tmp_path / "x.npy").unlink()
    done = run("verify", "o.h5", "--json", cwd=tmp_path)
    assert json.loads(done.stdout)["reason"] == "the input x.npy is not there; give it with --inputs FILE"
    assert "give it with --inputs FILE." in text(done.stderr)
