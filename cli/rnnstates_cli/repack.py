"""``rnnstates repack``: writes a finished output again, in another layout, type or storage."""

from typing import Any

import click

from rnnstates import CHOICES

from .grouped import GroupedCommand, argument, option, with_options
from .options import JSON, QUIET
from .reporting import json_text, logged, say, size, worded

__all__ = ["repack"]

_OPTIONS = (
    option("--layout", type=click.Choice(CHOICES["layout"]), group="Output",
           help="[N, T, H] with zeros, or [sum of lengths, H] with offsets.  [default: that of OUTPUT]"),
    option("--dtype", type=click.Choice(CHOICES["dtype"]), group="Output",
           help="Type of the stored states.  [default: that of OUTPUT]"),
    option("--compression", type=click.Choice(CHOICES["compression"]), group="Output",
           help="How states are compressed; all but gzip need hdf5plugin to be read.  [default: that of OUTPUT]"),
    option("--force", is_flag=True, group="Output", help="Replace NEW if it exists."),
    JSON,
    QUIET,
)  # fmt: skip


@click.command(
    cls=GroupedCommand,
    short_help="Write OUTPUT again: other layout, type or compression.",
    examples=(
        "rnnstates repack out.h5 small.h5 --compression gzip",
        "rnnstates repack out.h5 half.h5 --layout packed --dtype float16",
    ),
)
@argument("output", "OUTPUT", "A states file that extract or repack wrote.")
@argument("destination", "NEW", "The HDF5 file to make.")
@with_options(*_OPTIONS)
def repack(output: str, destination: str, *, as_json: bool, quiet: bool, **options: Any) -> str | list[str]:
    """Write the states of OUTPUT to NEW in another layout, type or storage, without computing them again.

    Every value is compared with the checksums of OUTPUT on the way; ids, attributes and provenance are kept.
    """
    import rnnstates

    with logged(quiet=quiet):
        made = rnnstates.repack(output, destination, **options)
    if not quiet:
        storage = "not compressed" if made["compression"] == "none" else made["compression"]
        sizes = f"{size(made['bytes'])} on disk, was {size(made['bytes_before'])}"
        say(f"{destination}: {made['layout']}, {made['dtype']}, {storage}; {sizes}")
    return json_text(worded(made)) if as_json else []
