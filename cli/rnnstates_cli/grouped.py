"""Click commands whose ``--help`` shows arguments first, then options under headings, then examples."""

from collections.abc import Callable, Sequence
from typing import Any

import click
from click.core import ParameterSource
from click.shell_completion import CompletionItem

__all__ = ["FILE", "GroupedCommand", "Names", "argument", "option", "with_options"]

# The heading of options without one: --help itself.
LAST = "Run"


class _File(click.types.StringParamType):
    """A file name, not checked here; shells complete it."""

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG002
        return [CompletionItem(incomplete, type="file")]


FILE = _File()


class Names(click.types.StringParamType):
    """Names separated by commas; the library checks them, shells complete the last.

    Parameters
    ----------
    known : sequence of str
    """

    def __init__(self, known: Sequence[str]) -> None:
        self._known = known

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG002
        """Offer the names not given yet, and ``none`` if there are no others."""
        before, comma, last = incomplete.rpartition(",")
        offered = [name for name in self._known if name not in before.split(",")]
        return [
            CompletionItem(before + comma + name)
            for name in (*offered, *([] if comma else ["none"]))
            if name.startswith(last)
        ]


class GroupedOption(click.Option):
    """An option that knows its heading in ``--help``."""

    def __init__(self, *arguments: Any, group: str, **attributes: Any) -> None:
        super().__init__(*arguments, **attributes)
        self.group, self.show_envvar = group, self.envvar is not None

    def get_error_hint(self, ctx: click.Context | None) -> str:
        """Return the environment variable if the value comes from it, else the option."""
        if ctx is not None and ctx.get_parameter_source(str(self.name)) is ParameterSource.ENVIRONMENT:
            return str(self.envvar)
        return click.Parameter.get_error_hint(self, ctx)


class DescribedArgument(click.Argument):
    """An argument with a description in ``--help``; from 8.5 on click has ``help`` for it, under a longer heading."""

    def __init__(self, *arguments: Any, description: str, **attributes: Any) -> None:
        super().__init__(*arguments, **attributes)
        self.description = description


class GroupedCommand(click.Command):
    """A command whose ``--help`` lists options under headings and ends with examples that can be pasted."""

    def __init__(self, *arguments: Any, examples: tuple[str, ...] = (), **attributes: Any) -> None:
        super().__init__(*arguments, **attributes)
        self.examples = examples

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; word the library's errors as those of the command."""
        import rnnstates

        from .wording import in_words_of

        try:
            return super().invoke(ctx)
        except rnnstates.RnnstatesError as reason:
            reason.args = (in_words_of(ctx, str(reason)),)
            raise

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the arguments, then one definition list per group, in the order in which the groups appear."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            if isinstance(parameter, DescribedArgument):
                sections.setdefault("Arguments", []).append((str(parameter.metavar), parameter.description))
            elif record := parameter.get_help_record(ctx):
                sections.setdefault(getattr(parameter, "group", LAST), []).append(record)
        for heading, records in sections.items():
            with formatter.section(heading):
                formatter.write_dl(records, col_max=26)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the examples as they are, without wrapping."""
        if self.examples:
            with formatter.section("Examples"):
                for example in self.examples:
                    formatter.write(f"  {example}\n")


def option(*names: str, group: str, **attributes: Any) -> Callable[[Any], Any]:
    """Decorate a command with an option under a heading; the other arguments are those of ``click.option``."""
    return click.option(*names, cls=GroupedOption, group=group, **attributes)


def argument(name: str, metavar: str, description: str, **attributes: Any) -> Callable[[Any], Any]:
    """Decorate a command with an argument, a file name, and its description in ``--help``."""
    return click.argument(
        name, metavar=metavar, type=FILE, cls=DescribedArgument, description=description, **attributes
    )


def with_options(*options: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Decorate a command with options, in the given order."""

    def decorated(command: Any) -> Any:
        for each in reversed(options):
            command = each(command)
        return command

    return decorated
