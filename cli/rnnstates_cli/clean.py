"""``rnnstates clean``: take away what an unfinished run left."""

import json

import click

from .options import GroupedCommand, json_option

__all__ = ["clean"]


@click.command(
    cls=GroupedCommand,
    short_help="Throw away what an unfinished run of OUTPUT left.",
    examples=("rnnstates clean out.h5",),
)
@click.argument("output", metavar="OUTPUT")
@json_option
def clean(output: str, *, as_json: bool) -> str:
    """Remove what an unfinished run left beside OUTPUT: its partial states, its journal and its lock.

    OUTPUT itself is not touched, nor anything while a run is at work.
    """
    import rnnstates

    removed = rnnstates.clean(output)
    if as_json:
        return json.dumps({"removed": removed})
    return "\n".join(f"removed {name}" for name in removed) or f"{output}: nothing was left beside it"
