"""Each default of an option is stated once, in ``Options``."""

import dataclasses
import inspect

import pytest

import rnnstates
from rnnstates.extraction.request import Options

DEFAULTS = {field.name: field.default for field in dataclasses.fields(Options)}


@pytest.mark.parametrize("name", ["extract", "preview", "collect"])
def test_a_function_has_the_defaults_of_the_options(name):
    parameters = inspect.signature(getattr(rnnstates, name)).parameters
    shared = parameters.keys() & DEFAULTS.keys()
    assert len(shared) >= 17
    assert {name: parameters[name].default for name in shared} == {name: DEFAULTS[name] for name in shared}
    assert {parameters[name].kind for name in shared} == {inspect.Parameter.KEYWORD_ONLY}


@pytest.mark.parametrize("name", ["extract", "preview"])
def test_a_run_takes_every_option(name):
    assert inspect.signature(getattr(rnnstates, name)).parameters.keys() == {"inputs", "lengths", *DEFAULTS}


def test_the_command_has_the_defaults_of_the_library():
    from rnnstates_cli.main import cli

    command = cli.get_command(None, "extract")
    defaults = {option.name: option.default for option in command.params if isinstance(option.default, str)}
    # Lists are written with commas there, and --progress says how it is shown.
    compared = (defaults.keys() & DEFAULTS.keys()) - {"states", "pool", "progress"}
    assert {"layout", "padding", "engine", "precision"} <= compared
    assert {name: defaults[name] for name in compared} == {name: DEFAULTS[name] for name in compared}
    assert [tuple(defaults[name].split(",")) for name in ("states", "pool")] == [DEFAULTS["states"], DEFAULTS["pool"]]
