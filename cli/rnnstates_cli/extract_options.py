"""The options of ``extract``, in the order of its ``--help``: what most runs need comes first.

==============  ==================================================================================================
group           options
==============  ==================================================================================================
Input           ``--lengths --inputs --ids --padding``
Weights         ``--weights --layer --initial-state --units --seed --model``
Output          ``--states --pool --layout --precision --dtype --if-exists --force``
Run             ``--engine --threads --memory --max-runtime --dry-run --progress --json --quiet --verbose``
Rarely needed   ``--axes --allow-nonfinite --forget-bias --convention --config --activation
                --recurrent-activation --cell-clip --projection-clip --embedding --save-weights --restart --verify
                --no-timestamps``
==============  ==================================================================================================

Those of Run that take a value may stand in the environment, as ``RNNSTATES_THREADS`` and so on: none of them changes
what is computed beyond the last bits.
"""

from collections.abc import Callable
from typing import Any

import click

from rnnstates import CHOICES

from .grouped import FILE, Names, option, with_options
from .options import ENVIRONMENT, JSON, LAYER, QUIET, RARE, RARE_WEIGHTS, SEED, WORDS

__all__ = ["extract_options"]


def _run(name: str, **attributes: Any) -> Callable[[Any], Any]:
    """Make an option that the environment may set, too."""
    variable = ENVIRONMENT + name.lstrip("-").replace("-", "_").upper()
    return option(name, group="Run", envvar=variable, **attributes)


_INPUT = (
    option("--lengths", metavar="NAME|FILE|full", group="Input", type=FILE,
           help="Valid steps of each sequence: a dataset of INPUT, a .npy or text file, or 'full' where every step "
                "counts.  [default: the dataset 'lengths']"),
    option("--inputs", "dataset", metavar="NAME", group="Input",
           help="Dataset of an HDF5 INPUT.  [default: 'inputs', or the only one that fits]"),
    option("--ids", metavar="NAME|FILE", group="Input", type=FILE,
           help="Names of the sequences, copied to OUTPUT.  [default: the dataset 'ids', if there is one]"),
    option("--padding", type=click.Choice(CHOICES["padding"]), default="post", show_default=True, group="Input",
           help="Whether the padding stands behind the valid steps or before them."),
)  # fmt: skip

_WEIGHTS = (
    option("--weights", metavar="FILE", group="Weights", type=FILE,
           help="Trained weights of Keras, PyTorch, ONNX, TensorFlow, JAX, …  [default: random ones]"),
    LAYER,
    option("--initial-state", metavar="FILE|zero", group="Weights", type=FILE,
           help="States to start from, by name in a .npz or HDF5 file; an output made with --pool final is continued.  "
                "[default: those trained with the weights, else zero]"),
    option("--units", type=click.IntRange(min=1), metavar="N", group="Weights",
           help="Of random weights.  [default: 64]"),
    option("--seed", type=SEED, metavar="N", group="Weights", help="Of random weights.  [default: 0]"),
    option("--model", metavar="FILE", group="Weights", type=FILE,
           help="A whole Keras model (.keras) to run instead, read by Keras in its safe mode; one with code or classes "
                "of its own is refused."),
)  # fmt: skip

_OUTPUT = (
    option("--states", default="hidden,cell", show_default=True, metavar="NAMES", group="Output",
           type=Names(CHOICES["states"]),
           help=f"States of every step: {WORDS['states']} ([cell, hidden]), or none."),
    option("--pool", default="mean,last", show_default=True, metavar="NAMES", group="Output",
           type=Names(CHOICES["pool"]),
           help=f"One vector per sequence: {WORDS['pool']}, or none."),
    option("--layout", type=click.Choice(CHOICES["layout"]), default="padded", show_default=True, group="Output",
           help="[N, T, H] with zeros, or [sum of lengths, H] with offsets."),
    option("--precision", type=click.Choice(CHOICES["precision"]), default="float32", show_default=True,
           group="Output", help="What is computed in."),
    option("--dtype", type=click.Choice(CHOICES["dtype"]), group="Output",
           help="What states are stored in.  [default: the precision]"),
    option("--if-exists", type=click.Choice(CHOICES["if_exists"]), group="Output",
           help="Where OUTPUT exists: fail, replace it, or skip the job if it made this OUTPUT, and refuse any other.  "
                "[default: fail]"),
    option("--force", is_flag=True, group="Output", help="Short for --if-exists replace."),
)  # fmt: skip

_RUN = (
    _run("--engine", type=click.Choice(CHOICES["engine"]), default="auto", show_default=True,
         help="What computes; auto spares small jobs the start of TensorFlow."),
    _run("--threads", type=click.IntRange(min=1), metavar="N", show_default="one per core",
         help="Tiles computed at once."),
    _run("--memory", metavar="SIZE", help="Most memory for inputs and states, such as 512M."),
    _run("--max-runtime", metavar="DURATION",
         help="Stop after 45m, 1h30m, 23:30:00, …; what is finished is kept, and the same command resumes. Exit code "
              "75."),
    _run("--progress", type=click.Choice(("auto", "plain", "none")), default="auto", show_default=True,
         help="A bar on a terminal, else a line every 30 s; or always lines; or nothing."),
    option("--dry-run", is_flag=True, group="Run", help="Say what would be done and written, and do nothing."),
    JSON,
    QUIET,
    option("-v", "--verbose", is_flag=True, group="Run", help="Say what is planned, and how long each part takes."),
)  # fmt: skip

_RARE = (
    option("--axes", metavar="ORDER", group=RARE,
           help="Order in which the axes of INPUT are stored: TNI for time first, ITN as MATLAB and R write, …; TN of "
                "token ids.  [default: NTI, NT]"),
    option("--allow-nonfinite", is_flag=True, group=RARE, help="Let NaN and infinity in valid steps pass."),
    *RARE_WEIGHTS,
    option("--save-weights", metavar="FILE", group=RARE, type=FILE,
           help="Keep the weights that were used, as Keras .weights.h5."),
    option("--restart", is_flag=True, group=RARE,
           help="Throw away what an unfinished run of OUTPUT left; by default the same command resumes it."),
    option("--verify", is_flag=True, group=RARE,
           help="Check what an unfinished run left against its checksums first."),
    option("--no-timestamps", is_flag=True, group=RARE,
           help="Record no time, so that the same job on the same kind of processor makes the same file."),
)  # fmt: skip

extract_options = with_options(*_INPUT, *_WEIGHTS, *_OUTPUT, *_RUN, *_RARE)
