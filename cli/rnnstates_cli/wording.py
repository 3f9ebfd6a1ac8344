"""Messages of the library in the words of the command: ``layout="packed"`` becomes ``--layout packed``.

The library names its parameters as Python does, because its readers may have no command line. A command carries most of
them as options; this is the one place that knows so, and errors, notes and warnings all pass through it.
"""

import ast
import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

import click
from click.core import ParameterSource

from rnnstates import printable

__all__ = ["NAMES", "as_options", "in_words_of", "spellings"]

# Parameters of the library that click hands over under another name.
NAMES = {"layers": "layer"}

# A parameter, "=", and a Python literal, if any; nothing else may touch them, so that paths are left alone.
_LITERAL = (
    r"""(?:"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|\([^()\n]*\)|\[[^\[\]\n]*\]"""
    r"|True|False|None|[A-Z][A-Z_|]*|[+-]?(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?|nan|inf))?"
)
_ENDS = r"(?=$|[\s,;:)]|[.?!](?:\s|$))"
_PARAMETER = re.compile(r"(?<![^\s(])([a-z_]+)=")
# A function of the library that is an option of ``extract``.
_COLLECT = r"""rnnstates\.collect\((?P<model>"[^"\\\n]*"|[A-Z]+), inputs\)"""


def in_words_of(ctx: click.Context, text: str) -> str:
    """Put a message of the library into the words of the command that a context belongs to.

    What that command does not carry is spelled as the first of its siblings that does: ``info`` describes weights for
    which ``extract`` has ``--layer``. What the environment set is spelled as its variable.
    """
    variables = {
        str(parameter.name): str(parameter.envvar)
        for parameter in ctx.command.params
        if ctx.get_parameter_source(str(parameter.name)) is ParameterSource.ENVIRONMENT
    }
    return as_options(text, ctx.command, ctx.params, _siblings(ctx, text), variables)


def _siblings(ctx: click.Context, text: str) -> list[click.Command]:
    """Take as many of the other commands, in their order, as it takes to spell every parameter in a text."""
    group = ctx.parent.command if ctx.parent else None
    wanted = set(_PARAMETER.findall(text))
    taken: list[click.Command] = []
    commands = group.commands if isinstance(group, click.Group) else {}
    for name in commands:
        if wanted <= spellings(ctx.command, *taken).keys():
            break
        taken.append(commands[name])
    return taken


def as_options(
    text: str,
    command: click.Command,
    given: Mapping[str, Any] | None = None,
    siblings: Sequence[click.Command] = (),
    variables: Mapping[str, str] | None = None,
) -> str:
    """Put a message of the library into the words of a command.

    Parameters
    ----------
    text : str
    command : click.Command
    given : mapping or None
        What the user typed, by name; texts in it (a path such as ``dtype=1``) are never rewritten.
    siblings : sequence of click.Command
        Whose spelling is taken for a parameter that ``command`` does not carry, that of the first one. What none of
        them carries stays as it is.
    variables : mapping or None
        Variables of the environment that set an option, by its name.

    Examples
    --------
    >>> command = click.Command("c", params=[click.Option(["--max-runtime"]), click.Option(["--force"], is_flag=True)])
    >>> as_options('max_runtime="1x": not a duration; pass max_runtime= or force=True.', command)
    '--max-runtime 1x: not a duration; pass --max-runtime or --force.'
    """
    known = spellings(command, *siblings)
    if not known:
        return text
    typed = sorted({value for value in (given or {}).values() if isinstance(value, str) and "=" in value}, key=len)
    kept = "|".join(re.escape(value) for value in reversed(typed)) or r"(?!)"
    names = "|".join(map(re.escape, known))
    pattern = rf"(?P<kept>{kept})|{_COLLECT}|(?<![^\s(])(?P<name>{names})=(?P<value>{_LITERAL}){_ENDS}"

    def spelled(found: re.Match[str]) -> str:
        if found["model"]:
            return f"extract --model {_plain(found['model'])}"
        if found["name"] is None:
            return found[0]
        parameter = known[found["name"]]
        return _spell(parameter, found["value"], (variables or {}).get(str(parameter.name)))

    return re.sub(pattern, spelled, text)


def spellings(*commands: click.Command) -> dict[str, click.Parameter]:
    """Give what commands call the parameters of the library, the first that has it: an option or argument of click."""
    known: dict[str, click.Parameter] = {}
    for command in reversed(commands):
        known |= {str(parameter.name): parameter for parameter in command.params}
    return known | {name: known[same] for name, same in NAMES.items() if same in known and name not in known}


def _spell(parameter: click.Parameter, literal: str, variable: str | None) -> str:
    if variable is not None:
        return f"{variable}={_plain(literal)}" if literal else variable
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
    # A name from a file, whose escapes are gone now.
    return printable(shlex.quote(",".join(map(str, value)) if isinstance(value, tuple | list) else str(value)))
