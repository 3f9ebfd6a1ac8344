"""The options of ``extract --model``: those that mean something where a whole Keras model is run."""

import sys
from typing import Any

import click

__all__ = ["of_collect"]

# What a model says itself, or Keras decides.
NOT_WITH_A_MODEL = (
    *("weights", "units", "seed", "forget_bias", "convention", "config", "activation", "recurrent_activation"),
    *("cell_clip", "projection_clip", "embedding", "initial_state", "save_weights", "threads", "memory", "engine"),
    "precision",
)
# Those of them that have a value where nothing is said.
DEFAULTS = {"engine": "auto", "precision": "float32"}


def of_collect(options: dict[str, Any]) -> dict[str, Any]:
    """Turn the options of the command into arguments of ``rnnstates.collect``.

    Raises
    ------
    click.UsageError
        One of them does not go with ``--model``, or INPUT is standard input.
    """
    for name in NOT_WITH_A_MODEL:
        value = options.get(name)
        if value is not None and value != DEFAULTS.get(name):
            raise click.UsageError(
                f"--{name.replace('_', '-')} {value}: does not go with --model, which says it itself."
            )
    taken = {name: value for name, value in options.items() if name not in (*NOT_WITH_A_MODEL, "layer")}
    return {**taken, "layers": options["layer"]}


def refuse_pipe(source: Any) -> None:
    """Refuse standard input, which is read once: a model's inputs may be read twice."""
    if source is sys.stdin.buffer:
        raise click.UsageError("-: does not go with --model; name a file.")
