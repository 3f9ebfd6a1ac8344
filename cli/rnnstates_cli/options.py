"""The options of the commands, in groups; names and choices are the library's own.

==========  ==================================================================================================
group       options
==========  ==================================================================================================
Input       ``--inputs --axes --lengths --ids --padding --allow-nonfinite``
Model       ``--weights --model --layer --units --seed --forget-bias --convention --config --activation
            --recurrent-activation --cell-clip --projection-clip --embedding --initial-state
            --save-weights``
Output      ``--states --pool --layout --dtype --if-exists --force``
Run         ``--engine --precision --threads --memory --max-runtime --restart --verify --dry-run --progress --json
            --no-timestamps --sample --quick --full``
==========  ==================================================================================================
"""

from collections.abc import Callable
from typing import Any

import click

from rnnstates import (
    CONVENTIONS,
    DTYPES,
    ENGINES,
    IF_EXISTS,
    LAYOUTS,
    PADDINGS,
    POOLINGS,
    PRECISIONS,
    STATES,
    WRITERS,
)

from .wording import in_words_of

__all__ = [
    "GroupedCommand",
    "config_option",
    "convention_option",
    "convert_options",
    "extract_options",
    "json_option",
    "verify_options",
]


class GroupedOption(click.Option):
    """An option that knows the heading it stands under in ``--help``."""

    def __init__(self, *arguments: Any, group: str, **attributes: Any) -> None:
        super().__init__(*arguments, **attributes)
        self.group = group


class GroupedCommand(click.Command):
    """A command whose ``--help`` lists options under headings and ends with examples that can be pasted."""

    def __init__(self, *arguments: Any, examples: tuple[str, ...] = (), **attributes: Any) -> None:
        super().__init__(*arguments, **attributes)
        self.examples = examples

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; errors of the library come out in the words of the command."""
        import rnnstates

        try:
            return super().invoke(ctx)
        except rnnstates.RnnstatesError as reason:
            reason.args = (in_words_of(ctx, str(reason)),)
            raise

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write one definition list a group, in the order the groups appear."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                groups.setdefault(getattr(parameter, "group", "Other"), []).append(record)
        for heading, records in groups.items():
            with formatter.section(heading):
                formatter.write_dl(records, col_max=26)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the examples as they are, without wrapping."""
        if self.examples:
            with formatter.section("Examples"):
                for example in self.examples:
                    formatter.write(f"  {example}\n")


def _option(*names: str, group: str, **attributes: Any) -> Callable[[Any], Any]:
    return click.option(*names, cls=GroupedOption, group=group, **attributes)


def _list(words: Any) -> str:
    return ", ".join(words)


json_option = _option("--json", "as_json", is_flag=True, group="Run", help="Print one JSON object to standard output.")

convention_option = _option(
    "--convention",
    metavar="NAME",
    group="Model",
    help="What plain kernel, recurrent_kernel and bias in a weights file mean: " + _list(CONVENTIONS) + ".",
)

config_option = _option(
    "--config",
    metavar="FILE",
    group="Model",
    help="The model's configuration (model.to_json() of Keras) where --weights holds weights alone.",
)

# How a weights file is read.
_WEIGHTS = (
    _option("--layer", metavar="NAME", group="Model",
            help="Which recurrent layer of a bigger model; those below it in its stack run too. 'rnns.*' runs rnns.0, "
                 "rnns.1, … as one chain."),
    _option("--forget-bias", type=float, metavar="F", group="Model",
            help="Added to the forget gate at run time, in place of the format's own; of random weights, their bias "
                 "[default: 1]."),
    convention_option,
    config_option,
    _option("--activation", metavar="NAME", group="Model",
            help="Of candidate and cell, where the file does not say it (tanh, relu, …)."),
    _option("--recurrent-activation", metavar="NAME", group="Model", help="Of the gates, likewise (sigmoid, …)."),
    _option("--cell-clip", type=float, metavar="F", group="Model",
            help="Hold the cell state within this, where the file does not say it (TensorFlow 1)."),
    _option("--projection-clip", type=float, metavar="F", group="Model",
            help="Hold the projected hidden state within this, likewise."),
    _option("--embedding", metavar="NAME|none", group="Model",
            help="The array or module of the weights that token ids are looked up in; else the one that can be meant."),
)  # fmt: skip

_CONVERT = (
    _option("--to", type=click.Choice(tuple(WRITERS)), group="Output",
            help="Whose naming; else what OUTPUT's ending says."),
    *_WEIGHTS,
    _option("--initial-state", type=click.Choice(("zero",)), group="Model",
            help="Leave out the states to start from that were trained with the weights."),
    json_option,
)  # fmt: skip

