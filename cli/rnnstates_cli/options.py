"""Options shared by several commands; names and choices are those of the library."""

import click
from click.shell_completion import CompletionItem

from rnnstates import CHOICES

from .grouped import FILE, option

__all__ = [
    "CONFIG", "CONVENTION", "ENVIRONMENT", "JSON", "LAYER", "QUIET", "RARE", "RARE_WEIGHTS", "SEED", "WORDS",
    "units_by_layer",
]  # fmt: skip

# Prefix of the variables that set an option, followed by its name in capital letters.
ENVIRONMENT = "RNNSTATES_"
RARE = "Rarely needed"
# Weights files whose layers can be listed quickly; others may start a framework.
QUICKLY_READ = (".keras", ".h5", ".hdf5", ".safetensors", ".npz")

# The words that options accept, as a list to print.
WORDS = {parameter: ", ".join(words) for parameter, words in CHOICES.items()}


class _Layer(click.types.StringParamType):
    """A layer of the weights named on the command line; shells complete it if that is quick."""

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


def units_by_layer(ctx: click.Context, param: click.Parameter, given: tuple[str, ...]) -> str | dict[str, str] | None:  # noqa: ARG001
    """Read ``0:10`` for all layers, or ``layer1=0:10`` for each of some."""
    found: dict[str, str] = {}
    for text in given:
        layer, _, units = text.rpartition("=")
        if layer in found:
            raise click.BadParameter(f"{layer or 'every layer'} has {found[layer]} and {units}; expected one list.")
        found[layer] = units
    if "" in found and len(found) > 1:
        raise click.BadParameter(f"{found['']} is of every layer, others of one; expected LAYER=LIST for each.")
    return found.get("", found or None)


JSON = option(
    "--json", "as_json", is_flag=True, group="Run",
    help="Print one JSON object to standard output, also for an error.",
)  # fmt: skip

QUIET = option("-q", "--quiet", is_flag=True, group="Run", help="Print errors and warnings only.")

SEED = click.IntRange(0, 2**32 - 1)

LAYER = option(
    "--layer", metavar="NAME", group="Weights", type=_Layer(),
    help="The recurrent layer of a bigger model; those below it in its stack run too. 'rnns.*' runs rnns.0, rnns.1, … "
    "as one stack.",
)  # fmt: skip

CONVENTION = option(
    "--convention", metavar="NAME", group=RARE, type=click.STRING,
    help=f"What plain kernel, recurrent_kernel and bias in a weights file mean: {WORDS['convention']}.",
)  # fmt: skip

CONFIG = option(
    "--config", metavar="FILE", group=RARE, type=FILE,
    help="The model's configuration (model.to_json() of Keras), for a file that holds only weights.",
)  # fmt: skip

# How to read a weights file that does not say so itself.
RARE_WEIGHTS = (
    option("--forget-bias", type=float, metavar="F", group=RARE,
           help="Added to the forget gate at run time, instead of the format's own value; for random weights, their "
                "bias [default: 1]."),
    CONVENTION,
    CONFIG,
    option("--activation", metavar="NAME", group=RARE,
           help="Activation of candidate and cell, if the file does not state it (tanh, relu, …)."),
    option("--recurrent-activation", metavar="NAME", group=RARE,
           help="Activation of the gates, if the file does not state it (sigmoid, …)."),
    option("--cell-clip", type=float, metavar="F", group=RARE,
           help="Clip the cell state to this, if the file does not state it (TensorFlow 1)."),
    option("--projection-clip", type=float, metavar="F", group=RARE,
           help="Clip the projected hidden state to this, if the file does not state it."),
    option("--embedding", metavar="NAME|none", group=RARE,
           help="The array or module of the weights in which token ids are looked up, if several could be meant."),
)  # fmt: skip
