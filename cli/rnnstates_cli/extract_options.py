"""The options of ``extract``, in the order of its ``--help``: those that most runs need come first.

==============  ==================================================================================================
group           options
==============  ==================================================================================================
Input           ``--lengths --inputs --ids --padding --rows --steps --carry``
Weights         ``--weights --layer --initial-state --units --seed --model``
Output          ``--states --pool --keep-layers --keep-units --every --last-steps --layer-average --layout
                --precision --dtype --compression --if-exists --force``
Run             ``--engine --threads --memory --max-runtime --dry-run --progress --json --quiet --verbose``
Rarely needed   ``--axes --univariate --allow-nonfinite --forget-bias --convention --config --activation
                --recurrent-activation --cell-clip --projection-clip --embedding --save-weights --restart --verify
                --no-timestamps``
==============  ==================================================================================================

Options of Run with a value may be set in the environment, as ``RNNSTATES_THREADS`` etc.: none of them changes more than
the last bits of the results.
"""

from collections.abc import Callable
from typing import Any

import click

from rnnstates import CHOICES

from .grouped import FILE, Names, option, with_options
from .options import ENVIRONMENT, JSON, LAYER, QUIET, RARE, RARE_WEIGHTS, SEED, WORDS, units_by_layer

__all__ = ["extract_options"]


def _run(name: str, **attributes: Any) -> Callable[[Any], Any]:
    """Make an option that the environment can set, too."""
    variable = ENVIRONMENT + name.lstrip("-").replace("-", "_").upper()
    return option(name, group="Run", envvar=variable, **attributes)


_INPUT = (
    option("--lengths", metavar="NAME|FILE|WORD", group="Input", type=FILE,
           help="Valid steps of each sequence, or a mask: a dataset of INPUT, a .npy or text file. Or full: every step "
                "is valid; trailing:0, leading:nan, …: all but the padding of this value; model: what the Keras model "
                "does not mask.  [default: the dataset 'lengths']"),
    option("--inputs", "dataset", metavar="NAME", group="Input",
           help="Dataset of an HDF5, .npz or Zarr INPUT.  [default: 'inputs', or the only one that fits]"),
    option("--ids", metavar="NAME|FILE", group="Input", type=FILE,
           help="Names of the sequences, copied to OUTPUT.  [default: the dataset 'ids', if there is one]"),
    option("--padding", type=click.Choice(CHOICES["padding"]), default="post", show_default=True, group="Input",
           help="Whether the padding comes after the valid steps or before them."),
)  # fmt: skip

_CHOSEN = (
    option("--rows", metavar="FIRST:LAST|NAME|FILE", group="Input", type=FILE,
           help="Which sequences to read, in which order: 1000:2000, or row numbers or ids in a dataset of INPUT or a "
                ".npy or text file.  [default: all]"),
    option("--steps", metavar="FIRST:LAST", group="Input",
           help="Which steps of each sequence to read.  [default: all]"),
    option("--carry", metavar="NAMES", group="Input",
           help="Datasets of INPUT to copy to OUTPUT, with an entry for each sequence or step: labels, tokens, text."),
)  # fmt: skip

_WEIGHTS = (
    option("--weights", metavar="FILE", group="Weights", type=FILE,
           help="Trained weights of Keras, PyTorch, ONNX, TensorFlow, JAX, …  [default: random weights]"),
    LAYER,
    option("--initial-state", metavar="FILE|zero", group="Weights", type=FILE,
           help="Initial states, by name in a .npz or HDF5 file; an output made with --pool final is continued.  "
                "[default: those trained with the weights, else zero]"),
    option("--units", type=click.IntRange(min=1), metavar="N", group="Weights",
           help="Units of random weights.  [default: 64]"),
    option("--seed", type=SEED, metavar="N", group="Weights", help="Seed of random weights.  [default: 0]"),
    option("--model", metavar="FILE", group="Weights", type=FILE,
           help="A whole Keras model (.keras) to run instead, read by Keras in its safe mode; a model with custom code "
                "or classes is refused."),
)  # fmt: skip