_EXTRACT = (
    _option("--inputs", "dataset", metavar="NAME", group="Input",
            help="Dataset of an HDF5 INPUT; else 'inputs', or the only one that fits."),
    _option("--axes", metavar="ORDER", group="Input",
            help="How the axes of INPUT are stored: TNI for time first, ITN as MATLAB and R write, …; TN of token ids "
                 "[default: NTI, NT]."),
    _option("--lengths", metavar="NAME|FILE|full", group="Input",
            help="Valid steps of each sequence: a dataset of INPUT (else 'lengths'), a .npy or text file, or 'full': "
                 "every step counts."),
    _option("--ids", metavar="NAME|FILE", group="Input",
            help="Names of the sequences, copied to OUTPUT; else the dataset 'ids' if there."),
    _option("--padding", type=click.Choice(PADDINGS), default="post", show_default=True, group="Input",
            help="Where the padding stands: behind the valid steps or before."),
    _option("--allow-nonfinite", is_flag=True, group="Input", help="Let NaN and infinity in valid steps pass."),
    _option("--weights", metavar="FILE", group="Model",
            help="Trained weights of Keras, PyTorch, ONNX, TensorFlow, JAX, …; else random ones."),
    _option("--model", metavar="FILE", group="Model",
            help="A whole Keras model (.keras) to run instead. Keras' own loader reads it, in its safe mode; models "
                 "with code or classes of their own are refused."),
    _option("--units", type=click.IntRange(min=1), metavar="N", group="Model",
            help="Of random weights.  [default: 64]"),
    _option("--seed", type=click.IntRange(0, 2**32 - 1), metavar="N", group="Model",
            help="Of random weights.  [default: 0]"),
    *_WEIGHTS,
    _option("--initial-state", metavar="FILE|zero", group="Model",
            help="States to start from, by name in a .npz or HDF5 file; an output made with --pool final is continued. "
                 " [default: those trained with the weights, else zero]"),
    _option("--save-weights", metavar="FILE", group="Model",
            help="Keep the weights that were used, as Keras .weights.h5."),
    _option("--states", default="hidden,cell", show_default=True, metavar="NAMES", group="Output",
            help=f"States of every step: {_list(STATES)}, or none ('state' is [cell, hidden])."),
    _option("--pool", default="mean,last", show_default=True, metavar="NAMES", group="Output",
            help=f"One vector per sequence: {_list(POOLINGS)}, or none."),
    _option("--layout", type=click.Choice(LAYOUTS), default="padded", show_default=True, group="Output",
            help="[N, T, H] with zeros, or [sum of lengths, H] with offsets."),
    _option("--dtype", type=click.Choice(DTYPES), group="Output", help="Of stored states.  [default: the precision]"),
    _option("--if-exists", type=click.Choice(IF_EXISTS), group="Output",
            help="Where OUTPUT exists: fail, replace it, or skip: do nothing where the same job made it, and refuse "
                 "anything else.  [default: fail]"),
    _option("--force", is_flag=True, group="Output", help="The short form of --if-exists replace."),
    _option("--engine", type=click.Choice(("auto", *ENGINES)), default="auto", show_default=True, group="Run",
            help="What computes; auto spares small jobs the start of TensorFlow."),
    _option("--precision", type=click.Choice(PRECISIONS), default="float32", show_default=True, group="Run",
            help="What is computed in."),
    _option("--threads", type=click.IntRange(min=1), metavar="N", group="Run",
            help="Tiles computed at once.  [default: one a core]"),
    _option("--memory", metavar="SIZE", group="Run", help="Most memory for inputs and states, such as 512M."),
    _option("--max-runtime", metavar="DURATION", group="Run",
            help="Stop after 45m, 1h30m, 23:30:00, …; what is finished is kept, exit code 75."),
    _option("--restart", is_flag=True, group="Run",
            help="Throw away what an unfinished run of OUTPUT left. By default the same command resumes it."),
    _option("--verify", is_flag=True, group="Run",
            help="Hold what an unfinished run left against its checksums first."),
    _option("--dry-run", is_flag=True, group="Run", help="Say what would be done and written, and do nothing."),
    _option("--progress", type=click.Choice(("auto", "plain", "none")), default="auto", show_default=True, group="Run",
            help="A bar on a terminal, else a line every 30 s; or always lines; or nothing."),
    json_option,
    _option("--no-timestamps", is_flag=True, group="Run",
            help="Record no time, so that OUTPUT is the same file again, made with the same kind of kernel."),
)  # fmt: skip

_VERIFY = (
    _option("--inputs", metavar="FILE", group="Input",
            help="What OUTPUT was made from, where it no longer lies as OUTPUT says."),
    _option("--weights", metavar="FILE", group="Model", help="Likewise, the weights."),
    _option("--initial-state", metavar="FILE", group="Model", help="Likewise, the states it started from."),
    *_WEIGHTS,
    _option("--sample", type=click.IntRange(min=0), default=16, show_default=True, metavar="N", group="Run",
            help="Sequences to recompute, the longest and the shortest among them; 0 for none."),
    _option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, metavar="N", group="Run",
            help="Which the others are."),
    _option("--full/--quick", default=True, show_default=True, group="Run",
            help="Look at every byte and value, or at what is there, its lengths and the sample only."),
    json_option,
)  # fmt: skip


def convert_options(command: Any) -> Any:
    """Give a command every option of ``convert``."""
    for option in reversed(_CONVERT):
        command = option(command)
    return command


def extract_options(command: Any) -> Any:
    """Give a command every option of ``extract``, in the order of the table above."""
    for option in reversed(_EXTRACT):
        command = option(command)
    return command


def verify_options(command: Any) -> Any:
    """Give a command every option of ``verify``."""
    for option in reversed(_VERIFY):
        command = option(command)
    return command
