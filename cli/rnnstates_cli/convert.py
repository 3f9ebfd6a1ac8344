"""``rnnstates convert``: weights of any format for Keras or PyTorch."""

from typing import Any

import click

from .options import GroupedCommand, convert_options
from .reporting import json_text, logged, note, say, worded

__all__ = ["convert"]


@click.command(
    cls=GroupedCommand,
    short_help="Write weights of any format for PyTorch or Keras.",
    examples=(
        "rnnstates convert model.keras model.safetensors",
        "rnnstates convert model.ckpt-1000 model.weights.h5 --layer rnn --forget-bias 1",
    ),
)
@click.argument("weights", metavar="WEIGHTS")
@click.argument("output", metavar="OUTPUT")
@convert_options
def convert(weights: str, output: str, *, to: str | None, as_json: bool, **options: Any) -> str:
    """Write the recurrent layers of WEIGHTS, and their embedding, to OUTPUT.

    OUTPUT is a new file: .safetensors in PyTorch's naming, or .weights.h5 in that of Keras. What it cannot express is
    refused. Values are copied bit for bit; a forget bias that the source adds at run time goes into the bias.
    """
    import rnnstates

    with logged():
        network = rnnstates.load_weights(weights, **options)
        rnnstates.save_weights(network, output, to=to)
    for assumed in network.notes:
        note(assumed)
    say(f"{output}: {network!r}")
    summary = {"output": output, "weights": dict(network.origin), "notes": list(network.notes)}
    return json_text(worded(summary)) if as_json else ""