_OUTPUT = (
    option("--states", default="hidden,cell", show_default=True, metavar="NAMES", group="Output",
           type=Names(CHOICES["states"]),
           help=f"States of every step: {WORDS['states']} ([cell, hidden]), or none."),
    option("--pool", default="mean,last", show_default=True, metavar="NAMES", group="Output",
           type=Names(CHOICES["pool"]),
           help=f"One vector per sequence: {WORDS['pool']}, or none; hidden:mean is of one state only."),
    option("--keep-layers", metavar="top|NAMES", group="Output",
           help="Layers to store, such as layer1 or layer0/backward; all are computed.  [default: all]"),
    option("--keep-units", metavar="[LAYER=]LIST", group="Output", multiple=True, callback=units_by_layer,
           help="Units to store, such as 0:10,17, of each layer; layer1=0:10 of one, and once for each of several.  "
                "[default: all]"),
    option("--every", type=click.IntRange(min=1), metavar="N", group="Output",
           help="Store the states of steps 0, N, 2N, … of each sequence; vectors still count every step."),
    option("--last-steps", type=click.IntRange(min=1), metavar="N", group="Output",
           help="Store the states of the last N steps of each sequence."),
    option("--layer-average", metavar="all|NAMES", group="Output",
           help="Store the mean of several layers as well, as the group 'average'."),
    option("--layout", type=click.Choice(CHOICES["layout"]), default="padded", show_default=True, group="Output",
           help="[N, T, H] with zeros, or [sum of lengths, H] with offsets."),
    option("--precision", type=click.Choice(CHOICES["precision"]), default="float32", show_default=True,
           group="Output", help="Precision of the computation."),
    option("--dtype", type=click.Choice(CHOICES["dtype"]), group="Output",
           help="Type of the stored states.  [default: the precision]"),
    option("--compression", type=click.Choice(CHOICES["compression"]), default="none", show_default=True,
           group="Output", help="How the finished states are compressed; all but gzip need hdf5plugin to be read."),
    option("--if-exists", type=click.Choice(CHOICES["if_exists"]), group="Output",
           help="If OUTPUT exists: fail, replace it, or skip the job if the same job made it and refuse any other.  "
                "[default: fail]"),
    option("--force", is_flag=True, group="Output", help="Short for --if-exists replace."),
)  # fmt: skip

_RUN = (
    _run("--engine", type=click.Choice(CHOICES["engine"]), default="auto", show_default=True,
         help="What computes the states; auto chooses the fastest for the job."),
    _run("--threads", type=click.IntRange(min=1), metavar="N", show_default="one per core",
         help="Tiles computed in parallel."),
    _run("--memory", metavar="SIZE", help="Most memory for inputs and states, such as 512M."),
    _run("--max-runtime", metavar="DURATION",
         help="Stop after 45m, 1h30m, 23:30:00, … with exit code 75; finished work is kept, and the same command "
              "resumes."),
    _run("--progress", type=click.Choice(("auto", "plain", "none")), default="auto", show_default=True,
         help="auto: a bar on a terminal, else a line every 30 s; plain: always lines; none: nothing."),
    option("--dry-run", is_flag=True, group="Run", help="Say what would be computed and written, but do nothing."),
    JSON,
    QUIET,
    option("-v", "--verbose", is_flag=True, group="Run", help="Print the plan, and how long each part takes."),
)  # fmt: skip

_RARE = (
    option("--axes", metavar="ORDER", group=RARE,
           help="Order in which the axes of INPUT are stored: TNI for time first, ITN as written by MATLAB and R, …; "
                "TN for token ids, TI for one sequence.  [default: NTI; of two axes, what fits weights and lengths]"),
    option("--univariate", is_flag=True, group=RARE,
           help="INPUT is [N, T], one feature per step; needed for integers, which may be token ids."),
    option("--allow-nonfinite", is_flag=True, group=RARE, help="Accept NaN and infinity in valid steps."),
    *RARE_WEIGHTS,
    option("--save-weights", metavar="FILE", group=RARE, type=FILE,
           help="Save the weights that were used, as Keras .weights.h5."),
    option("--restart", is_flag=True, group=RARE,
           help="Discard what an unfinished run of OUTPUT left; by default the same command resumes it."),
    option("--verify", is_flag=True, group=RARE,
           help="Compare what an unfinished run left with its checksums before resuming."),
    # Refused with the way that works, instead of as unknown.
    option("--append", is_flag=True, hidden=True, group=RARE),
    option("--no-timestamps", is_flag=True, group=RARE,
           help="Record no time, so that the same job on the same kind of processor makes an identical file."),
)  # fmt: skip

extract_options = with_options(*_INPUT, *_CHOSEN, *_WEIGHTS, *_OUTPUT, *_RUN, *_RARE)
