"""Messages of the library in the words of the command: ``layout="packed"`` becomes ``--layout packed``.

The library names its parameters as Python does, because its readers may have no command line. A command carries most of
them as options; this is the one place that knows so, and errors, notes and warnings all pass through it.
"""

import ast
import re
import shlex
from typing import Any

import click

__all__ = ["NAMES", "as_options", "spellings"]

# Options that click hands over under another name than the parameter of the library, and arguments of the library that
# only ``--model`` knows.
NAMES = {"layers": "layer"}

# A parameter, "=", and a Python literal, if any; nothing else may touch them, so that paths are left alone.
_LITERAL = (
    r"""(?:"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|\([^()\n]*\)|\[[^\[\]\n]*\]"""
    r"|True|False|None|[A-Z][A-Z_|]*|[+-]?(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?|nan|inf))?"
)
_ENDS = r"(?=$|[\s,;:)]|[.?!](?:\s|$))"


def as_options(text: str, command: click.Command, given: dict[str, Any] | None = None) -> str:
    """Put a message of the library into the words of a command.

    Parameters
    ----------
    text : str
    command : click.Command
        Parameters that it does not carry stay as they are.
    given : dict or None
        What the user typed, by name; texts in it (a path such as ``dtype=1``) are never rewritten.

    Examples
    --------
    >>> command = click.Command("c", params=[click.Option(["--max-runtime"]), click.Option(["--force"], is_flag=True)])
    >>> as_options('max_runtime="1x": not a duration; pass max_runtime= or force=True.', command)
    '--max-runtime 1x: not a duration; pass --max-runtime or --force.'
    """
    known = spellings(command)
    if not known:
        return text
    typed = sorted({value for value in (given or {}).values() if isinstance(value, str) and "=" in value}, key=len)
    kept = "|".join(re.escape(value) for value in reversed(typed)) or r"(?!)"
    names = "|".join(map(re.escape, known))
    pattern = rf"(?P<kept>{kept})|(?<![^\s(])(?P<name>{names})=(?P<value>{_LITERAL}){_ENDS}"

    def spelled(found: re.Match[str]) -> str:
        return found[0] if found["name"] is None else _spell(known[found["name"]], found["value"])

    return re.sub(pattern, spelled, text)


def spellings(command: click.Command) -> dict[str, click.Parameter]:
    """Give what a command calls the parameters of the library: from each name to an option or argument of click."""
    known: dict[str, click.Parameter] = {str(parameter.name): parameter for parameter in command.params}
    return known | {name: known[same] for name, same in NAMES.items() if same in known and name not in known}


def _spell(parameter: click.Parameter, literal: str) -> str:
    if isinstance(parameter, click.Argument):
        name = parameter.metavar or str(parameter.name).upper()
        return f"{name} {_plain(literal)}".strip()
    name = max(parameter.opts, key=len)
    if getattr(parameter, "is_flag", False):
        return f"no {name}" if literal == "False" else name
    return f"{name} {_plain(literal)}".strip()


def _plain(literal: str) -> str:
    """Write a Python literal as a shell takes it."""
    try:
        value = ast.literal_eval(literal)
    except (ValueError, SyntaxError):
        # A placeholder, such as NAME.
        return literal
    if value is None or value == ():
        return "none"
    return shlex.quote(",".join(map(str, value)) if isinstance(value, tuple | list) else str(value))
