"""``rnnstates convert``: converts weights of any format for Keras or PyTorch."""

from typing import Any

import click

from rnnstates import CHOICES

from .grouped import GroupedCommand, argument, option, with_options
from .options import JSON, LAYER, QUIET, RARE, RARE_WEIGHTS
from .reporting import json_text, logged, note, say, worded

__all__ = ["convert"]

_OPTIONS = (
    LAYER,
    option("--to", type=click.Choice(CHOICES["to"]), group="Output",
           help="Framework whose names are used.  [default: by OUTPUT's ending]"),
    JSON,
    QUIET,
    *RARE_WEIGHTS,
    option("--initial-state", type=click.Choice(("zero",)), group=RARE,
           help="Omit the initial states that were trained with the weights."),
)  # fmt: skip


@click.command(
    cls=GroupedCommand,
    short_help="Convert weights of any format for PyTorch or Keras.",
    examples=(
        "rnnstates convert model.keras model.safetensors",
        "rnnstates convert model.ckpt-1000 model.weights.h5 --layer rnn --forget-bias 1",
    ),
)
@argument("weights", "WEIGHTS", "Weights of Keras, PyTorch, ONNX, TensorFlow, JAX, …")
@argument("output", "OUTPUT", "A new file: .safetensors with PyTorch's names, or .weights.h5 with those of Keras.")
@with_options(*_OPTIONS)
def convert(weights: str, output: str, *, to: str | None, as_json: bool, quiet: bool, **options: Any) -> str:
    """Write the recurrent layers of WEIGHTS, and their embedding, to OUTPUT.

    What OUTPUT cannot express is refused. Values are copied bit for bit; a forget bias that the source adds at run
    time is added to the bias.
    """
    import rnnstates

    with logged(quiet=quiet):
        network = rnnstates.load_weights(weights, **options)
        rnnstates.save_weights(network, output, to=to)
    if not quiet:
        for assumed in network.notes:
            note(assumed)
        say(f"{output}: {network!r}")
    summary = {"output": output, "weights": dict(network.origin), "notes": list(network.notes)}
    return json_text(worded(summary)) if as_json else ""
