"""Options that several commands have; names and choices are the library's own."""

import click
from click.shell_completion import CompletionItem

from rnnstates import CHOICES

from .grouped import FILE, option

__all__ = [
    "CONFIG", "CONVENTION", "ENVIRONMENT", "JSON", "LAYER", "QUIET", "RARE", "RARE_WEIGHTS", "SEED", "WORDS",
]  # fmt: skip

# Before the name of an option in capital letters, for those of them that the environment may set.
ENVIRONMENT = "RNNSTATES_"
RARE = "Rarely needed"
# Weights files of which a list of layers is read at once; others may start a framework.
QUICKLY_READ = (".keras", ".h5", ".hdf5", ".safetensors", ".npz")

# The words that options take, as a list to print.
WORDS = {parameter: ", ".join(words) for parameter, words in CHOICES.items()}


class _Layer(click.types.StringParamType):
    """A layer of the weights that the command line names; shells complete it where that is quick."""

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG002
        weights = ctx.params.get("weights")
        if not isinstance(weights, str) or not weights.endswith(QUICKLY_READ):
            return []
        import rnnstates

        try:
            stacks = rnnstates.describe(weights).get("stacks", [])
        except rnnstates.RnnstatesError:
            return []
        return [CompletionItem(stack["layer"]) for stack in stacks if stack["layer"].startswith(incomplete)]


JSON = option(
    "--json", "as_json", is_flag=True, group="Run",
    help="Print one JSON object to standard output, of an error as well.",
)  # fmt: skip

QUIET = option("-q", "--quiet", is_flag=True, group="Run", help="Print errors and warnings only.")

SEED = click.IntRange(0, 2**32 - 1)

LAYER = option(
    "--layer", metavar="NAME", group="Weights", type=_Layer(),
    help="Which recurrent layer of a bigger model; those below it in its stack run too. 'rnns.*' runs rnns.0, rnns.1, "
    "… as one chain.",
)  # fmt: skip

CONVENTION = option(
    "--convention", metavar="NAME", group=RARE, type=click.STRING,
    help=f"What plain kernel, recurrent_kernel and bias in a weights file mean: {WORDS['convention']}.",
)  # fmt: skip

CONFIG = option(
    "--config", metavar="FILE", group=RARE, type=FILE,
    help="The model's configuration (model.to_json() of Keras), for a file that holds weights alone.",
)  # fmt: skip

# How a weights file is read, where it does not say so itself.
RARE_WEIGHTS = (
    option("--forget-bias", type=float, metavar="F", group=RARE,
           help="Added to the forget gate at run time, in place of the format's own; of random weights, their bias "
                "[default: 1]."),
    CONVENTION,
    CONFIG,
    option("--activation", metavar="NAME", group=RARE,
           help="Of candidate and cell, where the file does not say it (tanh, relu, …)."),
    option("--recurrent-activation", metavar="NAME", group=RARE, help="Of the gates, likewise (sigmoid, …)."),
    option("--cell-clip", type=float, metavar="F", group=RARE,
           help="Hold the cell state within this, where the file does not say it (TensorFlow 1)."),
    option("--projection-clip", type=float, metavar="F", group=RARE,
           help="Hold the projected hidden state within this, likewise."),
    option("--embedding", metavar="NAME|none", group=RARE,
           help="The array or module of the weights that token ids are looked up in, where several could be meant."),
)  # fmt: skip
