"""Turns the options of ``extract --model`` into arguments of ``rnnstates.collect``; refuses those that do not apply."""

import sys
from typing import Any

import click

__all__ = ["of_collect"]

# Options that the model determines, or Keras decides.
NOT_WITH_A_MODEL = (
    *("weights", "units", "seed", "forget_bias", "convention", "config", "activation", "recurrent_activation"),
    *("cell_clip", "projection_clip", "embedding", "initial_state", "save_weights", "threads", "memory", "engine"),
    *("precision", "keep_layers", "layer_average", "univariate"),
)
# Options that choose from the inputs.
OF_ARRAYS = ("rows", "steps", "carry")
# The defaults of those among them that have one.
DEFAULTS = {"engine": "auto", "precision": "float32", "univariate": False}


def of_collect(options: dict[str, Any]) -> dict[str, Any]:
    """Turn the options of the command into arguments of ``rnnstates.collect``.

    Raises
    ------
    click.UsageError
        An option cannot be combined with ``--model``, or INPUT is standard input.
    """
    for name in NOT_WITH_A_MODEL:
        value = options.get(name)
        if value is not None and value != DEFAULTS.get(name):
            shown = f"--{name.replace('_', '-')}" + ("" if value is True else f" {value}")
            raise click.UsageError(f"{shown}: cannot be combined with --model, which determines it.")
    for name in OF_ARRAYS:
        if options.get(name):
            raise click.UsageError(f"--{name}: cannot be combined with --model, which reads whole inputs as they are.")
    left_out = (*NOT_WITH_A_MODEL, *OF_ARRAYS, "layer")
    taken = {name: value for name, value in options.items() if name not in left_out}
    return {**taken, "layers": options["layer"]}


def refuse_pipe(source: Any) -> None:
    """Refuse standard input, which can be read only once: a model's inputs may be read twice."""
    if source is sys.stdin.buffer:
        raise click.UsageError("-: cannot be combined with --model; name a file.")
