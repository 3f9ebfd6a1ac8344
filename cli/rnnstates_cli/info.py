"""``rnnstates info``: prints what a file holds."""

from typing import Any

import click

from rnnstates import printable

from .grouped import GroupedCommand, argument
from .options import CONFIG, CONVENTION, JSON
from .reporting import json_text, worded

__all__ = ["info"]

# Elements shown of a list; JSON has all of them.
MOST_SHOWN = 20
# Characters per line.
LONGEST_SHOWN = 2000
# Spaces of indentation.
DEEPEST_SHOWN = 40


@click.command(
    cls=GroupedCommand,
    short_help="Show what an input, weights or states file holds.",
    examples=("rnnstates info out.h5", "rnnstates info model.keras --json"),
)
@argument("file", "FILE", "Any file that rnnstates reads or writes.")
@JSON
@CONVENTION
@CONFIG
def info(file: str, *, convention: str | None, config: str | None, as_json: bool) -> str | list[str]:
    """Show what FILE holds: sequences to read, weights, or the states that extract wrote."""
    import rnnstates

    described = worded(rnnstates.describe(file, convention=convention, config=config))
    return json_text(described) if as_json else [printable(line, most=LONGEST_SHOWN) for line in lines(described)]


def lines(described: Any, indent: int = 0) -> list[str]:
    """Lay out nested JSON for reading: ``key: value``, deeper levels indented, one line per dataset.

    Examples
    --------
    >>> lines({"kind": "states", "datasets": [{"name": "hidden", "shape": [2, 10, 64], "dtype": "float32"}]})
    ['kind: states', 'datasets:', '  hidden: 2 x 10 x 64 float32']
    """
    space = " " * indent
    written: list[str] = []
    for key, value in described.items():
        if indent > DEEPEST_SHOWN:
            written.append(f"{space}{key}: {value!s:.{LONGEST_SHOWN}}")
        elif isinstance(value, dict) and value:
            written += [f"{space}{key}:", *lines(value, indent + 2)]
        elif isinstance(value, list) and value and all(isinstance(element, dict) and element for element in value):
            shown = (line for element in value[:MOST_SHOWN] for line in _element(element, indent + 2))
            written += [f"{space}{key}:", *shown, *_rest(value, indent + 2)]
        elif isinstance(value, list) and value and " " in str(value[0]):
            # Sentences, or names followed by something in parentheses.
            written += [f"{space}{key}:", *(f"{space}  - {element}" for element in value[:MOST_SHOWN])]
            written += _rest(value, indent + 2)
        else:
            written.append(f"{space}{key}: {_plain(key, value)}")
    return written


def _element(element: dict[str, Any], indent: int) -> list[str]:
    """Lay out one element of a list; a dataset takes one line."""
    space = " " * indent
    if {"name", "shape", "dtype"} <= element.keys():
        extras = [f"{key} {_plain('shape', element[key])}" for key in ("chunks", "compression") if key in element]
        if attributes := element.get("attributes"):
            extras.append("attributes " + ", ".join(f"{name} = {value}" for name, value in attributes.items()))
        details = [f"{_plain('shape', element['shape'])} {element['dtype']}", *extras]
        return [f"{space}{element['name']}: {', '.join(details)}"]
    first, *rest = lines(element, indent + 2)
    return [f"{space}- {first.strip()}", *rest]


def _rest(value: list[Any], indent: int) -> list[str]:
    """Count the elements of a list that are not shown."""
    return [f"{' ' * indent}… and {len(value) - MOST_SHOWN:,} more"] if len(value) > MOST_SHOWN else []


def _plain(key: str, value: Any) -> str:
    if isinstance(value, list):
        shown = (" x " if key == "shape" else ", ").join(str(element) for element in value[:MOST_SHOWN]) or "none"
        return " ".join((shown, *_rest(value, 0)))
    if value is None or isinstance(value, bool):
        return {None: "none", True: "yes", False: "no"}[value]
    return str(value)
