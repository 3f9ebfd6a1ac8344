"""Rewords the library's messages for the command line: ``layout="packed"`` becomes ``--layout packed``.

The library names its parameters as in Python, because its users may not use the command. Most of them are options of a
command; this is the only place that knows which, and all errors, notes and warnings pass through it.
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

# Parameters of the library that have a different name in click.
NAMES = {"layers": "layer"}

# A parameter, "=", and a Python literal, if any; nothing may adjoin them, so that paths are left alone.
_LITERAL = (
    r"""(?:"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|\([^()\n]*\)|\[[^\[\]\n]*\]"""
    r"|True|False|None|[A-Z][A-Z_|]*|[+-]?(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?|nan|inf))?"
)
_ENDS = r"(?=$|[\s,;:)]|[.?!](?:\s|$))"
_PARAMETER = re.compile(r"(?<![^\s(])([a-z_]+)=")
# A library function that corresponds to an option of ``extract``.
_COLLECT = r"""rnnstates\.collect\((?P<model>"[^"\\\n]*"|[A-Z]+), inputs\)"""


def in_words_of(ctx: click.Context, text: str) -> str:
    """Reword a message of the library for the command of a context.

    A parameter that the command lacks is spelled as in the first sibling that has it: ``info`` describes weights for
    which ``extract`` has ``--layer``. An option set by the environment is spelled as its variable.
    """
    variables = {
        str(parameter.name): str(parameter.envvar)
        for parameter in ctx.command.params
        if ctx.get_parameter_source(str(parameter.name)) is ParameterSource.ENVIRONMENT
    }
    return as_options(text, ctx.command, ctx.params, _siblings(ctx, text), variables)


def _siblings(ctx: click.Context, text: str) -> list[click.Command]:
    """Return as many other commands, in order, as are needed to spell every parameter in a text."""
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
    """Reword a message of the library for a command.

    Parameters
    ----------
    text : str
    command : click.Command
    given : mapping or None
        The user's input, by name; texts in it (e.g. a path ``dtype=1``) are never rewritten.
    siblings : sequence of click.Command
        Commands that spell a parameter that ``command`` lacks; the first that has it counts. A parameter that none of
        them has is unchanged.
    variables : mapping or None
        Environment variables that set an option, by the option's name.

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
        if found["name"] is None or _is_in_call(text[: found.start()]):
            return found[0]
        parameter = known[found["name"]]
        return _spell(parameter, found["value"], (variables or {}).get(str(parameter.name)))

    return re.sub(pattern, spelled, text)


def _is_in_call(before: str) -> bool:
    """Return whether a text ends inside the parentheses of a call, which is Python code and stays as it is."""
    calls: list[bool] = []
    for found in re.finditer(r"(\w?)\(|\)", before):
        if found[0] != ")":
            calls.append(bool(found[1]))
        elif calls:
            calls.pop()
    return any(calls)


def spellings(*commands: click.Command) -> dict[str, click.Parameter]:
    """Map the library's parameters to the click option or argument of the first command that has them."""
    known: dict[str, click.Parameter] = {}
    for command in reversed(commands):
        known |= {str(parameter.name): parameter for parameter in command.params}
    return known | {name: known[same] for name, same in NAMES.items() if same in known and name not in known}


def _spell(parameter: click.Parameter, literal: str, variable: str | None) -> str:
    if variable is not None:
        return f"{variable}={_plain(literal)}" if literal else variable
    if isinstance(parameter, click.Argument):
        name = (parameter.metavar or str(parameter.name).upper()).removesuffix("...")
        return f"{name} {_plain(literal)}".strip()
    name = max(parameter.opts, key=len)
    if getattr(parameter, "is_flag", False):
        return f"no {name}" if literal == "False" else name
    return f"{name} {_plain(literal)}".strip()


def _plain(literal: str) -> str:
    """Write a Python literal as a word for a shell."""
    try:
        value = ast.literal_eval(literal)
    except (ValueError, SyntaxError):
        # A placeholder such as NAME.
        return literal
    if value is None or value == ():
        return "none"
    # It may be a name from a file, and is not escaped any more.
    return printable(shlex.quote(",".join(map(str, value)) if isinstance(value, tuple | list) else str(value)))
