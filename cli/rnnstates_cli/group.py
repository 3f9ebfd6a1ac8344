"""The command group ``rnnstates`` and its own options; imports each command only when it is used."""

from collections.abc import Iterator, MutableMapping
from importlib import import_module

import click

import rnnstates

__all__ = ["cli"]

# In the order of use; a command is the function of that name in the module of that name.
NAMES = ("extract", "info", "convert", "verify", "export", "repack", "status", "clean", "completion")


class _Commands(MutableMapping[str, click.Command]):
    """Commands that are imported when they are looked up, so that none waits for the others."""

    def __init__(self) -> None:
        self._found: dict[str, click.Command | None] = dict.fromkeys(NAMES)

    def __getitem__(self, name: str) -> click.Command:
        command = self._found[name]
        if command is None:
            command = getattr(import_module(f".{name}", __package__), name)
            self._found[name] = command
        assert isinstance(command, click.Command)
        return command

    def __setitem__(self, name: str, command: click.Command) -> None:
        self._found[name] = command

    def __delitem__(self, name: str) -> None:
        del self._found[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)

    def __contains__(self, name: object) -> bool:
        return name in self._found


class _Group(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the commands in the order of use."""
        return list(self.commands)


@click.group(
    cls=_Group,
    commands=_Commands(),
    invoke_without_command=True,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(rnnstates.__version__, prog_name="rnnstates")
@click.option(
    "--show-versions", is_flag=True, help="Show the versions of everything that matters for a bug report, then exit."
)
@click.option("--json", "as_json", is_flag=True, help="Show them as one JSON object.")
@click.pass_context
def cli(ctx: click.Context, *, show_versions: bool, as_json: bool) -> str | list[str]:
    """Every hidden and cell state of a recurrent network, at every step of padded sequences."""
    if ctx.invoked_subcommand is None and show_versions:
        from .reporting import json_text
        from .versions import lines_of

        found = rnnstates.versions()
        return json_text(found) if as_json else lines_of(found)
    if ctx.invoked_subcommand is None:
        raise click.UsageError("Missing command.", ctx)
    if show_versions or as_json:
        name = "--show-versions" if show_versions else "--json"
        raise click.UsageError(f"{name}: comes before a command; put it after, or use 'rnnstates --show-versions'.")
    return []
