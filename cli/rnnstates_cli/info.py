"""``rnnstates info``: what a file holds."""

import json
from typing import Any

import click

from .options import GroupedCommand, json_option

__all__ = ["info"]


@click.command(
    cls=GroupedCommand,
    short_help="Say what an input, weights or states file holds.",
    examples=("rnnstates info out.h5", "rnnstates info model.keras --json"),
)
@click.argument("file", metavar="FILE")
@json_option
def info(file: str, *, as_json: bool) -> str:
    """Say what FILE holds: sequences to read, weights, or the states that extract wrote."""
    import rnnstates

    described = rnnstates.describe(file)
    return json.dumps(described, default=str) if as_json else "\n".join(lines(described))


def lines(described: Any, indent: int = 0) -> list[str]:
    """Lay out nested JSON for reading: ``key: value``, deeper levels indented.

    Examples
    --------
    >>> lines({"kind": "states", "datasets": [{"name": "hidden", "shape": [2, 10, 64]}]})
    ['kind: states', 'datasets:', '  - name: hidden', '    shape: 2 x 10 x 64']
    """
    space = " " * indent
    written: list[str] = []
    for key, value in described.items():
        if isinstance(value, dict) and value:
            written += [f"{space}{key}:", *lines(value, indent + 2)]
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            written.append(f"{space}{key}:")
            for element in value:
                first, *rest = lines(element, indent + 4)
                written += [f"{space}  - {first.strip()}", *rest]
        else:
            written.append(f"{space}{key}: {_plain(key, value)}")
    return written


def _plain(key: str, value: Any) -> str:
    if isinstance(value, list):
        return (" x " if key == "shape" else ", ").join(str(element) for element in value) or "none"
    return (
        {None: "none", True: "yes", False: "no"}.get(value, str(value)) if value in (None, True, False) else str(value)
    )
