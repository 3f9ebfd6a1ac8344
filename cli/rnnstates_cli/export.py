"""``rnnstates export``: writes states for other programs."""

from typing import Any

import click
from click.shell_completion import CompletionItem

from rnnstates import CHOICES, EXPORTERS

from .grouped import GroupedCommand, Names, argument, option, with_options
from .options import JSON, QUIET
from .reporting import Reporter, json_text, logged, say, size

__all__ = ["export"]

FORMATS = ", ".join(EXPORTERS)
APART = tuple(suffix.strip(".") for suffix, form in EXPORTERS.items() if not form.is_folder)


class _Datasets(click.types.StringParamType):
    """Names of datasets of the file on the command line; shells complete the last."""

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        import rnnstates

        # Click leaves arguments aside when an option still lacks its value.
        output = ctx.params.get("output") or next(iter(ctx.args), "")
        try:
            with rnnstates.open(output) as states:
                known = list(states.datasets)
        except rnnstates.RnnstatesError:
            return []
        return [item for item in Names(known).shell_complete(ctx, param, incomplete) if item.value != "none"]


_OPTIONS = (
    option("--datasets", metavar="NAMES", group="What", type=_Datasets(),
           help="Datasets of OUTPUT, with commas between.  [default: all states and pooled vectors; in a table the "
                "pooled vectors]"),
    option("--rows", metavar="ROWS|FILE", group="What",
           help="Sequences: FIRST:LAST (without LAST, from 0), numbers, several with commas between, or a text file "
                "with one id per line."),
    option("--units", metavar="UNITS", group="What", help="Units of every dataset, e.g. 0:10,17."),
    option("--layout", type=click.Choice(CHOICES["layout"]), group="What",
           help="For arrays of states: padded to [N, T, units], or packed to [sum of lengths, units].  [default: as "
                "stored]"),
    option("--per-sequence", type=click.Choice(APART), group="What",
           help="Make DEST a folder with one such file per sequence, and a list of them."),
    option("--force", is_flag=True, group="Run", help="Replace DEST."),
    option("--progress", type=click.Choice(("auto", "plain", "none")), default="auto", show_default=True, group="Run",
           help="A bar on a terminal and lines elsewhere; lines; or nothing."),
    JSON,
    QUIET,
)  # fmt: skip


@click.command(
    cls=GroupedCommand,
    short_help="Write states as tables and arrays for other programs.",
    examples=(
        "rnnstates export out.h5 means.csv --datasets hidden_mean",
        "rnnstates export out.h5 steps.parquet --datasets hidden --units 0:10,17",
        "rnnstates export out.h5 out.npz --layout packed --rows 0:1000",
        "rnnstates export out.h5 folder --per-sequence npy --datasets hidden",
    ),
)
@argument("output", "OUTPUT", "A states file that extract wrote.")
@argument("destination", "DEST", f"A new file: {FORMATS} (a folder is made for .zarr).")
@with_options(*_OPTIONS)
def export(
    output: str, destination: str, *, progress: str, as_json: bool, quiet: bool, **options: Any
) -> str | list[str]:
    """Write what OUTPUT holds for other programs, in the format that DEST's ending names.

    Tables have one row per sequence (pooled vectors) or one per valid step (states). Values are copied bit for bit, and
    DEST appears when it is complete. Memory does not grow with OUTPUT.
    """
    import rnnstates

    with logged(quiet=quiet), Reporter("none" if quiet else progress, unit="byte") as reporter:
        made = rnnstates.export(output, destination, progress=reporter.update, **options)
    if not quiet:
        count = len(made["datasets"])
        say(
            f"{destination}: {made['sequences']} sequences, {made['steps']} steps, {count} "
            f"{'dataset' if count == 1 else 'datasets'} ({size(made['bytes'])})"
        )
    return json_text(made) if as_json else ""
