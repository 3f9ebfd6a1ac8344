"""``rnnstates clean``: removes what an unfinished run left."""

import click

from .grouped import GroupedCommand, argument
from .options import JSON
from .reporting import json_text

__all__ = ["clean"]


@click.command(
    cls=GroupedCommand,
    short_help="Remove what an unfinished run of OUTPUT left.",
    examples=("rnnstates clean out.h5",),
)
@argument("output", "OUTPUT", "The HDF5 file that the run would have made.")
@JSON
def clean(output: str, *, as_json: bool) -> str | list[str]:
    """Remove what an unfinished run left next to OUTPUT: its partial states, its journal and its lock.

    OUTPUT itself is never touched, and nothing is removed while a run is at work.
    """
    import rnnstates

    removed = rnnstates.clean(output)
    if as_json:
        return json_text({"removed": removed})
    return [f"removed {name}" for name in removed] or [f"{output}: nothing to remove next to it"]
