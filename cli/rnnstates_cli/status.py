"""``rnnstates status``: prints how far the run that makes an output is."""

from typing import Any

import click

from .grouped import GroupedCommand, argument
from .options import JSON
from .reporting import json_text, size

__all__ = ["status"]


@click.command(
    cls=GroupedCommand,
    short_help="Show how far the run that makes OUTPUT is, and who is at work.",
    examples=("rnnstates status out.h5",),
)
@argument("output", "OUTPUT", "The HDF5 file that the run makes.")
@JSON
def status(output: str, *, as_json: bool) -> str | list[str]:
    """Show whether OUTPUT is finished, and if not, how far it is, how fast, and who is at work.

    Only what is on disk counts: a run at work is up to half a minute ahead.
    """
    import rnnstates

    found = rnnstates.status(output)
    return json_text(found) if as_json else _lines(found)


def _lines(found: dict[str, Any]) -> list[str]:
    lines = [f"{found['output']}: {_state(found)}"]
    if "windows" in found:
        share = found["steps"] / found["steps_in_all"] if found["steps_in_all"] else 1.0
        lines.append(
            f"{found['windows']} of {found['windows_in_all']} windows, {found['steps']} of {found['steps_in_all']} "
            f"steps ({share:.0%}), {size(found['bytes'])} on disk"
        )
        if found["rate"]:
            left = (found["steps_in_all"] - found["steps"]) / found["rate"]
            lines.append(f"{found['rate']} steps per second, about {left:.0f} s left")
        if found["state"] == "stopped" and found["command"]:
            lines.append(f"to resume: {found['command']}")
    return lines


def _state(found: dict[str, Any]) -> str:
    if found["state"] == "running":
        return f"being made by {found['holder'] or 'another run'}"
    words = {"absent": "no such output, finished or not", "stopped": "not finished, nobody is at work"}
    return words.get(found["state"], "finished")
