"""``rnnstates clean``: take away what an unfinished run left."""

import click

from .grouped import GroupedCommand, argument
from .options import JSON
from .reporting import json_text

__all__ = ["clean"]


@click.command(
    cls=GroupedCommand,
    short_help="Throw away what an unfinished run of OUTPUT left.",
    examples=("rnnstates clean out.h5",),
)
@argument("output", "OUTPUT", "The HDF5 file that the run was to make.")
@JSON
def clean(output: str, *, as_json: bool) -> str | list[str]:
    """Remove what an unfinished run left beside OUTPUT: its partial states, its journal and its lock.

    OUTPUT itself is not touched, nor anything while a run is at work.
    """
    import rnnstates

    removed = rnnstates.clean(output)
    if as_json:
        return json_text({"removed": removed})
    return [f"removed {name}" for name in removed] or [f"{output}: nothing was left beside it"]
